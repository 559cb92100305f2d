//! Forwarding: one RTP packet that goes out on many streams.
//!
//! What is the same on all of them is held once, also by the caches from which packets are resent:
//! with some hundred streams, what is written for each packet and stream is what costs.

use std::sync::Arc;
use std::time::Instant;

use super::{RtpPacket, RtpWrite};
use crate::packet::Vp8Patch;
use crate::rtp_::{ExtensionValues, Frequency, MediaTime, Pt, RtpHeader, SeqNo, Ssrc};

/// The most bytes that a [`PayloadPatch`] replaces.
const MAX_PATCHED: usize = 5;

/// What is the same of a packet on all streams that it is forwarded to.
#[derive(Debug)]
pub struct SharedRtp {
    /// Real world time that corresponds to the media time. See [`RtpWrite::new`].
    pub wallclock: Instant,
    /// The RTP marker bit.
    pub marker: bool,
    /// Whether it may be resent when a receiver asks for it.
    pub nackable: bool,
    /// Values of header extensions. Those of the transport are set for each stream.
    pub ext_vals: ExtensionValues,
    /// RTP payload, without header.
    pub payload: Arc<[u8]>,
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
    /// Bytes of the payload that differ.
    pub patch: PayloadPatch,
}

/// Bytes of a payload that are replaced. The payload's length stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PayloadPatch {
    len: u8,
    offsets: [u8; MAX_PATCHED],
    bytes: [u8; MAX_PATCHED],
}

impl PayloadPatch {
    /// Replaces the byte at `offset`. Returns `false` if five bytes are replaced already.
    pub fn replace(&mut self, offset: u8, byte: u8) -> bool {
        let index = usize::from(self.len);
        if index >= MAX_PATCHED {
            return false;
        }
        self.offsets[index] = offset;
        self.bytes[index] = byte;
        self.len += 1;
        true
    }

    /// Whether nothing is replaced.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Replaces the bytes. Offsets behind the payload's end are passed over.
    pub(crate) fn apply(&self, payload: &mut [u8]) {
        let len = usize::from(self.len);
        for (offset, byte) in self.offsets.iter().zip(&self.bytes).take(len) {
            if let Some(place) = payload.get_mut(usize::from(*offset)) {
                *place = *byte;
            }
        }
    }

    fn payload(&self, shared: &Arc<[u8]>) -> Arc<[u8]> {
        if self.is_empty() {
            return shared.clone();
        }
        let mut payload = shared.to_vec();
        self.apply(&mut payload);
        payload.into()
    }
}

impl From<Vp8Patch> for PayloadPatch {
    fn from(patch: Vp8Patch) -> Self {
        let mut all = PayloadPatch::default();
        for (offset, byte) in patch.replacements() {
            all.replace(offset, byte);
        }
        all
    }
}

impl SharedRtp {
    /// The header on one stream, without what is the transport's.
    pub(crate) fn header(&self, ssrc: Ssrc, rewrite: &RtpRewrite) -> RtpHeader {
        RtpHeader {
            sequence_number: *rewrite.seq_no as u16,
            marker: self.marker,
            payload_type: rewrite.pt,
            timestamp: rewrite.time,
            ssrc,
            ext_vals: self.ext_vals(rewrite),
            ..Default::default()
        }
    }

    fn ext_vals(&self, rewrite: &RtpRewrite) -> ExtensionValues {
        let mut ext_vals = self.ext_vals.clone();
        match (&mut ext_vals.shared_value, rewrite.number) {
            (Some(value), Some(number)) => value.number = Some(number),
            (value, None) => *value = None,
            (None, Some(_)) => {}
        }
        ext_vals
    }

    /// The packet by itself, to be queued.
    pub(crate) fn to_write(&self, rewrite: &RtpRewrite) -> RtpWrite {
        let payload = rewrite.patch.payload(&self.payload);
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
            payload: rewrite.patch.payload(&self.payload),
            vp8_patch: None,
            timestamp: self.wallclock,
            last_sender_info: None,
            nackable: self.nackable,
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_patch_changes_its_bytes_and_no_others() {
        let mut patch = PayloadPatch::default();
        let shared: Arc<[u8]> = Arc::from([1, 2, 3].as_slice());
        assert!(Arc::ptr_eq(&shared, &patch.payload(&shared)));

        assert!(patch.replace(1, 9));
        assert!(patch.replace(200, 9), "behind the end: passed over");
        assert_eq!(patch.payload(&shared).as_ref(), [1, 9, 3]);

        for _ in 2..MAX_PATCHED {
            assert!(patch.replace(0, 0));
        }
        assert!(!patch.replace(0, 7), "full");
    }
}
