//! Public test vectors: RFC 9605 (appendix C) and Wycheproof.

use aes_gcm_of_sframe::aead::{KeyInit, Payload};
use aes_gcm_of_sframe::{Aes128Gcm, Aes256Gcm};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sframe::CipherSuite;
use sframe::frame::{EncryptedFrameView, MediaFrameView, SingleUseCounter};
use sframe::header::SframeHeader;
use sframe::key::{DecryptionKey, EncryptionKey};

const SFRAME: &str = include_str!("../../vectors/sframe.json");
const AES_GCM: &str = include_str!("../../vectors/aes_gcm.json");

#[derive(Deserialize)]
struct SframeVectors {
    header: Vec<HeaderVector>,
    sframe: Vec<FrameVector>,
}

#[derive(Deserialize)]
struct HeaderVector {
    kid: u64,
    ctr: u64,
    encoded: Hex,
}

#[derive(Deserialize)]
struct FrameVector {
    cipher_suite: u16,
    kid: u64,
    ctr: u64,
    base_key: Hex,
    metadata: Hex,
    pt: Hex,
    ct: Hex,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wycheproof {
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    iv_size: usize,
    key_size: usize,
    tag_size: usize,
    tests: Vec<AesGcmVector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AesGcmVector {
    tc_id: u32,
    key: Hex,
    iv: Hex,
    aad: Hex,
    msg: Hex,
    ct: Hex,
    tag: Hex,
    result: String,
}

#[derive(Debug)]
struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).map_err(serde::de::Error::custom);
        (0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>().map(Self)
    }
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap()
}

#[test]
fn headers_are_those_of_rfc_9605() {
    let vectors: SframeVectors = read(SFRAME);
    assert_eq!(vectors.header.len(), 289);
    for HeaderVector { kid, ctr, encoded: Hex(encoded) } in vectors.header {
        let header = SframeHeader::deserialize(&encoded).unwrap();
        assert_eq!((header.key_id(), header.counter(), header.len()), (kid, ctr, encoded.len()));
        assert_eq!(Vec::from(&SframeHeader::new(kid, ctr)), encoded);
    }
}

#[test]
fn frames_are_those_of_rfc_9605() {
    let suites = [(4, CipherSuite::AesGcm128Sha256), (5, CipherSuite::AesGcm256Sha512)];
    let vectors: SframeVectors = read(SFRAME);
    for (number, suite) in suites {
        let vector = vectors.sframe.iter().find(|v| v.cipher_suite == number).unwrap();
        let FrameVector { kid, ctr, base_key, metadata, pt, ct, .. } = vector;
        let sealing = EncryptionKey::derive_from(suite, *kid, &base_key.0).unwrap();
        let opening = DecryptionKey::derive_from(suite, *kid, &base_key.0).unwrap();

        let mut counter = SingleUseCounter::new(*ctr);
        let frame = MediaFrameView::try_with_meta_data(&mut counter, &pt.0, &metadata.0).unwrap();
        let mut sealed = Vec::new();
        frame.encrypt_into(&sealing, &mut sealed).unwrap();
        assert_eq!(sealed[metadata.0.len()..], ct.0, "suite {number}");

        let frame = EncryptedFrameView::try_with_meta_data(&ct.0, &metadata.0).unwrap();
        let mut opened = Vec::new();
        frame.decrypt_into(&opening, &mut opened).unwrap();
        assert_eq!(opened[metadata.0.len()..], pt.0, "suite {number}");
    }
}

#[test]
fn the_cipher_passes_wycheproof() {
    let vectors: Wycheproof = read(AES_GCM);
    let mut run = 0;
    for group in &vectors.test_groups {
        // The nonce and tag lengths that SFrame uses; the library's type admits no others.
        if group.iv_size != 96 || group.tag_size != 128 {
            continue;
        }
        for vector in &group.tests {
            match group.key_size {
                128 => check::<Aes128Gcm>(vector),
                256 => check::<Aes256Gcm>(vector),
                _ => continue,
            }
            run += 1;
        }
    }
    assert!(run > 100, "only {run} vectors were run");
}

fn check<C: KeyInit + aes_gcm_of_sframe::aead::Aead>(vector: &AesGcmVector) {
    let AesGcmVector { tc_id, key, iv, aad, msg, ct, tag, result } = vector;
    let cipher = C::new_from_slice(&key.0).unwrap();
    let nonce = aes_gcm_of_sframe::aead::Nonce::<C>::try_from(iv.0.as_slice()).unwrap();
    let sealed = [ct.0.as_slice(), tag.0.as_slice()].concat();
    let opened = cipher.decrypt(&nonce, Payload { msg: &sealed, aad: &aad.0 });
    if result == "valid" {
        assert_eq!(opened.as_deref(), Ok(msg.0.as_slice()), "vector {tc_id}");
        let resealed = cipher.encrypt(&nonce, Payload { msg: &msg.0, aad: &aad.0 });
        assert_eq!(resealed, Ok(sealed), "vector {tc_id}");
    } else {
        assert!(opened.is_err(), "vector {tc_id}");
    }
}
