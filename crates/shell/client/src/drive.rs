use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use conclave_client_proto::{
    Command, Config, EndReason, Event, Input, Output, Participant, Player, Report, Say, State,
    Transmit,
};
use conclave_model::TrackSource;
use conclave_turn_proto::Credential;
use tokio::sync::{mpsc, watch};

use crate::endpoint::Endpoint;
use crate::socket::{SignalSocket, SocketEvent};
use crate::turn::{TurnNews, TurnPath};
use crate::udp::{Datagram, UdpSockets};

/// Events of signalling sockets that may wait to be handled.
const SIGNAL_QUEUE: usize = 64;

/// What a TURN server brings that may wait to be handled.
const TURN_QUEUE: usize = 512;

/// The most datagrams handled before other inputs get their turn.
const BURST: usize = 64;

/// Everything a participant needs to run: a server, addresses, clips.
#[derive(Debug)]
pub struct Drive {
    /// The server.
    pub endpoint: Endpoint,
    /// Who joins what, and what it sends. Addresses and time are filled in by [`run`](Self::run).
    pub config: Config,
    /// The local addresses for media.
    pub addresses: Vec<IpAddr>,
    /// What it publishes. Each is started when [`run`](Self::run) starts.
    pub clips: Vec<(TrackSource, conclave_client_proto::Clip)>,
    /// What it writes to all once it is inside.
    pub say: Option<String>,
    /// How often a report is made while it runs.
    pub report_every: Option<Duration>,
}

/// What a driver tells while its participant runs.
#[derive(Debug)]
pub enum Told<'a> {
    /// A member wrote something to all.
    Chat {
        /// The member's name.
        name: &'a str,
        /// What.
        text: &'a str,
    },
    /// It got further: to the door, into the group, to its first media.
    Progress(&'a Report),
    /// How it stands. The last report is the run's result.
    Report(&'a Report),
}

impl Drive {
    /// Runs the participant until `stop` turns true, or it is made to leave.
    ///
    /// # Errors
    ///
    /// [`DriveError`] if it ended for another reason than being stopped, with the report so far.
    pub async fn run(
        mut self,
        mut stop: watch::Receiver<bool>,
        mut tell: impl FnMut(Told<'_>),
    ) -> Result<Report, DriveError> {
        let udp = UdpSockets::bind(&self.addresses).await;
        self.config.addresses = udp.addresses();
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.config.started_unix_s = unix.map_or(0, |since| since.as_secs());
        let now = Instant::now();
        let (events, mut socket_events) = mpsc::channel(SIGNAL_QUEUE);
        let (turn_news, mut turn_heard) = mpsc::channel(TURN_QUEUE);
        let turn_seed = turn_seed();
        let mut running = Running {
            participant: Participant::new(self.config, now),
            players: self
                .clips
                .into_iter()
                .map(|(source, clip)| (source, Player::new(clip, source, now)))
                .collect(),
            udp,
            turn: None,
            turn_news,
            turn_seed,
            endpoint: self.endpoint,
            socket: None,
            closing: None,
            sockets_opened: 0,
            events,
            say: self.say,
            chat: Vec::new(),
            progressed: false,
            end: None,
        };
        let mut report_at = self.report_every.map(|every| now + every);

        loop {
            let deadline = running.drain();
            for (name, text) in running.chat.drain(..) {
                tell(Told::Chat { name: &name, text: &text });
            }
            if std::mem::take(&mut running.progressed) {
                tell(Told::Progress(&running.participant.report()));
            }
            if let Some(reason) = running.end {
                let report = running.participant.report();
                if let Some(socket) = running.closing {
                    socket.close().await;
                }
                return match reason {
                    EndReason::Left | EndReason::Over => Ok(report),
                    EndReason::Denied
                    | EndReason::Forked
                    | EndReason::NoMedia(_)
                    | EndReason::NotIn(_)
                    | EndReason::NotRelayed
                    | EndReason::Refused(_)
                    | EndReason::Removed
                    | EndReason::Untrusted(_)
                    | EndReason::Waited => Err(DriveError { reason, report: Box::new(report) }),
                };
            }
            tokio::select! {
                // A dropped sender means that nobody wants it any longer.
                _ = stop.wait_for(|&stop| stop) => running.input(Input::Leave),
                Some((number, event)) = socket_events.recv() => running.socket_event(number, event),
                Some(news) = turn_heard.recv() => running.turn_news(news),
                Some(datagram) = running.udp.receive() => running.datagrams(datagram),
                () = sleep_until(deadline) => running.tick(),
                () = sleep_until(report_at) => {
                    report_at = self.report_every.map(|every| Instant::now() + every);
                    tell(Told::Report(&running.participant.report()));
                }
            }
        }
    }
}

struct Running {
    participant: Participant,
    players: Vec<(TrackSource, Player)>,
    udp: UdpSockets,
    turn: Option<(Option<SocketAddr>, TurnPath)>,
    turn_news: mpsc::Sender<TurnNews>,
    turn_seed: [u8; 32],
    endpoint: Endpoint,
    socket: Option<SignalSocket>,
    /// The last one that was closed on purpose: it may have last words to say.
    closing: Option<SignalSocket>,
    sockets_opened: u64,
    events: mpsc::Sender<(u64, SocketEvent)>,
    /// What is still to be written to all.
    say: Option<String>,
    /// What others wrote, by name, not told yet.
    chat: Vec<(String, String)>,
    /// It got further since this was last told.
    progressed: bool,
    end: Option<EndReason>,
}

impl Running {
    fn input(&mut self, input: Input<'_>) {
        self.participant.handle_input(Instant::now(), input);
    }

    /// Does all that the participant wants done. Returns when it wants to be woken.
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.participant.poll_output() {
                Output::Connect => {
                    self.sockets_opened += 1;
                    let endpoint = self.endpoint.clone();
                    let events = self.events.clone();
                    let socket = SignalSocket::open(endpoint, self.sockets_opened, events);
                    self.socket = Some(socket);
                }
                Output::Disconnect => self.closing = self.socket.take(),
                Output::Event(event) => self.event(event),
                Output::Relay { way, username, password } => {
                    let credential = Credential { username, password };
                    let (endpoint, news) = (self.endpoint.clone(), self.turn_news.clone());
                    let path = TurnPath::open(endpoint, way, credential, self.turn_seed, news);
                    self.turn = Some((None, path));
                }
                Output::Signal(message) => {
                    let said = self.socket.as_ref().is_some_and(|socket| socket.say(message));
                    if !said {
                        self.socket = None;
                        self.input(Input::SignalLost);
                    }
                }
                Output::Timeout(at) => {
                    let due = self.players.iter().map(|(_, player)| player.due_at());
                    return due.chain(at).min();
                }
                Output::Transmit(Transmit { source, destination, contents }) => match &self.turn {
                    Some((relayed, path)) if *relayed == Some(source) => {
                        path.send(destination, contents);
                    }
                    Some(_) | None => self.udp.send(source, destination, &contents),
                },
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Admitted
            | Event::Heard { .. }
            | Event::Joined { .. }
            | Event::MediaConnected { .. } => {
                tracing::debug!(?event, "participant");
                self.progressed = true;
            }
            Event::Chat { name, text } => self.chat.push((name, text)),
            Event::Ended { reason } => self.end = Some(reason),
            Event::KeyframeWanted { source } => {
                let players = self.players.iter_mut().filter(|(of, _)| *of == source);
                players.for_each(|(_, player)| player.skip_to_keyframe());
            }
            Event::ServerError { code, detail, fatal } => {
                tracing::warn!(?code, %detail, fatal, "the server complains");
            }
            Event::State(State::InGroup) => {
                if let Some(text) = self.say.take() {
                    self.input(Input::Command(Command::Say(Say::Chat(text))));
                }
            }
            // Nobody plays it.
            Event::Frame { .. } => {}
            Event::SignalLost | Event::State(_) => tracing::debug!(?event, "participant"),
        }
    }

    fn socket_event(&mut self, number: u64, event: SocketEvent) {
        if self.socket.as_ref().is_none_or(|socket| socket.number != number) {
            return;
        }
        match event {
            SocketEvent::Lost => {
                self.socket = None;
                self.input(Input::SignalLost);
            }
            SocketEvent::Message(message) => self.input(Input::Signal(*message)),
            SocketEvent::Open => self.input(Input::SignalOpen),
        }
    }

    fn turn_news(&mut self, news: TurnNews) {
        match news {
            TurnNews::Datagram(Datagram { source, destination, contents }) => {
                self.input(Input::Datagram { source, destination, contents: &contents });
            }
            TurnNews::Lost => self.input(Input::RelayLost),
            TurnNews::Relayed(address) => {
                if let Some((relayed, _)) = &mut self.turn {
                    *relayed = Some(address);
                }
                self.input(Input::Relayed { address });
            }
        }
    }

    /// Handles a datagram and those that wait behind it.
    fn datagrams(&mut self, first: Datagram) {
        let mut next = Some(first);
        for _ in 0..BURST {
            let Some(Datagram { source, destination, contents }) = next else { return };
            self.input(Input::Datagram { source, destination, contents: &contents });
            self.drain();
            next = self.udp.try_receive();
        }
        if let Some(Datagram { source, destination, contents }) = next {
            self.input(Input::Datagram { source, destination, contents: &contents });
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let frames: Vec<_> =
            self.players.iter_mut().flat_map(|(_, player)| player.poll(now)).collect();
        for frame in frames {
            self.input(Input::Media(frame));
            self.drain();
        }
        self.input(Input::Timeout);
    }
}

/// Sleeps until `deadline`, or for ever if there is none.
pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        None => std::future::pending().await,
        Some(at) => tokio::time::sleep_until(at.into()).await,
    }
}

/// What transactions with a TURN server are numbered from: it is seen by others, so that nothing of
/// the participant's own seed may be in it.
fn turn_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    // Without random bytes the numbers can be guessed, which they may.
    let _ = getrandom::fill(&mut seed);
    seed
}

/// A participant was not let in, or not any longer.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct DriveError {
    /// Why.
    pub reason: EndReason,
    /// What it went through until then.
    pub report: Box<Report>,
}
