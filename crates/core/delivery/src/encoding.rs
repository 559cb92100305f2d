//! How what is at rest is written: by postcard, which writes no names, and bytes as they are.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, written as a length and themselves. A clone copies none.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Bytes(pub(crate) Arc<[u8]>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        Ok(Self(bytes.into()))
    }
}

pub(crate) fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_allocvec(value)
}

/// Reads a value that all of the bytes belong to.
///
/// A sequence's length that lies costs no memory: room is made for no more elements than there are
/// bytes left.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, postcard::Error> {
    match postcard::take_from_bytes(bytes)? {
        (value, []) => Ok(value),
        (_, [_, ..]) => Err(postcard::Error::DeserializeBadEncoding),
    }
}
