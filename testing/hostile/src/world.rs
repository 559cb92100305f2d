//! A meeting in virtual time: the real control plane of a call, real member sessions, and between
//! them a server that may do as it likes.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use conclave_call_proto::media::MediaRequest;
use conclave_call_proto::{
    Call, CallConfig, ConnectionId, Input as CallInput, NodeKey, Output as CallOutput, ResumeToken,
};
use conclave_commit_rules::{Classification, Constitution, CredentialId, Mode, Role};
use conclave_delivery::ProposalKey;
use conclave_e2ee::{
    Command, Dropped, Event, FromServer, Input, KnockId, NotSealed, Now, Output, Session, Setup,
    State, ToServer, Warning,
};
use conclave_frame::{Codec, Expected, Leaf, Opened, Source, Track};
use conclave_link::{LinkKeys, LinkSecret, PolicyDigest, Profile};
use conclave_model::{CallId, MeetingId, ParticipantId, TokenHash};
use conclave_wire::{GroupNews, GroupRequest, MlsBytes, Presence, ServerMessage};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::evil::{Mallory, Parts};

pub(crate) const MEETING: [u8; 16] = [7; 16];

/// What the evil server makes of a message to a client; its honest self has written it.
pub(crate) type Evil = Box<dyn FnMut(usize, ServerMessage) -> Vec<ServerMessage>>;

/// A call, its clients, and the server between.
pub(crate) struct World {
    start: Instant,
    pub(crate) now: Duration,
    unix_s: u64,
    draws: u64,
    pub(crate) constitution: Constitution,
    pub(crate) host_key: SigningKey,
    pub(crate) server_key: SigningKey,
    pub(crate) node_key: SigningKey,
    pub(crate) call: Call,
    call_due: Option<Duration>,
    pub(crate) clients: Vec<Client>,
    /// What the call asked of the media plane.
    pub(crate) media: Vec<MediaRequest>,
    pub(crate) evil: Option<Evil>,
    /// The server takes nothing of the group from clients any more.
    pub(crate) deaf: bool,
    /// What it did not take, and from whom.
    pub(crate) withheld: Vec<(usize, GroupRequest)>,
    /// Hosts let everybody in who knocks.
    pub(crate) admits: bool,
    pub(crate) next_name: Option<&'static str>,
}

/// One device.
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) connection: ConnectionId,
    pub(crate) participant: Option<ParticipantId>,
    pub(crate) events: Vec<Event>,
    /// All that the server sent, as it arrived.
    pub(crate) received: Vec<ServerMessage>,
    /// The leaf that the server says is this device's.
    pub(crate) admitted: Option<u32>,
    /// The digest of the token that takes its session up again.
    pub(crate) token: Option<TokenHash>,
    pub(crate) online: bool,
    inbox: VecDeque<(Duration, ServerMessage)>,
    due: Option<Duration>,
}

pub(crate) fn keys() -> LinkKeys {
    LinkKeys::derive(&LinkSecret::from_bytes([3; 32]), &MeetingId::from_bytes(MEETING))
}

/// The MLS library looks at the system's clock itself.
fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// An origin: only differences count.
fn origin() -> Instant {
    Instant::now()
}

impl World {
    pub(crate) fn new(mode: Mode) -> Self {
        let [host_key, server_key, node_key] =
            [[21; 32], [22; 32], [23; 32]].map(|seed| SigningKey::from_bytes(&seed));
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: MEETING,
            // X25519: the rules are the same for all suites, and a simulation is quick.
            suite: 0x0001,
            mode,
            join_before_host: false,
            host_key: host_key.verifying_key().to_bytes(),
            issuers: Vec::new(),
            guests: true,
            node_key: node_key.verifying_key().to_bytes(),
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 1000,
        };
        let (start, unix_s) = (origin(), unix_now());
        let (node, proposals) = (node_key.clone(), server_key.clone());
        let call = Call::new(
            CallConfig::new(
                CallId(1),
                200,
                constitution.clone(),
                NodeKey::new(None, move |bytes| node.sign(bytes).to_bytes()),
                ProposalKey::new(server_key.verifying_key().to_bytes(), move |bytes| {
                    proposals.sign(bytes).to_bytes()
                }),
                unix_s,
            ),
            start,
        );
        Self {
            start,
            now: Duration::from_secs(1),
            unix_s,
            draws: 0,
            constitution,
            host_key,
            server_key,
            node_key,
            call,
            call_due: None,
            clients: Vec::new(),
            media: Vec::new(),
            evil: None,
            deaf: false,
            withheld: Vec::new(),
            admits: true,
            next_name: None,
        }
    }

    /// A host, 0, and guests, all in the group.
    pub(crate) fn meeting(guests: usize) -> Self {
        let mut world = Self::new(Mode::Lobby);
        world.join(true);
        world.run(1);
        for _ in 0..guests {
            world.join(false);
            world.run(3);
        }
        world.run(3);
        world.assert_agree();
        assert!((0..=guests).all(|index| *world.state(index) == State::InGroup));
        world
    }

    pub(crate) fn now(&self) -> Now {
        // Lifetimes are looked at by the system's clock too, which does not pass here.
        Now { at: self.now, unix_s: self.unix_s }
    }

    pub(crate) fn setup(&mut self, is_host: bool) -> Setup {
        let constitution = self.constitution.encode().unwrap();
        let mut seed = [0; 32];
        self.draws += 1;
        seed[..8].copy_from_slice(&self.draws.to_be_bytes());
        let name = self
            .next_name
            .take()
            .map_or_else(|| format!("person {}", self.clients.len()), str::to_owned);
        Setup {
            digest: PolicyDigest::of(&constitution),
            constitution,
            meeting: MeetingId::from_bytes(MEETING),
            keys: keys(),
            profile: Profile::new(&name),
            holds_host_key: is_host,
            previous: None,
            seed,
        }
    }

    /// A device comes to the door.
    pub(crate) fn join(&mut self, is_host: bool) -> usize {
        let setup = self.setup(is_host);
        self.join_as(setup)
    }

    pub(crate) fn join_as(&mut self, setup: Setup) -> usize {
        let session = Session::new(setup, self.now());
        let index = self.clients.len();
        let connection = ConnectionId(index as u64 + 1);
        self.clients.push(Client {
            session,
            connection,
            participant: None,
            events: Vec::new(),
            received: Vec::new(),
            admitted: None,
            token: None,
            online: true,
            inbox: VecDeque::new(),
            due: None,
        });
        self.drain(index);
        self.connect(index);
        index
    }

    /// Mallory's socket: what comes on it is only kept.
    pub(crate) fn join_mallory(&mut self, mallory: &Mallory) -> usize {
        let mut setup = self.setup(false);
        // No session of ours runs on it: this one has failed from the start.
        setup.digest = PolicyDigest::of("nothing");
        let index = self.join_as(setup);
        self.run(1);
        let key_package = mallory.key_package(None, good_lifetime());
        self.request(index, GroupRequest::Knock { key_package: MlsBytes::new(key_package) });
        index
    }

    /// Lets Mallory, who knocked as `index`, in by the host's hand.
    pub(crate) fn let_in(&mut self, index: usize, mallory: &mut Mallory) {
        self.run(3);
        let welcome = self.clients[index].received.iter().rev().find_map(|message| match message {
            ServerMessage::Group { news: GroupNews::Welcome { welcome, tree } } => {
                Some((welcome.clone(), tree.clone()))
            }
            _ => None,
        });
        let (welcome, tree) = welcome.expect("the host lets everybody in");
        assert!(mallory.welcomed(welcome.as_bytes(), tree.as_bytes()));
        self.request(index, GroupRequest::Ready { epoch: mallory.epoch() });
        self.clients[index].received.clear();
    }

    /// Mallory follows what came since.
    pub(crate) fn keep_up(&mut self, index: usize, mallory: &mut Mallory) {
        for message in std::mem::take(&mut self.clients[index].received) {
            match message {
                ServerMessage::Group { news: GroupNews::Commit { commit: message } }
                | ServerMessage::Group { news: GroupNews::Proposal { proposal: message } } => {
                    mallory.follow(message.as_bytes());
                }
                _ => {}
            }
        }
        self.request(index, GroupRequest::Ready { epoch: mallory.epoch() });
    }

    /// Gives the host's word that Mallory is something.
    pub(crate) fn appoint(&mut self, index: usize, mallory: &mut Mallory, role: Role) {
        self.command(0, Command::Appoint(mallory.credential, role));
        self.run(2);
        self.keep_up(index, mallory);
        self.run(1);
    }

    fn connect(&mut self, index: usize) {
        self.draws += 1;
        let hash = TokenHash::from_bytes([self.draws as u8; 32]);
        let token = ResumeToken::new(format!("token {}", self.draws), hash);
        self.clients[index].token = Some(hash);
        let connection = self.clients[index].connection;
        self.feed(CallInput::Join { connection, token, presence: Presence::default() });
    }

    pub(crate) fn feed(&mut self, input: CallInput) {
        self.call.handle_input(self.start + self.now, input);
        self.drain_call();
    }

    fn drain_call(&mut self) {
        loop {
            match self.call.poll_output() {
                CallOutput::Timeout(at) => {
                    self.call_due = at.map(|at| at.saturating_duration_since(self.start));
                    return;
                }
                CallOutput::Persist(record) => {
                    let (participant, token) = (record.participant, record.token);
                    let input = CallInput::Persisted { participant, token };
                    self.call.handle_input(self.start + self.now, input);
                }
                CallOutput::Media(request) => self.media.push(request),
                CallOutput::Send { to, message } => {
                    for connection in to {
                        self.send(connection, message.clone());
                    }
                }
                CallOutput::Release { connection, message } => self.send(connection, message),
                CallOutput::Close { connection, message } => {
                    if let Some(message) = message {
                        self.send(connection, message);
                    }
                }
                CallOutput::Empty | CallOutput::Forget { .. } | CallOutput::GroupChanged => {}
            }
        }
    }

    fn send(&mut self, connection: ConnectionId, message: ServerMessage) {
        let Some(to) = self.clients.iter().position(|client| client.connection == connection)
        else {
            return;
        };
        let messages = match &mut self.evil {
            Some(evil) => evil(to, message),
            None => vec![message],
        };
        for message in messages {
            self.tell(to, message);
        }
    }

    /// Sends to a client what the server likes, past its honest self.
    pub(crate) fn tell(&mut self, to: usize, message: ServerMessage) {
        // As it travels: what is not a message of the protocol does not arrive.
        let text = serde_json::to_string(&message).unwrap();
        let message = serde_json::from_str(&text).unwrap();
        self.clients[to].inbox.push_back((self.now + Duration::from_millis(30), message));
    }

    pub(crate) fn tell_group(&mut self, to: usize, news: GroupNews) {
        self.tell(to, ServerMessage::Group { news });
    }

    /// A client, or who sits on its socket, asks something of the group.
    pub(crate) fn request(&mut self, index: usize, request: GroupRequest) {
        if self.deaf {
            self.withheld.push((index, request));
            return;
        }
        let connection = self.clients[index].connection;
        self.feed(CallInput::Group { connection, request });
    }

    /// Uploads a commit, as a member does.
    pub(crate) fn upload(&mut self, index: usize, parts: &Parts) {
        self.request(
            index,
            GroupRequest::Commit {
                commit: MlsBytes::new(parts.commit.clone()),
                welcome: parts.welcome.clone().map(MlsBytes::new),
                group_info: MlsBytes::new(parts.group_info.clone()),
            },
        );
    }

    pub(crate) fn command(&mut self, index: usize, command: Command) {
        self.input(index, Input::Command(command));
    }

    pub(crate) fn input(&mut self, index: usize, input: Input) {
        let now = self.now();
        self.clients[index].session.handle_input(now, input);
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        loop {
            match self.clients[index].session.poll_output() {
                Output::Timeout(at) => {
                    self.clients[index].due = at;
                    return;
                }
                Output::SignHost(statement) => {
                    let signature = self.host_key.sign(&statement).to_bytes();
                    self.input(index, Input::HostSignature(signature));
                }
                Output::Send(ToServer::Leave) => {
                    let connection = self.clients[index].connection;
                    self.clients[index].online = false;
                    self.feed(CallInput::Leave { connection });
                }
                Output::Send(message) => {
                    if let Some(request) = message.into_request() {
                        // As it travels.
                        let text = serde_json::to_string(&request).unwrap();
                        self.request(index, serde_json::from_str(&text).unwrap());
                    }
                }
                Output::Event(event) => {
                    let knocks = match &event {
                        Event::Knocks(knocks) if self.admits => knocks.clone(),
                        _ => Vec::new(),
                    };
                    for knock in knocks {
                        let now = self.now();
                        let admit = Input::Command(Command::Admit(knock.id));
                        self.clients[index].session.handle_input(now, admit);
                    }
                    self.clients[index].events.push(event);
                }
            }
        }
    }

    /// Time passes.
    pub(crate) fn run(&mut self, seconds: u64) {
        self.step(seconds * 1000);
    }

    /// Milliseconds pass.
    pub(crate) fn step(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while self.now < end {
            self.now += Duration::from_millis(10);
            if self.call_due.is_some_and(|due| due <= self.now) {
                self.feed(CallInput::Timeout);
            }
            for index in 0..self.clients.len() {
                while let Some((_, message)) =
                    self.clients[index].inbox.pop_front_if(|(at, _)| *at <= self.now)
                {
                    self.arrived(index, message);
                }
                if self.clients[index].due.is_some_and(|due| due <= self.now) {
                    self.input(index, Input::Timeout);
                }
            }
        }
    }

    fn arrived(&mut self, index: usize, message: ServerMessage) {
        let client = &mut self.clients[index];
        client.received.push(message.clone());
        match message {
            ServerMessage::Joined { joined } => client.participant = Some(joined.participant),
            ServerMessage::Admitted { admitted } => client.admitted = Some(admitted.leaf),
            ServerMessage::Group { news } => {
                if let Ok(news) = FromServer::try_from(news) {
                    self.input(index, Input::Server(news));
                }
            }
            _ => {}
        }
    }

    /// Description and tree of the group, as the server has them.
    pub(crate) fn description(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.request(0, GroupRequest::FetchGroup);
        match self.clients[0].inbox.pop_back() {
            Some((_, ServerMessage::Group { news: GroupNews::Group { group_info, tree } })) => {
                (group_info.into_bytes(), tree.into_bytes())
            }
            other => panic!("{other:?}"),
        }
    }

    /// A socket breaks for good.
    pub(crate) fn vanish(&mut self, index: usize) {
        let connection = self.clients[index].connection;
        self.clients[index].online = false;
        self.clients[index].inbox.clear();
        self.clients[index].due = None;
        self.feed(CallInput::ConnectionLost { connection });
    }

    // What the victims see.

    pub(crate) fn state(&self, index: usize) -> &State {
        self.clients[index].session.state()
    }

    pub(crate) fn warned(&self, index: usize, is: impl Fn(&Warning) -> bool) -> bool {
        let events = &self.clients[index].events;
        events.iter().any(|event| matches!(event, Event::Warning(warning) if is(warning)))
    }

    pub(crate) fn credential(&self, index: usize) -> CredentialId {
        self.clients[index].session.credential().unwrap()
    }

    pub(crate) fn leaf(&self, index: usize) -> u32 {
        self.clients[index].session.own_leaf().unwrap()
    }

    /// Names by leaf, as a client shows them.
    pub(crate) fn names(&self, index: usize) -> BTreeMap<u32, String> {
        let roster = self.clients[index].session.roster();
        roster.map_or_else(BTreeMap::new, |people| {
            people.iter().map(|(leaf, person)| (*leaf, person.name.clone())).collect()
        })
    }

    pub(crate) fn heard(&self, index: usize) -> usize {
        self.clients[index].events.iter().filter(|event| matches!(event, Event::Said(_))).count()
    }

    pub(crate) fn seal(&mut self, index: usize) -> Result<Vec<u8>, NotSealed> {
        self.seal_frame(index, Source::Microphone, Codec::Opus, b"voice of a person")
    }

    pub(crate) fn seal_frame(
        &mut self,
        index: usize,
        source: Source,
        codec: Codec,
        frame: &[u8],
    ) -> Result<Vec<u8>, NotSealed> {
        let now = self.now();
        self.clients[index].session.seal(now, Track::single(source), codec, frame)
    }

    pub(crate) fn open(
        &mut self,
        index: usize,
        from: u32,
        sealed: &[u8],
    ) -> Result<Opened, Dropped> {
        self.open_frame(index, from, Source::Microphone, Codec::Opus, sealed)
    }

    pub(crate) fn open_frame(
        &mut self,
        index: usize,
        from: u32,
        source: Source,
        codec: Codec,
        sealed: &[u8],
    ) -> Result<Opened, Dropped> {
        let now = self.now();
        let expected = Expected { leaf: Leaf::try_from(from).unwrap(), source, codec };
        self.clients[index].session.open(now, expected, sealed)
    }

    pub(crate) fn knock_of(&self, index: usize) -> KnockId {
        KnockId(u64::from(self.clients[index].participant.unwrap().0))
    }

    /// All who are in the group and connected have one epoch, one code, one roster.
    #[track_caller]
    pub(crate) fn assert_agree(&self) {
        let inside: Vec<_> = self
            .clients
            .iter()
            .filter(|client| client.online && *client.session.state() == State::InGroup)
            .collect();
        let codes: Vec<_> = inside
            .iter()
            .map(|client| {
                let code = client.session.safety_code().map(|code| code.to_string());
                (client.session.epoch(), code)
            })
            .collect();
        assert!(codes.windows(2).all(|pair| pair[0] == pair[1]), "{codes:?}");
    }
}

/// As long as a key package of ours lives.
pub(crate) fn good_lifetime() -> openmls::prelude::Lifetime {
    let now = unix_now();
    openmls::prelude::Lifetime::init(now - 3600, now + 20 * 3600)
}
