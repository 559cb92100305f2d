//! The codecs that the node forwards, and how packets of each are told apart and written.

use std::sync::Arc;

use conclave_forward::{PictureIds, set_vp9_ids};
use str0m::Rtc;
use str0m::format::Codec as RtcCodec;
use str0m::media::{Media, Pt};
use str0m::rtp::Vp8Descriptor;

/// A codec that the node forwards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Codec {
    Opus,
    Vp8,
    Vp9,
}

/// The payload types under which a peer takes each codec in one of its slots.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PayloadTypes {
    opus: Option<Pt>,
    vp8: Option<Pt>,
    vp9: Option<Pt>,
}

/// The codec of a packet, with what its payload descriptor says if str0m rewrites that.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload {
    Opus,
    Vp8(Option<Vp8Descriptor>),
    Vp9,
}

impl Codec {
    /// The codec that a session has agreed on for a payload type.
    pub(crate) fn negotiated(rtc: &Rtc, pt: Pt) -> Option<Self> {
        let params = rtc.codec_config().params().iter().find(|params| params.pt() == pt)?;
        Self::read(params.spec().codec)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "str0m's codecs grow with its versions")]
    const fn read(codec: RtcCodec) -> Option<Self> {
        match codec {
            RtcCodec::Opus => Some(Self::Opus),
            RtcCodec::Vp8 => Some(Self::Vp8),
            RtcCodec::Vp9 => Some(Self::Vp9),
            _ => None,
        }
    }
}

impl PayloadTypes {
    /// Reads what was negotiated for a media section; `None` if that is no codec at all.
    pub(crate) fn read(rtc: &Rtc, media: &Media) -> Option<Self> {
        let mut types = Self::default();
        for pt in media.remote_pts() {
            let Some(codec) = Codec::negotiated(rtc, *pt) else { continue };
            types.entry(codec).get_or_insert(*pt);
        }
        (types.opus.is_some() || types.vp8.is_some() || types.vp9.is_some()).then_some(types)
    }

    /// The payload type of a codec; `None` if the peer does not take it here.
    pub(crate) const fn of(self, codec: Codec) -> Option<Pt> {
        match codec {
            Codec::Opus => self.opus,
            Codec::Vp8 => self.vp8,
            Codec::Vp9 => self.vp9,
        }
    }

    const fn entry(&mut self, codec: Codec) -> &mut Option<Pt> {
        match codec {
            Codec::Opus => &mut self.opus,
            Codec::Vp8 => &mut self.vp8,
            Codec::Vp9 => &mut self.vp9,
        }
    }
}

impl Payload {
    pub(crate) const fn codec(&self) -> Codec {
        match self {
            Self::Opus => Codec::Opus,
            Self::Vp8(_) => Codec::Vp8,
            Self::Vp9 => Codec::Vp9,
        }
    }

    /// The payload as it goes out: VP9's with other counters. VP8's are patched by str0m.
    pub(crate) fn with_ids(&self, bytes: &Arc<[u8]>, ids: Option<PictureIds>) -> Arc<[u8]> {
        match (self, ids) {
            (Self::Vp9, Some(ids)) => {
                let mut bytes = bytes.to_vec();
                set_vp9_ids(&mut bytes, ids);
                bytes.into()
            }
            (Self::Opus | Self::Vp8(_) | Self::Vp9, _) => Arc::clone(bytes),
        }
    }
}
