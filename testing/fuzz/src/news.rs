//! What a server says on the signalling socket.

use conclave_wire::{GroupNews, GroupRequest, ServerMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can be decoded means the same after it was encoded again.
pub(crate) fn target(data: &[u8]) {
    check::<ServerMessage>(data);
    check::<GroupNews>(data);
    check::<GroupRequest>(data);
}

fn check<T: DeserializeOwned + PartialEq + Serialize + std::fmt::Debug>(data: &[u8]) {
    let Ok(message) = serde_json::from_slice::<T>(data) else { return };
    let encoded = serde_json::to_string(&message).expect("a message can be encoded");
    let again: T = serde_json::from_str(&encoded).expect("what was encoded can be decoded");
    assert_eq!(again, message);
}
