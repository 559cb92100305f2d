//! A store in which a call breaks.

use std::sync::atomic::{AtomicBool, Ordering};

use conclave_model::{MeetingId, ParticipantId};
use conclave_store::{
    CreateMeetingError, Meeting, ServerKey, Session, Sessions, SqliteStore, Store, StoreError,
    UnixMillis,
};
use futures_util::future::BoxFuture;
use zeroize::Zeroizing;

/// Panics when it is first asked for sessions.
pub(crate) struct BrokenOnce {
    pub(crate) store: SqliteStore,
    pub(crate) broken: AtomicBool,
}

impl Store for BrokenOnce {
    fn create_meeting(&self, meeting: Meeting) -> BoxFuture<'_, Result<(), CreateMeetingError>> {
        self.store.create_meeting(meeting)
    }

    fn meeting(&self, id: MeetingId) -> BoxFuture<'_, Result<Option<Meeting>, StoreError>> {
        self.store.meeting(id)
    }

    fn sessions(&self, meeting: MeetingId) -> BoxFuture<'_, Result<Sessions, StoreError>> {
        assert!(self.broken.swap(true, Ordering::Relaxed), "a call breaks");
        self.store.sessions(meeting)
    }

    fn save_sessions(
        &self,
        meeting: MeetingId,
        sessions: Vec<Session>,
        seen: UnixMillis,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.save_sessions(meeting, sessions, seen)
    }

    fn forget_session(
        &self,
        meeting: MeetingId,
        participant: ParticipantId,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.forget_session(meeting, participant)
    }

    fn touch_sessions(
        &self,
        meetings: Vec<MeetingId>,
        seen: UnixMillis,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.touch_sessions(meetings, seen)
    }

    fn group(&self, meeting: MeetingId) -> BoxFuture<'_, Result<Option<Vec<u8>>, StoreError>> {
        self.store.group(meeting)
    }

    fn save_group(
        &self,
        meeting: MeetingId,
        state: Vec<u8>,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.save_group(meeting, state)
    }

    fn end_call(&self, meeting: MeetingId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.end_call(meeting)
    }

    fn expire_sessions(&self, before: UnixMillis) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.store.expire_sessions(before)
    }

    fn expire_meetings(&self, before: UnixMillis) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.store.expire_meetings(before)
    }

    fn server_key(
        &self,
        key: ServerKey,
        fresh: Zeroizing<[u8; 32]>,
    ) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, StoreError>> {
        self.store.server_key(key, fresh)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.check()
    }
}
