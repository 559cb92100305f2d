use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conclave_model::ParticipantId;
use conclave_wire::LeaveReason;

/// What changed among the participants and has not been told yet.
///
/// Changes are collected for an interval: a hundred people who come at once cost each device a
/// few messages, not a hundred.
#[derive(Debug)]
pub(crate) struct Roster {
    interval: Duration,
    /// Counts changes. A device that was told everything up to some count needs only later ones.
    changes: u64,
    present: BTreeMap<ParticipantId, u64>,
    left: BTreeMap<ParticipantId, (u64, LeaveReason)>,
    quality: BTreeSet<ParticipantId>,
    due: Option<Instant>,
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
}

impl Roster {
    pub(crate) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            changes: 0,
            present: BTreeMap::new(),
            left: BTreeMap::new(),
            quality: BTreeSet::new(),
            due: None,
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

    pub(crate) fn changed(&mut self, now: Instant, id: ParticipantId) {
        let change = self.count(now);
        self.present.insert(id, change);
    }

    pub(crate) fn left(&mut self, now: Instant, id: ParticipantId, reason: LeaveReason) {
        let change = self.count(now);
        self.present.remove(&id);
        self.quality.remove(&id);
        self.left.insert(id, (change, reason));
    }

    pub(crate) fn quality_changed(&mut self, now: Instant, id: ParticipantId) {
        self.due.get_or_insert(now + self.interval);
        self.quality.insert(id);
    }

    /// Takes out what is to be told, if it is time.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Changes> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        Some(Changes {
            present: std::mem::take(&mut self.present),
            left: std::mem::take(&mut self.left),
            quality: std::mem::take(&mut self.quality),
        })
    }

    fn count(&mut self, now: Instant) -> u64 {
        self.due.get_or_insert(now + self.interval);
        self.changes += 1;
        self.changes
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
