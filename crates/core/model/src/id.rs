use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A meeting's 128-bit random id, made by the client that creates the meeting.
///
/// Its text form, in links and on the wire, is 22 characters of unpadded base64url. It has no
/// `Display`, and its `Debug` says nothing: together with a link secret it lets a person in.
/// Logs use [`CallId`], which means nothing after the call.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(into = "String", try_from = "String")]
#[ts(as = "String")]
pub struct MeetingId([u8; 16]);

impl MeetingId {
    /// Makes an id of 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, for storage and key derivation.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 22-character text form, for links and the wire, never for logs.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for MeetingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeetingId(..)")
    }
}

impl From<MeetingId> for String {
    fn from(id: MeetingId) -> Self {
        id.expose()
    }
}

impl FromStr for MeetingId {
    type Err = MeetingIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MeetingIdError)?;
        bytes.try_into().map(Self).map_err(|_| MeetingIdError)
    }
}

impl TryFrom<String> for MeetingId {
    type Error = MeetingIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The text is not a meeting id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a meeting id is 22 characters of unpadded base64url (16 bytes)")]
pub struct MeetingIdError;

/// One live occupancy of a meeting on this server: a serial number, fit for logs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// One device's presence in a call: its place in the order of joining, never reused in a meeting.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(transparent)]
pub struct ParticipantId(pub u32);

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

/// A track offered to a call, unique within it.
///
/// A participant that publishes the same source again, after a reconnection say, keeps the id.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(transparent)]
pub struct PublicationId(pub u32);

impl fmt::Display for PublicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}
