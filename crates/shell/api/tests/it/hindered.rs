//! A store in which a call breaks, or that is slow.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use conclave_model::{MeetingId, ParticipantId};
use conclave_store::{
    CreateMeetingError, GroupChange, KeptGroup, Meeting, ServerKey, Session, Sessions, SqliteStore,
    Store, StoreError, UnixMillis,
};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// A store with faults that a test asks for.
pub(crate) struct Hindered {
    store: SqliteStore,
    /// It panics when it is next asked for sessions.
    breaks: AtomicBool,
    /// How often it was asked for sessions.
    listed: AtomicU32,
    /// It keeps no group as long as this is true.
    holds: watch::Sender<bool>,
    /// How many groups it was asked to keep.
    asked: watch::Sender<u32>,
}

impl Hindered {
    pub(crate) fn new(store: SqliteStore, breaks: bool) -> Self {
        let (holds, _) = watch::channel(false);
        let (asked, _) = watch::channel(0);
        let listed = AtomicU32::new(0);
        Self { store, breaks: AtomicBool::new(breaks), listed, holds, asked }
    }

    /// How often it was asked for the sessions of a call.
    pub(crate) fn listed(&self) -> u32 {
        self.listed.load(Ordering::Relaxed)
    }

    /// Keeps no group from here on, or those that wait and all others.
    pub(crate) fn hold(&self, holds: bool) {
        self.holds.send_replace(holds);
        self.asked.send_replace(0);
    }

    /// Waits until it is asked to keep a group.
    pub(crate) async fn asked(&self) {
        self.asked.subscribe().wait_for(|asked| *asked > 0).await.unwrap();
    }
}

impl Store for Hindered {
    fn create_meeting(&self, meeting: Meeting) -> BoxFuture<'_, Result<(), CreateMeetingError>> {
        self.store.create_meeting(meeting)
    }

    fn meeting(&self, id: MeetingId) -> BoxFuture<'_, Result<Option<Meeting>, StoreError>> {
        self.store.meeting(id)
    }

    fn sessions(&self, meeting: MeetingId) -> BoxFuture<'_, Result<Sessions, StoreError>> {
        assert!(!self.breaks.swap(false, Ordering::Relaxed), "a call breaks");
        self.listed.fetch_add(1, Ordering::Relaxed);
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

    fn group(&self, meeting: MeetingId) -> BoxFuture<'_, Result<Option<KeptGroup>, StoreError>> {
        self.store.group(meeting)
    }

    fn save_group(
        &self,
        meeting: MeetingId,
        change: GroupChange,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.asked.send_modify(|asked| *asked += 1);
            self.holds.subscribe().wait_for(|holds| !*holds).await.unwrap();
            self.store.save_group(meeting, change).await
        }
        .boxed()
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
