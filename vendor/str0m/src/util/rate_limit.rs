use std::time::{Duration, Instant};

/// Lets through so many a second, and as many at once after a second of rest.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// Between two, at the full rate.
    every: Duration,
    /// When as many may come at once as ever. Nothing has come yet if there is none.
    rested_at: Option<Instant>,
    /// How many were refused.
    refused: u64,
}

impl RateLimit {
    pub(crate) fn new(per_second: u32) -> Self {
        RateLimit {
            every: Duration::from_secs(1) / per_second.max(1),
            rested_at: None,
            refused: 0,
        }
    }

    /// Whether one more may come. If not, it is counted.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        let next = self.rested_at.map_or(now, |at| at.max(now)) + self.every;
        let admits = next.saturating_duration_since(now) <= Duration::from_secs(1);
        if admits {
            self.rested_at = Some(next);
        } else {
            self.refused += 1;
        }
        admits
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn so_many_come_at_once_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut limit = RateLimit::new(100);
        let mut admitted = |now| (0..1000).filter(|_| limit.admits(now)).count();

        assert_eq!(admitted(start), 100);
        assert_eq!(admitted(start + Duration::from_millis(50)), 5);
        assert_eq!(admitted(start + Duration::from_secs(60)), 100);
        assert_eq!(limit.refused(), 3000 - 205);
    }
}
