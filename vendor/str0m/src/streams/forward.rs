//! Forwarding: one RTP packet that goes out on many streams.
//!
//! What is the same on all of them is held once, also by the caches from which packets are resent:
//! with some hundred streams, what is written for each packet and stream is what costs.

use std::sync::Arc;
use std::time::Instant;

use super::{RtpPacket, RtpWrite};
use crate::rtp_::{ExtensionValues, Frequency, MediaTime, Pt, RtpHeader, SeqNo};
use crate::rtp_::{SharedExtensionValue, Ssrc};

/// The most bytes of a payload that differ from stream to stream: a picture id of 15 bits, and the
/// number of a base layer's picture.
pub(crate) const MAX_PATCHED: usize = 3;

/// What is the same of a packet on all streams that it is forwarded to.
#[derive(Debug)]
pub struct SharedRtp {
    /// Real world time that corresponds to the media time. See [`RtpWrite::new`].
    pub wallclock: Instant,
    /// The RTP marker bit.
    pub marker: bool,
    /// Whether it may be resent when a receiver asks for it.
    pub nackable: bool,
    /// Values of header extensions: levels and voice of sound, orientation and content type of
    /// pictures, and the shared one. No others are forwarded. Those of the transport are set for each
    /// stream.
    pub ext_vals: ExtensionValues,
    /// RTP payload, without header.
    pub payload: Arc<[u8]>,
    /// Where the payload differs.
    pub places: PatchPlaces,
}

/// What differs of a forwarded packet from stream to stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpRewrite {
    /// Payload type on this stream.
    pub pt: Pt,
    /// Extended sequence number on this stream. See [`RtpWrite::new`].
    pub seq_no: SeqNo,
    /// Time in the media's clock rate.
    pub time: u32,
    /// The number in [`ExtensionValues::shared_value`]. That extension is left out without one.
    pub number: Option<u16>,
    /// The bytes at [`SharedRtp::places`], if they differ: the first ones, as many as there are places.
    pub patch: Option<[u8; MAX_PATCHED]>,
}

/// A packet for one of the streams that it is forwarded to.
#[derive(Debug, Clone)]
pub struct Forward<'a> {
    /// What is the same on all streams.
    pub packet: &'a Arc<SharedRtp>,
    /// What differs.
    pub rewrite: RtpRewrite,
}

/// Where a payload has bytes that differ from stream to stream. The payload's length stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PatchPlaces {
    len: u8,
    offsets: [u8; MAX_PATCHED],
}

impl PatchPlaces {
    /// Makes them of the offsets. `None` if there are more than three.
    pub fn new(offsets: impl IntoIterator<Item = u8>) -> Option<Self> {
        let mut places = PatchPlaces::default();
        for offset in offsets {
            *places.offsets.get_mut(usize::from(places.len))? = offset;
            places.len += 1;
        }
        Some(places)
    }

    /// Replaces the bytes. Offsets behind the payload's end are passed over.
    pub fn patch(&self, bytes: [u8; MAX_PATCHED], payload: &mut [u8]) {
        let places = self.offsets.iter().take(usize::from(self.len));
        for (offset, byte) in places.zip(bytes) {
            if let Some(place) = payload.get_mut(usize::from(*offset)) {
                *place = byte;
            }
        }
    }
}

impl SharedRtp {
    /// Makes a header of the stream's that of this packet. What is the transport's stays.
    pub(crate) fn write_header(&self, rewrite: &RtpRewrite, header: &mut RtpHeader) {
        header.sequence_number = *rewrite.seq_no as u16;
        header.marker = self.marker;
        header.payload_type = rewrite.pt;
        header.timestamp = rewrite.time;
        self.write_ext_vals(rewrite, &mut header.ext_vals);
    }

    /// The header on one stream, without what is the transport's.
    fn header(&self, ssrc: Ssrc, rewrite: &RtpRewrite) -> RtpHeader {
        let mut header = RtpHeader { ssrc, ..Default::default() };
        self.write_header(rewrite, &mut header);
        header
    }

    fn write_ext_vals(&self, rewrite: &RtpRewrite, to: &mut ExtensionValues) {
        let from = &self.ext_vals;
        to.audio_level = from.audio_level;
        to.voice_activity = from.voice_activity;
        to.video_orientation = from.video_orientation;
        to.video_content_type = from.video_content_type;
        to.shared_value = rewrite.number.and_then(|number| {
            let bytes = from.shared_value.as_ref()?.bytes.clone();
            Some(SharedExtensionValue { bytes, number: Some(number) })
        });
    }

    fn ext_vals(&self, rewrite: &RtpRewrite) -> ExtensionValues {
        let mut ext_vals = ExtensionValues::default();
        self.write_ext_vals(rewrite, &mut ext_vals);
        ext_vals
    }

    /// The payload on one stream.
    pub(crate) fn patched(&self, rewrite: &RtpRewrite) -> Arc<[u8]> {
        let Some(patch) = rewrite.patch else { return self.payload.clone() };
        let mut payload = self.payload.to_vec();
        self.places.patch(patch, &mut payload);
        payload.into()
    }

    /// The packet by itself, to be queued.
    pub(crate) fn to_write(&self, rewrite: &RtpRewrite) -> RtpWrite {
        let payload = self.patched(rewrite);
        RtpWrite::new(rewrite.pt, rewrite.seq_no, rewrite.time, self.wallclock, payload)
            .marker(self.marker)
            .nackable(self.nackable)
            .ext_vals(self.ext_vals(rewrite))
    }

    /// The packet by itself, to be resent.
    pub(crate) fn to_packet(&self, ssrc: Ssrc, rewrite: &RtpRewrite) -> RtpPacket {
        RtpPacket {
            seq_no: rewrite.seq_no,
            // Only looked at when a packet is sent first.
            time: MediaTime::new(rewrite.time.into(), Frequency::NINETY_KHZ),
            header: self.header(ssrc, rewrite),
            payload: self.patched(rewrite),
            vp8_patch: None,
            timestamp: self.wallclock,
            last_sender_info: None,
            nackable: self.nackable,
        }
    }
}

#[cfg(test)]
impl SharedRtp {
    pub(crate) fn test_new(wallclock: Instant, payload: &[u8], places: [u8; 2]) -> Self {
        Self {
            wallclock,
            marker: true,
            nackable: true,
            ext_vals: ExtensionValues::default(),
            payload: payload.into(),
            places: PatchPlaces::new(places).unwrap(),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_patch_changes_its_bytes_and_no_others() {
        let packet = SharedRtp::test_new(Instant::now(), &[1, 2, 3], [1, 200]);
        let rewrite = |patch| RtpRewrite {
            pt: 96.into(),
            seq_no: 1.into(),
            time: 0,
            number: None,
            patch,
        };
        assert!(Arc::ptr_eq(&packet.payload, &packet.patched(&rewrite(None))));
        let patched = packet.patched(&rewrite(Some([9, 8, 7])));
        assert_eq!(patched.as_ref(), [1, 9, 3], "an offset behind the end is passed over");

        assert_eq!(PatchPlaces::new([1; 4]), None);
    }
}
