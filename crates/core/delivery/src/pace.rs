use std::time::{Duration, Instant};

/// How often something may be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Once in this time, in the long run.
    pub(crate) every: Duration,
    /// So many at once. At least 1.
    pub(crate) burst: u32,
}

/// Keeps one device to a limit: the generic cell rate algorithm (ITU-T I.371).
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the next one would be due, if all came evenly.
    due: Option<Instant>,
}

impl Pace {
    /// Whether one more may be done now. If so, it counts.
    pub(crate) fn allows(&mut self, now: Instant, limit: Limit) -> bool {
        let due = self.due.map_or(now, |due| due.max(now));
        if due - now > limit.every * limit.burst.saturating_sub(1) {
            return false;
        }
        self.due = Some(due + limit.every);
        true
    }
}

/// What one device asks of the service, each with its limit.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    pub(crate) apps: Pace,
    pub(crate) commits: Pace,
    pub(crate) fetches: Pace,
    pub(crate) knocks: Pace,
}
