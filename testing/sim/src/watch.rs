use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_client_proto::ReceivedReport;
use conclave_model::{ParticipantId, TrackSource};

/// What a device received of a track since it was last asked to start counting.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Observed {
    /// Whole frames that a decoder could use.
    pub frames: u64,
    /// Whole frames that it could not.
    pub undecodable: u64,
    /// Bytes of all these.
    pub bytes: u64,
    /// The longest time without a usable frame, up to now.
    pub longest_gap: Duration,
    /// For sound: the longest silence that is heard, behind a jitter buffer of 120 ms. The gap is
    /// longer: a receiver holds packets back to put them into order.
    pub longest_hole: Duration,
    /// Width of the picture now.
    pub width: u16,
    /// Changes of the picture's size.
    pub layer_switches: u64,
}

/// Follows the counts of one device, finely enough to see gaps.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    tracks: BTreeMap<(ParticipantId, TrackSource), Track>,
}

#[derive(Debug)]
struct Track {
    at_start: Counts,
    now: Counts,
    width: u16,
    changed_at: Instant,
    longest_gap: Duration,
    longest_hole: Duration,
    /// Sound that has come and is not played yet.
    buffered: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    frames: u64,
    undecodable: u64,
    bytes: u64,
    layer_switches: u64,
}

/// How much sound is in a packet.
const AUDIO_FRAME: Duration = Duration::from_millis(20);

/// How much sound a receiver keeps ahead.
const JITTER_BUFFER: Duration = Duration::from_millis(120);

impl Watch {
    pub(crate) fn sample(&mut self, now: Instant, received: &[ReceivedReport]) {
        for report in received {
            let (Some(participant), Some(source)) = (report.participant, report.source) else {
                continue;
            };
            let counts = Counts {
                frames: report.frames - report.undecodable_frames,
                undecodable: report.undecodable_frames,
                bytes: report.bytes,
                layer_switches: report.layer_switches,
            };
            let track = self.tracks.entry((participant, source)).or_insert_with(|| Track {
                at_start: Counts::default(),
                now: Counts::default(),
                width: 0,
                changed_at: now,
                longest_gap: Duration::ZERO,
                longest_hole: Duration::ZERO,
                buffered: Duration::ZERO,
            });
            if counts.frames > track.now.frames {
                track.note_gap(now, counts.frames - track.now.frames);
                track.changed_at = now;
            }
            track.now = counts;
            track.width = report.width;
        }
    }

    pub(crate) fn restart(&mut self, now: Instant) {
        for track in self.tracks.values_mut() {
            track.at_start = track.now;
            track.changed_at = now;
            track.longest_gap = Duration::ZERO;
            track.longest_hole = Duration::ZERO;
        }
    }

    pub(crate) fn observed(
        &self,
        now: Instant,
        participant: ParticipantId,
        source: TrackSource,
    ) -> Observed {
        let Some(track) = self.tracks.get(&(participant, source)) else {
            return Observed::default();
        };
        Observed {
            frames: track.now.frames - track.at_start.frames,
            undecodable: track.now.undecodable - track.at_start.undecodable,
            bytes: track.now.bytes - track.at_start.bytes,
            longest_gap: track.longest_gap.max(now - track.changed_at),
            longest_hole: track.longest_hole,
            width: track.width,
            layer_switches: track.now.layer_switches - track.at_start.layer_switches,
        }
    }
}

impl Track {
    /// `frames` came at once, after a pause.
    fn note_gap(&mut self, now: Instant, frames: u64) {
        let gap = now - self.changed_at;
        self.longest_gap = self.longest_gap.max(gap);
        self.longest_hole = self.longest_hole.max(gap.saturating_sub(self.buffered));
        let sound = AUDIO_FRAME * u32::try_from(frames).unwrap_or(u32::MAX);
        self.buffered = (self.buffered.saturating_sub(gap) + sound).min(JITTER_BUFFER);
    }
}
