use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::layer::LayerId;

/// Keeps one subscriber from a layer whose picture keeps breaking.
///
/// What is lost on a path is asked for again, but only so far behind the newest packet: on a path
/// that loses much and takes long, a layer of many packets loses some for good, and stands still
/// until a key frame comes. A smaller layer has fewer packets, and time to repair each. A small
/// picture that moves is better than a large one that does not.
#[derive(Debug, Default)]
pub struct Steadiness {
    breaks: VecDeque<Instant>,
    ceiling: Option<Ceiling>,
}

/// A layer that is not exceeded.
#[derive(Clone, Copy, Debug)]
struct Ceiling {
    layer: LayerId,
    until: Instant,
    hold: Duration,
}

/// So many breaks in [`WINDOW`] are too many.
const TOO_MANY: usize = 3;

/// Breaks longer ago than this are forgotten.
const WINDOW: Duration = Duration::from_secs(15);

/// One break shows itself several times: a packet is lost for good, and a key frame asked for.
const SAME_BREAK: Duration = Duration::from_secs(1);

/// For how long a layer that broke is not tried again at first. Each trial may cost a few more
/// breaks, so that the time doubles when the layer breaks again soon.
const HOLD: Duration = Duration::from_secs(30);

/// The longest that a layer is not tried again.
const MAX_HOLD: Duration = Duration::from_secs(240);

impl Steadiness {
    /// Takes note that the picture on `layer` cannot be decoded for want of a packet. Returns
    /// whether the layers to forward should be chosen anew.
    pub fn note_break(&mut self, now: Instant, layer: LayerId) -> bool {
        let since = |at: Instant| now.saturating_duration_since(at);
        if self.breaks.back().is_some_and(|&last| since(last) < SAME_BREAK) {
            return false;
        }
        self.breaks.push_back(now);
        while self.breaks.front().is_some_and(|&first| since(first) > WINDOW) {
            self.breaks.pop_front();
        }
        let Some(below) = layer.0.checked_sub(1).filter(|_| self.breaks.len() >= TOO_MANY) else {
            return false;
        };
        self.breaks.clear();
        let recent = self.ceiling.filter(|ceiling| since(ceiling.until) < ceiling.hold);
        let hold = recent.map_or(HOLD, |ceiling| (ceiling.hold * 2).min(MAX_HOLD));
        self.ceiling = Some(Ceiling { layer: LayerId(below), until: now + hold, hold });
        true
    }

    /// The highest layer that is steady enough, if not all are.
    pub fn ceiling(&self, now: Instant) -> Option<LayerId> {
        self.ceiling.filter(|ceiling| now < ceiling.until).map(|ceiling| ceiling.layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin;

    const FULL: LayerId = LayerId(2);
    const HALF: LayerId = LayerId(1);

    /// Breaks the picture every `every`, so many times; when that ended.
    fn broken(
        steadiness: &mut Steadiness,
        now: Instant,
        every: Duration,
        layer: LayerId,
    ) -> Instant {
        (1..=TOO_MANY as u32).for_each(|n| {
            steadiness.note_break(now + every * n, layer);
        });
        now + every * TOO_MANY as u32
    }

    #[test]
    fn a_picture_that_keeps_breaking_gets_smaller_for_a_while() {
        let mut steadiness = Steadiness::default();
        let now = broken(&mut steadiness, origin(), Duration::from_secs(4), FULL);
        assert_eq!(steadiness.ceiling(now), Some(HALF));
        assert_eq!(steadiness.ceiling(now + HOLD), None);
    }

    #[test]
    fn a_break_now_and_then_changes_nothing() {
        let mut steadiness = Steadiness::default();
        let now = broken(&mut steadiness, origin(), Duration::from_secs(10), FULL);
        assert_eq!(steadiness.ceiling(now), None);
    }

    #[test]
    fn the_signs_of_one_break_count_once() {
        let mut steadiness = Steadiness::default();
        let now = broken(&mut steadiness, origin(), Duration::from_millis(300), FULL);
        assert_eq!(steadiness.ceiling(now), None);
    }

    #[test]
    fn the_lowest_layer_stays_whatever_breaks() {
        let mut steadiness = Steadiness::default();
        let now = broken(&mut steadiness, origin(), Duration::from_secs(2), LayerId(0));
        assert_eq!(steadiness.ceiling(now), None);
    }

    #[test]
    fn a_layer_that_breaks_again_soon_waits_longer() {
        let mut steadiness = Steadiness::default();
        let every = Duration::from_secs(2);
        let first = broken(&mut steadiness, origin(), every, FULL);
        let second = broken(&mut steadiness, first + HOLD, every, FULL);
        assert_eq!(steadiness.ceiling(second + HOLD), Some(HALF));
        assert_eq!(steadiness.ceiling(second + HOLD * 2), None);

        let later = second + MAX_HOLD * 2;
        let third = broken(&mut steadiness, later, every, FULL);
        assert_eq!(steadiness.ceiling(third + HOLD), None, "that is long forgotten");
    }
}
