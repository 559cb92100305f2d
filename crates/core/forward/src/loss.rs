use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Knows which packets of one stream are lost for good, so that no receiver can decode what
/// follows them before a key frame comes.
///
/// Receivers find that out late, each for itself: they hope for a repair that cannot come. Who
/// sees the stream first can ask for a key frame before they do.
#[derive(Debug, Default)]
pub struct LossTracker {
    highest: Option<u64>,
    /// The packets that are missing, and when that was seen.
    missing: BTreeMap<u64, Instant>,
}

/// A packet that is missing for so long is taken for lost. Asked for again and again, it takes
/// one round trip after another, and a picture that has stood still for so long needs a key frame
/// rather than patience.
const PATIENCE: Duration = Duration::from_millis(600);

/// Further than this behind the newest one, a packet is no longer asked for, nor taken if it comes:
/// so far does str0m keep account (`MAX_MISORDER` there).
const REPAIRABLE: u64 = 100;

/// A stream whose numbers jump further than this has begun anew.
const MAX_JUMP: u64 = 4096;

impl LossTracker {
    /// Creates a tracker that has seen nothing.
    pub const fn new() -> Self {
        Self { highest: None, missing: BTreeMap::new() }
    }

    /// Takes note of a packet, by its sequence number, extended beyond 16 bits. Returns whether
    /// others are lost for good by now, once for each.
    ///
    /// What is missing before a packet that `starts_keyframe` is not missed. `now` must not go
    /// backwards between calls.
    pub fn record(&mut self, now: Instant, seq: u64, starts_keyframe: bool) -> bool {
        let highest = match self.highest {
            Some(highest) if seq.abs_diff(highest) <= MAX_JUMP => highest,
            Some(_) | None => {
                self.missing.clear();
                self.highest = Some(seq);
                return false;
            }
        };
        let oldest = highest.max(seq).saturating_sub(REPAIRABLE);
        if seq > highest {
            let skipped = (highest + 1).max(oldest)..seq;
            self.missing.extend(skipped.map(|missing| (missing, now)));
            self.highest = Some(seq);
        } else {
            self.missing.remove(&seq);
        }
        if starts_keyframe {
            self.missing = self.missing.split_off(&seq);
        }
        let before = self.missing.len();
        self.missing.retain(|&missing, since| {
            missing >= oldest && now.saturating_duration_since(*since) < PATIENCE
        });
        let skipped_for_good = !starts_keyframe && oldest > highest + 1;
        skipped_for_good || self.missing.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin;

    const FRAME: Duration = Duration::from_millis(33);

    #[test]
    fn what_comes_late_is_not_lost() {
        let (now, mut tracker) = (origin(), LossTracker::new());
        for seq in [1, 2, 4, 5, 3, 6, 8, 9] {
            assert!(!tracker.record(now, seq, false));
        }
        assert!(!tracker.record(now + PATIENCE / 2, 7, false));
        assert!(!tracker.record(now + PATIENCE, 10, false));
    }

    #[test]
    fn what_does_not_come_is_lost_once_and_after_a_while() {
        let (mut now, mut tracker) = (origin(), LossTracker::new());
        tracker.record(now, 1, false);
        let lost: Vec<u64> = (3..40)
            .filter(|&seq| {
                now += FRAME;
                tracker.record(now, seq, false)
            })
            .collect();
        assert_eq!(lost, [22], "19 frames are the first 600 ms");
    }

    #[test]
    fn what_is_no_longer_asked_for_is_lost_at_once() {
        let (now, mut tracker) = (origin(), LossTracker::new());
        tracker.record(now, 1, false);
        let lost: Vec<u64> = (3..200).filter(|&seq| tracker.record(now, seq, false)).collect();
        assert_eq!(lost, [103]);
    }

    #[test]
    fn a_key_frame_makes_what_is_missing_before_it_needless() {
        let (now, mut tracker) = (origin(), LossTracker::new());
        tracker.record(now, 1, false);
        assert!(!tracker.record(now, 4, true), "two and three are missing");
        assert!(!tracker.record(now, 6, false), "five as well");
        assert!(tracker.record(now + PATIENCE, 7, false));
        assert!(!tracker.record(now + PATIENCE * 2, 8, false), "two and three are forgotten");
    }

    #[test]
    fn a_stream_that_begins_anew_has_lost_nothing() {
        let (now, mut tracker) = (origin(), LossTracker::new());
        tracker.record(now, 60_000, false);
        assert!(!tracker.record(now, 5, false));
        assert!(!tracker.record(now + PATIENCE, 6, false));
    }
}
