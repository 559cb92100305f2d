//! The codecs that are offered, in the words of str0m and of frames.

use conclave_frame::Codec as FrameCodec;
use str0m::format::{Codec, CodecConfig, FormatParams};
use str0m::media::Frequency;

/// Pictures are taken in VP9 too, in its first profile, as browsers send them.
pub(crate) fn take_vp9(codecs: &mut CodecConfig) {
    let format = FormatParams { profile_id: Some(0), ..FormatParams::default() };
    let (pt, resent) = (VP9.into(), Some(VP9_RESENT.into()));
    codecs.add_config(pt, resent, Codec::Vp9, Frequency::NINETY_KHZ, None, format);
}

/// The payload types of VP9 and its retransmissions in an offer.
const VP9: u8 = 98;
const VP9_RESENT: u8 = 99;

/// What frames in a codec are sealed as; `None` for one that was not offered.
#[expect(clippy::wildcard_enum_match_arm, reason = "str0m's codecs grow with its versions")]
pub(crate) const fn frame_codec(codec: Codec) -> Option<FrameCodec> {
    match codec {
        Codec::Opus => Some(FrameCodec::Opus),
        Codec::Vp8 => Some(FrameCodec::Vp8),
        Codec::Vp9 => Some(FrameCodec::Vp9),
        _ => None,
    }
}
