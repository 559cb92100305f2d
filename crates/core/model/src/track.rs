use std::fmt;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Sound or picture.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Picture.
    Video,
}

/// What a track shows or sounds. A participant has at most one publication of each.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum TrackSource {
    /// The person's picture.
    Camera,
    /// The person's voice.
    Microphone,
    /// A shared screen, window or tab.
    Screen,
    /// The sound of what is shared.
    ScreenAudio,
}

impl TrackSource {
    /// Sound or picture.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Camera | Self::Screen => MediaKind::Video,
            Self::Microphone | Self::ScreenAudio => MediaKind::Audio,
        }
    }
}

/// Identification of a media section in one peer's session description (RFC 9143 section 9.1).
///
/// At most 16 ASCII characters: longer ones do not fit a one-byte header extension (RFC 8285),
/// which carries it in each RTP packet.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, TS)]
#[serde(into = "String", try_from = "String")]
#[ts(as = "String")]
pub struct Mid {
    len: u8,
    bytes: [u8; Self::MAX_LEN],
}

impl Mid {
    /// The most characters a mid may have.
    pub const MAX_LEN: usize = 16;

    /// Parses a mid of 1 to 16 RFC 4566 token characters that are letters, digits, `-` or `_`;
    /// `None` for anything else.
    pub fn new(text: &str) -> Option<Self> {
        let valid = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.as_bytes().iter().all(valid) {
            return None;
        }
        let mut bytes = [0; Self::MAX_LEN];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { len: u8::try_from(text.len()).ok()?, bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl fmt::Debug for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mid({})", self.as_str())
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Mid> for String {
    fn from(mid: Mid) -> Self {
        mid.as_str().to_owned()
    }
}

impl TryFrom<String> for Mid {
    type Error = MidError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or(MidError)
    }
}

/// The text is not a mid.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a mid has 1 to 16 letters, digits, '-' or '_'")]
pub struct MidError;
