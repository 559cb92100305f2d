use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conclave_model::ParticipantId;
use conclave_wire::LeaveReason;

/// What changed among the participants and has not been told yet.
///
/// Changes are collected for a moment: a hundred people who come at once cost each device a few
/// messages, not a hundred. In a large call that has just been told something, they are collected
/// for longer; what comes after a quiet time is told soon, however large the call. Whoever changes
/// again and again is told of a few times a second: what one device does must not cost all others
/// more.
#[derive(Debug)]
pub(crate) struct Roster {
    /// How long changes are collected at least.
    interval: Duration,
    pace: Pace,
    /// When changes were last told.
    told_at: Option<Instant>,
    /// Counts changes. A device that was told everything up to some count needs only later ones.
    changes: u64,
    present: BTreeMap<ParticipantId, u64>,
    left: BTreeMap<ParticipantId, (u64, LeaveReason)>,
    quality: BTreeSet<ParticipantId>,
    due: Option<Instant>,
    quality_due: Option<Instant>,
    /// When participants were last told of, those of the last [`SPACING`].
    told: BTreeMap<ParticipantId, Instant>,
}

/// Changes to tell.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// New or changed, with the count of the change.
    pub(crate) present: BTreeMap<ParticipantId, u64>,
    /// Gone, with the count of the change.
    pub(crate) left: BTreeMap<ParticipantId, (u64, LeaveReason)>,
    /// The count of changes with these. Those that have to wait count as later ones.
    pub(crate) last: u64,
}

/// How often a call is told of changes, in intervals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pace {
    /// From telling of changes to telling of the next ones.
    pub(crate) changes: u32,
    /// How long changes of quality are collected. Nobody waits for them.
    pub(crate) quality: u32,
}

impl Pace {
    /// The pace of a call of so many. Each change is told to all, so that what a call costs grows
    /// with the square of its size.
    pub(crate) const fn of(participants: usize) -> Self {
        match participants {
            0..=20 => Self { changes: 1, quality: 1 },
            21..=100 => Self { changes: 2, quality: 4 },
            _ => Self { changes: 3, quality: 10 },
        }
    }
}

/// From telling of a participant to telling of it again.
const SPACING: Duration = Duration::from_millis(300);

impl Roster {
    pub(crate) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            pace: Pace::of(0),
            told_at: None,
            changes: 0,
            present: BTreeMap::new(),
            left: BTreeMap::new(),
            quality: BTreeSet::new(),
            due: None,
            quality_due: None,
            told: BTreeMap::new(),
        }
    }

    /// The count of changes so far.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// When to tell, if there is anything to tell.
    pub(crate) fn due(&self) -> Option<Instant> {
        [self.due, self.quality_due].into_iter().flatten().min()
    }

    /// Sets how often changes are told from here on.
    pub(crate) const fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    pub(crate) fn changed(&mut self, now: Instant, id: ParticipantId) {
        let soon = self.soon(now);
        let spaced = self.told.get(&id).map(|told| *told + SPACING);
        let change = self.count(spaced.map_or(soon, |at| at.max(soon)));
        // Who was gone for a moment, and is there as another leaf, has changed.
        self.left.remove(&id);
        self.present.insert(id, change);
    }

    pub(crate) fn left(&mut self, now: Instant, id: ParticipantId, reason: LeaveReason) {
        let change = self.count(self.soon(now));
        self.present.remove(&id);
        self.quality.remove(&id);
        self.left.insert(id, (change, reason));
    }

    pub(crate) fn quality_changed(&mut self, now: Instant, id: ParticipantId) {
        self.quality_due.get_or_insert(now + self.interval * self.pace.quality);
        self.quality.insert(id);
    }

    /// Takes out those whose quality changed, if it is time to tell of them.
    pub(crate) fn take_due_quality(&mut self, now: Instant) -> BTreeSet<ParticipantId> {
        match self.quality_due.take_if(|due| *due <= now) {
            Some(_) => std::mem::take(&mut self.quality),
            None => BTreeSet::new(),
        }
    }

    /// Takes out what is to be told of changes, if it is time.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Changes> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        self.told_at = Some(now);
        self.told.retain(|_, told| *told + SPACING > now);
        let told = &self.told;
        let (waiting, present) = std::mem::take(&mut self.present)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(id, _)| told.contains_key(id));
        let last = self.changes;
        for id in waiting.into_keys() {
            self.changed(now, id);
        }
        self.told.extend(present.keys().map(|id| (*id, now)));
        let left = std::mem::take(&mut self.left);
        for id in left.keys() {
            self.told.remove(id);
        }
        Some(Changes { present, left, last })
    }

    /// When a change of this moment is to be told.
    fn soon(&self, now: Instant) -> Instant {
        let collected = now + self.interval;
        let spaced = self.told_at.map(|told| told + self.interval * self.pace.changes);
        spaced.map_or(collected, |at| at.max(collected))
    }

    fn count(&mut self, due: Instant) -> u64 {
        self.wake_by(due);
        self.changes += 1;
        self.changes
    }

    fn wake_by(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

impl Changes {
    /// The earliest change among them.
    pub(crate) fn first(&self) -> u64 {
        let present = self.present.values().copied();
        let left = self.left.values().map(|(change, _)| *change);
        present.chain(left).min().unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
    fn start() -> Instant {
        Instant::now()
    }

    fn large() -> Roster {
        let mut roster = Roster::new(MOMENT);
        roster.set_pace(Pace::of(1000));
        roster
    }

    #[test]
    fn a_change_in_a_quiet_call_is_told_soon_however_large_the_call() {
        let (mut roster, start) = (large(), start());

        roster.changed(start, ParticipantId(1));
        assert_eq!(roster.due(), Some(start + MOMENT));
        assert!(roster.take_due(start + MOMENT).is_some());

        let later = start + Duration::from_secs(1);
        roster.left(later, ParticipantId(2), LeaveReason::Left);
        assert_eq!(roster.due(), Some(later + MOMENT));
    }

    #[test]
    fn changes_that_follow_each_other_are_collected_for_longer_in_a_large_call() {
        let (mut roster, start) = (large(), start());
        roster.changed(start, ParticipantId(1));
        let told = start + MOMENT;
        assert!(roster.take_due(told).is_some());

        roster.changed(told + Duration::from_millis(1), ParticipantId(2));
        roster.changed(told + Duration::from_millis(2), ParticipantId(3));

        assert_eq!(roster.due(), Some(told + 3 * MOMENT));
        let changes = roster.take_due(told + 3 * MOMENT).unwrap();
        assert_eq!(changes.present.len(), 2);
    }

    #[test]
    fn nobody_waits_for_quality_and_it_waits_for_nobody() {
        let (mut roster, start) = (large(), start());

        roster.quality_changed(start, ParticipantId(1));
        roster.changed(start, ParticipantId(2));
        roster.quality_changed(start + 9 * MOMENT, ParticipantId(3));

        assert!(roster.take_due(start + MOMENT).is_some());
        assert!(roster.take_due_quality(start + MOMENT).is_empty());
        assert_eq!(roster.due(), Some(start + 10 * MOMENT));
        assert!(roster.take_due(start + 10 * MOMENT).is_none());
        assert_eq!(roster.take_due_quality(start + 10 * MOMENT).len(), 2);
        assert_eq!(roster.due(), None);
    }
}
