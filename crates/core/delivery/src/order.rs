use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use conclave_commit_rules::add_spacing;
use conclave_model::ParticipantId;

use crate::group::Group;
use crate::limits::{
    COMMITS, ENTER_WITHIN, FETCHES, MAX_COMMIT_LEN, MAX_FOUNDING_TREE_LEN, MAX_GROUP_INFO_LEN,
    MAX_WELCOME_LEN, NACK_WINDOW,
};
use crate::log;
use crate::message::{CommitHash, RequestRefusal, ToDevice};
use crate::public_group::{Judged, PackageRef, PublicState, leaf_of};
use crate::refusal::{CommitRefusal, FoundRefusal};
use crate::service::{DeliveryService, EntryState};
use crate::split_welcome::SplitWelcome;
use crate::verdict::{Before, Slot};

/// A commit that may take effect, with all that belongs to it.
struct Ready {
    judged: Judged,
    welcome: Option<SplitWelcome>,
    /// Who comes in by it, out of the lobby.
    newcomers: BTreeMap<PackageRef, ParticipantId>,
}

impl DeliveryService {
    pub(crate) fn found(
        &mut self,
        from: ParticipantId,
        group_info: &[u8],
        tree: &[u8],
    ) -> Result<(), FoundRefusal> {
        if group_info.len() > MAX_GROUP_INFO_LEN || tree.len() > MAX_FOUNDING_TREE_LEN {
            return Err(FoundRefusal::Malformed);
        }
        if !self.is_connected(from) {
            return Err(FoundRefusal::Invalid);
        }
        if self.founded(from, group_info) {
            self.send(from, ToDevice::Founded);
            return Ok(());
        }
        if self.is_alive() || self.keep_pace(from, FETCHES, |paces| &mut paces.fetches).is_err() {
            return Err(FoundRefusal::Exists);
        }
        let state = PublicState::found(&self.constitution, &self.key, group_info, tree)?;
        let group = Group::new(state, group_info.into()).map_err(FoundRefusal::View)?;
        if let Some(old) = &self.group {
            // Nobody is left in the old one: who may found a group may begin anew, with another.
            if old.state.group_id() == group.state.group_id() {
                return Err(FoundRefusal::Exists);
            }
        }
        for device in self.devices.values_mut() {
            device.leaf = None;
            device.ready = None;
            device.entry = None;
        }
        self.withdraw(from);
        let message = ToDevice::Founded;
        let deadline = self.now + ENTER_WITHIN;
        if let Some(device) = self.devices.get_mut(&from) {
            device.leaf = Some(0);
            device.entry = Some(EntryState { epoch: 0, message, deadline });
        }
        self.group = Some(group);
        self.dirty = true;
        self.send(from, ToDevice::Founded);
        Ok(())
    }

    /// Whether a device founded the group with this very description, and asks to make sure.
    fn founded(&self, who: ParticipantId, group_info: &[u8]) -> bool {
        let group = self.group.as_ref().filter(|group| *group.group_info == *group_info);
        group.is_some() && self.live_leaf(who) == Some(0)
    }

    pub(crate) fn commit(
        &mut self,
        from: ParticipantId,
        commit: &[u8],
        welcome: Option<&[u8]>,
        group_info: &[u8],
    ) -> Result<(), CommitRefusal> {
        self.keep_pace(from, COMMITS, |paces| &mut paces.commits).map_err(|why| match why {
            RequestRefusal::TooOften => CommitRefusal::TooSoon,
            RequestRefusal::Full
            | RequestRefusal::Malformed
            | RequestRefusal::NotAllowed
            | RequestRefusal::NotMember
            | RequestRefusal::Twice => CommitRefusal::Sender,
        })?;
        let ready = self.examine(from, commit, welcome, group_info)?;
        if ready.judged.committer.is_some() {
            let epoch = self.epoch().unwrap_or_default();
            self.confirm(from, epoch);
        }
        self.require_confirmed(from)?;
        self.close_slot();
        if ready.judged.committer.is_some() && self.live_leaf(from).is_none() {
            // Too many could not process its previous one.
            return Err(CommitRefusal::Sender);
        }
        self.apply(from, commit, group_info, ready)
    }

    fn examine(
        &self,
        from: ParticipantId,
        commit: &[u8],
        welcome: Option<&[u8]>,
        group_info: &[u8],
    ) -> Result<Ready, CommitRefusal> {
        let fits = commit.len() <= MAX_COMMIT_LEN
            && group_info.len() <= MAX_GROUP_INFO_LEN
            && welcome.is_none_or(|welcome| welcome.len() <= MAX_WELCOME_LEN);
        if !fits {
            return Err(CommitRefusal::Malformed);
        }
        let group = self.group.as_ref().ok_or(CommitRefusal::NoGroup)?;
        let device = self.devices.get(&from).filter(|device| device.connected);
        let device = device.ok_or(CommitRefusal::Sender)?;
        let judged = group.state.judge(commit, &group.view_at(self.now_unix_s()))?;
        let is_own = match judged.committer {
            Some(leaf) => device.leaf == Some(leaf) && !group.unwanted.contains(&leaf),
            None => self.live_leaf(from).is_none(),
        };
        if !is_own {
            return Err(CommitRefusal::Sender);
        }
        let welcome = match (judged.added.is_empty(), welcome) {
            (true, None) => None,
            (false, Some(bytes)) => {
                let split = SplitWelcome::parse(bytes).ok_or(CommitRefusal::Welcome)?;
                if split.newcomers() != Some(judged.added.keys().cloned().collect()) {
                    return Err(CommitRefusal::Welcome);
                }
                Some(split)
            }
            (true, Some(_)) | (false, None) => return Err(CommitRefusal::Welcome),
        };
        let newcomers = judged
            .added
            .keys()
            .map(|reference| Some((reference.clone(), self.lobby.knocker(reference)?)))
            .collect::<Option<_>>()
            .ok_or(CommitRefusal::NotKnocking)?;
        let adds_at = group.last_add.map(|last| last + add_spacing(group.view.leaves.len()) / 2);
        if !judged.added.is_empty() && adds_at.is_some_and(|at| self.now < at) {
            return Err(CommitRefusal::TooSoon);
        }
        if !group.state.describes(group_info, &judged) {
            return Err(CommitRefusal::GroupInfo);
        }
        Ok(Ready { judged, welcome, newcomers })
    }

    /// A member that makes commits which nobody can process must not pile them up.
    fn require_confirmed(&mut self, from: ParticipantId) -> Result<(), CommitRefusal> {
        let Some(slot) = self.group.as_ref().and_then(|group| group.slot.as_ref()) else {
            return Ok(());
        };
        if slot.committer != from {
            // Who commits on top of a commit has processed it.
            let epoch = slot.epoch;
            self.confirm(from, epoch);
            return Ok(());
        }
        if slot.is_confirmed() { Ok(()) } else { Err(CommitRefusal::Unconfirmed) }
    }

    fn apply(
        &mut self,
        from: ParticipantId,
        commit: &[u8],
        group_info: &[u8],
        ready: Ready,
    ) -> Result<(), CommitRefusal> {
        let now_unix_s = self.now_unix_s();
        let others: Vec<_> = self
            .devices
            .iter()
            .filter(|(who, device)| **who != from && device.connected && device.leaf.is_some())
            .map(|(who, _)| *who)
            .collect();
        let leaves = self.leaves();
        let Some(group) = &mut self.group else { return Err(CommitRefusal::NoGroup) };
        let epoch = group.epoch();
        let committer_leaf = ready.judged.committer;
        let is_update = ready.judged.is_update;
        let before = Before {
            stored: group.state.stored(),
            group_info: Arc::clone(&group.group_info),
            updates: group.updates.clone(),
            unwanted: group.unwanted.clone(),
            proposals: group.proposals.clone(),
            leaves,
        };
        let added = ready.judged.added.clone();
        let accepted = group.state.merge(ready.judged).ok_or(CommitRefusal::Invalid)?;
        group.group_info = group_info.into();
        let hash = CommitHash::of(commit);
        let commit: Arc<[u8]> = commit.into();
        let proposals = std::mem::take(&mut group.proposals).into_values().collect();
        group.log.push(log::Entry { epoch, hash, proposals, commit: Arc::clone(&commit) });
        for leaf in &accepted.removed {
            group.updates.remove(leaf);
            group.unwanted.remove(leaf);
        }
        if let Some(leaf) = committer_leaf.filter(|_| is_update) {
            group.updates.insert(leaf, now_unix_s);
        }
        group.refresh();

        let removed: BTreeSet<_> = accepted.removed.iter().copied().collect();
        for device in self.devices.values_mut() {
            if device.leaf.is_some_and(|leaf| removed.contains(&leaf)) {
                device.leaf = None;
                device.ready = None;
                device.entry = None;
            }
        }
        let witnesses: BTreeSet<_> =
            others.iter().copied().filter(|who| self.live_leaf(*who).is_some()).collect();
        if let (Some(entry), Some(group)) = (&accepted.joined, &self.group) {
            let leaf = leaf_of(&group.view, &entry.credential);
            let (message, deadline) = (ToDevice::Accepted { epoch }, self.now + ENTER_WITHIN);
            if let Some(device) = self.devices.get_mut(&from) {
                device.leaf = leaf;
                device.entry = Some(EntryState { epoch: epoch + 1, message, deadline });
            }
            self.withdraw(from);
        }
        self.send(from, ToDevice::Accepted { epoch });
        for who in others {
            self.send(who, ToDevice::Commit { commit: Arc::clone(&commit) });
        }
        if let Some(welcome) = ready.welcome {
            self.welcome(epoch + 1, &welcome, &ready.newcomers, &added);
        }
        if let Some(group) = &mut self.group {
            group.slot = Some(Slot {
                commit: hash,
                committer: from,
                committer_leaf,
                epoch: epoch + 1,
                witnesses,
                confirmed: BTreeSet::new(),
                nacked: BTreeSet::new(),
                deadline: self.now + NACK_WINDOW,
                before,
            });
        }
        self.dirty = true;
        Ok(())
    }

    /// Takes newcomers in: each gets its own part of the Welcome, and the tree that goes with it
    /// is kept until it has entered.
    fn welcome(
        &mut self,
        epoch: u64,
        welcome: &SplitWelcome,
        newcomers: &BTreeMap<PackageRef, ParticipantId>,
        added: &BTreeMap<PackageRef, conclave_commit_rules::CredentialId>,
    ) {
        let deadline = self.now + ENTER_WITHIN;
        let Some(group) = &mut self.group else { return };
        group.last_add = Some(self.now);
        let Some(tree) = group.tree() else { return };
        let places: Vec<_> = newcomers
            .iter()
            .filter_map(|(reference, who)| {
                let leaf = leaf_of(&group.view, added.get(reference)?)?;
                Some((*who, leaf, welcome.for_one(reference)?))
            })
            .collect();
        for (who, leaf, welcome) in places {
            self.withdraw(who);
            let message = ToDevice::Welcome { welcome: welcome.into(), tree: Arc::clone(&tree) };
            if let Some(device) = self.devices.get_mut(&who) {
                device.leaf = Some(leaf);
                device.entry = Some(EntryState { epoch, message: message.clone(), deadline });
            }
            self.send(who, message);
        }
    }
}
