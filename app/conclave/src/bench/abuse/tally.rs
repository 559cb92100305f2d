//! What one subscriber counts.

use std::collections::BTreeSet;

use str0m::rtp::RtpPacket;

use crate::bench::media::camera;

/// What a subscriber got of the packets that were sent within some windows of time.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// All packets so far, whenever they were sent.
    pub(super) received: u64,
    windows: Vec<Window>,
}

/// A window of time, in nanoseconds since 1970, and what a subscriber got that was sent in it.
#[derive(Debug)]
pub(super) struct Window {
    opened_at: u64,
    closed_at: u64,
    /// The sequence numbers: what comes twice counts once.
    numbers: BTreeSet<u64>,
    /// How long each was under way, in microseconds.
    pub(super) delays_us: Vec<u32>,
}

impl Tally {
    /// Counts what is sent from here on.
    pub(super) fn open(&mut self, at: u64) {
        let (numbers, delays_us) = (BTreeSet::new(), Vec::new());
        self.windows.push(Window { opened_at: at, closed_at: u64::MAX, numbers, delays_us });
    }

    /// Counts nothing that is sent from here on.
    pub(super) fn close(&mut self, at: u64) {
        if let Some(window) = self.windows.last_mut() {
            window.closed_at = at;
        }
    }

    /// Takes a packet that came at an instant in nanoseconds since 1970.
    pub(super) fn take(&mut self, came: u64, packet: &RtpPacket) {
        let Some(sent_at) = camera::sent_at(&packet.payload) else { return };
        self.received += 1;
        // What is under way when a window closes still belongs to it.
        let window =
            self.windows.iter_mut().find(|w| (w.opened_at..w.closed_at).contains(&sent_at));
        let Some(window) = window else { return };
        if window.numbers.insert(*packet.seq_no) {
            let delay = came.saturating_sub(sent_at) / 1000;
            window.delays_us.push(u32::try_from(delay).unwrap_or(u32::MAX));
        }
    }

    /// The windows, in order.
    pub(super) fn windows(&self) -> &[Window] {
        &self.windows
    }
}

impl Window {
    /// How many packets came.
    pub(super) fn delivered(&self) -> u64 {
        self.numbers.len() as u64
    }
}
