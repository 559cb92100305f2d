use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use conclave_commit_rules::Constitution;
use conclave_model::ParticipantId;
use serde::{Deserialize, Serialize};

use crate::encoding::{self, Bytes};
use crate::group::Group;
use crate::key::ProposalKey;
use crate::limits::RETURN_WITHIN;
use crate::log::Entry;
use crate::message::CommitHash;
use crate::public_group::PublicState;
use crate::service::{DeliveryService, Device};
use crate::storage::Stored;

/// What is at rest of a call: public tree and context, the latest commits, and whose leaf is whose.
/// It is to be deleted with the call.
///
/// The lobby is not in it, nor is any member's message.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Snapshot {
    group_id: Bytes,
    group: Stored,
    group_info: Bytes,
    log: Vec<LogEntry>,
    proposals: BTreeMap<u32, Bytes>,
    unwanted: BTreeSet<u32>,
    updates: BTreeMap<u32, u64>,
    members: Vec<SavedMember>,
}

/// The first byte of what is written. What follows names no fields, so each change of the form
/// needs another version: of ours, and of the library's, when an update of it writes its types
/// otherwise. Up to version 2 it was JSON, which begins with a brace.
const VERSION: u8 = 3;

/// One commit of a snapshot's log, to be kept by itself: it never changes, and all of them together
/// are much larger than the rest.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogEntry {
    epoch: u64,
    proposals: Vec<Bytes>,
    commit: Bytes,
}

impl LogEntry {
    /// The epoch that the commit was made in. Commits follow each other epoch by epoch; after a
    /// void one, there is another of the same epoch.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Writes it in the form of [`Snapshot::to_bytes`].
    ///
    /// # Errors
    ///
    /// The encoder does not take it. None is known of which this is so.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SaveError> {
        write(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// The bytes are of another version, or are not a log entry and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RestoreError> {
        read(bytes)
    }
}

impl fmt::Debug for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogEntry").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Writes it, with the log that is in it: a byte that says the form's version, then the fields
    /// one after the other as [postcard](https://postcard.jamesmunns.com/wire-format) has them.
    ///
    /// # Errors
    ///
    /// The encoder does not take it. None is known of which this is so.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SaveError> {
        write(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Whether it is of a certain meeting shows
    /// when a service is [restored](DeliveryService::restore) from it.
    ///
    /// # Errors
    ///
    /// The bytes are of another version, or are not a snapshot and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RestoreError> {
        read(bytes)
    }

    /// Takes the log out, oldest first.
    pub fn take_log(&mut self) -> Vec<LogEntry> {
        std::mem::take(&mut self.log)
    }

    /// Puts a log in that was kept by itself, oldest first.
    #[must_use]
    pub fn with_log(mut self, log: impl IntoIterator<Item = LogEntry>) -> Self {
        self.log.extend(log);
        self
    }
}

#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
struct SavedMember {
    who: ParticipantId,
    leaf: u32,
}

fn write<T: Serialize>(value: &T) -> Result<Vec<u8>, SaveError> {
    encoding::write(&(VERSION, value)).map_err(|_| SaveError)
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, RestoreError> {
    match bytes {
        [VERSION, fields @ ..] => encoding::read(fields).map_err(|_| RestoreError),
        _ => Err(RestoreError),
    }
}

impl DeliveryService {
    /// What to store of the call; nothing as long as it has no group.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let group = self.group.as_ref()?;
        let shared = |bytes: &Arc<[u8]>| Bytes(Arc::clone(bytes));
        let log = group.log.entries().map(|entry| LogEntry {
            epoch: entry.epoch,
            proposals: entry.proposals.iter().map(shared).collect(),
            commit: shared(&entry.commit),
        });
        let members = self
            .devices
            .iter()
            .filter_map(|(who, device)| Some(SavedMember { who: *who, leaf: device.leaf? }));
        Some(Snapshot {
            group_id: Bytes(group.state.group_id().into()),
            group: group.state.stored(),
            group_info: shared(&group.group_info),
            log: log.collect(),
            proposals: group.proposals.iter().map(|(leaf, p)| (*leaf, shared(p))).collect(),
            unwanted: group.unwanted.clone(),
            updates: group.updates.clone(),
            members: members.collect(),
        })
    }

    /// Goes on with a call after a restart. Everybody's socket is gone; they may resume. Whoever
    /// was let in and had not entered yet, or had not answered for the last commit, comes in anew.
    ///
    /// # Errors
    ///
    /// The snapshot is not one that this program wrote for this meeting.
    pub fn restore(
        constitution: Constitution,
        key: ProposalKey,
        snapshot: &Snapshot,
        now: Instant,
        now_unix_s: u64,
    ) -> Result<Self, RestoreError> {
        let group_id = &*snapshot.group_id.0;
        if !group_id.starts_with(&constitution.meeting) {
            return Err(RestoreError);
        }
        let state = PublicState::load(group_id, snapshot.group.clone()).ok_or(RestoreError)?;
        let mut group =
            Group::new(state, Arc::clone(&snapshot.group_info.0)).map_err(|_| RestoreError)?;
        if group.view.constitution != constitution || !group.state.is_proposer(&key) {
            return Err(RestoreError);
        }
        for saved in &snapshot.log {
            let commit = Arc::clone(&saved.commit.0);
            let proposals = saved.proposals.iter().map(|bytes| Arc::clone(&bytes.0)).collect();
            let hash = CommitHash::of(&commit);
            group.log.push(Entry { epoch: saved.epoch, hash, proposals, commit });
        }
        for (leaf, proposal) in &snapshot.proposals {
            group.proposals.insert(*leaf, Arc::clone(&proposal.0));
        }
        group.unwanted.clone_from(&snapshot.unwanted);
        group.updates.clone_from(&snapshot.updates);

        let mut service = Self::new(constitution, key, now, now_unix_s);
        for member in &snapshot.members {
            let device = Device {
                connected: false,
                leaf: Some(member.leaf),
                lost_at: Some(now + RETURN_WITHIN),
                ..Device::new()
            };
            service.devices.insert(member.who, device);
        }
        service.group = Some(group);
        Ok(service)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot(..)")
    }
}

/// The encoder does not take the state of the call.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the state of the call cannot be written")]
pub struct SaveError;

/// The snapshot is not one that this program wrote for this meeting.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the stored state of the call cannot be read")]
pub struct RestoreError;
