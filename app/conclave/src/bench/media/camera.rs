//! Packets that look like VP8 to a server: a true payload descriptor, and nothing of a picture
//! behind it.

use std::ops::Range;

/// A camera, as far as its packets are concerned.
#[derive(Debug, Default)]
pub(in crate::bench) struct Camera {
    frames: u32,
    packets: u64,
    timestamp: u32,
    in_keyframe: bool,
    keyframe_wanted: bool,
}

/// One packet of a frame.
pub(in crate::bench) struct Packet {
    /// Counts the packets of this camera, from 1.
    pub(in crate::bench) seq: u64,
    /// In units of 1/90,000 s.
    pub(in crate::bench) timestamp: u32,
    /// Whether its frame ends with it.
    pub(in crate::bench) last: bool,
    /// Payload descriptor, and what is behind it.
    pub(in crate::bench) payload: Vec<u8>,
}

/// With RTP's header and extensions and SRTP's tag this makes datagrams of about 1,200 bytes: the
/// size that browsers keep to.
const PAYLOAD: usize = 1144;

/// Behind the payload descriptor (six bytes) and the first byte of VP8's frame header, of which one
/// bit says whether the frame is a key frame: when the packet was sent.
const SENT_AT: Range<usize> = 7..15;

/// The clock of video's timestamps (RFC 7741 section 4.1).
const CLOCK: u32 = 90_000;

impl Camera {
    /// The next frame begins a picture anew.
    pub(in crate::bench) const fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// How many packets it has made.
    pub(in crate::bench) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Begins a frame, so many of which make a second.
    pub(in crate::bench) fn begin_frame(&mut self, fps: u32) {
        self.in_keyframe = std::mem::take(&mut self.keyframe_wanted) || self.frames == 0;
        self.frames = self.frames.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(CLOCK / fps);
    }

    /// Makes a packet of the frame. `sent_at` is in nanoseconds since an instant that all clients
    /// share.
    pub(in crate::bench) fn packet(&mut self, first: bool, last: bool, sent_at: u64) -> Packet {
        self.packets += 1;
        let mut payload = Vec::with_capacity(PAYLOAD);
        payload.extend(descriptor(first, self.frames));
        payload.push(u8::from(!self.in_keyframe));
        payload.extend(sent_at.to_be_bytes());
        payload.resize(PAYLOAD, 0xaa);
        Packet { seq: self.packets, timestamp: self.timestamp, last, payload }
    }
}

/// A payload descriptor as browsers write it (RFC 7741 section 4.2): with a picture id of 15 bits
/// and one temporal layer.
const fn descriptor(starts_frame: bool, frame: u32) -> [u8; 6] {
    let [.., high, low] = frame.to_be_bytes();
    [if starts_frame { 0x90 } else { 0x80 }, 0xe0, 0x80 | high, low, low, 0]
}

/// A payload of so many bytes, at least 15, which says nothing but when it was sent.
pub(super) fn stamped(sent_at: u64, bytes: usize) -> Vec<u8> {
    let mut payload = vec![0xaa; bytes];
    if let Some(place) = payload.get_mut(SENT_AT) {
        place.copy_from_slice(&sent_at.to_be_bytes());
    }
    payload
}

/// When the packet with this payload was sent, as its camera was told.
pub(in crate::bench) fn sent_at(payload: &[u8]) -> Option<u64> {
    let bytes = payload.get(SENT_AT)?;
    bytes.try_into().ok().map(u64::from_be_bytes)
}
