use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_call_proto::{
    Call, CallConfig, ConnectionId, Input, Output, ResumeProof, ResumeToken, SessionRecord,
};
use conclave_commit_rules::{Constitution, PolicyError};
use conclave_model::{CallId, MeetingId};
use conclave_store::{Session, Store, StoreError};
use conclave_wire::{ClientMessage, ErrorCode, Joined, Offer, Presence, ServerMessage};
use tokio::sync::{mpsc, oneshot, watch};

use crate::calls::Calls;
use crate::group_keeper::{self, GroupKeeper};
use crate::keeper::{Keep, keep, unix_now};
use crate::outgoing::{Frame, Outgoing, encode};

/// What a connection tells the call it is in.
#[derive(Debug)]
pub(crate) enum CallCommand {
    /// It wants to come in.
    Enter(Enter),
    /// It is gone.
    Lost(ConnectionId),
    /// Its client says something.
    Said(ConnectionId, ClientMessage),
}

/// A client that comes to the door, or back in. What it needs for that has been checked, but for
/// the proof that it is a member.
#[derive(Debug)]
pub(crate) struct Enter {
    pub(crate) connection: ConnectionId,
    pub(crate) outgoing: Outgoing,
    /// The token to hand out.
    pub(crate) token: ResumeToken,
    pub(crate) presence: Presence,
    pub(crate) how: How,
}

/// How a client comes in.
#[derive(Debug)]
pub(crate) enum How {
    /// Anew.
    Join,
    /// As the member that it proves to be.
    Resume(ResumeProof, Option<Offer>),
}

/// All that a call's task needs.
pub(crate) struct CallTask {
    pub(crate) calls: Calls,
    pub(crate) call: CallId,
    pub(crate) meeting: MeetingId,
    pub(crate) commands: mpsc::Receiver<CallCommand>,
    pub(crate) events: mpsc::Receiver<MediaEvent>,
    pub(crate) media: mpsc::Sender<MediaRequest>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) participants: Arc<AtomicU32>,
    /// The server waits for its end when it shuts down.
    pub(crate) draining: watch::Receiver<bool>,
}

/// Runs one call until nobody is in it. No decisions here: one input, then drain.
pub(crate) async fn run(task: CallTask) {
    let CallTask {
        calls,
        call: id,
        meeting,
        mut commands,
        mut events,
        media,
        store,
        participants,
        mut draining,
    } = task;
    let mut call = match set_up(&calls, id, meeting, &*store).await {
        Ok(config) => Call::new(config, Instant::now()),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a call cannot start");
            calls.abandon(meeting, id);
            turn_away(commands);
            return;
        }
    };
    let mut group = GroupKeeper::new(meeting, Arc::clone(&store));
    let (keep_sender, keep_queue) = mpsc::unbounded_channel();
    let (persisted_sender, mut persisted) = mpsc::unbounded_channel();
    tokio::spawn(keep(meeting, store, keep_queue, persisted_sender));
    let mut shell =
        Shell { connections: HashMap::new(), waiting: VecDeque::new(), keeper: keep_sender, media };
    tracing::info!(call = %id, "call started");

    loop {
        let deadline = match shell.drain(&mut call, &mut group).await {
            Next::Wait(deadline) => deadline,
            Next::End => {
                while group.keep(&call) {
                    group.written().await;
                }
                shell.say_what_is_kept(group.kept());
                shell.keep_all(Keep::End).await;
                if calls.end(meeting, id, &commands) {
                    break;
                }
                None
            }
        };
        let stopping = *draining.borrow_and_update();
        if stopping && shell.connections.is_empty() {
            // Those who were in come back to the next process: their sessions stay.
            while group.keep(&call) {
                group.written().await;
            }
            shell.keep_all(Keep::Flush).await;
            if calls.end(meeting, id, &commands) {
                break;
            }
        }
        participants.store(count(call.participants()), Ordering::Relaxed);
        while group.keep(&call) && shell.waiting.len() >= WAITING {
            // The store is slow: whoever says something waits, too.
            group.written().await;
        }
        shell.say_what_is_kept(group.kept());

        let input = tokio::select! {
            Some(command) = commands.recv() => shell.input(command),
            Some(event) = events.recv() => Input::Media(event),
            Some(SessionRecord { participant, token, .. }) = persisted.recv() => {
                Input::Persisted { participant, token }
            }
            () = group.written() => Input::Timeout,
            Ok(()) = draining.changed() => Input::Timeout,
            () = sleep_until(deadline) => Input::Timeout,
        };
        call.handle_input(Instant::now(), input);
    }
    tracing::info!(call = %id, "call ended");
}

/// What to do after the outputs.
enum Next {
    Wait(Option<Instant>),
    End,
}

/// Things to say that may wait for the store. Reached only if it hangs.
const WAITING: usize = 1024;

/// A call's hands: connections, keeper and media plane.
struct Shell {
    connections: HashMap<ConnectionId, Outgoing>,
    /// What is said once so many changes of the group are kept, in the order in which it is said.
    waiting: VecDeque<(u64, Output)>,
    keeper: mpsc::UnboundedSender<Keep>,
    media: mpsc::Sender<MediaRequest>,
}

impl Shell {
    /// Does what the call wants until it has nothing more to do.
    async fn drain(&mut self, call: &mut Call, group: &mut GroupKeeper) -> Next {
        loop {
            match call.poll_output() {
                output @ (Output::Close { .. } | Output::Release { .. } | Output::Send { .. }) => {
                    if group.kept() < group.changes() || !self.waiting.is_empty() {
                        self.waiting.push_back((group.changes(), output));
                    } else {
                        self.say(output);
                    }
                }
                Output::Empty => return Next::End,
                Output::Forget { participant } => self.keep(Keep::Forget(participant)),
                Output::GroupChanged => group.note_change(),
                Output::Media(request) => {
                    if self.media.send(request).await.is_err() {
                        tracing::error!("the media plane is gone");
                    }
                }
                Output::Persist(record) => self.keep(Keep::Save(record)),
                Output::Timeout(at) => return Next::Wait(at),
            }
        }
    }

    /// Says what has waited for the first `kept` changes of the group.
    fn say_what_is_kept(&mut self, kept: u64) {
        while self.waiting.front().is_some_and(|(change, _)| *change <= kept)
            && let Some((_, output)) = self.waiting.pop_front()
        {
            self.say(output);
        }
    }

    fn say(&mut self, output: Output) {
        match output {
            Output::Close { connection, message } => {
                if let Some(outgoing) = self.connections.remove(&connection) {
                    let frame = message.as_ref().and_then(encode);
                    outgoing.push(Frame::Close(frame));
                }
            }
            Output::Release { connection, message } => {
                let outgoing = self.connections.remove(&connection);
                if let (Some(outgoing), Some(frame)) = (outgoing, encode(&message)) {
                    outgoing.push(Frame::Release(frame));
                }
            }
            Output::Send { to, message } => self.send(&to, &message),
            Output::Empty
            | Output::Forget { .. }
            | Output::GroupChanged
            | Output::Media(_)
            | Output::Persist(_)
            | Output::Timeout(_) => {}
        }
    }

    fn send(&mut self, to: &[ConnectionId], message: &ServerMessage) {
        let Some(frame) = encode(message) else { return };
        for connection in to {
            let Some(outgoing) = self.connections.get(connection) else { continue };
            if admits(message) {
                outgoing.admit();
            }
            if !outgoing.push(Frame::Message(frame.clone())) {
                metrics::counter!("conclave_slow_clients_total").increment(1);
                self.connections.remove(connection);
            }
        }
    }

    /// Makes an input of what a connection says.
    fn input(&mut self, command: CallCommand) -> Input {
        match command {
            CallCommand::Enter(enter) => self.enter(enter),
            CallCommand::Lost(connection) => {
                self.connections.remove(&connection);
                Input::ConnectionLost { connection }
            }
            CallCommand::Said(connection, message) => match message {
                // The connection's task answers or forwards these as `Enter`.
                ClientMessage::Hello { .. }
                | ClientMessage::Join { .. }
                | ClientMessage::Ping
                | ClientMessage::Resume { .. } => Input::Timeout,
                ClientMessage::Group { request } => Input::Group { connection, request },
                ClientMessage::Leave => Input::Leave { connection },
                ClientMessage::Offer { offer } => Input::Offer { connection, offer },
                ClientMessage::Presence { presence } => Input::Presence { connection, presence },
                ClientMessage::Publish { tracks } => Input::Publish { connection, tracks },
                ClientMessage::View { wants } => Input::View { connection, wants },
            },
        }
    }

    fn enter(&mut self, enter: Enter) -> Input {
        let Enter { connection, outgoing, token, presence, how } = enter;
        self.connections.insert(connection, outgoing);
        match how {
            How::Join => Input::Join { connection, token, presence },
            How::Resume(proof, offer) => {
                Input::Resume { connection, proof, token, presence, offer }
            }
        }
    }

    fn keep(&self, request: Keep) {
        if self.keeper.send(request).is_err() {
            tracing::error!("a call's keeper is gone");
        }
    }

    /// Asks the keeper for something and waits until it is done.
    async fn keep_all(&self, request: impl FnOnce(oneshot::Sender<()>) -> Keep) {
        let (sender, done) = oneshot::channel();
        self.keep(request(sender));
        // An error means that the keeper is gone, which has been said.
        let _ = done.await;
    }
}

/// Finds what a call begins with.
async fn set_up(
    calls: &Calls,
    id: CallId,
    meeting: MeetingId,
    store: &dyn Store,
) -> Result<CallConfig, SetUpError> {
    let policy = store.meeting(meeting).await?.ok_or(SetUpError::NoMeeting)?.policy;
    let constitution = Constitution::parse(policy.as_bytes())?;
    let sessions = store.sessions(meeting).await?;
    let group = store.group(meeting).await?;
    let identity = calls.identity();
    let config = CallConfig::new(
        id,
        usize::try_from(calls.max_participants()).unwrap_or(usize::MAX),
        constitution,
        identity.node_signer(),
        identity.proposal_signer(),
        u64::try_from(unix_now().0 / 1000).unwrap_or_default(),
    );
    Ok(CallConfig {
        group: group.as_ref().and_then(group_keeper::read),
        sessions: sessions.sessions.into_iter().map(record_of).collect(),
        next_participant: sessions.next_participant,
        relay: calls.relay(),
        ..config
    })
}

/// Why a call cannot start.
#[derive(Debug, thiserror::Error)]
enum SetUpError {
    /// Its meeting was forgotten a moment ago.
    #[error("the meeting is not there any more")]
    NoMeeting,
    /// Its policy is of an older version, say.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether a message tells a client that it is inside.
const fn admits(message: &ServerMessage) -> bool {
    matches!(
        message,
        ServerMessage::Admitted { .. }
            | ServerMessage::Joined { joined: Joined { admitted: Some(_), .. } }
    )
}

const fn record_of(session: Session) -> SessionRecord {
    SessionRecord { participant: session.participant, token: session.token, proven: session.proven }
}

/// Answers those who wait for a call that cannot start. The queue stays open until then: who finds
/// it closed takes the call for broken. Nobody new finds the way to it.
fn turn_away(mut commands: mpsc::Receiver<CallCommand>) {
    while let Ok(command) = commands.try_recv() {
        if let CallCommand::Enter(enter) = command {
            let message = ServerMessage::Error {
                code: ErrorCode::Internal,
                detail: "the call cannot start".to_owned(),
                fatal: true,
            };
            enter.outgoing.push(Frame::Close(encode(&message)));
        }
    }
}

fn count(participants: usize) -> u32 {
    u32::try_from(participants).unwrap_or(u32::MAX)
}

/// Sleeps until `deadline`, or for ever if there is none.
pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        None => std::future::pending().await,
        Some(at) => tokio::time::sleep_until(at.into()).await,
    }
}
