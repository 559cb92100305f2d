//! One participant, one server, and a wire between them with a delay and losses.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_client_proto::{
    Clip, Config, EndReason, Event, Input, Output, Participant, Player, Sends, Transmit, ViewPolicy,
};
use conclave_commit_rules::{Classification, Constitution, Mode, SUITE_DEFAULT};
use conclave_link::{HostSeed, LinkKeys, LinkSecret, PolicyDigest};
use conclave_model::{MeetingId, ParticipantId, PublicationId, TrackSource};
use conclave_wire::{ClientMessage, ParticipantInfo, PublicationInfo, ServerMessage, TilePriority};

use crate::server::{Server, node_key};

pub(crate) const TONE: &[u8] = include_bytes!("../../../../../testing/media/tone.ivf");

pub(crate) const MEETING: MeetingId = MeetingId::from_bytes([1; 16]);

pub(crate) const START_UNIX_S: u64 = 1_800_000_000;

const DELAY: Duration = Duration::from_millis(10);

pub(crate) fn picture_layer(colour: &str, rid: &str) -> &'static [u8] {
    macro_rules! layer {
        ($name:literal) => {
            include_bytes!(concat!("../../../../../testing/media/", $name, ".ivf"))
        };
    }
    match (colour, rid) {
        ("red", "q") => layer!("red-q"),
        ("red", "h") => layer!("red-h"),
        ("red", "f") => layer!("red-f"),
        ("green", "q") => layer!("green-q"),
        ("green", "h") => layer!("green-h"),
        ("green", "f") => layer!("green-f"),
        ("blue", "q") => layer!("blue-q"),
        ("blue", "h") => layer!("blue-h"),
        ("blue", "f") => layer!("blue-f"),
        (colour, rid) => panic!("no clip {colour}-{rid}"),
    }
}

pub(crate) fn picture(colour: &str) -> Clip {
    Clip::from_ivf(&["q", "h", "f"].map(|rid| picture_layer(colour, rid))).unwrap()
}

pub(crate) fn is_keyframe(frame: &[u8]) -> bool {
    frame[0] & 1 == 0
}

#[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start at")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) participant: Participant,
    pub(crate) server: Option<Server>,
    /// What the participant said since the start.
    pub(crate) said: Vec<ClientMessage>,
    pub(crate) events: Vec<Event>,
    /// Each `n`th datagram to the participant is lost.
    pub(crate) lose_each: Option<usize>,
    players: Vec<Player>,
    wire: VecDeque<(Instant, bool, Transmit)>,
    /// Datagrams that the participant sent.
    pub(crate) sent: usize,
    datagrams: usize,
    connect_refused: u32,
    connected: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(config(Sends { microphone: true, camera: true }))
    }

    pub(crate) fn of(config: Config) -> Self {
        let now = start();
        Self {
            now,
            participant: Participant::new(config, now),
            server: Some(Server::new(address("10.0.0.2:2222"))),
            said: Vec::new(),
            events: Vec::new(),
            lose_each: None,
            players: vec![
                Player::new(picture("green"), TrackSource::Camera, now),
                Player::new(Clip::from_ivf(&[TONE]).unwrap(), TrackSource::Microphone, now),
            ],
            wire: VecDeque::new(),
            sent: 0,
            datagrams: 0,
            connect_refused: 0,
            connected: false,
        }
    }

    /// Lets time pass until it has, doing all that falls due.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let deadline = self.drain();
            let wire = self.wire.front().map(|&(at, _, _)| at);
            let server = self.server.as_ref().and_then(Server::deadline);
            let players = self.players.iter().map(Player::due_at).min();
            let next = [deadline, wire, server, players].into_iter().flatten().min();
            let next = next.unwrap_or(end).max(self.now);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.now;
        while self.wire.front().is_some_and(|&(at, _, _)| at <= now) {
            let (_, to_server, datagram) = self.wire.pop_front().unwrap();
            if !to_server {
                let Transmit { source, destination, contents } = &datagram;
                let (source, destination) = (*source, *destination);
                self.participant
                    .handle_input(now, Input::Datagram { source, destination, contents });
                self.drain();
            } else if let Some(server) = &mut self.server {
                server.handle_datagram(now, &datagram);
            }
        }
        let frames: Vec<_> = self.players.iter_mut().flat_map(|player| player.poll(now)).collect();
        for frame in frames {
            self.participant.handle_input(now, Input::Media(frame));
            self.drain();
        }
        if let Some(server) = &mut self.server {
            server.handle_timeout(now);
        }
        self.participant.handle_input(now, Input::Timeout);
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.participant.poll_output() {
                Output::Connect => match &self.server {
                    Some(_) => {
                        self.connected = true;
                        self.participant.handle_input(self.now, Input::SignalOpen);
                    }
                    None => {
                        self.connect_refused += 1;
                        self.participant.handle_input(self.now, Input::SignalLost);
                    }
                },
                Output::Disconnect => self.connected = false,
                Output::Event(event) => {
                    if matches!(event, Event::KeyframeWanted { .. }) {
                        self.players[0].skip_to_keyframe();
                    }
                    self.events.push(event);
                }
                Output::Relay { .. } => panic!("nobody is to be relayed"),
                Output::Signal(message) => {
                    self.said.push(message.clone());
                    let server = self.server.as_mut().filter(|_| self.connected);
                    for answer in
                        server.map(|s| s.handle_message(self.now, message)).unwrap_or_default()
                    {
                        self.participant.handle_input(self.now, Input::Signal(answer));
                    }
                }
                Output::Timeout(at) => {
                    self.collect();
                    return at;
                }
                Output::Transmit(transmit) => {
                    self.sent += 1;
                    self.wire.push_back((self.now + DELAY, true, transmit));
                }
            }
        }
    }

    fn collect(&mut self) {
        let Some(server) = &mut self.server else { return };
        for transmit in server.transmits.drain(..) {
            self.datagrams += 1;
            if self.lose_each.is_none_or(|n| !self.datagrams.is_multiple_of(n)) {
                self.wire.push_back((self.now + DELAY, false, transmit));
            }
        }
    }

    pub(crate) fn server_mut(&mut self) -> &mut Server {
        self.server.as_mut().unwrap()
    }

    /// Why it is over for the participant.
    pub(crate) fn end(&self) -> Option<EndReason> {
        self.events.iter().find_map(|event| match event {
            Event::Ended { reason } => Some(*reason),
            _ => None,
        })
    }

    /// The server says something.
    pub(crate) fn tell(&mut self, message: ServerMessage) {
        self.participant.handle_input(self.now, Input::Signal(message));
        self.drain();
    }

    /// The server dies without a word.
    pub(crate) fn kill_server(&mut self) {
        self.server = None;
        self.wire.clear();
        self.lose_socket();
    }

    /// The signalling socket is lost, and nothing else.
    pub(crate) fn lose_socket(&mut self) {
        self.connected = false;
        self.participant.handle_input(self.now, Input::SignalLost);
        self.drain();
    }

    /// Another one starts at the same address.
    pub(crate) fn start_server(&mut self) {
        self.server = Some(Server::new(address("10.0.0.2:2222")));
    }

    pub(crate) const fn connect_refused(&self) -> u32 {
        self.connect_refused
    }
}

/// What makes a host of whoever has it.
pub(crate) fn host() -> HostSeed {
    HostSeed::from_bytes([6; 32])
}

/// A guest of a meeting with a lobby.
pub(crate) fn config(sends: Sends) -> Config {
    let constitution = Constitution {
        version: Constitution::VERSION,
        meeting: *MEETING.as_bytes(),
        suite: SUITE_DEFAULT,
        mode: Mode::Lobby,
        join_before_host: false,
        host_key: host().public_key(),
        issuers: Vec::new(),
        guests: true,
        node_key: node_key().verifying_key().to_bytes(),
        jurisdictions: Vec::new(),
        gateways: false,
        voice_level: true,
        classification: Classification::Open,
        max_members: 100,
    };
    let constitution = constitution.encode().unwrap();
    Config {
        meeting: MEETING,
        keys: LinkKeys::derive(&LinkSecret::from_bytes([2; 32]), &MEETING),
        digest: PolicyDigest::of(&constitution),
        constitution,
        host: None,
        name: "Ada".to_owned(),
        admits: false,
        patience: None,
        sends,
        audio_slots: 2,
        video_slots: 3,
        view: ViewPolicy { tiles: 2, width: 640, height: 360, priority: TilePriority::Tile },
        hands_out: false,
        relay: None,
        addresses: vec![address("10.0.0.1:1111")],
        seed: [5; 32],
        started_unix_s: START_UNIX_S,
    }
}

/// A participant with a camera and a microphone.
pub(crate) fn other(id: u32) -> ParticipantInfo {
    let publication = |n, source| PublicationInfo { id: PublicationId(10 * id + n), source };
    ParticipantInfo {
        id: ParticipantId(id),
        leaf: id,
        presence: conclave_wire::Presence::default(),
        connected: true,
        publications: vec![
            publication(0, TrackSource::Microphone),
            publication(1, TrackSource::Camera),
        ],
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
