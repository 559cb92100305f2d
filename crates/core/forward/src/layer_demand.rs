use std::time::{Duration, Instant};

/// How many simulcast layers of one publication anybody is shown, lowest first; what is above need
/// not be encoded (dynacast). None is wanted if nobody looks.
///
/// More are wanted at once, fewer only after a while: who turns a page and back shall not find the
/// encoder off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LayerDemand {
    layers: u8,
    /// Since when fewer are needed, and the most that was needed since.
    fewer: Option<(Instant, u8)>,
}

/// How long fewer layers must have been enough.
const PATIENCE: Duration = Duration::from_secs(5);

impl LayerDemand {
    /// All `layers` are wanted, as a publisher sends them before it is told anything.
    pub const fn new(layers: u8) -> Self {
        Self { layers, fewer: None }
    }

    /// How many are wanted.
    pub const fn layers(self) -> u8 {
        self.layers
    }

    /// Somebody is shown so many layers from now on. Returns whether more are wanted than before.
    pub const fn raise(&mut self, needed: u8) -> bool {
        let more = needed > self.layers;
        if more {
            self.layers = needed;
            self.fewer = None;
        }
        more
    }

    /// So many layers are needed by all together. Returns whether the number wanted has changed.
    pub fn update(&mut self, now: Instant, needed: u8) -> bool {
        if needed >= self.layers {
            self.fewer = None;
            return self.raise(needed);
        }
        let (since, most) = self.fewer.unwrap_or((now, needed));
        let most = most.max(needed);
        let is_over = now.saturating_duration_since(since) >= PATIENCE;
        if is_over {
            self.layers = most;
        }
        self.fewer = (!is_over).then_some((since, most));
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin;

    #[test]
    fn more_layers_are_wanted_at_once() {
        let mut demand = LayerDemand::new(0);
        assert!(demand.raise(2));
        assert!(!demand.raise(1));
        assert_eq!(demand.layers(), 2);
        assert!(demand.update(origin(), 3));
        assert_eq!(demand.layers(), 3);
    }

    #[test]
    fn fewer_layers_are_wanted_after_a_while() {
        let (start, mut demand) = (origin(), LayerDemand::new(3));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!demand.update(at(0), 1));
        assert!(!demand.update(at(4), 1));
        assert_eq!(demand.layers(), 3);
        assert!(demand.update(at(5), 1));
        assert_eq!(demand.layers(), 1);
    }

    #[test]
    fn what_was_needed_again_begins_the_while_anew() {
        let (start, mut demand) = (origin(), LayerDemand::new(3));
        let at = |seconds| start + Duration::from_secs(seconds);
        demand.update(at(0), 0);
        demand.update(at(4), 3);
        assert!(!demand.update(at(8), 0));
        assert_eq!(demand.layers(), 3);
    }

    #[test]
    fn the_most_that_was_needed_meanwhile_stays() {
        let (start, mut demand) = (origin(), LayerDemand::new(3));
        let at = |seconds| start + Duration::from_secs(seconds);
        demand.update(at(0), 0);
        demand.update(at(2), 2);
        assert!(demand.update(at(5), 0));
        assert_eq!(demand.layers(), 2);
        assert!(!demand.update(at(9), 0));
        assert!(demand.update(at(14), 0));
        assert_eq!(demand.layers(), 0);
    }
}
