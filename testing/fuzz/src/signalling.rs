//! What a client says on the signalling socket.

use conclave_wire::decode_client_message;

/// What can be decoded means the same after it was encoded again.
pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(message) = decode_client_message(text) else { return };
    let encoded = serde_json::to_string(&message).expect("a message can be encoded");
    let again = decode_client_message(&encoded).expect("what was encoded can be decoded");
    assert_eq!(again, message);
}
