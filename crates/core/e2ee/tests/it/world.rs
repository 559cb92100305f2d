//! A meeting in memory: members, and the server between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use conclave_commit_rules::{Classification, Constitution, CredentialId, Mode};
use conclave_e2ee::{
    Command, Event, FromServer, Input, KnockId, Now, Output, Session, Setup, State, ToServer,
    Warning,
};
use conclave_link::{LinkKeys, LinkSecret, PolicyDigest, Profile};
use conclave_mls::{Outgoing, ServerKey};
use conclave_model::MeetingId;
use openmls::group::ProposalStore;
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Credential, ExternalProposal, KeyPackageIn, LeafNodeIndex, MlsMessageBodyIn,
    MlsMessageIn, OpenMlsProvider as _, ProcessedMessageContent, ProtocolMessage, PublicGroup,
    RatchetTreeIn, SenderExtensionIndex, SignatureScheme,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::Signer as _;

pub(crate) const MEETING: [u8; 16] = [7; 16];

pub(crate) type Evil = Box<dyn FnMut(usize, FromServer) -> Vec<FromServer>>;

pub(crate) struct World {
    pub(crate) now: Duration,
    unix_s: u64,
    random: u64,
    pub(crate) constitution: Constitution,
    pub(crate) host_key: SignatureKeyPair,
    pub(crate) server_key: SignatureKeyPair,
    pub(crate) members: Vec<Participant>,
    pub(crate) group: Option<PublicGroup>,
    pub(crate) provider: OpenMlsRustCrypto,
    pub(crate) info: Vec<u8>,
    log: Vec<(u64, Vec<u8>)>,
    proposals: Vec<Vec<u8>>,
    knocks: BTreeMap<KnockId, (usize, Vec<u8>)>,
    next_knock: u64,
    leaving: BTreeSet<CredentialId>,
    /// Who knocked by which number, also after they went.
    knockers: BTreeMap<KnockId, CredentialId>,
    ready: BTreeSet<usize>,
    /// What a hostile server makes of each message to a member.
    pub(crate) evil: Option<Evil>,
    /// The members of one half of a split meeting, and whether messages cross.
    pub(crate) split: Option<(BTreeSet<usize>, bool)>,
    /// The server accepts no commit of its own accord.
    pub(crate) deaf: bool,
    pub(crate) auto_admit: bool,
    /// Whom the server's messages reach late.
    pub(crate) slow: Option<usize>,
    pub(crate) nacks: Vec<(usize, u64)>,
}

pub(crate) struct Participant {
    pub(crate) session: Session,
    pub(crate) events: Vec<Event>,
    pub(crate) is_joined: bool,
    pub(crate) is_online: bool,
    pub(crate) is_host: bool,
    pub(crate) credential: Option<CredentialId>,
    inbox: VecDeque<(Duration, FromServer)>,
    timeout: Option<Duration>,
}

#[expect(clippy::disallowed_methods, reason = "the MLS library looks at the system's clock itself")]
fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn id_of(credential: Credential) -> CredentialId {
    let credential = BasicCredential::try_from(credential).unwrap();
    CredentialId(credential.identity().try_into().unwrap())
}

fn key_pair() -> SignatureKeyPair {
    SignatureKeyPair::new(SignatureScheme::ED25519).unwrap()
}

pub(crate) fn keys() -> LinkKeys {
    LinkKeys::derive(&LinkSecret::from_bytes([3; 32]), &MeetingId::from_bytes(MEETING))
}

impl World {
    pub(crate) fn new(mode: Mode, seed: u64) -> Self {
        let (host_key, server_key) = (key_pair(), key_pair());
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: MEETING,
            // X25519: the rules are the same, and a simulation is quick.
            suite: 0x0001,
            mode,
            join_before_host: false,
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
        Self {
            now: Duration::from_secs(1),
            unix_s: unix(),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            constitution,
            host_key,
            server_key,
            members: Vec::new(),
            group: None,
            provider: OpenMlsRustCrypto::default(),
            info: Vec::new(),
            log: Vec::new(),
            proposals: Vec::new(),
            knocks: BTreeMap::new(),
            next_knock: 0,
            leaving: BTreeSet::new(),
            knockers: BTreeMap::new(),
            ready: BTreeSet::new(),
            evil: None,
            split: None,
            deaf: false,
            auto_admit: true,
            slow: None,
            nacks: Vec::new(),
        }
    }

    /// A host, in the group, and `guests` others who were let in.
    pub(crate) fn meeting(guests: usize) -> Self {
        let mut world = Self::new(Mode::Lobby, 1);
        world.join(true);
        world.run(1);
        for _ in 0..guests {
            world.join(false);
        }
        world.run(6);
        world.assert_agree();
        assert_eq!(world.joined().len(), guests + 1);
        world
    }

    pub(crate) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    pub(crate) fn now(&self) -> Now {
        // Lifetimes are looked at by the system's clock too, which does not pass here.
        Now { at: self.now, unix_s: self.unix_s }
    }

    pub(crate) fn setup(&mut self, is_host: bool, previous: Option<CredentialId>) -> Setup {
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
            profile: Profile::new(&format!("person {}", self.members.len())),
            holds_host_key: is_host,
            previous,
            seed,
        }
    }

    pub(crate) fn join(&mut self, is_host: bool) -> usize {
        let setup = self.setup(is_host, None);
        self.join_as(is_host, setup)
    }

    pub(crate) fn join_as(&mut self, is_host: bool, setup: Setup) -> usize {
        let session = Session::new(setup, self.now());
        self.members.push(Participant {
            session,
            events: Vec::new(),
            is_joined: false,
            is_online: true,
            is_host,
            credential: None,
            inbox: VecDeque::new(),
            timeout: None,
        });
        let index = self.members.len() - 1;
        self.greet(index);
        index
    }

    /// A page reload: the session is gone, another begins, and the server wants the old leaf out.
    pub(crate) fn reload(&mut self, index: usize) {
        let is_host = self.members[index].is_host;
        let previous = self.members[index].session.credential();
        let setup = self.setup(is_host, previous);
        let now = self.now();
        self.leave(index);
        let member = &mut self.members[index];
        member.session = Session::new(setup, now);
        member.is_online = true;
        member.timeout = None;
        self.greet(index);
    }

    fn greet(&mut self, index: usize) {
        let server = ServerKey(self.server_key.public().try_into().unwrap());
        let has_group = self.group.is_some();
        let has_admitter = has_group;
        self.tell(index, FromServer::Meeting { server, has_group, has_admitter });
        self.drain(index);
    }

    /// The connection is gone for good.
    pub(crate) fn leave(&mut self, index: usize) {
        let member = &mut self.members[index];
        member.is_online = false;
        member.is_joined = false;
        member.inbox.clear();
        member.timeout = None;
        let credential = member.credential.take();
        let gone: Vec<_> =
            self.knocks.iter().filter(|(_, (k, _))| *k == index).map(|(id, _)| *id).collect();
        for id in gone {
            self.knocks.remove(&id);
            for to in self.joined() {
                self.tell(to, FromServer::KnockGone(id));
            }
        }
        self.leaving.extend(credential);
        self.propose();
    }

    /// Proposes anew, in the present epoch, to remove everybody who left.
    fn propose(&mut self) {
        let Some(group) = &self.group else { return };
        let leaves: Vec<_> = group
            .members()
            .filter(|m| self.leaving.contains(&id_of(m.credential.clone())))
            .map(|m| m.index)
            .collect();
        self.proposals.clear();
        let proposals: Vec<_> = leaves.into_iter().map(|leaf| self.removal(leaf)).collect();
        for proposal in proposals {
            self.take_in(&proposal);
            for to in self.joined() {
                self.tell(to, FromServer::Proposal(proposal.clone()));
            }
            self.proposals.push(proposal);
        }
    }

    fn credentials(&self) -> BTreeSet<CredentialId> {
        self.group.as_ref().unwrap().members().map(|m| id_of(m.credential)).collect()
    }

    fn removal(&self, leaf: LeafNodeIndex) -> Vec<u8> {
        let group = self.group.as_ref().unwrap();
        ExternalProposal::new_remove::<OpenMlsRustCrypto>(
            leaf,
            group.group_id().clone(),
            group.group_context().epoch(),
            &self.server_key,
            SenderExtensionIndex::new(0),
        )
        .unwrap()
        .to_bytes()
        .unwrap()
    }

    pub(crate) fn joined(&self) -> Vec<usize> {
        (0..self.members.len()).filter(|&index| self.members[index].is_joined).collect()
    }

    pub(crate) fn state(&self, index: usize) -> &State {
        self.members[index].session.state()
    }

    pub(crate) fn warned(&self, index: usize, is: impl Fn(&Warning) -> bool) -> bool {
        let events = &self.members[index].events;
        events.iter().any(|event| matches!(event, Event::Warning(warning) if is(warning)))
    }

    pub(crate) fn tree(&self) -> Vec<u8> {
        let tree = self.group.as_ref().unwrap().export_ratchet_tree();
        tree.tls_serialize_detached().unwrap()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.group.as_ref().unwrap().group_context().epoch().as_u64()
    }

    /// Sends to a member, in order, after 20 to 150 ms.
    pub(crate) fn tell(&mut self, to: usize, message: FromServer) {
        let messages = match &mut self.evil {
            Some(evil) => evil(to, message),
            None => vec![message],
        };
        self.tell_as_is(to, messages);
    }

    pub(crate) fn tell_as_is(&mut self, to: usize, messages: Vec<FromServer>) {
        for message in messages {
            let slower = if self.slow == Some(to) { 400 } else { 0 };
            let delay = Duration::from_millis(20 + slower + self.random() % 130);
            let member = &mut self.members[to];
            let after = member.inbox.back().map_or(Duration::ZERO, |(at, _)| *at);
            member.inbox.push_back(((self.now + delay).max(after), message));
        }
    }

    pub(crate) fn command(&mut self, index: usize, command: Command) {
        self.input(index, Input::Command(command));
    }

    pub(crate) fn input(&mut self, index: usize, input: Input) {
        let now = self.now();
        self.members[index].session.handle_input(now, input);
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        loop {
            match self.members[index].session.poll_output() {
                Output::Timeout(at) => {
                    self.members[index].timeout = at;
                    return;
                }
                Output::SignHost(statement) => {
                    let signature = self.host_key.sign(&statement).unwrap().try_into().unwrap();
                    self.input(index, Input::HostSignature(signature));
                }
                Output::Send(message) => self.serve(index, message),
                Output::Event(event) => {
                    if let Event::Knocks(knocks) = &event
                        && self.auto_admit
                    {
                        for knock in knocks.clone() {
                            let now = self.now();
                            let admit = Input::Command(Command::Admit(knock.id));
                            self.members[index].session.handle_input(now, admit);
                        }
                    }
                    self.members[index].events.push(event);
                }
            }
        }
    }

    fn serve(&mut self, from: usize, message: ToServer) {
        match message {
            ToServer::App(bytes) => {
                for to in self.joined() {
                    if to != from && self.crosses(from, to) {
                        self.tell(to, FromServer::App(bytes.clone()));
                    }
                }
            }
            ToServer::Commit(outgoing) => self.order(from, outgoing),
            ToServer::Deny(knock) => {
                if let Some((knocker, _)) = self.knocks.remove(&knock) {
                    self.tell(knocker, FromServer::Denied);
                }
            }
            ToServer::Found { info, tree } => self.found(from, info, &tree),
            // It shows that it is a host's, and comes in alone.
            ToServer::Knock(_) if self.members[from].is_host => {}
            ToServer::Knock(key_package) => {
                self.next_knock += 1;
                let id = KnockId(self.next_knock);
                let package = KeyPackageIn::tls_deserialize_exact_bytes(&key_package).unwrap();
                let credential = package.unverified_credential().credential;
                self.knockers.insert(id, id_of(credential));
                self.knocks.insert(id, (from, key_package.clone()));
                for to in self.joined() {
                    self.tell(to, FromServer::Knock(id, key_package.clone()));
                }
            }
            ToServer::Leave => self.leave(from),
            ToServer::LogSince(epoch) => {
                let since = self.log.iter().filter(|(at, _)| *at >= epoch);
                let mut log: Vec<_> = since.map(|(_, commit)| commit.clone()).collect();
                log.extend(self.proposals.iter().cloned());
                self.tell(from, FromServer::Log(log));
            }
            ToServer::Nack { epoch, .. } => self.nacks.push((from, epoch)),
            ToServer::Ready(epoch) => {
                if epoch == self.log.len() as u64 || self.group.is_some() {
                    self.ready.insert(from);
                }
                let joined = self.joined();
                if joined.iter().all(|index| self.ready.contains(index)) {
                    for to in joined {
                        self.tell(to, FromServer::AllReady(epoch));
                    }
                }
            }
            ToServer::WantGroupInfo => {
                let (info, tree) = (self.info.clone(), self.tree());
                self.tell(from, FromServer::GroupInfo { info, tree });
            }
        }
    }

    fn crosses(&self, a: usize, b: usize) -> bool {
        self.split
            .as_ref()
            .is_none_or(|(half, crosses)| *crosses || half.contains(&a) == half.contains(&b))
    }

    fn found(&mut self, from: usize, info: Vec<u8>, tree: &[u8]) {
        if self.group.is_some() {
            return self.tell(from, FromServer::FoundLost);
        }
        let message = MlsMessageIn::tls_deserialize_exact_bytes(&info).unwrap();
        let MlsMessageBodyIn::GroupInfo(verifiable) = message.extract() else { panic!() };
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(tree).unwrap();
        let (group, _) = PublicGroup::from_external(
            self.provider.crypto(),
            self.provider.storage(),
            tree,
            verifiable,
            ProposalStore::new(),
        )
        .unwrap();
        self.group = Some(group);
        self.info = info;
        self.members[from].is_joined = true;
        self.members[from].credential = self.credentials().into_iter().next();
        self.tell(from, FromServer::Founded);
        for (id, (_, key_package)) in self.knocks.clone() {
            self.tell(from, FromServer::Knock(id, key_package));
        }
        let server = ServerKey(self.server_key.public().try_into().unwrap());
        for to in 0..self.members.len() {
            if to != from && self.members[to].is_online {
                let (has_group, has_admitter) = (true, true);
                self.tell(to, FromServer::Meeting { server, has_group, has_admitter });
            }
        }
    }

    /// Takes a handshake message into the public group; true if it is valid.
    fn take_in(&mut self, bytes: &[u8]) -> bool {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).unwrap();
        let message: ProtocolMessage = message.try_into_protocol_message().unwrap();
        let (crypto, storage) = (self.provider.crypto(), self.provider.storage());
        let group = self.group.as_mut().unwrap();
        match group.process_message(crypto, message).map(|m| m.into_content()) {
            Ok(ProcessedMessageContent::StagedCommitMessage(staged)) => {
                group.merge_commit(storage, *staged).unwrap();
                true
            }
            Ok(ProcessedMessageContent::ProposalMessage(proposal)) => {
                group.add_proposal(storage, *proposal).unwrap();
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    fn order(&mut self, from: usize, outgoing: Outgoing) {
        if self.deaf {
            return;
        }
        if self.split.is_some() {
            self.tell(from, FromServer::Accepted(outgoing.epoch));
            for to in self.joined() {
                let half = &self.split.as_ref().unwrap().0;
                if to != from && half.contains(&to) == half.contains(&from) {
                    self.tell(to, FromServer::Commit(outgoing.commit.clone()));
                }
            }
            return;
        }
        let before = self.credentials();
        if outgoing.epoch != self.epoch() || !self.take_in(&outgoing.commit) {
            return self.tell(from, FromServer::Rejected(outgoing.epoch));
        }
        self.log.push((outgoing.epoch, outgoing.commit.clone()));
        self.info = outgoing.group_info;
        self.ready.clear();
        self.tell(from, FromServer::Accepted(outgoing.epoch));
        for to in self.joined() {
            if to != from {
                self.tell(to, FromServer::Commit(outgoing.commit.clone()));
            }
        }
        let came_alone = !self.members[from].is_joined;
        self.members[from].is_joined = true;
        if came_alone {
            let came = self.credentials().difference(&before).next().copied();
            self.members[from].credential = came;
            self.knocks.retain(|_, (knocker, _)| *knocker != from);
            for (id, (_, key_package)) in self.knocks.clone() {
                self.tell(from, FromServer::Knock(id, key_package));
            }
        }
        let tree = self.tree();
        let added = self.credentials();
        let added: Vec<_> = added.difference(&before).copied().collect();
        for credential in added.into_iter().filter(|_| outgoing.welcome.is_some()) {
            let knock = self.knockers.iter().find(|(_, who)| **who == credential);
            if let Some((knocker, _)) = knock.and_then(|(knock, _)| self.knocks.remove(knock)) {
                let welcome = outgoing.welcome.clone().unwrap();
                self.members[knocker].is_joined = true;
                self.members[knocker].credential = Some(credential);
                self.tell(knocker, FromServer::Welcome { welcome, tree: tree.clone() });
            } else {
                // They went while they were let in.
                self.leaving.insert(credential);
            }
        }
        self.propose();
    }

    /// Runs until `seconds` have passed.
    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_until(self.now + Duration::from_secs(seconds));
    }

    pub(crate) fn run_until(&mut self, end: Duration) {
        while self.step(end) {}
        self.now = end;
    }

    fn step(&mut self, end: Duration) -> bool {
        let due = |member: &Participant| {
            let message = member.inbox.front().map(|(at, _)| *at);
            member.timeout.into_iter().chain(message).min().filter(|_| member.is_online)
        };
        let next = self.members.iter().enumerate().filter_map(|(i, m)| Some((due(m)?, i))).min();
        let Some((at, index)) = next.filter(|(at, _)| *at <= end) else { return false };
        self.now = self.now.max(at);
        let member = &mut self.members[index];
        let input = match member.inbox.front() {
            Some((when, _)) if *when <= at => Input::Server(member.inbox.pop_front().unwrap().1),
            Some(_) | None => Input::Timeout,
        };
        self.input(index, input);
        if *self.state(index) == State::Removed {
            self.members[index].is_joined = false;
        }
        true
    }

    /// All who are in the meeting are in one epoch, with one history and one set of keys.
    pub(crate) fn assert_agree(&self) {
        let joined = self.joined();
        for &index in &joined {
            let session = &self.members[index].session;
            assert_eq!(*session.state(), State::InGroup, "member {index}");
            assert_eq!(session.epoch(), Some(self.epoch()), "member {index}");
            assert!(
                session.safety_code() == self.members[joined[0]].session.safety_code(),
                "member {index} has other keys"
            );
            assert_eq!(session.roster().unwrap().len(), joined.len(), "member {index}");
        }
    }
}
