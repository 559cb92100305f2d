use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::constitution::Constitution;
use crate::order::{Order, Role};

/// How long a key package may be valid at most.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The 16 random bytes of a leaf's basic credential: one device's one stay in a meeting.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CredentialId(#[serde(with = "crate::bytes")] pub [u8; 16]);

/// The group before a commit, as the one who checks it sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupView {
    /// What it was founded on.
    pub constitution: Constitution,
    /// What hosts decided.
    pub order: Order,
    /// Its members by leaf index.
    pub leaves: BTreeMap<u32, LeafView>,
    /// The leaves that the server has proposed to remove and no commit has removed yet.
    pub pending_removes: BTreeSet<u32>,
    /// The id of the pre-shared key of the link that is in force (RFC 9420 section 8.4).
    pub link_psk: Vec<u8>,
    /// The time, in seconds since 1970.
    pub now_unix_s: u64,
    /// When members last updated.
    pub updates: UpdateClock,
    /// A commit was refused before: nothing more is accepted in this group.
    pub stopped: bool,
}

impl GroupView {
    /// The role of a leaf: host if it proves to be, else what the order says.
    pub fn role(&self, leaf: &LeafView) -> Role {
        if leaf.host_proven { Role::Host } else { self.order.role_of(&leaf.credential) }
    }
}

/// Who checks how often members update.
///
/// The server orders commits as they come and can measure. A member may read an hour's commits
/// from the log at once, and members that disagreed would part ways: they do not measure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UpdateClock {
    /// The last update of each leaf, in seconds since 1970.
    Measured(BTreeMap<u32, u64>),
    /// Not this one.
    NotMeasured,
}

/// What a leaf says of its owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeafView {
    /// Who.
    pub credential: CredentialId,
    /// The key that it signs with.
    pub signature_key: Vec<u8>,
    /// The leaf's extension 0xF0A2, byte by byte: sealed identity and host proof.
    pub identity: Vec<u8>,
    /// Whether that extension has a signature of the constitution's host key over this leaf.
    pub host_proven: bool,
}

/// What came of checking who someone is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IdentityCheck {
    /// The identity is broken: it cannot be opened, or its signature or chain is wrong.
    Failed,
    /// A guest's own word.
    Guest,
    /// The one who checks has no key to see it: the server.
    Hidden,
    /// An issuer of the constitution vouches for it.
    Verified,
}

/// A commit (RFC 9420 section 12.4) as the one who checks it sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommitView {
    /// Who made it.
    pub sender: CommitSender,
    /// What it does, proposals by reference resolved.
    pub proposals: Vec<ProposalView>,
    /// The committer's new leaf, if it has a path.
    pub path: Option<LeafView>,
}

impl CommitView {
    /// Whether it does nothing but renew keys: it has no proposal, or none but pre-shared keys,
    /// which let nobody in on their own.
    pub fn is_update(&self) -> bool {
        self.proposals.iter().all(|p| matches!(p.kind, ProposalKind::PreSharedKey(_)))
    }
}

/// Who made a commit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommitSender {
    /// Someone who joins by it (RFC 9420 section 12.4.3.2). The leaf is the commit's path.
    External(IdentityCheck),
    /// A member, by leaf index.
    Member(u32),
}

/// A proposal (RFC 9420 section 12.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProposalView {
    /// Who made it.
    pub sender: ProposalSender,
    /// What it says.
    pub kind: ProposalKind,
}

/// Who made a proposal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProposalSender {
    /// The committer, within the commit.
    Committer,
    /// A member, before.
    Member(u32),
    /// Someone who would like to join, by an external Add.
    NewMember,
    /// An external sender, by index (RFC 9420 section 12.1.8).
    Server(u32),
}

/// What a proposal says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProposalKind {
    /// Take someone in.
    Add(Box<KeyPackageView>),
    /// The key material of an external commit.
    ExternalInit,
    /// Change the group's context.
    GroupContextExtensions(Box<ContextView>),
    /// Any other type.
    Other(u16),
    /// Mix in a pre-shared key.
    PreSharedKey(PskView),
    /// Remove a leaf.
    Remove(u32),
    /// The sender wants to leave.
    SelfRemove,
    /// The sender's new leaf.
    Update(Box<LeafView>),
}

/// Which pre-shared key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PskView {
    /// One that the application knows, by id.
    External(Vec<u8>),
    /// One of an earlier epoch or group.
    Resumption,
}

/// A key package (RFC 9420 section 10) whose signatures were verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPackageView {
    /// The leaf that it becomes.
    pub leaf: LeafView,
    /// Its cipher suite.
    pub suite: u16,
    /// Since when it is valid, in seconds since 1970.
    pub not_before_unix_s: u64,
    /// Until when it is valid, in seconds since 1970.
    pub not_after_unix_s: u64,
    /// Whether it can read all extensions of the meeting's group.
    pub capable: bool,
    /// What came of checking its identity.
    pub identity: IdentityCheck,
}

/// A group's context as a commit would have it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContextView {
    /// What hosts decided; nothing if it is missing or cannot be read.
    pub order: Option<Order>,
    /// Whether constitution, server key, required capabilities and all else are as they were.
    pub rest_unchanged: bool,
}
