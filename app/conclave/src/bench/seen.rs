use std::time::Duration;

/// What the threads of a meeting report of it. `at` is the meeting's time.
#[derive(Debug)]
pub(super) enum Seen {
    /// So many bytes were sent, of one kind.
    Bytes { part: Part, len: usize },
    /// A device is in an epoch. One that sleeps is so by its own word only.
    Epoch { device: usize, epoch: u64, at: Duration },
    /// Someone failed: the measurement is void.
    Failed { device: usize, what: String },
    /// A device asked to be let in.
    Knocked { device: usize, at: Duration },
    /// So many wait to be let in, as an admitter sees it.
    Knocks(usize),
    /// A device opened a frame that was sealed in an epoch.
    Opened { device: usize, epoch: u64, at: Duration },
    /// The server has ordered a commit, or refused it.
    Ordered { is_accepted: bool, at: Duration },
    /// The server has proposed a removal.
    Proposed { at: Duration },
    /// A step took so much processor time.
    Work { work: Work, cpu: Duration },
}

/// A part of what devices and server tell one another, in bytes of MLS: signalling carries them as
/// base64, which is a third more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Part {
    /// A commit.
    Commit,
    /// What a commit says of the group after it.
    GroupInfo,
    /// A key package.
    KeyPackage,
    /// The commits and proposals that someone missed.
    Log,
    /// What the server keeps over a restart, as it is stored.
    Snapshot,
    /// The tree, for a newcomer.
    Tree,
    /// One newcomer's Welcome.
    Welcome,
}

/// A step that is timed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Work {
    /// The server checks a commit, and lists what is to be sent.
    Check,
    /// A newcomer makes an external commit.
    ComeAlone,
    /// A member makes a commit.
    Commit,
    /// A committer puts its own commit into effect.
    Confirm,
    /// A newcomer takes its Welcome in.
    Enter,
    /// A member takes another's commit in.
    Follow,
    /// A device makes its keys and knocks.
    Knock,
    /// One frame of a picture is opened.
    OpenPicture,
    /// One frame of sound is opened.
    OpenSound,
    /// A member takes in what it missed.
    ReadLog,
    /// One frame of a picture is sealed.
    SealPicture,
    /// One frame of sound is sealed.
    SealSound,
    /// The server takes a snapshot, as it does after a commit.
    Snapshot,
    /// A snapshot is written as it is stored.
    WriteSnapshot,
}
