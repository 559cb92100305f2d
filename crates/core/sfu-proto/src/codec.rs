//! The codecs that the node forwards, and how packets of each are told apart and written.

use conclave_forward::{PictureIds, Vp9Descriptor};
use str0m::Rtc;
use str0m::format::Codec as RtcCodec;
use str0m::media::{Media, Pt};
use str0m::rtp::{PayloadPatch, Vp8Descriptor};

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

/// The codec of a packet, with what its payload descriptor says, if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload {
    Opus,
    Vp8(Option<Vp8Descriptor>),
    Vp9(Option<Vp9Descriptor>),
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
            Self::Vp9(_) => Codec::Vp9,
        }
    }

    /// What of the payload's bytes to replace so that it has other counters.
    pub(crate) fn patch(&self, bytes: &[u8], ids: PictureIds) -> PayloadPatch {
        match self {
            Self::Vp8(Some(descriptor)) => patch_vp8(descriptor, bytes, ids),
            Self::Vp9(Some(descriptor)) => patch_vp9(descriptor, ids),
            Self::Opus | Self::Vp8(None) | Self::Vp9(None) => PayloadPatch::default(),
        }
    }
}

fn patch_vp8(descriptor: &Vp8Descriptor, bytes: &[u8], ids: PictureIds) -> PayloadPatch {
    let mut patch = descriptor.patch();
    if let Some(id) = ids.picture_id {
        // A stream that counts in 7 bits goes on counting in 7 bits.
        let short = descriptor.picture_id().is_some_and(|_| is_short(bytes));
        patch = patch.picture_id(if short { id & 0x7f } else { id });
    }
    if let Some(index) = ids.tl0_pic_idx {
        patch = patch.tl0_pic_idx(index);
    }
    patch.build().map(PayloadPatch::from).unwrap_or_default()
}

/// Whether a VP8 payload descriptor that has a picture id has a short one (RFC 7741 section 4.2).
fn is_short(payload: &[u8]) -> bool {
    payload.get(2).is_some_and(|byte| byte & 0x80 == 0)
}

fn patch_vp9(descriptor: &Vp9Descriptor, ids: PictureIds) -> PayloadPatch {
    let mut patch = PayloadPatch::default();
    for (at, byte) in descriptor.changes(ids) {
        // Both counters stand within the descriptor's first bytes, and take three at most.
        let at = u8::try_from(at).unwrap_or(u8::MAX);
        patch.replace(at, byte);
    }
    patch
}
