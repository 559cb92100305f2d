use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use conclave_call_proto::{Call, ConnectionId, Input, Output, ResumeToken};
use conclave_model::TokenHash;
use conclave_wire::{
    ClientMessage, GroupNews, GroupRequest, Presence, ServerMessage, decode_client_message,
};

use super::clock::{Clock, Used, cpu};
use super::crew::ToCrew;
use super::post::{Load, Post};
use super::seen::{Part, Seen, Work};

/// What the server's thread is told.
#[derive(Debug)]
pub(super) enum ToServer {
    /// A device opens a socket and comes to the door.
    Join { device: usize },
    /// A device says something.
    Said { device: usize, text: String },
    /// Write down what would be kept over a restart.
    Snapshot,
    /// The meeting is over.
    Stop,
    /// The clock has jumped.
    Wake,
}

/// The server's thread: the control plane of one call, and what the shell around it does with
/// messages but for the sockets.
pub(super) struct Server {
    pub(super) call: Call,
    pub(super) clock: Arc<Clock>,
    pub(super) inbox: Receiver<ToServer>,
    pub(super) crews: Vec<Post<ToCrew>>,
    pub(super) load: Load,
    pub(super) seen: Sender<Seen>,
    pub(super) used: Arc<Used>,
    /// The group's epoch, as far as commits were ordered.
    pub(super) epoch: u64,
    pub(super) due: Option<Instant>,
}

/// How long to sleep if nothing is due.
const LONG: Duration = Duration::from_secs(3600);

impl Server {
    pub(super) fn run(mut self) {
        loop {
            let wait =
                self.due.map_or(LONG, |due| due.saturating_duration_since(self.clock.instant()));
            let message = self.inbox.recv_timeout(wait);
            let is_message = message.is_ok();
            match message {
                Ok(ToServer::Join { device }) => self.join(device),
                Ok(ToServer::Said { device, text }) => self.said(device, &text),
                Ok(ToServer::Snapshot) => self.write_snapshot(),
                Ok(ToServer::Wake) | Err(RecvTimeoutError::Timeout) => self.feed(Input::Timeout),
                Ok(ToServer::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.used.note();
            if is_message {
                self.load.done();
            }
        }
    }

    fn join(&mut self, device: usize) {
        let mut hash = [0; 32];
        hash.iter_mut().zip(device.to_be_bytes()).for_each(|(to, from)| *to = from);
        let token = ResumeToken::new(format!("token {device}"), TokenHash::from_bytes(hash));
        let presence = Presence::default();
        self.feed(Input::Join { connection: connection(device), token, presence });
    }

    fn said(&mut self, device: usize, text: &str) {
        let connection = connection(device);
        match decode_client_message(text) {
            Ok(ClientMessage::Group { request }) => self.group(connection, request),
            Ok(ClientMessage::Leave) => self.feed(Input::Leave { connection }),
            Ok(other) => self.fail(device, format!("nobody says {other:?} here")),
            Err(error) => self.fail(device, error.to_string()),
        }
    }

    fn group(&mut self, connection: ConnectionId, request: GroupRequest) {
        let commit = match &request {
            GroupRequest::Commit { commit, group_info, .. } => {
                Some((commit.as_bytes().len(), group_info.as_bytes().len()))
            }
            GroupRequest::Knock { key_package } => {
                self.see(Seen::Bytes { part: Part::KeyPackage, len: key_package.as_bytes().len() });
                None
            }
            GroupRequest::App { .. }
            | GroupRequest::Deny { .. }
            | GroupRequest::FetchGroup
            | GroupRequest::Found { .. }
            | GroupRequest::LogSince { .. }
            | GroupRequest::Nack { .. }
            | GroupRequest::Ready { .. } => None,
        };
        let started = cpu();
        let outputs = self.handle(Input::Group { connection, request });
        let check = cpu().saturating_sub(started);
        if let Some((commit, info)) = commit {
            let is_accepted = outputs.iter().any(accepts);
            if is_accepted {
                self.see(Seen::Bytes { part: Part::Commit, len: commit });
                self.see(Seen::Bytes { part: Part::GroupInfo, len: info });
                self.see(Seen::Work { work: Work::Check, cpu: check });
            }
            self.see(Seen::Ordered { is_accepted, at: self.clock.elapsed() });
        }
        self.act(outputs);
    }

    fn feed(&mut self, input: Input) {
        let outputs = self.handle(input);
        self.act(outputs);
    }

    /// One input, then drain.
    fn handle(&mut self, input: Input) -> Vec<Output> {
        self.call.handle_input(self.clock.instant(), input);
        let mut outputs = Vec::new();
        loop {
            match self.call.poll_output() {
                Output::Timeout(at) => {
                    self.due = at;
                    return outputs;
                }
                // There is no store: what is to be kept is kept.
                Output::Persist(record) => {
                    let (participant, token) = (record.participant, record.token);
                    let persisted = Input::Persisted { participant, token };
                    self.call.handle_input(self.clock.instant(), persisted);
                }
                output @ (Output::Close { .. }
                | Output::Empty
                | Output::Forget { .. }
                | Output::GroupChanged
                | Output::Media(_)
                | Output::Release { .. }
                | Output::Send { .. }) => outputs.push(output),
            }
        }
    }

    fn act(&mut self, outputs: Vec<Output>) {
        let mut changed = false;
        for output in outputs {
            match output {
                Output::Send { to, message } => self.send(&to, &message),
                Output::Close { connection, message: Some(message) }
                | Output::Release { connection, message } => self.send(&[connection], &message),
                Output::GroupChanged => changed = true,
                Output::Close { message: None, .. }
                | Output::Empty
                | Output::Forget { .. }
                | Output::Media(_)
                | Output::Persist(_)
                | Output::Timeout(_) => {}
            }
        }
        if changed {
            let started = cpu();
            drop(self.call.group_snapshot());
            self.see(Seen::Work { work: Work::Snapshot, cpu: cpu().saturating_sub(started) });
        }
    }

    /// Writes a message once and hands it to all whom it is for.
    fn send(&mut self, to: &[ConnectionId], message: &ServerMessage) {
        if let ServerMessage::Group { news } = message {
            self.look_at(news);
        }
        let Ok(text) = serde_json::to_string(message) else { return };
        let text: Arc<str> = text.into();
        for connection in to {
            let device = device(*connection);
            let Some(crew) = self.crews.get(device % self.crews.len().max(1)) else { continue };
            // A crew that has stopped hears nothing any more.
            crew.send(ToCrew::Said { device, text: Arc::clone(&text), epoch: self.epoch });
        }
    }

    fn look_at(&mut self, news: &GroupNews) {
        let bytes = |part, len| Seen::Bytes { part, len };
        match news {
            GroupNews::Accepted { epoch } => self.epoch = self.epoch.max(epoch + 1),
            GroupNews::Group { tree, .. } => self.see(bytes(Part::Tree, tree.as_bytes().len())),
            GroupNews::Log { messages } => {
                let len = messages.iter().map(|message| message.as_bytes().len()).sum();
                self.see(bytes(Part::Log, len));
            }
            GroupNews::Proposal { .. } => self.see(Seen::Proposed { at: self.clock.elapsed() }),
            GroupNews::Welcome { welcome, tree } => {
                self.see(bytes(Part::Welcome, welcome.as_bytes().len()));
                self.see(bytes(Part::Tree, tree.as_bytes().len()));
            }
            GroupNews::AllReady { .. }
            | GroupNews::App { .. }
            | GroupNews::Commit { .. }
            | GroupNews::Denied
            | GroupNews::Founded
            | GroupNews::FoundLost
            | GroupNews::Knock { .. }
            | GroupNews::KnockAgain
            | GroupNews::KnockGone { .. }
            | GroupNews::Meeting { .. }
            | GroupNews::Rejected { .. }
            | GroupNews::Voided { .. } => {}
        }
    }

    fn write_snapshot(&self) {
        let Some(snapshot) = self.call.group_snapshot() else { return };
        let started = cpu();
        let len = snapshot.to_bytes().map_or(0, |written| written.len());
        self.see(Seen::Work { work: Work::WriteSnapshot, cpu: cpu().saturating_sub(started) });
        self.see(Seen::Bytes { part: Part::Snapshot, len });
    }

    fn fail(&self, device: usize, what: String) {
        self.see(Seen::Failed { device, what });
    }

    fn see(&self, seen: Seen) {
        // Nobody looks any more when the measurement is over.
        let _ = self.seen.send(seen);
    }
}

const fn accepts(output: &Output) -> bool {
    let Output::Send { message: ServerMessage::Group { news }, .. } = output else { return false };
    matches!(news, GroupNews::Accepted { .. })
}

const fn connection(device: usize) -> ConnectionId {
    ConnectionId(device as u64)
}

fn device(ConnectionId(number): ConnectionId) -> usize {
    usize::try_from(number).unwrap_or_default()
}
