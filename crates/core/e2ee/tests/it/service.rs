//! Sessions under a real delivery service, with signalling between them, in virtual time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use conclave_commit_rules::{Classification, Constitution, CredentialId, Mode};
use conclave_delivery::{
    DeliveryService, Gate, Input as Ask, Output as Answer, ProposalKey, RequestRefusal, Snapshot,
    ToDevice, news, request,
};
use conclave_e2ee::{
    Command, Event, FromServer, Input, Now, Output, Session, Setup, State, ToServer, Warning,
};
use conclave_frame::{Codec, Expected, Leaf, Source, Track};
use conclave_link::{PolicyDigest, Profile};
use conclave_model::{MeetingId, ParticipantId};
use openmls::prelude::SignatureScheme;
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::signatures::Signer as _;

use crate::world::{MEETING, keys};

type Spoil = Box<dyn FnMut(usize, ToServer) -> Option<ToServer>>;

pub(crate) struct Call {
    pub(crate) now: Duration,
    origin: (Instant, u64),
    random: u64,
    constitution: Constitution,
    host_key: SignatureKeyPair,
    server_key: Arc<SignatureKeyPair>,
    pub(crate) service: DeliveryService,
    service_due: Option<Duration>,
    /// What is at rest, as it was stored last.
    stored: Option<Vec<u8>>,
    pub(crate) devices: Vec<Device>,
    next_participant: u32,
    /// Whose media may flow.
    pub(crate) gates: BTreeMap<ParticipantId, u32>,
    /// What the service said last, in order, for tests of that order.
    pub(crate) said: Vec<Answer>,
    pub(crate) auto_admit: bool,
    /// What becomes of a device's requests on their way.
    pub(crate) spoil: Option<Spoil>,
    /// Whom no message reaches.
    pub(crate) deaf: BTreeSet<usize>,
}

pub(crate) struct Device {
    pub(crate) session: Session,
    pub(crate) who: ParticipantId,
    pub(crate) is_online: bool,
    pub(crate) is_host: bool,
    pub(crate) events: Vec<Event>,
    up: VecDeque<(Duration, Up)>,
    down: VecDeque<(Duration, String)>,
    timeout: Option<Duration>,
}

/// What a device sends.
enum Up {
    Group(String),
    Leave,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    Service,
    Up(usize),
    Down(usize),
    Timeout(usize),
}

#[expect(clippy::disallowed_methods, reason = "an instant and a lifetime have no other origin")]
fn origin() -> (Instant, u64) {
    (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

impl Call {
    pub(crate) fn new(mode: Mode, join_before_host: bool, seed: u64) -> Self {
        let key = || SignatureKeyPair::new(SignatureScheme::ED25519).unwrap();
        let (host_key, server_key, origin) = (key(), Arc::new(key()), origin());
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: MEETING,
            // X25519: the rules are the same, and a simulation is quick.
            suite: 0x0001,
            mode,
            join_before_host,
            host_key: host_key.public().try_into().unwrap(),
            issuers: Vec::new(),
            guests: true,
            node_key: [9; 32],
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 1000,
        };
        let proposals = proposal_key(&server_key);
        let service = DeliveryService::new(constitution.clone(), proposals, origin.0, origin.1);
        Self {
            now: Duration::from_secs(1),
            origin,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            constitution,
            host_key,
            server_key,
            service,
            service_due: None,
            stored: None,
            devices: Vec::new(),
            next_participant: 0,
            gates: BTreeMap::new(),
            said: Vec::new(),
            auto_admit: true,
            spoil: None,
            deaf: BTreeSet::new(),
        }
    }

    /// A host and `guests` others, all in the group.
    pub(crate) fn lobby(guests: usize) -> Self {
        let mut call = Self::new(Mode::Lobby, false, 1);
        call.join(true);
        call.run(2);
        for _ in 0..guests {
            call.join(false);
        }
        call.run(6);
        call.assert_agree(guests + 1);
        call
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn instant(&self) -> Instant {
        self.origin.0 + self.now
    }

    pub(crate) fn now(&self) -> Now {
        Now { at: self.now, unix_s: self.origin.1 + self.now.as_secs() }
    }

    fn setup(&mut self, is_host: bool, name: usize, previous: Option<CredentialId>) -> Setup {
        let constitution = self.constitution.encode().unwrap();
        let mut seed = [0; 32];
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&self.random().to_be_bytes());
        }
        Setup {
            digest: PolicyDigest::of(&constitution),
            constitution,
            meeting: MeetingId::from_bytes(MEETING),
            keys: keys(),
            profile: Profile::new(&format!("person {name}")),
            holds_host_key: is_host,
            previous,
            seed,
        }
    }

    /// Someone opens the link.
    pub(crate) fn join(&mut self, is_host: bool) -> usize {
        let index = self.devices.len();
        let setup = self.setup(is_host, index, None);
        let session = Session::new(setup, self.now());
        self.devices.push(Device {
            session,
            who: ParticipantId(0),
            is_online: false,
            is_host,
            events: Vec::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            timeout: None,
        });
        self.enter(index);
        index
    }

    /// A new participant at the door.
    fn enter(&mut self, index: usize) {
        self.next_participant += 1;
        let who = ParticipantId(self.next_participant);
        self.devices[index].who = who;
        self.devices[index].is_online = true;
        self.ask(Ask::Connected { who });
        self.drain(index);
    }

    /// The socket breaks, with all that is on its way.
    pub(crate) fn lose(&mut self, index: usize) {
        let device = &mut self.devices[index];
        device.up.clear();
        device.down.clear();
        if std::mem::take(&mut device.is_online) {
            let who = device.who;
            self.ask(Ask::Disconnected { who });
        }
    }

    /// The device has another socket, and is who it was if it can show it.
    pub(crate) fn come_back(&mut self, index: usize) {
        let who = self.devices[index].who;
        let mut challenge = [0; 32];
        challenge[..8].copy_from_slice(&self.random().to_be_bytes());
        self.devices[index].is_online = true;
        let signature = self.devices[index].session.sign_resume(&challenge);
        self.said.clear();
        if let Some(signature) = signature {
            self.ask(Ask::Resume { who, challenge, signature });
        }
        let resumed = Answer::Send { to: who, message: ToDevice::Resumed };
        if !self.said.contains(&resumed) {
            self.devices[index].down.clear();
            self.enter(index);
        }
        self.input(index, Input::Connected);
    }

    /// The page is loaded anew: only the credential of the stay before is left.
    pub(crate) fn reload(&mut self, index: usize) {
        self.lose(index);
        let previous = self.devices[index].session.credential();
        let setup = self.setup(self.devices[index].is_host, index, previous);
        self.devices[index].session = Session::new(setup, self.now());
        self.devices[index].timeout = None;
        self.enter(index);
    }

    /// The server stops and starts with what it has stored.
    pub(crate) fn restart(&mut self) {
        for index in 0..self.devices.len() {
            let device = &mut self.devices[index];
            device.up.clear();
            device.down.clear();
            device.is_online = false;
        }
        self.gates.clear();
        let (constitution, key) = (self.constitution.clone(), proposal_key(&self.server_key));
        let (now, unix_s) = (self.instant(), self.now().unix_s);
        self.service = match &self.stored {
            Some(bytes) => {
                let snapshot = Snapshot::from_bytes(bytes).unwrap();
                DeliveryService::restore(constitution, key, &snapshot, now, unix_s).unwrap()
            }
            None => DeliveryService::new(constitution, key, now, unix_s),
        };
        self.ask(Ask::Timeout);
    }

    pub(crate) fn command(&mut self, index: usize, command: Command) {
        self.input(index, Input::Command(command));
    }

    fn input(&mut self, index: usize, input: Input) {
        let now = self.now();
        self.devices[index].session.handle_input(now, input);
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        loop {
            match self.devices[index].session.poll_output() {
                Output::Timeout(at) => {
                    self.devices[index].timeout = at;
                    return;
                }
                Output::SignHost(statement) => {
                    let signature = self.host_key.sign(&statement).unwrap().try_into().unwrap();
                    self.input(index, Input::HostSignature(signature));
                }
                Output::Send(message) => self.send(index, message),
                Output::Event(event) => {
                    if let Event::Knocks(knocks) = &event
                        && self.auto_admit
                    {
                        for knock in knocks.clone() {
                            self.command(index, Command::Admit(knock.id));
                        }
                    }
                    self.devices[index].events.push(event);
                }
            }
        }
    }

    fn send(&mut self, from: usize, message: ToServer) {
        let message = match &mut self.spoil {
            Some(spoil) => spoil(from, message),
            None => Some(message),
        };
        let Some(message) = message.filter(|_| self.devices[from].is_online) else { return };
        let up = match message.into_request() {
            Some(request) => Up::Group(serde_json::to_string(&request).unwrap()),
            None => Up::Leave,
        };
        let at = self.arrival(self.devices[from].up.back().map(|(at, _)| *at));
        self.devices[from].up.push_back((at, up));
    }

    /// 20 to 150 ms from now, and not before what went before.
    fn arrival(&mut self, last: Option<Duration>) -> Duration {
        let at = self.now + Duration::from_millis(20 + self.random() % 130);
        last.map_or(at, |last| last.max(at))
    }

    pub(crate) fn ask(&mut self, input: Ask) {
        let now = self.instant();
        self.service.handle_input(now, input);
        loop {
            let answer = self.service.poll_output();
            self.said.push(answer.clone());
            match answer {
                Answer::Gate(Gate::Close { who }) => assert!(self.gates.remove(&who).is_some()),
                Answer::Gate(Gate::Open { who, leaf }) => {
                    self.gates.insert(who, leaf);
                }
                Answer::Order => {}
                Answer::Persist => {
                    let snapshot = self.service.snapshot();
                    self.stored = snapshot.map(|snapshot| snapshot.to_bytes().unwrap());
                }
                Answer::Send { to, message } => self.tell(to, &message),
                Answer::Timeout(at) => {
                    self.service_due = at.map(|at| at - self.origin.0);
                    return;
                }
            }
        }
    }

    fn tell(&mut self, to: ParticipantId, message: &ToDevice) {
        if let ToDevice::Refused { why: RequestRefusal::Malformed } = message {
            panic!("an honest device's request is malformed");
        }
        let found = self.devices.iter().position(|device| device.who == to && device.is_online);
        let Some((news, index)) = news(message).zip(found) else { return };
        if self.deaf.contains(&index) {
            return;
        }
        let text = serde_json::to_string(&news).unwrap();
        let at = self.arrival(self.devices[index].down.back().map(|(at, _)| *at));
        self.devices[index].down.push_back((at, text));
    }

    /// Runs for so many seconds.
    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_for(Duration::from_secs(seconds));
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until something is so, at most so many seconds.
    #[track_caller]
    pub(crate) fn run_until(&mut self, seconds: u64, is: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(seconds);
        while !is(self) {
            assert!(self.step(end), "it does not come about");
        }
    }

    fn step(&mut self, end: Duration) -> bool {
        let mut next = self.service_due.map(|at| (at, Due::Service));
        for (index, device) in self.devices.iter().enumerate() {
            let up = device.up.front().map(|(at, _)| (*at, Due::Up(index)));
            let down = device.down.front().map(|(at, _)| (*at, Due::Down(index)));
            let timeout = device.timeout.map(|at| (at, Due::Timeout(index)));
            next = [next, up, down, timeout].into_iter().flatten().min();
        }
        let Some((at, due)) = next.filter(|(at, _)| *at <= end) else { return false };
        self.now = self.now.max(at);
        match due {
            Due::Service => self.ask(Ask::Timeout),
            Due::Up(index) => {
                let who = self.devices[index].who;
                match self.devices[index].up.pop_front().unwrap().1 {
                    Up::Group(text) => {
                        let parsed = serde_json::from_str(&text).unwrap();
                        self.ask(request(who, parsed).unwrap());
                    }
                    Up::Leave => {
                        self.ask(Ask::Leave { who });
                        self.devices[index].is_online = false;
                    }
                }
            }
            Due::Down(index) => {
                let text = self.devices[index].down.pop_front().unwrap().1;
                let parsed: conclave_wire::GroupNews = serde_json::from_str(&text).unwrap();
                self.input(index, Input::Server(FromServer::try_from(parsed).unwrap()));
            }
            Due::Timeout(index) => self.input(index, Input::Timeout),
        }
        true
    }

    pub(crate) fn state(&self, index: usize) -> &State {
        self.devices[index].session.state()
    }

    pub(crate) fn session(&mut self, index: usize) -> &mut Session {
        &mut self.devices[index].session
    }

    pub(crate) fn credential(&self, index: usize) -> CredentialId {
        self.devices[index].session.credential().unwrap()
    }

    pub(crate) fn is_in(&self, index: usize) -> bool {
        *self.state(index) == State::InGroup && self.gates.contains_key(&self.devices[index].who)
    }

    pub(crate) fn warned(&self, index: usize, warning: Warning) -> bool {
        self.devices[index].events.contains(&Event::Warning(warning))
    }

    /// The devices whose media may flow.
    pub(crate) fn members(&self) -> Vec<usize> {
        let is_open = |index: &usize| self.gates.contains_key(&self.devices[*index].who);
        (0..self.devices.len()).filter(is_open).collect()
    }

    /// So many are in the meeting, in one epoch, with one safety code, at the leaves that the
    /// server says, and each opens what each other seals.
    #[track_caller]
    pub(crate) fn assert_agree(&mut self, count: usize) {
        let members = self.members();
        let states: Vec<_> =
            self.devices.iter().map(|d| (d.who, d.session.state().clone())).collect();
        assert_eq!(members.len(), count, "{states:?}");
        let code = self.devices[members[0]].session.safety_code();
        for &index in &members {
            let device = &self.devices[index];
            assert_eq!(*device.session.state(), State::InGroup, "{states:?}");
            assert_eq!(device.session.epoch(), self.service.epoch(), "device {index}");
            assert!(device.session.safety_code() == code, "device {index} has other keys");
            assert_eq!(device.session.own_leaf(), self.gates.get(&device.who).copied());
            assert_eq!(device.session.roster().unwrap().len(), count, "device {index}");
        }
        for &from in &members {
            for &to in members.iter().filter(|to| **to != from) {
                self.assert_hears(from, to);
            }
        }
    }

    #[track_caller]
    fn assert_hears(&mut self, from: usize, to: usize) {
        let now = self.now();
        let sender = &mut self.devices[from].session;
        let leaf = Leaf::try_from(sender.own_leaf().unwrap()).unwrap();
        let track = Track::single(Source::Microphone);
        let sealed = sender.seal(now, track, Codec::Opus, b"hello").unwrap();
        let expected = Expected { leaf, source: Source::Microphone, codec: Codec::Opus };
        let opened = self.devices[to].session.open(now, expected, &sealed);
        assert_eq!(opened.unwrap().frame, b"hello", "{from} to {to}");
    }

    /// What people said, as a device heard it.
    pub(crate) fn heard(&self, index: usize) -> Vec<conclave_e2ee::Say> {
        let said = |event: &Event| match event {
            Event::Said(said) => Some(said.say.clone()),
            _ => None,
        };
        self.devices[index].events.iter().filter_map(said).collect()
    }
}

fn proposal_key(pair: &Arc<SignatureKeyPair>) -> ProposalKey {
    let pair = Arc::clone(pair);
    let public = pair.public().try_into().unwrap();
    ProposalKey::new(public, move |bytes| pair.sign(bytes).unwrap().try_into().unwrap())
}
