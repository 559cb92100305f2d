use std::ops::Range;

use conclave_model::{MeetingId, ParticipantId, SealedBlob, TokenHash};
use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

/// Keeps meetings, the sessions and groups of running calls, and the server's own keys.
///
/// What a method has answered survives `kill -9` and loss of power.
pub trait Store: Send + Sync {
    /// Keeps a new meeting.
    fn create_meeting(&self, meeting: Meeting) -> BoxFuture<'_, Result<(), CreateMeetingError>>;

    /// Finds a meeting; `None` if there is none with this id.
    fn meeting(&self, id: MeetingId) -> BoxFuture<'_, Result<Option<Meeting>, StoreError>>;

    /// Finds the sessions of a meeting's call.
    fn sessions(&self, meeting: MeetingId) -> BoxFuture<'_, Result<Sessions, StoreError>>;

    /// Keeps sessions, replacing former ones of the same participants. Ids above theirs are
    /// free from then on, and stay so until [`end_call`](Self::end_call). The meeting is in use.
    fn save_sessions(
        &self,
        meeting: MeetingId,
        sessions: Vec<Session>,
        seen: UnixMillis,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Forgets one session.
    fn forget_session(
        &self,
        meeting: MeetingId,
        participant: ParticipantId,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Notes that the calls of these meetings still run, so that they are in use.
    fn touch_sessions(
        &self,
        meetings: Vec<MeetingId>,
        seen: UnixMillis,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Finds what was kept last of a call's group.
    fn group(&self, meeting: MeetingId) -> BoxFuture<'_, Result<Option<KeptGroup>, StoreError>>;

    /// Keeps what has changed of a call's group: all of it, or nothing.
    fn save_group(
        &self,
        meeting: MeetingId,
        change: GroupChange,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Forgets the group and all sessions of a meeting's call, and how many they were.
    fn end_call(&self, meeting: MeetingId) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Forgets sessions that were not seen since `before`, and groups without a session: nobody
    /// comes back to them. Answers how many sessions there were.
    fn expire_sessions(&self, before: UnixMillis) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Forgets meetings that were not in use since `before` and have no session: as many as take
    /// no noticeable time. Answers how many it forgot.
    fn expire_meetings(&self, before: UnixMillis) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Finds one of the server's own keys. If there is none yet, it keeps `fresh` and answers
    /// that.
    fn server_key(
        &self,
        key: ServerKey,
        fresh: Zeroizing<[u8; 32]>,
    ) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, StoreError>>;

    /// Asks whether the store works.
    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// One of the server's own keys: the seed of an Ed25519 key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ServerKey {
    /// Signs the statements of media nodes.
    Node,
    /// Signs the removals that the server proposes.
    Proposals,
}

/// A meeting as its creator's client stated it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Meeting {
    /// Its id.
    pub id: MeetingId,
    /// Digest of the token that proves possession of the link.
    pub token_hash: TokenHash,
    /// Its title, sealed.
    pub sealed_title: SealedBlob,
    /// Its policy: JSON text.
    pub policy: String,
    /// When it was created.
    pub created: UnixMillis,
}

/// What proves that a client is a participant of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Session {
    /// Which participant.
    pub participant: ParticipantId,
    /// Digest of the token handed out last.
    pub token: TokenHash,
    /// Digest of the token that the client proved to hold last.
    pub proven: Option<TokenHash>,
}

/// The sessions of a meeting's call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sessions {
    /// All of them, by participant.
    pub sessions: Vec<Session>,
    /// The first participant id that was never given out in this call.
    pub next_participant: ParticipantId,
}

/// What has changed of a call's group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupChange {
    /// Its public state, replacing the former one.
    pub state: Vec<u8>,
    /// Commits by epoch, replacing former ones of the same epochs.
    pub log: Vec<(u64, Vec<u8>)>,
    /// The epochs whose commits are still of use; others' are forgotten.
    pub epochs: Range<u64>,
}

/// What is kept of a call's group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptGroup {
    /// Its public state.
    pub state: Vec<u8>,
    /// Its latest commits, oldest first.
    pub log: Vec<Vec<u8>>,
}

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnixMillis(pub i64);

/// Why a meeting was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateMeetingError {
    /// There is a meeting with this id. It is left as it is.
    #[error("there is a meeting with this id")]
    Exists,
    /// The store failed; try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store failed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row is not what this version writes: the file is damaged, or of another version.
    #[error("the store holds a malformed {column}")]
    Malformed {
        /// Which column.
        column: &'static str,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}
