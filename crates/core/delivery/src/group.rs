use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use conclave_commit_rules::{GroupView, Role};
use conclave_mls_view::ViewError;
use sha2::{Digest as _, Sha256};

use crate::guard;
use crate::log::Log;
use crate::message::CommitHash;
use crate::public_group::PublicState;
use crate::verdict::Slot;

/// The meeting's group and what goes on around it.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) state: PublicState,
    /// The state as the rules see it, but for the times.
    pub(crate) view: GroupView,
    /// The description that came with the last commit.
    pub(crate) group_info: Arc<[u8]>,
    pub(crate) log: Log,
    /// When members last updated, in seconds since 1970.
    pub(crate) updates: BTreeMap<u32, u64>,
    /// The leaves that are to go: they are cut, and no commit of theirs counts.
    pub(crate) unwanted: BTreeSet<u32>,
    /// The proposals of this epoch, by leaf.
    pub(crate) proposals: BTreeMap<u32, Arc<[u8]>>,
    /// The last commit, while members may still say that they cannot process it.
    pub(crate) slot: Option<Slot>,
    /// When people were let in last.
    pub(crate) last_add: Option<Instant>,
    /// Everybody was told that all who are there have this epoch's keys.
    pub(crate) all_ready: bool,
    tree: Option<Arc<[u8]>>,
}

impl Group {
    pub(crate) fn new(state: PublicState, group_info: Arc<[u8]>) -> Result<Self, ViewError> {
        let view = state.view(0, BTreeMap::new())?;
        Ok(Self {
            state,
            view,
            group_info,
            log: Log::default(),
            updates: BTreeMap::new(),
            unwanted: BTreeSet::new(),
            proposals: BTreeMap::new(),
            slot: None,
            last_add: None,
            all_ready: false,
            tree: None,
        })
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.state.epoch()
    }

    /// The group for the rules, now.
    pub(crate) fn view_at(&self, now_unix_s: u64) -> GroupView {
        let mut view = self.view.clone();
        view.now_unix_s = now_unix_s;
        view.updates = conclave_commit_rules::UpdateClock::Measured(self.updates.clone());
        view.pending_removes = self.state.proposed_removals();
        view
    }

    /// The state has changed.
    pub(crate) fn refresh(&mut self) {
        // A state whose members cannot be read does not come about: the rules refuse them.
        match guard::call(|| self.state.view(0, BTreeMap::new())) {
            Ok(Ok(view)) => self.view = view,
            Ok(Err(_)) | Err(_) => self.state.give_up(),
        }
        self.tree = None;
        self.all_ready = false;
    }

    pub(crate) fn is_admitter(&self, leaf: u32) -> bool {
        self.view.leaves.get(&leaf).is_some_and(|leaf| self.view.role(leaf) >= Role::Admitter)
    }

    /// The tree, made once per epoch.
    pub(crate) fn tree(&mut self) -> Option<Arc<[u8]>> {
        if self.tree.is_none() {
            self.tree = self.state.tree().map(Into::into);
        }
        self.tree.clone()
    }
}

impl CommitHash {
    /// The hash of a commit's bytes.
    pub fn of(commit: &[u8]) -> Self {
        Self(Sha256::digest(commit).into())
    }
}
