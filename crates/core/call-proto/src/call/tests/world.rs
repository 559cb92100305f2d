//! A call with a shell that answers at once, and devices that are members of a real group.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use conclave_commit_rules::{Classification, Constitution, Mode};
use conclave_delivery::ProposalKey;
use conclave_e2ee::{
    Command, Event, Input as MemberInput, Now, Output as MemberOutput, Session, Setup,
};
use conclave_link::{HostSeed, LinkKeys, LinkSecret, PolicyDigest, Profile};
use conclave_model::{CallId, MeetingId, Mid, ParticipantId, TokenHash, TrackSource};
use conclave_wire::{
    Admitted, ErrorCode, GroupNews, Joined, Offer, Presence, PublishedTrack, ServerMessage,
};
use ed25519_dalek::{Signer as _, SigningKey};

use super::super::{Call, CallConfig};
use crate::input::Input;
use crate::media::{MediaEvent, MediaRequest, PeerId};
use crate::node::NodeKey;
use crate::output::Output;
use crate::session::{ConnectionId, ResumeProof, ResumeToken, SessionRecord};

pub(super) const CALL: CallId = CallId(7);
pub(super) const MEETING: MeetingId = MeetingId::from_bytes([7; 16]);

/// A call, its shell, and its devices.
pub(super) struct World {
    pub(super) now: Instant,
    began: Instant,
    pub(super) call: Call,
    pub(super) constitution: Constitution,
    pub(super) deadline: Option<Instant>,
    /// All messages, by connection.
    pub(super) sent: BTreeMap<ConnectionId, Vec<ServerMessage>>,
    pub(super) closed: Vec<ConnectionId>,
    pub(super) released: Vec<ConnectionId>,
    pub(super) media: Vec<MediaRequest>,
    pub(super) stored: BTreeMap<ParticipantId, SessionRecord>,
    /// How often the group was to be kept.
    pub(super) group_changes: usize,
    pub(super) empty: bool,
    /// The shard answers offers.
    pub(super) answers: bool,
    /// Hosts let everybody in who knocks.
    pub(super) admits: bool,
    pub(super) devices: BTreeMap<ConnectionId, Device>,
    tokens: u8,
    seeds: u8,
}

/// A device with its session in the group.
pub(super) struct Device {
    pub(super) session: Session,
    deadline: Option<Duration>,
    /// What it offers once it is admitted; nothing if it makes no media session.
    tracks: Option<Vec<PublishedTrack>>,
}

impl World {
    /// A call that everybody with the link enters.
    pub(super) fn new() -> Self {
        Self::of(Mode::OpenLink, 100)
    }

    /// A call whose host lets people in. The first to join holds the host key.
    pub(super) fn lobby() -> Self {
        Self::of(Mode::Lobby, 100)
    }

    pub(super) fn of(mode: Mode, max_participants: usize) -> Self {
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: *MEETING.as_bytes(),
            // X25519: what the call does is the same, and a test is quick.
            suite: 0x0001,
            mode,
            join_before_host: mode == Mode::OpenLink,
            host_key: host().public_key(),
            issuers: Vec::new(),
            guests: true,
            node_key: node().verifying_key().to_bytes(),
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 1000,
        };
        let now = origin();
        Self {
            now,
            began: now,
            call: Call::new(config(constitution.clone(), max_participants, now), now),
            constitution,
            deadline: None,
            sent: BTreeMap::new(),
            closed: Vec::new(),
            released: Vec::new(),
            media: Vec::new(),
            stored: BTreeMap::new(),
            group_changes: 0,
            empty: false,
            answers: true,
            admits: true,
            devices: BTreeMap::new(),
            tokens: 0,
            seeds: 0,
        }
    }

    /// The process is gone, and another goes on with what was kept.
    pub(super) fn restart(&mut self) {
        let kept = self.call.group_snapshot();
        let last = self.stored.keys().next_back().map_or(1, |last| last.0 + 1);
        self.call = Call::new(
            CallConfig {
                group: kept,
                sessions: self.stored.values().copied().collect(),
                next_participant: ParticipantId(last),
                ..config(self.constitution.clone(), 100, self.began)
            },
            self.now,
        );
        self.media.clear();
        self.feed(Input::Timeout);
    }

    pub(super) fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        self.empty = false;
        while let Some(input) = inputs.pop_front() {
            self.call.handle_input(self.now, input);
            self.drain(&mut inputs);
        }
    }

    fn drain(&mut self, replies: &mut VecDeque<Input>) {
        loop {
            match self.call.poll_output() {
                Output::Close { connection, message } => {
                    self.sent.entry(connection).or_default().extend(message);
                    self.closed.push(connection);
                }
                Output::Empty => self.empty = true,
                Output::Forget { participant } => {
                    self.stored.remove(&participant);
                }
                Output::GroupChanged => self.group_changes += 1,
                Output::Media(request) => {
                    if let (true, MediaRequest::Offer { peer, generation, .. }) =
                        (self.answers, &request)
                    {
                        replies.push_back(answer(*peer, *generation));
                    }
                    self.media.push(request);
                }
                Output::Persist(record) => {
                    self.stored.insert(record.participant, record);
                    let SessionRecord { participant, token, .. } = record;
                    replies.push_back(Input::Persisted { participant, token });
                }
                Output::Release { connection, message } => {
                    self.sent.entry(connection).or_default().push(message);
                    self.released.push(connection);
                }
                Output::Send { to, message } => {
                    assert!(!to.is_empty(), "a message to nobody");
                    for connection in to {
                        self.sent.entry(connection).or_default().push(message.clone());
                        self.read(connection, &message, replies);
                    }
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    /// Lets a device act on a message.
    fn read(
        &mut self,
        connection: ConnectionId,
        message: &ServerMessage,
        replies: &mut VecDeque<Input>,
    ) {
        match message {
            ServerMessage::Group { news } => {
                let message = news.clone().try_into().expect("news");
                self.give(connection, MemberInput::Server(message), replies);
            }
            ServerMessage::Joined { joined } if joined.admitted.is_some() => {
                self.give(connection, MemberInput::Connected, replies);
            }
            ServerMessage::Admitted { .. } => {
                let tracks = self.devices.get(&connection).and_then(|d| d.tracks.clone());
                if let Some(tracks) = tracks {
                    let offer = Offer { generation: 1, sdp: "offer".to_owned(), tracks };
                    replies.push_back(Input::Offer { connection, offer });
                }
            }
            _ => {}
        }
    }

    /// Gives a device's session an input, and says what it wants said.
    fn give(
        &mut self,
        connection: ConnectionId,
        input: MemberInput,
        replies: &mut VecDeque<Input>,
    ) {
        let now = self.member_now();
        let Some(device) = self.devices.get_mut(&connection) else { return };
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            device.session.handle_input(now, input);
            loop {
                match device.session.poll_output() {
                    MemberOutput::Event(Event::Knocks(knocks)) if self.admits => {
                        inputs.extend(
                            knocks.iter().map(|k| MemberInput::Command(Command::Admit(k.id))),
                        );
                    }
                    MemberOutput::Event(_) => {}
                    MemberOutput::Send(message) => replies.extend(
                        message.into_request().map(|request| Input::Group { connection, request }),
                    ),
                    MemberOutput::SignHost(statement) => {
                        inputs.push_back(MemberInput::HostSignature(host().sign(&statement)));
                    }
                    MemberOutput::Timeout(at) => {
                        device.deadline = at;
                        break;
                    }
                }
            }
        }
    }

    /// Has a device's person do something.
    pub(super) fn command(&mut self, connection: u64, command: Command) {
        let mut inputs = VecDeque::new();
        self.give(ConnectionId(connection), MemberInput::Command(command), &mut inputs);
        for input in inputs {
            self.feed(input);
        }
    }

    fn member_now(&self) -> Now {
        // Lifetimes are looked at by the system's clock too, which does not pass here.
        Now { at: self.now - self.began, unix_s: unix_now() }
    }

    /// Lets time go by, firing every timeout on the way.
    pub(super) fn advance(&mut self, pause: Duration) {
        let end = self.now + pause;
        loop {
            let began = self.began;
            let members = self.devices.iter().filter_map(|(c, d)| Some((began + d.deadline?, *c)));
            let member = members.min();
            let at = [self.deadline, member.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(at) = at.filter(|at| *at <= end) else { break };
            self.now = at.max(self.now);
            if let Some((_, connection)) = member.filter(|(due, _)| *due <= self.now) {
                let mut inputs = VecDeque::new();
                self.give(connection, MemberInput::Timeout, &mut inputs);
                for input in inputs {
                    self.feed(input);
                }
            }
            if self.deadline.is_some_and(|due| due <= self.now) {
                self.feed(Input::Timeout);
            }
        }
        self.now = end;
    }

    /// Lets the roster be told.
    pub(super) fn settle(&mut self) {
        self.advance(Duration::from_millis(700));
    }

    pub(super) fn token(&mut self) -> ResumeToken {
        self.tokens += 1;
        token(self.tokens)
    }

    /// A device comes to the door and in, and publishes these tracks.
    pub(super) fn join(&mut self, connection: u64, tracks: &[(&str, TrackSource)]) {
        self.knock(connection, Some(published(tracks)));
        for _ in 0..20 {
            if self.is_admitted(connection) {
                return;
            }
            self.advance(Duration::from_millis(100));
        }
        panic!("{connection} does not come in: {:?}", self.sent(connection));
    }

    /// A device comes to the door, and in if it is let in.
    pub(super) fn knock(&mut self, connection: u64, tracks: Option<Vec<PublishedTrack>>) {
        let device = self.device(connection, tracks);
        self.devices.insert(ConnectionId(connection), device);
        let token = self.token();
        let presence = Presence::default();
        self.feed(Input::Join { connection: ConnectionId(connection), token, presence });
    }

    fn device(&mut self, connection: u64, tracks: Option<Vec<PublishedTrack>>) -> Device {
        self.seeds = self.seeds.checked_add(1).expect("another seed");
        let constitution = self.constitution.encode().unwrap();
        let setup = Setup {
            digest: PolicyDigest::of(&constitution),
            constitution,
            meeting: MEETING,
            keys: LinkKeys::derive(&LinkSecret::from_bytes([3; 32]), &MEETING),
            profile: Profile::new(&format!("person {connection}")),
            holds_host_key: !self.constitution.join_before_host && connection == 1,
            previous: None,
            seed: [self.seeds; 32],
        };
        Device { session: Session::new(setup, self.member_now()), deadline: None, tracks }
    }

    /// The device of one connection is back on another.
    pub(super) fn resume(&mut self, before: u64, connection: u64, generation: Option<u32>) {
        let presented = self.joined(before).resume_token.clone();
        self.resume_with(before, connection, &presented, generation);
    }

    pub(super) fn resume_with(
        &mut self,
        before: u64,
        connection: u64,
        presented: &str,
        generation: Option<u32>,
    ) {
        let device = self.devices.remove(&ConnectionId(before)).expect("a device");
        let challenge = challenge(connection);
        let signature = device.session.sign_resume(&challenge).unwrap_or_default();
        self.devices.insert(ConnectionId(connection), device);
        let token = token_of(presented).hash();
        let proof = ResumeProof { token, challenge, signature };
        self.present(connection, proof, generation);
    }

    /// Somebody presents what they take for a proof.
    pub(super) fn present(&mut self, connection: u64, proof: ResumeProof, generation: Option<u32>) {
        let token = self.token();
        self.feed(Input::Resume {
            connection: ConnectionId(connection),
            proof,
            token,
            presence: Presence::default(),
            offer: generation.map(|generation| offer(generation, &[])),
        });
    }

    pub(super) fn lose(&mut self, connection: u64) {
        self.feed(Input::ConnectionLost { connection: ConnectionId(connection) });
    }

    pub(super) fn sent(&self, connection: u64) -> &[ServerMessage] {
        self.sent.get(&ConnectionId(connection)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn joined(&self, connection: u64) -> &Joined {
        let joined = self.sent(connection).iter().rev().find_map(|message| match message {
            ServerMessage::Joined { joined } => Some(joined),
            _ => None,
        });
        joined.expect("joined")
    }

    /// What a device found inside when it was told last.
    pub(super) fn admitted(&self, connection: u64) -> &Admitted {
        self.find_admitted(connection).expect("admitted")
    }

    pub(super) fn is_admitted(&self, connection: u64) -> bool {
        self.find_admitted(connection).is_some()
    }

    fn find_admitted(&self, connection: u64) -> Option<&Admitted> {
        self.sent(connection).iter().rev().find_map(|message| match message {
            ServerMessage::Admitted { admitted } => Some(admitted),
            ServerMessage::Joined { joined } => joined.admitted.as_ref(),
            _ => None,
        })
    }

    pub(super) fn errors(&self, connection: u64) -> Vec<(ErrorCode, bool)> {
        let errors = self.sent(connection).iter().filter_map(|message| match message {
            ServerMessage::Error { code, fatal, .. } => Some((*code, *fatal)),
            _ => None,
        });
        errors.collect()
    }

    pub(super) fn rosters(&self, connection: u64) -> usize {
        let is_roster = |m: &&ServerMessage| matches!(m, ServerMessage::Roster { .. });
        self.sent(connection).iter().filter(is_roster).count()
    }

    /// The news of the group that a connection was told.
    pub(super) fn news(&self, connection: u64) -> Vec<&GroupNews> {
        let news = self.sent(connection).iter().filter_map(|message| match message {
            ServerMessage::Group { news } => Some(news),
            _ => None,
        });
        news.collect()
    }
}

/// How a call begins that began `began`.
pub(super) fn config(
    constitution: Constitution,
    max_participants: usize,
    _began: Instant,
) -> CallConfig {
    let proposals = SigningKey::from_bytes(&[12; 32]);
    let public = proposals.verifying_key().to_bytes();
    CallConfig::new(
        CALL,
        max_participants,
        constitution,
        NodeKey::new(None, |bytes| node().sign(bytes).to_bytes()),
        ProposalKey::new(public, move |bytes| proposals.sign(bytes).to_bytes()),
        unix_now(),
    )
}

fn node() -> SigningKey {
    SigningKey::from_bytes(&[11; 32])
}

fn host() -> HostSeed {
    HostSeed::from_bytes([10; 32])
}

/// The shard's answer to an offer.
pub(super) fn answer(peer: PeerId, generation: u32) -> Input {
    let sdp = sdp(generation);
    Input::Media(MediaEvent::Answer { peer, generation, sdp })
}

pub(super) fn sdp(generation: u32) -> String {
    format!(
        "v=0\r\ns=answer {generation}\r\na=fingerprint:sha-256 AB:CD\r\n\
         a=candidate:1 1 UDP 2130706431 192.0.2.1 10000 typ host\r\n"
    )
}

pub(super) const fn challenge(connection: u64) -> [u8; 32] {
    [connection.to_le_bytes()[0]; 32]
}

pub(super) fn token(n: u8) -> ResumeToken {
    token_of(&format!("token {n}"))
}

/// A token whose digest is its text, padded.
pub(super) fn token_of(text: &str) -> ResumeToken {
    let mut hash = [0; 32];
    hash[..text.len()].copy_from_slice(text.as_bytes());
    ResumeToken::new(text.to_owned(), TokenHash::from_bytes(hash))
}

pub(super) fn offer(generation: u32, tracks: &[(&str, TrackSource)]) -> Offer {
    Offer { generation, sdp: "offer".to_owned(), tracks: published(tracks) }
}

pub(super) fn published(tracks: &[(&str, TrackSource)]) -> Vec<PublishedTrack> {
    let track = |(mid, source): &(&str, TrackSource)| PublishedTrack {
        mid: Mid::new(mid).unwrap(),
        source: *source,
    };
    tracks.iter().map(track).collect()
}

pub(super) const fn peer(participant: u32) -> PeerId {
    PeerId { call: CALL, participant: ParticipantId(participant) }
}

/// Where virtual time begins.
#[expect(clippy::disallowed_methods, reason = "an origin is needed; only differences count")]
pub(super) fn origin() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the group's library looks at the system's clock")]
pub(super) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
