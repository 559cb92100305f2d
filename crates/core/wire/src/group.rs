use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_model::ParticipantId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Bytes of the group's protocol (RFC 9420), which signalling carries and does not read.
///
/// On the wire: unpadded base64url.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(into = "String", try_from = "String")]
#[ts(as = "String")]
pub struct MlsBytes(Vec<u8>);

impl MlsBytes {
    /// Wraps bytes.
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for MlsBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MlsBytes({} bytes)", self.0.len())
    }
}

impl From<MlsBytes> for String {
    fn from(bytes: MlsBytes) -> Self {
        URL_SAFE_NO_PAD.encode(bytes.0)
    }
}

impl TryFrom<String> for MlsBytes {
    type Error = NotBase64;

    fn try_from(text: String) -> Result<Self, NotBase64> {
        URL_SAFE_NO_PAD.decode(text).map(Self).map_err(|_| NotBase64)
    }
}

/// The text is not unpadded base64url.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not unpadded base64url")]
pub struct NotBase64;

/// What a device tells the delivery service of the meeting's group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum GroupRequest {
    /// A message to all members.
    App {
        /// A `PrivateMessage`.
        message: MlsBytes,
    },
    /// A commit. Commit, Welcome and description come as one: no part takes effect alone.
    Commit {
        /// A `PublicMessage`.
        commit: MlsBytes,
        /// For those whom it adds.
        welcome: Option<MlsBytes>,
        /// The group after it.
        group_info: MlsBytes,
    },
    /// A knock is turned away.
    Deny {
        /// Whose.
        knocker: ParticipantId,
    },
    /// Asks for the group's description and tree.
    FetchGroup,
    /// The group that this device founded.
    Found {
        /// Its description.
        group_info: MlsBytes,
        /// Its tree, of one leaf.
        tree: MlsBytes,
    },
    /// Asks to be let in.
    Knock {
        /// A key package; the sealed identity is in its leaf.
        key_package: MlsBytes,
    },
    /// Asks for what was missed.
    LogSince {
        /// The epoch that this device is in.
        #[ts(type = "number")]
        epoch: u64,
    },
    /// A commit cannot be processed. Only members can see why, so the server counts.
    Nack {
        /// The epoch that it was made in.
        #[ts(type = "number")]
        epoch: u64,
        /// Its SHA-256.
        commit: MlsBytes,
    },
    /// This device has the keys of an epoch.
    Ready {
        /// Which.
        #[ts(type = "number")]
        epoch: u64,
    },
}

/// What the delivery service tells a device of the meeting's group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum GroupNews {
    /// This device's commit is in effect.
    Accepted {
        /// The epoch that it was made in.
        #[ts(type = "number")]
        epoch: u64,
    },
    /// Every member that is connected has the keys of an epoch.
    AllReady {
        /// Which.
        #[ts(type = "number")]
        epoch: u64,
    },
    /// A member's message, in the order that all get.
    App {
        /// A `PrivateMessage`.
        message: MlsBytes,
    },
    /// A member's commit is in effect.
    Commit {
        /// A `PublicMessage`.
        commit: MlsBytes,
    },
    /// This device's knock was turned away.
    Denied,
    /// The group that this device founded is the meeting's.
    Founded,
    /// Another group is the meeting's.
    FoundLost,
    /// The group as it is.
    Group {
        /// Its description, of the last committer.
        group_info: MlsBytes,
        /// Its tree.
        tree: MlsBytes,
    },
    /// Someone asks to come in. To admitters only.
    Knock {
        /// Who.
        from: ParticipantId,
        /// Their key package.
        key_package: MlsBytes,
    },
    /// This device is out of step: it is to come in anew.
    KnockAgain,
    /// Someone does not ask any more. To admitters only.
    KnockGone {
        /// Who.
        from: ParticipantId,
    },
    /// What was missed, in order: proposals and commits, then the proposals of the newest epoch.
    Log {
        /// `PublicMessage`s.
        messages: Vec<MlsBytes>,
    },
    /// The meeting: first of all at the door, and again whenever this changes, to those outside.
    Meeting {
        /// The Ed25519 key with which the server proposes removals.
        server_key: MlsBytes,
        /// Whether there is a group.
        has_group: bool,
        /// Whether someone is there who may let people in. It only sets the pace: where the link is
        /// all that it takes, a device waits for an admitter only if there is one.
        has_admitter: bool,
    },
    /// The server proposes a removal.
    Proposal {
        /// A `PublicMessage`.
        proposal: MlsBytes,
    },
    /// This device's commit was refused: another was first, or it was not valid.
    Rejected {
        /// The epoch that it was made in.
        #[ts(type = "number")]
        epoch: u64,
    },
    /// The commit of an epoch is void: nobody but its committer could process it.
    Voided {
        /// The epoch that it was made in.
        #[ts(type = "number")]
        epoch: u64,
    },
    /// This device was let in.
    Welcome {
        /// A Welcome.
        welcome: MlsBytes,
        /// The group's tree of that very epoch.
        tree: MlsBytes,
    },
}
