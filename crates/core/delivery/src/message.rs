use std::sync::Arc;
use std::time::Instant;

use conclave_model::ParticipantId;

use crate::refusal::{CommitRefusal, FoundRefusal};

/// The SHA-256 of a commit's bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CommitHash(pub [u8; 32]);

/// What the shell tells the delivery service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// A member says something to all, encrypted.
    App {
        /// Who.
        from: ParticipantId,
        /// A `PrivateMessage`.
        message: Vec<u8>,
    },
    /// Someone commits. Commit, Welcome and description are one message: no part comes alone.
    Commit {
        /// Who: a member, or someone who comes in by an external commit.
        from: ParticipantId,
        /// A `PublicMessage`.
        commit: Vec<u8>,
        /// For those it adds.
        welcome: Option<Vec<u8>>,
        /// The group after it.
        group_info: Vec<u8>,
    },
    /// A device of the meeting has connected. Its token was checked by the shell.
    Connected {
        /// Who: the same for as long as it can resume.
        who: ParticipantId,
    },
    /// An admitter does not let someone in.
    Deny {
        /// The admitter.
        from: ParticipantId,
        /// Whom not.
        knocker: ParticipantId,
    },
    /// A device's socket is gone. It may resume, unless it waits in the lobby.
    Disconnected {
        /// Whose.
        who: ParticipantId,
    },
    /// Someone asks for the tree and the group's description, to follow or to come in alone.
    FetchGroup {
        /// Who.
        from: ParticipantId,
    },
    /// Someone founds the meeting's group.
    Found {
        /// Who.
        from: ParticipantId,
        /// The group's description.
        group_info: Vec<u8>,
        /// The tree of one leaf.
        tree: Vec<u8>,
    },
    /// Someone knocks, or stands at the door with a newer key package.
    Knock {
        /// Who.
        from: ParticipantId,
        /// A key package; the sealed identity is in its leaf.
        key_package: Vec<u8>,
    },
    /// A member leaves, or someone in the lobby goes.
    Leave {
        /// Who.
        who: ParticipantId,
    },
    /// A member asks for what it missed.
    LogSince {
        /// Who.
        from: ParticipantId,
        /// The epoch that it is in.
        epoch: u64,
    },
    /// A member cannot process a commit, or a newcomer its Welcome.
    Nack {
        /// Who.
        from: ParticipantId,
        /// Which.
        commit: CommitHash,
    },
    /// A member is in an epoch: it has processed the commit that led there.
    Ready {
        /// Who.
        from: ParticipantId,
        /// Which.
        epoch: u64,
    },
    /// A member is back on another socket. Its token was checked by the shell.
    Resume {
        /// Who.
        who: ParticipantId,
        /// What the shell asked it to sign.
        challenge: [u8; 32],
        /// Its leaf's signature over [`resume_statement`](crate::resume_statement).
        signature: Vec<u8>,
    },
    /// The instant of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What the delivery service tells the shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Who may send and receive media has changed.
    Gate(Gate),
    /// What hosts decided has changed: see [`DeliveryService::order`](crate::DeliveryService::order).
    Order,
    /// The public state has changed: take a snapshot and store it before what follows is sent.
    /// Gates do not wait for it.
    Persist,
    /// Send something to a device.
    Send {
        /// To whom.
        to: ParticipantId,
        /// What.
        message: ToDevice,
    },
    /// Nothing more to do until then, or until an input.
    Timeout(Option<Instant>),
}

/// Who may send and receive media.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gate {
    /// Nothing from or to this device any more, at once.
    Close {
        /// Whose.
        who: ParticipantId,
    },
    /// It is a member now, at this leaf.
    Open {
        /// Whose.
        who: ParticipantId,
        /// Its leaf.
        leaf: u32,
    },
}

/// A message to a device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ToDevice {
    /// Its commit is in effect.
    Accepted {
        /// The epoch that it was made in.
        epoch: u64,
    },
    /// Every member that is connected has the keys of an epoch.
    AllReady {
        /// Which.
        epoch: u64,
    },
    /// A member's message, in the order that all get.
    App {
        /// A `PrivateMessage`.
        message: Arc<[u8]>,
    },
    /// A commit is in effect.
    Commit {
        /// A `PublicMessage`.
        commit: Arc<[u8]>,
    },
    /// An admitter did not let it in.
    Denied,
    /// It is the founder of the meeting's group.
    Founded,
    /// Its group is not the meeting's.
    FoundRefused {
        /// Why.
        why: FoundRefusal,
    },
    /// The group as it is: tree and description, each as a member made it.
    Group {
        /// The description, of the committer.
        group_info: Arc<[u8]>,
        /// The tree.
        tree: Arc<[u8]>,
    },
    /// Someone asks to come in. To admitters only.
    Knock {
        /// Who.
        from: ParticipantId,
        /// Its key package, with its sealed identity.
        key_package: Arc<[u8]>,
    },
    /// This device is out of step: it is to come in anew, as another leaf.
    KnockAgain,
    /// Someone does not ask any more. To admitters only.
    KnockGone {
        /// Who.
        from: ParticipantId,
    },
    /// The commits since an epoch, each after the proposals that it may refer to, and what is
    /// proposed in the newest.
    Log {
        /// `PublicMessage`s, oldest first: proposals and commits as they came.
        messages: Vec<Arc<[u8]>>,
    },
    /// The meeting: to whoever connects, and to those outside the group whenever it changes.
    Meeting {
        /// The Ed25519 key that removals are proposed with.
        server_key: [u8; 32],
        /// Whether there is a group with someone in it, who may be away for a moment.
        has_group: bool,
        /// Whether someone is there who may let people in.
        has_admitter: bool,
    },
    /// The server proposes to remove a leaf.
    Proposal {
        /// A `PublicMessage`.
        proposal: Arc<[u8]>,
    },
    /// Its commit is not in effect.
    Rejected {
        /// The epoch that it was made in; if it cannot be read, the group's.
        epoch: u64,
        /// Why.
        why: CommitRefusal,
    },
    /// What it asked cannot be done.
    Refused {
        /// Why.
        why: RequestRefusal,
    },
    /// It is a member as before.
    Resumed,
    /// A commit is void: nobody could process it. The epoch that it began never was.
    Voided {
        /// The epoch that it was made in, which is the group's again.
        epoch: u64,
    },
    /// It is let in.
    Welcome {
        /// Its own Welcome, without other newcomers' parts.
        welcome: Arc<[u8]>,
        /// The tree of the very epoch that it enters.
        tree: Arc<[u8]>,
    },
}

/// Why a request has no effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestRefusal {
    /// The lobby or the meeting is full.
    #[error("there is no room")]
    Full,
    /// It cannot be read or verified, or is too long.
    #[error("the message is malformed")]
    Malformed,
    /// This device may not.
    #[error("this device may not do that")]
    NotAllowed,
    /// Token or signature is wrong, or the device is a member no more.
    #[error("the device is a member no more")]
    NotMember,
    /// It comes too often: later, perhaps.
    #[error("too many requests of this device")]
    TooOften,
    /// The device is in the group, or in the lobby, already.
    #[error("the device is there already")]
    Twice,
}
