use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conclave_model::ParticipantId;
use conclave_wire::LeaveReason;

/// What changed among the participants and has not been told yet.
///
/// Changes are collected for an interval: a hundred people who come at once cost each device a
/// few messages, not a hundred. Whoever changes again and again is told of a few times a second:
/// what one device does must not cost all others more.
#[derive(Debug)]
pub(crate) struct Roster {
    interval: Duration,
    /// Counts changes. A device that was told everything up to some count needs only later ones.
    changes: u64,
    present: BTreeMap<ParticipantId, u64>,
    left: BTreeMap<ParticipantId, (u64, LeaveReason)>,
    quality: BTreeSet<ParticipantId>,
    due: Option<Instant>,
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
    /// Those whose quality changed.
    pub(crate) quality: BTreeSet<ParticipantId>,
    /// The count of changes with these. Those that have to wait count as later ones.
    pub(crate) last: u64,
}

/// From telling of a participant to telling of it again.
const SPACING: Duration = Duration::from_millis(300);

impl Roster {
    pub(crate) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            changes: 0,
            present: BTreeMap::new(),
            left: BTreeMap::new(),
            quality: BTreeSet::new(),
            due: None,
            told: BTreeMap::new(),
        }
    }

    /// The count of changes so far.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// When to tell, if there is anything to tell.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Sets how long changes are collected from here on.
    pub(crate) const fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
    }

    pub(crate) fn changed(&mut self, now: Instant, id: ParticipantId) {
        let spaced = self.told.get(&id).map(|told| *told + SPACING);
        let change =
            self.count(spaced.map_or(now + self.interval, |at| at.max(now + self.interval)));
        // Who was gone for a moment, and is there as another leaf, has changed.
        self.left.remove(&id);
        self.present.insert(id, change);
    }

    pub(crate) fn left(&mut self, now: Instant, id: ParticipantId, reason: LeaveReason) {
        let change = self.count(now + self.interval);
        self.present.remove(&id);
        self.quality.remove(&id);
        self.left.insert(id, (change, reason));
    }

    pub(crate) fn quality_changed(&mut self, now: Instant, id: ParticipantId) {
        self.wake_by(now + self.interval);
        self.quality.insert(id);
    }

    /// Takes out what is to be told, if it is time.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Changes> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
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
        Some(Changes { present, left, quality: std::mem::take(&mut self.quality), last })
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
