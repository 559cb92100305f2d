use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_model::PublicationId;

use crate::report::ReceivedReport;

/// Counts what comes in, by publication. It outlives media sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    received: BTreeMap<PublicationId, ReceivedReport>,
}

/// What is counted of one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameCount {
    pub(crate) bytes: usize,
    pub(crate) keyframe: bool,
    pub(crate) decodable: bool,
    pub(crate) lost_packets: u64,
    pub(crate) gap: Option<Duration>,
    pub(crate) size: Option<(u16, u16)>,
}

impl Ledger {
    pub(crate) fn count_assignment(&mut self, publication: PublicationId) {
        self.entry(publication).assignments += 1;
    }

    pub(crate) fn count_frame(&mut self, publication: PublicationId, frame: FrameCount) {
        let entry = self.entry(publication);
        entry.frames += 1;
        entry.bytes += u64::try_from(frame.bytes).unwrap_or(0);
        entry.keyframes += u64::from(frame.keyframe);
        entry.undecodable_frames += u64::from(!frame.decodable);
        entry.lost_packets += frame.lost_packets;
        let gap = frame.gap.map_or(0, millis);
        entry.longest_gap_ms = entry.longest_gap_ms.max(gap);
        if let Some((width, height)) = frame.size {
            let had = (entry.width, entry.height);
            entry.layer_switches += u64::from(had != (0, 0) && had != (width, height));
            (entry.width, entry.height) = (width, height);
        }
    }

    pub(crate) fn received(&self) -> impl Iterator<Item = &ReceivedReport> {
        self.received.values()
    }

    fn entry(&mut self, publication: PublicationId) -> &mut ReceivedReport {
        self.received.entry(publication).or_insert_with(|| ReceivedReport {
            publication,
            participant: None,
            source: None,
            frames: 0,
            bytes: 0,
            keyframes: 0,
            undecodable_frames: 0,
            lost_packets: 0,
            layer_switches: 0,
            width: 0,
            height: 0,
            longest_gap_ms: 0,
            assignments: 0,
        })
    }
}

/// From one instant to a later one, in whole milliseconds.
pub(crate) fn millis_between(from: Instant, to: Instant) -> u64 {
    millis(to.saturating_duration_since(from))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
