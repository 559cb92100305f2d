use conclave_commit_rules::{
    Classification, Constitution, CredentialId, Issuer, Jurisdiction, Mode, Mute, Order,
    PolicyError, Role, RoleEntry,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::samples::{constitution, order};

#[test]
fn a_constitution_has_one_text() {
    let mut constitution = constitution(Mode::VerifiedAuto);
    constitution.issuers.push(Issuer([1; 32]));
    constitution.jurisdictions.push(Jurisdiction::try_from("DE".to_owned()).unwrap());
    let text = constitution.encode().unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"version":2,"meeting":"BwcHBwcHBwcHBwcHBwcHBw","suite":78,"mode":"verified-auto","#,
            r#""joinBeforeHost":false,"hostKey":"CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg","#,
            r#""issuers":["AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"],"guests":true,"#,
            r#""nodeKey":"CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk","jurisdictions":["DE"],"#,
            r#""gateways":false,"voiceLevel":true,"classification":"open","maxMembers":8}"#,
        )
    );
    assert_eq!(Constitution::parse(text.as_bytes()), Ok(constitution));
}

#[test]
fn another_text_of_the_same_constitution_is_refused() {
    let text = constitution(Mode::Lobby).encode().unwrap();
    let spaced = text.replacen(',', ", ", 1);
    assert_eq!(Constitution::parse(spaced.as_bytes()), Err(PolicyError::Form));
    let more = text.replacen('{', r#"{"debug":true,"#, 1);
    assert_eq!(Constitution::parse(more.as_bytes()), Err(PolicyError::Format));
    let less = text.replace(r#""guests":true,"#, "");
    assert_eq!(Constitution::parse(less.as_bytes()), Err(PolicyError::Format));
    let padded = text.replace("BwcHBwcHBwcHBwcHBwcHBw", "BwcHBwcHBwcHBwcHBwcHBx");
    assert_eq!(Constitution::parse(padded.as_bytes()), Err(PolicyError::Format));
    let newer = text.replace(r#""version":2"#, r#""version":3"#);
    assert_eq!(Constitution::parse(newer.as_bytes()), Err(PolicyError::Version));
    let unencrypted = text.replace(r#""version":2"#, r#""version":0"#);
    assert_eq!(Constitution::parse(unencrypted.as_bytes()), Err(PolicyError::Version));
}

#[test]
fn values_out_of_bounds_are_refused() {
    for max_members in [0, 4097, u16::MAX] {
        let constitution = Constitution { max_members, ..constitution(Mode::Lobby) };
        assert_eq!(constitution.encode(), Err(PolicyError::Bounds));
    }
    for text in ["", "D", "de", "DEU", "ÄÖ"] {
        assert!(Jurisdiction::try_from(text.to_owned()).is_err());
    }
    let long = vec![b' '; Order::MAX_LEN + 1];
    assert_eq!(Order::parse(&long), Err(PolicyError::TooLong));
}

#[test]
fn an_order_makes_nobody_host_and_lists_nobody_twice() {
    let mut order = order();
    let guest = CredentialId([4; 16]);
    order.appoint(guest, Role::Host);
    assert_eq!(order.role_of(&guest), Role::Guest);
    order.roles.push(RoleEntry { credential: guest, role: Role::Host });
    assert_eq!(order.encode(), Err(PolicyError::Bounds));
    order.roles.pop();
    order.roles.push(RoleEntry { credential: CredentialId([3; 16]), role: Role::CoHost });
    assert_eq!(order.encode(), Err(PolicyError::Bounds));
}

#[test]
fn an_appointed_role_is_taken_away_again() {
    let mut order = order();
    let presenter = CredentialId([3; 16]);
    order.appoint(presenter, Role::Admitter);
    assert_eq!(order.role_of(&presenter), Role::Admitter);
    order.appoint(presenter, Role::Guest);
    assert_eq!(order.role_of(&presenter), Role::Guest);
    assert_eq!(order.roles.len(), 2);
}

fn credential() -> impl Strategy<Value = CredentialId> {
    any::<[u8; 16]>().prop_map(CredentialId)
}

proptest! {
    #[test]
    fn any_order_is_read_as_it_was_written(
        locked in any::<bool>(),
        roles in vec((credential(), 0..4_usize), 0..9),
        muted in vec(credential(), 0..4),
    ) {
        let mut order = Order { locked, classification: Classification::Secret, ..Order::default() };
        let names = [Role::Guest, Role::Presenter, Role::Admitter, Role::CoHost];
        for (credential, role) in roles {
            order.appoint(credential, names[role]);
        }
        order.mutes = muted.into_iter().map(Mute::Screen).collect();
        order.mutes.sort_unstable();
        order.mutes.dedup();
        let text = order.encode().unwrap();
        prop_assert_eq!(Order::parse(text.as_bytes()), Ok(order));
    }

    #[test]
    fn whatever_is_parsed_is_its_own_text(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(order) = Order::parse(&bytes) {
            prop_assert_eq!(order.encode().unwrap().into_bytes(), bytes.clone());
        }
        prop_assert!(Constitution::parse(&bytes).is_err());
    }

    #[test]
    fn an_edited_constitution_is_another_or_none(at in 0..300_usize, byte in any::<u8>()) {
        let was = constitution(Mode::Lobby);
        let mut text = was.encode().unwrap().into_bytes();
        let at = at % text.len();
        prop_assume!(text[at] != byte);
        text[at] = byte;
        prop_assert_ne!(Constitution::parse(&text), Ok(was));
    }
}
