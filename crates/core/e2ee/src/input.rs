use std::fmt;
use std::time::Duration;

use conclave_commit_rules::{Classification, CredentialId, Mute, Role};
use conclave_mls::ServerKey;

use crate::talk::Say;

/// The time, as the shell knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// Since a moment of the shell's choice, the same for all calls; it never goes back.
    pub at: Duration,
    /// Seconds since 1970, for lifetimes.
    pub unix_s: u64,
}

/// What the shell tells the session.
#[derive(Clone, Debug)]
pub enum Input {
    /// The person wants something.
    Command(Command),
    /// The connection to the server is back: what was missed is asked for.
    Connected,
    /// The host key signed what [`Output::SignHost`](crate::Output::SignHost) asked for.
    HostSignature([u8; 64]),
    /// The server said something.
    Server(FromServer),
    /// The time of the last [`Output::Timeout`](crate::Output::Timeout) has come.
    Timeout,
}

/// What the person wants.
#[derive(Clone, Debug)]
pub enum Command {
    /// Let someone in who knocked.
    Admit(KnockId),
    /// Give someone a role; guest takes it away.
    Appoint(CredentialId, Role),
    /// The safety code was read aloud and was the same.
    CodeCompared,
    /// Turn someone away who knocked.
    Deny(KnockId),
    /// Remove someone.
    Kick(CredentialId),
    /// Leave. The server will propose to remove this device's leaf.
    Leave,
    /// Let nobody in, or let people in again.
    Lock(bool),
    /// Forbid someone to send something, or allow it again.
    Mute(Mute, bool),
    /// Raise the classification.
    Raise(Classification),
    /// Come in anew, as a new leaf, after a failure, a fork or a refusal.
    Rejoin,
    /// Say something to all.
    Say(Say),
}

/// A knock's number, given by the server: the participant's.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KnockId(pub u64);

/// What the server says. None of it is believed: it is checked, or it only sets the pace.
#[derive(Clone, Eq, PartialEq)]
pub enum FromServer {
    /// This device's commit of that epoch was the first: it takes effect.
    Accepted(u64),
    /// Every member has the keys of that epoch.
    AllReady(u64),
    /// A member's message.
    App(Vec<u8>),
    /// A member's commit.
    Commit(Vec<u8>),
    /// This device's knock was turned away.
    Denied,
    /// The meeting is over.
    Ended,
    /// The group that this device founded is the meeting's.
    Founded,
    /// Another device's group is the meeting's.
    FoundLost,
    /// The group as it is now, for an external commit.
    GroupInfo {
        /// Its description.
        info: Vec<u8>,
        /// Its tree.
        tree: Vec<u8>,
    },
    /// Someone knocks.
    Knock(KnockId, Vec<u8>),
    /// This device is out of step: it is to come in anew, as another leaf.
    KnockAgain,
    /// Someone no longer knocks.
    KnockGone(KnockId),
    /// What this device missed, in order: all commits since the epoch asked for, and the proposals
    /// of the newest one.
    Log(Vec<Vec<u8>>),
    /// The meeting, first of all, and again when its group comes into being.
    Meeting {
        /// The key that the server proposes removals with.
        server: ServerKey,
        /// Whether it has a group.
        has_group: bool,
        /// Whether someone is there who may let people in.
        has_admitter: bool,
    },
    /// A proposal of the server's.
    Proposal(Vec<u8>),
    /// This device's commit of that epoch was refused: another was first, or it was not valid.
    Rejected(u64),
    /// Every member but the committer could not process the commit of that epoch: it is void.
    Voided(u64),
    /// This device was let in.
    Welcome {
        /// The Welcome.
        welcome: Vec<u8>,
        /// The group's tree.
        tree: Vec<u8>,
    },
}

impl fmt::Debug for FromServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted(_) => "Accepted",
            Self::AllReady(_) => "AllReady",
            Self::App(_) => "App",
            Self::Commit(_) => "Commit",
            Self::Denied => "Denied",
            Self::Ended => "Ended",
            Self::FoundLost => "FoundLost",
            Self::Founded => "Founded",
            Self::GroupInfo { .. } => "GroupInfo",
            Self::Knock(..) => "Knock",
            Self::KnockAgain => "KnockAgain",
            Self::KnockGone(_) => "KnockGone",
            Self::Log(_) => "Log",
            Self::Meeting { .. } => "Meeting",
            Self::Proposal(_) => "Proposal",
            Self::Rejected(_) => "Rejected",
            Self::Voided(_) => "Voided",
            Self::Welcome { .. } => "Welcome",
        })
    }
}
