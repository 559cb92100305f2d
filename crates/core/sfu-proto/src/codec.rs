//! The codecs that the node forwards, and how packets of each are told apart and written.

use conclave_forward::{PictureIds, Vp9Descriptor};
use smallvec::SmallVec;
use str0m::Rtc;
use str0m::format::Codec as RtcCodec;
use str0m::media::{Media, Pt};
use str0m::rtp::{PatchPlaces, Vp8Descriptor};

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

/// The counters in a packet's payload descriptor, which go on counting in each slot's own stream:
/// which there are, and where.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    picture_id: Option<Width>,
    has_tl0_pic_idx: bool,
    /// First those of the picture id.
    places: PatchPlaces,
}

/// How many bits a picture id has. A stream that counts in seven goes on counting in seven.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Width {
    Seven,
    Fifteen,
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

impl Counters {
    /// Those of VP8 (RFC 7741 section 4.2).
    pub(crate) fn of_vp8(descriptor: &Vp8Descriptor) -> Self {
        let mut patch = descriptor.patch();
        if let Some(id) = descriptor.picture_id() {
            patch = patch.picture_id(id);
        }
        if let Some(index) = descriptor.tl0_pic_idx() {
            patch = patch.tl0_pic_idx(index);
        }
        let Ok(patch) = patch.build() else { return Self::default() };
        let offsets = patch.replacements().map(|(at, _)| at);
        Self::at(offsets.collect(), descriptor.tl0_pic_idx().is_some())
    }

    /// Those of VP9 (RFC 9628 section 4.2).
    pub(crate) fn of_vp9(descriptor: &Vp9Descriptor) -> Self {
        let ids = descriptor.ids();
        // Both stand within the descriptor's first bytes.
        let offsets =
            descriptor.changes(ids).map(|(at, _)| u8::try_from(at).unwrap_or(u8::MAX)).collect();
        Self::at(offsets, ids.tl0_pic_idx.is_some())
    }

    fn at(offsets: SmallVec<[u8; 4]>, has_tl0_pic_idx: bool) -> Self {
        let picture_id = match offsets.len() - usize::from(has_tl0_pic_idx) {
            0 => None,
            1 => Some(Width::Seven),
            _ => Some(Width::Fifteen),
        };
        PatchPlaces::new(offsets)
            .map(|places| Self { picture_id, has_tl0_pic_idx, places })
            .unwrap_or_default()
    }

    /// Where they stand in the payload.
    pub(crate) const fn places(self) -> PatchPlaces {
        self.places
    }

    /// The bytes at their places that count otherwise. `None` if there are no counters.
    pub(crate) fn bytes(self, ids: PictureIds) -> Option<[u8; 3]> {
        let index = ids.tl0_pic_idx.unwrap_or_default();
        let [high, low] = ids.picture_id.unwrap_or_default().to_be_bytes();
        match self.picture_id {
            None => self.has_tl0_pic_idx.then_some([index, 0, 0]),
            Some(Width::Seven) => Some([low & 0x7f, index, 0]),
            Some(Width::Fifteen) => Some([high | 0x80, low, index]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A payload with other counters, as a receiver would read them.
    fn recounted(codec: Codec, payload: &[u8], ids: PictureIds) -> Vec<u8> {
        let counters = match codec {
            Codec::Vp8 => Counters::of_vp8(&Vp8Descriptor::parse(payload).unwrap()),
            Codec::Vp9 => Counters::of_vp9(&Vp9Descriptor::parse(payload).unwrap()),
            Codec::Opus => unreachable!("it counts nothing"),
        };
        let mut payload = payload.to_vec();
        if let Some(bytes) = counters.bytes(ids) {
            counters.places().patch(bytes, &mut payload);
        }
        payload
    }

    #[test]
    fn counters_are_replaced_where_they_stand_and_as_wide_as_they_are() {
        let ids = PictureIds { picture_id: Some(0x1234), tl0_pic_idx: Some(0x56) };
        use Codec::{Vp8, Vp9};
        let cases: [(&str, Codec, &[u8], &[u8]); 8] = [
            (
                "vp8, long",
                Vp8,
                &[0x90, 0xe0, 0x81, 1, 7, 0x40, 9],
                &[0x90, 0xe0, 0x92, 0x34, 0x56, 0x40, 9],
            ),
            (
                "vp8, short",
                Vp8,
                &[0x90, 0xe0, 0x01, 7, 0x40, 9],
                &[0x90, 0xe0, 0x34, 0x56, 0x40, 9],
            ),
            ("vp8, no index", Vp8, &[0x90, 0x80, 0x81, 1, 9], &[0x90, 0x80, 0x92, 0x34, 9]),
            ("vp8, index alone", Vp8, &[0x90, 0x60, 7, 0x40, 9], &[0x90, 0x60, 0x56, 0x40, 9]),
            ("vp8, none", Vp8, &[0x10, 9, 9, 9], &[0x10, 9, 9, 9]),
            ("vp9, long", Vp9, &[0xa8, 0x81, 1, 0, 7, 9], &[0xa8, 0x92, 0x34, 0, 0x56, 9]),
            ("vp9, short", Vp9, &[0xa8, 0x01, 0, 7, 9], &[0xa8, 0x34, 0, 0x56, 9]),
            ("vp9, none", Vp9, &[0x08, 9, 9, 9], &[0x08, 9, 9, 9]),
        ];
        for (name, codec, payload, expected) in cases {
            assert_eq!(recounted(codec, payload, ids), expected, "case: {name}");
        }
    }
}
