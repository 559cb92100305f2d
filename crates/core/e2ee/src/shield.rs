use conclave_commit_rules::Classification;

/// What can be said of the call's protection, and on what ground: computed, never a decoration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shield {
    /// In one word.
    pub level: ShieldLevel,
    /// What the word is based on.
    pub based_on: Vec<Basis>,
    /// What it does not cover.
    pub not_covered: Vec<Gap>,
}

/// The call's protection in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ShieldLevel {
    /// Not in a group: nothing is sent, so nothing is protected.
    None,
    /// Encrypted from end to end, but some are in it under a name that is their own word.
    Unverified,
    /// Encrypted from end to end, and the safety code was compared in a locked meeting since the
    /// last one came in.
    Compared,
    /// Something speaks against it: see the session's state and warnings.
    Doubtful,
    /// Nothing is sent: see the session's state.
    Stopped,
}

/// What a shield is based on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    /// The policy is the one whose digest is in the link.
    Constitution,
    /// How confidential the meeting is.
    Classification(Classification),
    /// The safety code was compared in this epoch.
    CodeCompared {
        /// The epoch.
        epoch: u64,
    },
    /// Keys of this epoch, agreed on by this many devices and held by no other.
    GroupKeys {
        /// The epoch.
        epoch: u64,
        /// The devices.
        members: usize,
    },
    /// Of the other members, so many were heard lately, in the same history.
    Heard {
        /// Heard.
        heard: usize,
        /// All others.
        others: usize,
    },
    /// So many proved to hold the host key.
    Hosts(usize),
    /// Each who came in proved to hold the link.
    LinkSecret,
}

/// What a shield does not cover.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gap {
    /// This program itself came from a server.
    ClientCode,
    /// The safety code was not compared since someone came in: a server that holds the link could
    /// sit between.
    CodeNotCompared,
    /// Machines that can hear may be let in.
    Gateways,
    /// A member together with the server can pass off frames as another member's.
    Insider,
    /// The server sees who talks to whom, when, from where and how much.
    Metadata,
    /// So many are in it under a name that is their own word.
    Unverified(usize),
    /// The server is told how loud each one is.
    VoiceLevel,
}
