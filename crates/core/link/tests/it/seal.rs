use conclave_link::{LinkKeys, LinkSecret, MetaKey, OpenError, Profile, clean_name};
use conclave_model::{MeetingId, SealedBlob};
use proptest::prelude::*;

#[test]
fn a_title_does_not_open_as_a_profile_nor_a_profile_as_a_title() {
    let key = MetaKey::from_bytes([1; 32]);
    let title = key.seal_title([2; 12], r#"{"name":"Mallory"}"#).unwrap();
    let profile = key.seal_profile([3; 12], &Profile::new("Ada")).unwrap();
    assert_eq!(key.open_profile(&title), Err(OpenError::Authentication));
    assert_eq!(key.open_title(&profile), Err(OpenError::Authentication));
}

#[test]
fn keys_differ_by_purpose_by_secret_and_by_meeting() {
    let derive = |secret, meeting| {
        LinkKeys::derive(
            &LinkSecret::from_bytes([secret; 32]),
            &MeetingId::from_bytes([meeting; 16]),
        )
    };
    let keys = derive(1, 1);
    assert_ne!(keys.token.as_bytes(), keys.meta.as_bytes());
    assert_ne!(keys.token.as_bytes(), keys.psk.as_bytes());
    assert_ne!(keys.meta.as_bytes(), keys.psk.as_bytes());
    assert_ne!(keys.token.as_bytes(), derive(2, 1).token.as_bytes());
    assert_ne!(keys.token.as_bytes(), derive(1, 2).token.as_bytes());
    assert_ne!(keys.token.hash(), keys.token.expose());
}

#[test]
fn a_blob_shorter_than_a_nonce_is_truncated() {
    let key = MetaKey::from_bytes([1; 32]);
    let blob = SealedBlob::new(vec![0; 11]).unwrap();
    assert_eq!(key.open_title(&blob), Err(OpenError::Truncated));
}

proptest! {
    #[test]
    fn what_is_sealed_opens(key: [u8; 32], nonce: [u8; 12], name in "\\PC{0,80}") {
        let key = MetaKey::from_bytes(key);
        let profile = Profile::new(&name);
        let blob = key.seal_profile(nonce, &profile).unwrap();
        prop_assert_eq!(key.open_profile(&blob).unwrap(), profile);
        let blob = key.seal_title(nonce, &name).unwrap();
        prop_assert_eq!(clean_name(&key.open_title(&blob).unwrap()), clean_name(&name));
    }

    #[test]
    fn a_tampered_blob_does_not_open(at: prop::sample::Index, flip in 1_u8..) {
        let key = MetaKey::from_bytes([1; 32]);
        let blob = key.seal_profile([2; 12], &Profile::new("Ada")).unwrap();
        let mut bytes = blob.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let tampered = SealedBlob::new(bytes).unwrap();
        prop_assert_eq!(key.open_profile(&tampered), Err(OpenError::Authentication));
    }

    #[test]
    fn a_cut_blob_does_not_open(len in 0_usize..41) {
        let key = MetaKey::from_bytes([1; 32]);
        let blob = key.seal_profile([2; 12], &Profile::new("Ada")).unwrap();
        prop_assume!(len < blob.as_bytes().len());
        let cut = SealedBlob::new(blob.as_bytes()[..len].to_vec()).unwrap();
        prop_assert!(key.open_profile(&cut).is_err());
    }

    #[test]
    fn another_key_does_not_open(key: [u8; 32], other: [u8; 32]) {
        prop_assume!(key != other);
        let blob = MetaKey::from_bytes(key).seal_title([2; 12], "Weekly").unwrap();
        prop_assert_eq!(MetaKey::from_bytes(other).open_title(&blob), Err(OpenError::Authentication));
    }

    #[test]
    fn a_cleaned_name_is_short_trimmed_and_clean_again(name in any::<String>()) {
        let cleaned = clean_name(&name);
        prop_assert!(cleaned.chars().count() <= 64);
        prop_assert_eq!(cleaned.trim(), &cleaned);
        prop_assert_eq!(clean_name(&cleaned), cleaned);
    }
}
