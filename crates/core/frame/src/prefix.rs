use crate::kid::Source;

/// Frames longer than this are not sealed and not opened: no encoder makes them.
pub const MAX_FRAME_LEN: usize = 8 << 20;

/// The codecs whose frames can be sealed. Any other fails closed: it has no name here.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Codec {
    /// RFC 6716.
    Opus,
    /// RFC 6386.
    Vp8,
    /// The VP9 bitstream.
    Vp9,
}

impl Codec {
    /// The codec of a media type as in SDP, such as `video/VP8`.
    pub fn from_media_type(text: &str) -> Option<Self> {
        [("audio/opus", Self::Opus), ("video/vp8", Self::Vp8), ("video/vp9", Self::Vp9)]
            .into_iter()
            .find_map(|(name, codec)| text.eq_ignore_ascii_case(name).then_some(codec))
    }

    /// Its number in the authenticated data.
    pub const fn id(self) -> u8 {
        match self {
            Self::Opus => 1,
            Self::Vp8 => 2,
            Self::Vp9 => 3,
        }
    }

    /// Whether a source is encoded with it.
    pub const fn suits(self, source: Source) -> bool {
        match self {
            Self::Opus => source.is_audio(),
            Self::Vp8 | Self::Vp9 => !source.is_audio(),
        }
    }

    /// How many of a frame's first bytes stay readable, or nothing if there are not as many.
    ///
    /// Browsers' packetizers read VP8's uncompressed header (RFC 6386 section 9.1): 10 bytes of a
    /// key frame, and 1 of a delta frame, told apart by bit 0 of byte 0. That byte is in the clear
    /// prefix itself and so authenticated: the length is never taken from what a server may edit.
    pub fn clear_len(self, frame: &[u8]) -> Option<usize> {
        let len = match self {
            Self::Opus | Self::Vp9 => 0,
            Self::Vp8 if frame.first()? & 1 == 0 => 10,
            Self::Vp8 => 1,
        };
        (frame.len() >= len).then_some(len)
    }
}
