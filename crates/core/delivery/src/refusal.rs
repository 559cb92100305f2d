use conclave_commit_rules::Refusal;
use conclave_mls_view::ViewError;

/// Why a commit does not take effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitRefusal {
    /// Another commit was first: take that in and make this one anew.
    #[error("another commit was first")]
    Epoch,
    /// The description of the group after it is missing, of another state, or not the committer's.
    #[error("the commit comes without a description of what it leads to")]
    GroupInfo,
    /// The library cannot authenticate or apply it.
    #[error("the commit is not valid")]
    Invalid,
    /// It is no commit, or too long.
    #[error("the commit is malformed")]
    Malformed,
    /// There is no group yet.
    #[error("there is no group yet")]
    NoGroup,
    /// It adds someone who does not knock (any more).
    #[error("someone was added who is not in the lobby")]
    NotKnocking,
    /// It is of another group.
    #[error("the commit is of another group")]
    OtherGroup,
    /// It breaks a rule of the meeting.
    #[error("the commit breaks the meeting's rules: {0}")]
    Rule(Refusal),
    /// Its sender is another than the one who brings it.
    #[error("the commit is another's")]
    Sender,
    /// Adds follow each other too quickly, or its sender commits too often: try again soon.
    #[error("commits follow each other too quickly")]
    TooSoon,
    /// Nobody has confirmed the committer's previous commit yet: try again soon.
    #[error("the previous commit is not confirmed yet")]
    Unconfirmed,
    /// Someone in it is not like a meeting's member.
    #[error(transparent)]
    View(ViewError),
    /// The Welcome is missing, superfluous or for others than those added.
    #[error("the Welcome is not for those whom the commit adds")]
    Welcome,
}

/// Why a group is not founded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FoundRefusal {
    /// There is one already, or this device tries too often: discard this, and knock.
    #[error("the meeting has a group already")]
    Exists,
    /// Signatures or tree are wrong, or somebody else is in it.
    #[error("the group is not valid")]
    Invalid,
    /// It cannot be read, or is too long.
    #[error("the group is malformed")]
    Malformed,
    /// The meeting waits for its host.
    #[error("the meeting waits for its host")]
    NotHost,
    /// It is of another meeting, policy, cipher suite or server.
    #[error("the group is another meeting's")]
    OtherMeeting,
    /// Its context or founder is not like a meeting's.
    #[error(transparent)]
    View(ViewError),
}
