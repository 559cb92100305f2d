use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_client_proto::ReceivedReport;
use conclave_model::{ParticipantId, TrackSource};

use crate::encoder::{AUDIO_FRAME, FrameClock};

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
    /// When which frame came, of whom and of what.
    arrivals: BTreeMap<(ParticipantId, TrackSource, u32), Instant>,
    since: Option<Instant>,
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

    /// A frame came, whole and opened.
    pub(crate) fn arrived(
        &mut self,
        now: Instant,
        participant: ParticipantId,
        source: TrackSource,
        frame: u32,
    ) {
        self.arrivals.entry((participant, source, frame)).or_insert(now);
    }

    /// How the frames came that were made from the last restart to `until`.
    pub(crate) fn deliveries(
        &self,
        participant: ParticipantId,
        source: TrackSource,
        clock: Option<FrameClock>,
        until: Instant,
    ) -> Deliveries {
        let (Some(clock), Some(since)) = (clock, self.since) else { return Deliveries::default() };
        let delay = |frame: u32| {
            let at = self.arrivals.get(&(participant, source, frame))?;
            Some(at.saturating_duration_since(clock.time_of(frame)))
        };
        Deliveries { delays: clock.between(since, until).map(delay).collect() }
    }

    pub(crate) fn restart(&mut self, now: Instant) {
        self.since = Some(now);
        self.arrivals.clear();
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

/// How long each frame of a track was under way, in the order in which they were made; those that
/// never came have none.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    delays: Vec<Option<Duration>>,
}

impl Deliveries {
    /// The share of the frames that came within a time, in percent.
    pub fn within(&self, limit: Duration) -> f64 {
        percent(self.in_time(limit).filter(|in_time| *in_time).count(), self.delays.len())
    }

    /// The same, counting as well what Opus could make good by itself: the frame before one that
    /// came, of which that one has a coarse copy (LBRR, RFC 6716 section 2.1.7).
    pub fn within_or_in_next(&self, limit: Duration) -> f64 {
        let in_time: Vec<bool> = self.in_time(limit).collect();
        let next = in_time.iter().skip(1).chain([&false]);
        percent(
            in_time.iter().zip(next).filter(|(this, next)| **this || **next).count(),
            in_time.len(),
        )
    }

    /// The longest run of frames of which none came within a time, as the time between those
    /// around it, for frames of 20 ms.
    pub fn longest_silence(&self, limit: Duration) -> Duration {
        let (mut run, mut longest) = (0, 0);
        for in_time in self.in_time(limit) {
            run = if in_time { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        AUDIO_FRAME * longest
    }

    fn in_time(&self, limit: Duration) -> impl Iterator<Item = bool> + '_ {
        self.delays.iter().map(move |delay| delay.is_some_and(|delay| delay <= limit))
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
