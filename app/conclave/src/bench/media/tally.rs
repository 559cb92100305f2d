//! What one subscriber counts.

use str0m::rtp::RtpPacket;

use super::camera;

/// What a subscriber got of the packets that were sent within a window of time.
#[derive(Debug)]
pub(in crate::bench) struct Tally {
    /// All packets so far, whenever they were sent.
    pub(in crate::bench) received: u64,
    /// Packets of the window.
    pub(super) delivered: u64,
    /// Their payloads, in bytes.
    pub(super) bytes: u64,
    /// How long each was under way, in microseconds.
    pub(super) delays_us: Vec<u32>,
    /// Their lowest and highest sequence number.
    numbers: Option<(u64, u64)>,
    /// The window, in nanoseconds since an instant that all clients share.
    opened_at: u64,
    closed_at: u64,
}

impl Tally {
    /// Nothing, and no window yet.
    pub(super) const fn new() -> Self {
        Self {
            received: 0,
            delivered: 0,
            bytes: 0,
            delays_us: Vec::new(),
            numbers: None,
            opened_at: u64::MAX,
            closed_at: u64::MAX,
        }
    }

    /// Counts what is sent from here on, in nanoseconds since an instant that all clients share.
    pub(super) const fn open(&mut self, at: u64) {
        self.opened_at = at;
    }

    /// Counts nothing that is sent from here on, in nanoseconds like those of [`open`](Self::open).
    pub(super) const fn close(&mut self, at: u64) {
        self.closed_at = at;
    }

    /// Takes a packet that arrived at `now`, in nanoseconds like those of [`open`](Self::open).
    pub(super) fn take(&mut self, now: u64, packet: &RtpPacket) {
        let Some(sent_at) = camera::sent_at(&packet.payload) else { return };
        self.received += 1;
        if sent_at < self.opened_at || sent_at >= self.closed_at {
            return;
        }
        self.delivered += 1;
        self.bytes += packet.payload.len() as u64;
        let delay = now.saturating_sub(sent_at) / 1000;
        self.delays_us.push(u32::try_from(delay).unwrap_or(u32::MAX));
        let number = *packet.seq_no;
        let (low, high) = self.numbers.unwrap_or((number, number));
        self.numbers = Some((low.min(number), high.max(number)));
    }

    /// Packets of the window that are missing among the sequence numbers.
    pub(super) fn lost(&self) -> u64 {
        let spanned = self.numbers.map_or(0, |(low, high)| high - low + 1);
        spanned.saturating_sub(self.delivered)
    }
}
