//! What people and servers hand out of a meeting's rules: constitution, order, identity, and the
//! media node's word.

use conclave_commit_rules::{
    Classification, Constitution, LeafIdentity, Mode, Order, SUITE_DEFAULT,
};
use conclave_node_statement::verify;

/// A policy has one text: what can be read is written as it was.
pub(crate) fn constitution(data: &[u8]) {
    match Constitution::parse(data) {
        Ok(constitution) => {
            let text = constitution.encode().expect("what was read is within bounds");
            assert_eq!(text.as_bytes(), data);
        }
        Err(error) => drop(error.to_string()),
    }
}

/// So has an order.
pub(crate) fn order(data: &[u8]) {
    match Order::parse(data) {
        Ok(order) => {
            let text = order.encode().expect("what was read is within bounds");
            assert_eq!(text.as_bytes(), data);
        }
        Err(error) => drop(error.to_string()),
    }
}

/// So has an identity.
pub(crate) fn identity(data: &[u8]) {
    if let Some(identity) = LeafIdentity::parse(data) {
        assert_eq!(identity.encode(), data);
    }
}

/// A statement that nobody signed is not believed, whatever it and the session description say.
/// The first empty line parts the two.
pub(crate) fn statement(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (statement, sdp) = text.split_once("\n\n").unwrap_or((text, ""));
    for signature in [&[0; 64][..], statement.as_bytes()] {
        let verified = verify(statement, signature, sdp, &[], &some_constitution(), 1_800_000_000);
        drop(verified.expect_err("nobody signed it").to_string());
    }
}

fn some_constitution() -> Constitution {
    Constitution {
        version: Constitution::VERSION,
        meeting: [7; 16],
        suite: SUITE_DEFAULT,
        mode: Mode::Lobby,
        join_before_host: false,
        host_key: [1; 32],
        issuers: Vec::new(),
        guests: true,
        // The base point of the curve: a key that anybody can read, and nobody signs with here.
        node_key: [
            0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
            0x66, 0x66, 0x66, 0x66,
        ],
        jurisdictions: Vec::new(),
        gateways: false,
        voice_level: true,
        classification: Classification::Open,
        max_members: 100,
    }
}
