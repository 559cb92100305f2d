//! What an encoded picture says of itself.

use conclave_frame::Codec;

/// Whether a frame of a picture is a key frame. False for an empty one, and for sound.
pub(crate) fn is_keyframe(codec: Codec, frame: &[u8]) -> bool {
    match codec {
        Codec::Opus => false,
        // RFC 6386 section 9.1.
        Codec::Vp8 => frame.first().is_some_and(|byte| byte & 1 == 0),
        Codec::Vp9 => frame.first().is_some_and(|byte| byte & VP9_HEAD == VP9_KEY),
    }
}

/// Width and height that a key frame states; `None` for other frames.
pub(crate) fn keyframe_size(codec: Codec, frame: &[u8]) -> Option<(u16, u16)> {
    if !is_keyframe(codec, frame) {
        return None;
    }
    match codec {
        Codec::Opus => None,
        Codec::Vp8 => vp8_size(frame),
        Codec::Vp9 => vp9_size(frame),
    }
}

/// RFC 6386 section 9.1.
fn vp8_size(frame: &[u8]) -> Option<(u16, u16)> {
    let [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = *frame.first_chunk::<10>()? else {
        return None;
    };
    let size = |bytes| u16::from_le_bytes(bytes) & 0x3fff;
    Some((size([w0, w1]), size([h0, h1])))
}

/// VP9 Bitstream and Decoding Process Specification, version 0.6, section 6.2: behind the first
/// byte come a sync code, four bits of colour, and width and height less one, 16 bits each.
fn vp9_size(frame: &[u8]) -> Option<(u16, u16)> {
    let [_, 0x49, 0x83, 0x42, size @ ..] = *frame.first_chunk::<9>()? else { return None };
    let bits = size.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let field = |behind: u32| ((bits >> behind & 0xffff) as u16).wrapping_add(1);
    Some((field(20), field(4)))
}

/// The bits of the first byte that say what a frame is, and their value in a key frame of profile
/// 0: frame marker, profile, `show_existing_frame` and `frame_type`.
const VP9_HEAD: u8 = 0b1111_1100;
const VP9_KEY: u8 = 0b1000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_frame_of_vp8_states_its_size() {
        let key = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x40];
        let size = |frame: &[u8]| keyframe_size(Codec::Vp8, frame);
        assert_eq!(size(&key), Some((320, 180)), "the scale bits are not size");
        let delta = [0x11, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x40];
        assert_eq!(size(&delta), None);
        assert_eq!(size(&key[..9]), None);
        assert_eq!(size(&[]), None);
    }

    #[test]
    fn only_a_key_frame_of_vp9_states_its_size() {
        // Colour space 1, then 320 - 1 and 180 - 1.
        let key = [0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0b, 0x30];
        let size = |frame: &[u8]| keyframe_size(Codec::Vp9, frame);
        assert_eq!(size(&key), Some((320, 180)));
        let delta = [0x86, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0b, 0x30];
        assert_eq!(size(&delta), None);
        let shows_another = [0x8a, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0b, 0x30];
        assert_eq!(size(&shows_another), None);
        assert_eq!(size(&key[..8]), None);
        assert_eq!(size(&[]), None);
    }
}
