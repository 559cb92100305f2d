use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use conclave_model::ParticipantId;

use crate::message::{CommitHash, RequestRefusal, ToDevice};
use crate::public_group::PublicState;
use crate::service::DeliveryService;
use crate::storage::Stored;

/// The last commit, of which members may say that they cannot process it: confirmation tag, path
/// and pre-shared key are theirs alone to check.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) commit: CommitHash,
    pub(crate) committer: ParticipantId,
    /// Its leaf in the epoch before; nothing if it came in by the commit.
    pub(crate) committer_leaf: Option<u32>,
    /// The epoch that it began.
    pub(crate) epoch: u64,
    /// Who was there before and stays, but for the committer.
    pub(crate) witnesses: BTreeSet<ParticipantId>,
    pub(crate) confirmed: BTreeSet<ParticipantId>,
    pub(crate) nacked: BTreeSet<ParticipantId>,
    pub(crate) deadline: Instant,
    pub(crate) before: Before,
}

/// The group before a commit.
pub(crate) struct Before {
    pub(crate) stored: Stored,
    pub(crate) group_info: Arc<[u8]>,
    pub(crate) updates: BTreeMap<u32, u64>,
    pub(crate) unwanted: BTreeSet<u32>,
    pub(crate) proposals: BTreeMap<u32, Arc<[u8]>>,
    pub(crate) leaves: BTreeMap<ParticipantId, u32>,
}

impl std::fmt::Debug for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Before(..)")
    }
}

/// What came of a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// Not everybody has answered.
    Open,
    /// It stays.
    Stands,
    /// Nobody could process it.
    Void,
}

impl Slot {
    /// Whether some other member is known to have processed it, or there is none.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.witnesses.is_empty() || !self.confirmed.is_empty()
    }

    fn verdict(&self, is_over: bool, is_there: impl Fn(ParticipantId) -> bool) -> Verdict {
        let refuses = |who: &ParticipantId| self.nacked.contains(who);
        let none_follows = self.confirmed.is_empty() && !self.nacked.is_empty();
        if none_follows && self.witnesses.iter().all(refuses) {
            return Verdict::Void;
        }
        if !is_over {
            let answered = self.confirmed.len() + self.nacked.len() >= self.witnesses.len();
            return if answered { Verdict::Stands } else { Verdict::Open };
        }
        // Who went away in between does not speak for it any more.
        let mut present = self.witnesses.iter().filter(|who| is_there(**who));
        if none_follows && present.all(refuses) { Verdict::Void } else { Verdict::Stands }
    }
}

impl DeliveryService {
    /// A member has shown that it is in an epoch.
    pub(crate) fn confirm(&mut self, who: ParticipantId, epoch: u64) {
        if let Some(device) = self.devices.get_mut(&who) {
            device.ready = device.ready.max(Some(epoch));
            device.entry.take_if(|entry| entry.epoch <= epoch);
        }
        if let Some(slot) = self.group.as_mut().and_then(|group| group.slot.as_mut())
            && epoch >= slot.epoch
            && slot.witnesses.contains(&who)
            && !slot.nacked.contains(&who)
        {
            slot.confirmed.insert(who);
            self.judge_slot();
        }
    }

    pub(crate) fn nack(
        &mut self,
        from: ParticipantId,
        commit: CommitHash,
    ) -> Result<(), RequestRefusal> {
        let leaf = self.live_leaf(from).ok_or(RequestRefusal::NotMember)?;
        // A newcomer knows its Welcome, not the commit.
        let is_newcomer = self.devices.get(&from).is_some_and(|device| device.entry.is_some());
        let Some(group) = &mut self.group else { return Err(RequestRefusal::NotMember) };
        if let Some(slot) = &mut group.slot
            && slot.commit == commit
            && slot.witnesses.contains(&from)
        {
            if !slot.confirmed.contains(&from) {
                slot.nacked.insert(from);
                self.judge_slot();
            }
            return Ok(());
        }
        if is_newcomer || group.log.contains(commit) {
            self.add_again(from, leaf);
            return Ok(());
        }
        Err(RequestRefusal::NotAllowed)
    }

    /// A member is out of step: its leaf goes, and it comes in anew.
    pub(crate) fn add_again(&mut self, who: ParticipantId, leaf: u32) {
        self.unwant(leaf);
        self.knock_again(who);
    }

    /// Ends the time for NACKs of the last commit if it is over, or all have answered.
    pub(crate) fn judge_slot(&mut self) {
        let Some(slot) = self.group.as_ref().and_then(|group| group.slot.as_ref()) else { return };
        let is_over = slot.deadline <= self.now;
        let is_there = |who| self.devices.get(&who).is_some_and(|device| device.connected);
        match slot.verdict(is_over, is_there) {
            Verdict::Open => {}
            Verdict::Stands => self.close_slot(),
            Verdict::Void => self.void(),
        }
    }

    /// The last commit stands. Who could not process it comes in anew.
    ///
    /// The committer goes if at least half of the others could not follow: fewer do not suffice,
    /// or any one member could have any host removed.
    pub(crate) fn close_slot(&mut self) {
        let Some(slot) = self.group.as_mut().and_then(|group| group.slot.take()) else { return };
        for who in &slot.nacked {
            if let Some(leaf) = self.live_leaf(*who) {
                self.add_again(*who, leaf);
            }
        }
        let many = !slot.nacked.is_empty() && slot.nacked.len() * 2 >= slot.witnesses.len();
        let committer = self.devices.get(&slot.committer).and_then(|device| device.leaf);
        if let Some(leaf) = committer.filter(|_| many) {
            self.unwant(leaf);
        }
    }

    /// Nobody could process the last commit: the epoch's slot is free again, as if it had not
    /// been, and the committer goes.
    fn void(&mut self) {
        let Some(group) = &mut self.group else { return };
        let Some(slot) = group.slot.take() else { return };
        let before = slot.before;
        let Some(state) = PublicState::load(group.state.group_id(), before.stored) else {
            return group.state.give_up();
        };
        group.state = state;
        group.group_info = before.group_info;
        group.updates = before.updates;
        group.proposals = before.proposals;
        group.unwanted.extend(before.unwanted);
        group.unwanted.extend(slot.committer_leaf);
        group.log.pop();
        group.refresh();
        let epoch = group.epoch();

        let mut newcomers = Vec::new();
        for (who, device) in &mut self.devices {
            let leaf = before.leaves.get(who).copied();
            if device.leaf.is_some() && leaf.is_none() {
                newcomers.push(*who);
            }
            device.leaf = leaf;
            device.ready = device.ready.min(Some(epoch));
            if leaf.is_none() {
                device.entry = None;
            }
        }
        // The committer alone is in an epoch that never was.
        newcomers.extend(slot.committer_leaf.map(|_| slot.committer));
        let told: Vec<_> = before.leaves.keys().copied().collect();
        for who in told {
            self.send(who, ToDevice::Voided { epoch });
        }
        for who in newcomers {
            self.knock_again(who);
        }
        self.dirty = true;
    }
}
