use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_call_proto::{ConnectionId, RelayAccess};
use conclave_model::{CallId, MeetingId};
use conclave_store::{Store, StoreError, UnixMillis};
use conclave_wire::{CameraCodec, MediaShard, RelayWay};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::call_task::{self, CallCommand, Enter};
use crate::identity::Identity;
use crate::keeper::unix_now;

/// How calls are run.
#[derive(Clone, Debug)]
pub struct CallsConfig {
    /// What the server signs with.
    pub identity: Identity,
    /// The most participants of one call.
    pub max_participants: u32,
    /// What cameras are to be sent in.
    pub camera_codec: CameraCodec,
    /// How long a meeting is kept that nobody enters.
    pub keep_meetings: Duration,
    /// How media is relayed for those whose network lets none out, if it is.
    pub relay: Option<RelayAccess>,
    /// Where media is taken.
    pub media: Vec<MediaShard>,
}

/// The calls that run, each in a task of its own.
#[derive(Clone)]
pub struct Calls {
    inner: Arc<Inner>,
}

struct Inner {
    config: CallsConfig,
    store: Arc<dyn Store>,
    media: mpsc::Sender<MediaRequest>,
    running: Mutex<Running>,
    next_call: AtomicU64,
    next_connection: AtomicU64,
    /// True once the server shuts down. Each connection and each call holds a receiver as long
    /// as it lives.
    draining: watch::Sender<bool>,
}

#[derive(Default)]
struct Running {
    by_meeting: HashMap<MeetingId, Entry>,
    by_call: HashMap<CallId, mpsc::Sender<MediaEvent>>,
}

struct Entry {
    call: CallId,
    commands: mpsc::Sender<CallCommand>,
    participants: Arc<AtomicU32>,
}

/// Commands that may wait for one call.
const COMMANDS: usize = 1024;

/// Events of the media plane that may wait for one call. It never waits long for anything, so
/// this is reached only if it hangs.
const EVENTS: usize = 4096;

/// Events for each participant for which there is room besides: those that nothing repeats. More
/// cannot be under way, for a call lets a participant's offers wait for answers one by one.
const RESERVE: usize = 16;

/// How often running calls are noted in the store, and stale sessions are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// Sessions not seen for so long are stale: twice as long as a server takes to come back with
/// its machine.
const STALE: Duration = Duration::from_secs(5 * 60);

impl Calls {
    /// Sets up the registry. `media` takes the requests to the media plane.
    pub fn new(
        config: CallsConfig,
        store: Arc<dyn Store>,
        media: mpsc::Sender<MediaRequest>,
    ) -> Self {
        let (draining, _) = watch::channel(false);
        let inner = Inner {
            config,
            store,
            media,
            running: Mutex::default(),
            next_call: AtomicU64::new(1),
            next_connection: AtomicU64::new(1),
            draining,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Hands the media plane's events to their calls until the queue ends.
    pub async fn route_media(&self, mut events: mpsc::Receiver<MediaEvent>) {
        while let Some(event) = events.recv().await {
            let call = call_of(&event);
            let sender = self.running().by_call.get(&call).cloned();
            // A call that has just ended needs nothing more. One that hangs must not hold up
            // the others.
            if sender.is_some_and(|sender| !deliver(&sender, self.reserve(), event)) {
                metrics::counter!("conclave_media_events_dropped_total").increment(1);
            }
        }
    }

    /// Notes in the store that calls run, and forgets sessions and meetings that nobody comes back
    /// to; for ever.
    pub async fn keep_house(&self) {
        let mut interval = tokio::time::interval(HOUSEKEEPING);
        loop {
            interval.tick().await;
            let meetings: Vec<_> = self.running().by_meeting.keys().copied().collect();
            if let Err(error) = self.tidy(meetings, unix_now()).await {
                metrics::counter!("conclave_store_failures_total").increment(1);
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
            }
        }
    }

    async fn tidy(&self, running: Vec<MeetingId>, now: UnixMillis) -> Result<(), StoreError> {
        let Inner { store, config, .. } = &*self.inner;
        store.touch_sessions(running, now).await?;
        store.expire_sessions(earlier(now, STALE)).await?;
        let expired = store.expire_meetings(earlier(now, config.keep_meetings)).await?;
        metrics::counter!("conclave_meetings_expired_total").increment(expired);
        Ok(())
    }

    /// Tells all clients to come back in a moment, and waits until their connections are closed
    /// and the store has what it must have. Sessions are kept for the next start.
    pub async fn drain(&self) {
        {
            // Under the lock: no call starts after this, and one that started is waited for.
            let _running = self.running();
            self.inner.draining.send_replace(true);
        }
        self.inner.draining.closed().await;
    }

    /// How many connections and calls [`drain`](Self::drain) still waits for.
    pub fn remaining(&self) -> usize {
        self.inner.draining.receiver_count()
    }

    /// How many are in a meeting's call.
    pub(crate) fn participants(&self, meeting: MeetingId) -> u32 {
        let running = self.running();
        let entry = running.by_meeting.get(&meeting);
        entry.map_or(0, |entry| entry.participants.load(Ordering::Relaxed))
    }

    /// Whether a meeting's call runs.
    pub(crate) fn runs(&self, meeting: MeetingId) -> bool {
        self.running().by_meeting.contains_key(&meeting)
    }

    pub(crate) fn max_participants(&self) -> u32 {
        self.inner.config.max_participants
    }

    pub(crate) fn relay(&self) -> Option<RelayAccess> {
        self.inner.config.relay.clone()
    }

    pub(crate) fn camera_codec(&self) -> CameraCodec {
        self.inner.config.camera_codec
    }

    /// Where media is taken.
    pub(crate) fn media(&self) -> &[MediaShard] {
        &self.inner.config.media
    }

    /// The ways to the TURN server.
    pub(crate) fn relay_ways(&self) -> &[RelayWay] {
        self.inner.config.relay.as_ref().map(RelayAccess::ways).unwrap_or_default()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.inner.config.identity
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// Whether the server shuts down.
    pub fn is_draining(&self) -> bool {
        *self.inner.draining.borrow()
    }

    /// Takes part in [`drain`](Self::drain): it waits until the receiver is dropped.
    pub(crate) fn subscribe_draining(&self) -> watch::Receiver<bool> {
        self.inner.draining.subscribe()
    }

    pub(crate) fn new_connection(&self) -> ConnectionId {
        ConnectionId(self.inner.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// Brings a client to its meeting's call, which is started if it does not run. `None` if
    /// that call has more to do than it can, or the server shuts down.
    ///
    /// It is queued under the lock, so that a call that finds its queue empty under the lock may
    /// end.
    pub(crate) fn enter(
        &self,
        meeting: MeetingId,
        enter: Enter,
    ) -> Option<mpsc::Sender<CallCommand>> {
        let mut running = self.running();
        if self.is_draining() {
            return None;
        }
        let commands = match running.by_meeting.get(&meeting) {
            Some(entry) if !entry.commands.is_closed() => entry.commands.clone(),
            // None, or one whose task broke a moment ago.
            _ => self.start(&mut running, meeting),
        };
        commands.try_send(CallCommand::Enter(enter)).ok()?;
        Some(commands)
    }

    /// Room for the events of a call that nothing repeats.
    fn reserve(&self) -> usize {
        let participants = usize::try_from(self.max_participants()).unwrap_or(usize::MAX);
        participants.saturating_mul(RESERVE).min(Semaphore::MAX_PERMITS - EVENTS)
    }

    fn start(&self, running: &mut Running, meeting: MeetingId) -> mpsc::Sender<CallCommand> {
        let call = CallId(self.inner.next_call.fetch_add(1, Ordering::Relaxed));
        let (commands, command_queue) = mpsc::channel(COMMANDS);
        let (events, event_queue) = mpsc::channel(EVENTS + self.reserve());
        let participants = Arc::new(AtomicU32::new(0));
        let entry =
            Entry { call, commands: commands.clone(), participants: Arc::clone(&participants) };
        running.by_meeting.insert(meeting, entry);
        running.by_call.insert(call, events);
        metrics::gauge!("conclave_calls").increment(1.0);
        let task = call_task::run(call_task::CallTask {
            calls: self.clone(),
            call,
            meeting,
            commands: command_queue,
            events: event_queue,
            media: self.inner.media.clone(),
            store: Arc::clone(&self.inner.store),
            participants,
            draining: self.subscribe_draining(),
        });
        let calls = self.clone();
        tokio::spawn(async move {
            if tokio::spawn(task).await.is_err() {
                calls.clear_away(meeting, call).await;
            }
        });
        commands
    }

    /// Ends a call if nobody is on the way to it.
    pub(crate) fn end(
        &self,
        meeting: MeetingId,
        call: CallId,
        commands: &mpsc::Receiver<CallCommand>,
    ) -> bool {
        let mut running = self.running();
        if !commands.is_empty() {
            return false;
        }
        self.remove(&mut running, meeting, call);
        true
    }

    /// Ends a call that cannot run.
    pub(crate) fn abandon(&self, meeting: MeetingId, call: CallId) {
        let mut running = self.running();
        self.remove(&mut running, meeting, call);
    }

    /// Removes what a call leaves behind whose task broke. Its clients come back to the next one:
    /// their sessions are in the store.
    async fn clear_away(&self, meeting: MeetingId, call: CallId) {
        tracing::error!(%call, "a call broke");
        self.abandon(meeting, call);
        if self.inner.media.send(MediaRequest::End { call }).await.is_err() {
            tracing::error!("the media plane is gone");
        }
    }

    fn remove(&self, running: &mut Running, meeting: MeetingId, call: CallId) {
        // The meeting may have its next call already.
        if running.by_meeting.get(&meeting).is_some_and(|entry| entry.call == call) {
            running.by_meeting.remove(&meeting);
        }
        running.by_call.remove(&call);
        metrics::gauge!("conclave_calls").decrement(1.0);
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // Nothing panics while it holds the lock; if it did, the tables would still be whole.
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("running", &self.running().by_call.len()).finish()
    }
}

/// Queues an event for a call. The last places are for those that nothing repeats: without its
/// answer a client never comes in, and without being told to a picture stays off. What it is shown, who speaks and how well media gets through
/// is told again. Answers whether there was room.
fn deliver(queue: &mpsc::Sender<MediaEvent>, reserve: usize, event: MediaEvent) -> bool {
    let must_arrive = match event {
        MediaEvent::Answer { .. }
        | MediaEvent::Demand { .. }
        | MediaEvent::Disconnected { .. }
        | MediaEvent::OfferRefused { .. } => true,
        MediaEvent::Connected { .. }
        | MediaEvent::Quality { .. }
        | MediaEvent::Slots { .. }
        | MediaEvent::Speakers { .. } => false,
    };
    (must_arrive || queue.capacity() > reserve) && queue.try_send(event).is_ok()
}

fn earlier(now: UnixMillis, by: Duration) -> UnixMillis {
    UnixMillis(now.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

const fn call_of(event: &MediaEvent) -> CallId {
    match event {
        MediaEvent::Answer { peer, .. }
        | MediaEvent::Connected { peer, .. }
        | MediaEvent::Demand { peer, .. }
        | MediaEvent::Disconnected { peer, .. }
        | MediaEvent::OfferRefused { peer, .. }
        | MediaEvent::Quality { peer, .. }
        | MediaEvent::Slots { peer, .. } => peer.call,
        MediaEvent::Speakers { call, .. } => *call,
    }
}

#[cfg(test)]
mod tests {
    use conclave_call_proto::media::PeerId;
    use conclave_model::ParticipantId;

    use super::*;

    #[test]
    fn an_answer_finds_room_where_other_news_do_not() {
        let (queue, mut events) = mpsc::channel(5);
        let call = CallId(1);
        let news = || MediaEvent::Speakers { call, active: None, speaking: Vec::new() };
        let peer = PeerId { call, participant: ParticipantId(1) };
        let answer = MediaEvent::Answer { peer, generation: 1, sdp: String::new() };

        let told = (0..10).filter(|_| deliver(&queue, 2, news())).count();
        assert_eq!(told, 3);
        assert!(deliver(&queue, 2, answer.clone()));

        let mut last = None;
        while let Ok(event) = events.try_recv() {
            last = Some(event);
        }
        assert_eq!(last, Some(answer), "in the order in which they came");
    }
}
