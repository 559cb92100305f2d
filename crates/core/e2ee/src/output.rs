use std::time::Duration;

use conclave_commit_rules::{CredentialId, Refusal, Role};
use conclave_mls::{Outgoing, Stop};

use crate::admission::KnockView;
use crate::input::KnockId;
use crate::talk::Say;
use crate::verify::Failure;

/// What the session tells the shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Something to show.
    Event(Event),
    /// Have the host key sign this, and answer with the signature.
    SignHost(Vec<u8>),
    /// Send this to the server.
    Send(ToServer),
    /// Nothing more to do until this time, or the next input.
    Timeout(Option<Duration>),
}

/// What the server is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ToServer {
    /// A message to all members.
    App(Vec<u8>),
    /// A commit, with the Welcome and the group's new description.
    Commit(Outgoing),
    /// A knock is turned away.
    Deny(KnockId),
    /// The group that this device founded.
    Found {
        /// Its description.
        info: Vec<u8>,
        /// Its tree.
        tree: Vec<u8>,
    },
    /// This device knocks.
    Knock(Vec<u8>),
    /// This device leaves.
    Leave,
    /// Asks for the commits since an epoch.
    LogSince(u64),
    /// A commit cannot be processed, or, by a newcomer, its Welcome. Only members can see why, so
    /// the server counts.
    Nack {
        /// The epoch that it was made in; 0 for a Welcome.
        epoch: u64,
        /// SHA-256 of the commit or Welcome.
        commit: [u8; 32],
    },
    /// This device has the keys of an epoch.
    Ready(u64),
    /// Asks for the group's description and tree.
    WantGroupInfo,
}

/// Something to show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A new epoch began. Safety code, shield, order and roster are to be read anew.
    Epoch(u64),
    /// The requests to come in changed.
    Knocks(Vec<KnockView>),
    /// A knock was not shown, because it is not valid.
    KnockRefused(KnockId),
    /// What the person wanted is not done.
    NotDone(NotDone),
    /// Someone said something.
    Said(Said),
    /// The session is in another state.
    State(State),
    /// Something to warn of.
    Warning(Warning),
}

/// Something that a member said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    /// Who.
    pub credential: CredentialId,
    /// Their leaf.
    pub leaf: u32,
    /// Their name, as it is in their leaf.
    pub name: String,
    /// Their role now.
    pub role: Role,
    /// The epoch it was said in.
    pub epoch: u64,
    /// What.
    pub say: Say,
}

/// Why a wish is not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotDone {
    /// Not in the group, or sending has stopped.
    #[error("this device is not in the meeting, or has stopped sending")]
    NotNow,
    /// The meeting's rules do not allow it.
    #[error("the meeting's rules do not allow it: {0}")]
    Refused(Refusal),
    /// Too long, empty, or with control characters.
    #[error("the message is too long, empty, or not text")]
    Text,
    /// Who is meant is not there.
    #[error("nobody is there by that id")]
    Unknown,
    /// The commit could not be made.
    #[error("the change could not be made")]
    Unmade,
}

/// Where the session is. Each way in which verification fails is one, with its cause.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// In the group, but a commit is missing: a message was of a later epoch.
    CatchingUp {
        /// The epoch that others are in.
        seen: u64,
    },
    /// An external commit was sent.
    ComingIn,
    /// The server's description of the meeting is awaited.
    Connecting,
    /// The meeting is over for this device.
    Ended(End),
    /// Verification failed before this device came in.
    Failed(Failure),
    /// The meeting is split: this device and others have different histories. Nothing is sent.
    Forked(Fork),
    /// A group was founded; the server's word is awaited.
    Founding,
    /// In the group.
    InGroup,
    /// An admitter must let this device in.
    Knocking,
    /// The host key's signature is awaited.
    ProvingHost,
    /// A commit broke a rule. Nothing is sent, and this device does not come back by itself.
    Refused(Stop),
    /// This device was removed.
    Removed,
    /// A commit cannot be processed; the others may have gone on. Nothing is sent.
    Stranded {
        /// SHA-256 of the commit.
        commit: [u8; 32],
    },
    /// In the group, but nothing is sent until the cause is gone.
    Suspended(Suspension),
    /// There is no group yet, and a host must found it.
    WaitingForHost,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The person left.
    Left,
    /// The server says that the meeting is over.
    Over,
}

/// How a split was noticed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fork {
    /// A member's heartbeat tells of another history or another number of members.
    Heartbeat {
        /// The member's leaf.
        leaf: u32,
    },
    /// Messages of this very epoch cannot be opened: their senders have other keys.
    Unreadable,
}

/// Why nothing is sent for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suspension {
    /// Ten heartbeats are missing of all who must send them: the server may hold commits back.
    Silence,
    /// Others are in a later epoch, and the server does not hand out the commit.
    Withheld {
        /// The epoch that others are in.
        seen: u64,
    },
}

/// Something to warn of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Warning {
    /// The server shows two commits for one epoch.
    Conflict {
        /// The epoch.
        epoch: u64,
    },
    /// A message came twice or out of order, and was dropped.
    Replayed {
        /// The sender's leaf, where the message could be opened.
        leaf: Option<u32>,
    },
    /// Three heartbeats are missing of all who must send them.
    Silence,
    /// Heartbeats are there again.
    SilenceOver,
    /// The server does not order this device's commit.
    Stalled,
    /// Messages of a member are missing.
    Suppressed {
        /// The member's leaf.
        leaf: u32,
        /// How many.
        missing: u64,
    },
    /// The server tried what it may not do: a proposal other than a removal, a voiding of an epoch
    /// that this device is beyond of.
    ServerOverreach,
    /// A message is of a later epoch: the server holds a commit back, or is late with it.
    Withheld {
        /// The epoch that others are in.
        seen: u64,
    },
}
