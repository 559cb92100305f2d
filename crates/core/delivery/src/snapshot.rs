use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_commit_rules::Constitution;
use conclave_model::ParticipantId;
use serde::{Deserialize, Serialize};

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
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Snapshot {
    version: u16,
    group_id: Text,
    group: Stored,
    group_info: Text,
    log: Vec<SavedEntry>,
    proposals: BTreeMap<u32, Text>,
    unwanted: BTreeSet<u32>,
    updates: BTreeMap<u32, u64>,
    members: Vec<SavedMember>,
}

const VERSION: u16 = 2;

/// Bytes as unpadded base64url.
#[derive(Clone, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
struct Text(String);

impl Text {
    fn new(bytes: &[u8]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn bytes(&self) -> Result<Vec<u8>, RestoreError> {
        URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| RestoreError)
    }

    fn shared(&self) -> Result<Arc<[u8]>, RestoreError> {
        Ok(self.bytes()?.into())
    }
}

#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SavedEntry {
    epoch: u64,
    proposals: Vec<Text>,
    commit: Text,
}

#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SavedMember {
    who: ParticipantId,
    leaf: u32,
}

impl DeliveryService {
    /// What to store of the call; nothing as long as it has no group.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let group = self.group.as_ref()?;
        let texts = |all: &[Arc<[u8]>]| all.iter().map(|bytes| Text::new(bytes)).collect();
        let log = group.log.entries().map(|entry| SavedEntry {
            epoch: entry.epoch,
            proposals: texts(&entry.proposals),
            commit: Text::new(&entry.commit),
        });
        let members = self
            .devices
            .iter()
            .filter_map(|(who, device)| Some(SavedMember { who: *who, leaf: device.leaf? }));
        Some(Snapshot {
            version: VERSION,
            group_id: Text::new(group.state.group_id()),
            group: group.state.stored(),
            group_info: Text::new(&group.group_info),
            log: log.collect(),
            proposals: group.proposals.iter().map(|(leaf, p)| (*leaf, Text::new(p))).collect(),
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
        let group_id = snapshot.group_id.bytes()?;
        let for_meeting = group_id.starts_with(&constitution.meeting);
        if snapshot.version != VERSION || !for_meeting {
            return Err(RestoreError);
        }
        let state = PublicState::load(&group_id, snapshot.group.clone()).ok_or(RestoreError)?;
        let mut group =
            Group::new(state, snapshot.group_info.shared()?).map_err(|_| RestoreError)?;
        if group.view.constitution != constitution || !group.state.is_proposer(&key) {
            return Err(RestoreError);
        }
        for saved in &snapshot.log {
            let commit = saved.commit.shared()?;
            let proposals = saved.proposals.iter().map(Text::shared).collect::<Result<_, _>>()?;
            let hash = CommitHash::of(&commit);
            group.log.push(Entry { epoch: saved.epoch, hash, proposals, commit });
        }
        for (leaf, proposal) in &snapshot.proposals {
            group.proposals.insert(*leaf, proposal.shared()?);
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

/// The snapshot is not one that this program wrote for this meeting.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the stored state of the call cannot be read")]
pub struct RestoreError;
