//! A small group with its delivery service: true messages to edit, and members to hand them to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use conclave_commit_rules::{Classification, Constitution, Mode, SUITE_DEFAULT};
use conclave_delivery::{
    DeliveryService, Input as ServiceInput, Output as ServiceOutput, ProposalKey, ToDevice, news,
    request,
};
use conclave_e2ee::{Command, FromServer, Input, Now, Output, Session, Setup};
use conclave_link::{HostSeed, LinkKeys, LinkSecret, PolicyDigest, Profile};
use conclave_model::{MeetingId, ParticipantId};
use conclave_wire::GroupRequest;
use ed25519_dalek::{Signer as _, SigningKey};

pub(crate) const HOST: ParticipantId = ParticipantId(1);
pub(crate) const GUEST: ParticipantId = ParticipantId(2);
/// It is at the door, and has not knocked.
pub(crate) const STRANGER: ParticipantId = ParticipantId(3);

/// A host and a guest in a meeting with a lobby; a third device at its door.
pub(crate) struct Rig {
    start: Instant,
    since_start: Duration,
    unix_s: u64,
    host_seed: HostSeed,
    pub(crate) service: DeliveryService,
    members: BTreeMap<ParticipantId, Session>,
    /// What was said on the way there, and a commit of the host's that nobody has heard yet.
    pub(crate) said: Vec<GroupRequest>,
    /// What was told on the way there, and that same commit.
    pub(crate) told: Vec<FromServer>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let meeting = MeetingId::from_bytes([5; 16]);
        let host_seed = HostSeed::from_bytes([6; 32]);
        let proposals = SigningKey::from_bytes(&[8; 32]);
        let public = proposals.verifying_key().to_bytes();
        let constitution = constitution(meeting, &host_seed);
        let text = constitution.encode().expect("within bounds");
        // The group's library judges lifetimes by the system's clock.
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let unix_s = since_1970.map_or(0, |since| since.as_secs());
        let now = Now { at: Duration::ZERO, unix_s };
        let session = |(id, holds_host_key): (ParticipantId, bool)| {
            let setup = Setup {
                constitution: text.clone(),
                digest: PolicyDigest::of(&text),
                meeting,
                keys: LinkKeys::derive(&LinkSecret::from_bytes([9; 32]), &meeting),
                profile: Profile::new("Ada"),
                holds_host_key,
                previous: None,
                seed: [u8::try_from(id.0).unwrap_or_default(); 32],
            };
            (id, Session::new(setup, now))
        };
        let start = Instant::now();
        let key = ProposalKey::new(public, move |bytes| proposals.sign(bytes).to_bytes());
        let mut rig = Self {
            start,
            since_start: Duration::ZERO,
            unix_s,
            host_seed,
            service: DeliveryService::new(constitution, key, start, unix_s),
            members: [(HOST, true), (GUEST, false)].map(session).into(),
            said: Vec::new(),
            told: Vec::new(),
        };
        rig.gather();
        rig
    }

    /// Lets the host found the group and the guest in, and has the host make one more commit.
    fn gather(&mut self) {
        for who in [HOST, GUEST, STRANGER] {
            self.ask(ServiceInput::Connected { who });
            self.settle();
        }
        for _ in 0..100 {
            if self.members.values().all(|member| member.epoch() == Some(1)) {
                break;
            }
            let knocks = self.member(HOST).knocks();
            for knock in knocks {
                self.tell(HOST, Input::Command(Command::Admit(knock.id)));
            }
            self.pass(Duration::from_millis(100));
        }
        assert_eq!(self.service.epoch(), Some(1), "the guest is in");
        self.pass(Duration::from_secs(5));
        self.tell(HOST, Input::Command(Command::Lock(true)));
        let commit = self.requests(HOST).into_iter().find_map(|request| {
            let GroupRequest::Commit { commit, .. } = &request else { return None };
            let commit = commit.as_bytes().to_vec();
            Some((request, commit))
        });
        let (request, commit) = commit.expect("locking takes a commit");
        self.said.push(request);
        self.told.push(FromServer::Log(vec![commit.clone()]));
        self.told.push(FromServer::Commit(commit));
    }

    pub(crate) fn member(&self, who: ParticipantId) -> &Session {
        self.members.get(&who).expect("host or guest")
    }

    /// Lets time pass, in which all do what is due.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.since_start += span;
        for who in [HOST, GUEST] {
            self.tell(who, Input::Timeout);
        }
        self.ask(ServiceInput::Timeout);
        self.settle();
    }

    /// Time passes for the service alone.
    pub(crate) fn wait(&mut self, span: Duration) {
        self.since_start += span;
    }

    pub(crate) fn ask(&mut self, input: ServiceInput) {
        self.service.handle_input(self.start + self.since_start, input);
    }

    pub(crate) fn tell(&mut self, who: ParticipantId, input: Input) {
        let now = self.now();
        if let Some(member) = self.members.get_mut(&who) {
            member.handle_input(now, input);
        }
    }

    /// Does all that service and members say, until they say nothing any more.
    fn settle(&mut self) {
        loop {
            let mut is_quiet = true;
            for who in [HOST, GUEST] {
                for said in self.requests(who) {
                    is_quiet = false;
                    self.said.push(said.clone());
                    self.ask(request(who, said).expect("members say what is well formed"));
                }
            }
            for (to, message) in self.messages() {
                is_quiet = false;
                let Some(news) = news(&message) else { continue };
                let message = FromServer::try_from(news).expect("the service is honest");
                self.told.push(message.clone());
                self.tell(to, Input::Server(message));
            }
            if is_quiet {
                return;
            }
        }
    }

    /// Drains the service.
    pub(crate) fn messages(&mut self) -> Vec<(ParticipantId, ToDevice)> {
        let mut messages = Vec::new();
        loop {
            match self.service.poll_output() {
                ServiceOutput::Send { to, message } => messages.push((to, message)),
                ServiceOutput::Timeout(_) => return messages,
                ServiceOutput::Gate(_) | ServiceOutput::Order | ServiceOutput::Persist => {}
            }
        }
    }

    /// Drains a member.
    pub(crate) fn requests(&mut self, who: ParticipantId) -> Vec<GroupRequest> {
        let now = self.now();
        let mut requests = Vec::new();
        let Some(member) = self.members.get_mut(&who) else { return requests };
        for _ in 0..1000 {
            match member.poll_output() {
                Output::Event(_) => {}
                Output::Send(message) => requests.extend(message.into_request()),
                Output::SignHost(statement) => {
                    let signature = self.host_seed.sign(&statement);
                    member.handle_input(now, Input::HostSignature(signature));
                }
                Output::Timeout(_) => return requests,
            }
        }
        panic!("it never comes to rest");
    }

    fn now(&self) -> Now {
        Now { at: self.since_start, unix_s: self.unix_s + self.since_start.as_secs() }
    }
}

fn constitution(meeting: MeetingId, host: &HostSeed) -> Constitution {
    Constitution {
        version: Constitution::VERSION,
        meeting: *meeting.as_bytes(),
        suite: SUITE_DEFAULT,
        mode: Mode::Lobby,
        join_before_host: false,
        host_key: host.public_key(),
        issuers: Vec::new(),
        guests: true,
        node_key: [7; 32],
        jurisdictions: Vec::new(),
        gateways: false,
        voice_level: true,
        classification: Classification::Open,
        max_members: 100,
    }
}

/// Edits a message: each four bytes say where (two bytes, modulo its length), how (set, flip, cut
/// or insert) and with what. Nothing if that leaves it as it was.
pub(crate) fn edited(message: &[u8], edits: &[u8]) -> Option<Vec<u8>> {
    let mut edited = message.to_vec();
    for edit in edits.chunks_exact(4).take(16) {
        let &[high, low, how, with] = edit else { continue };
        let at = usize::from(u16::from_be_bytes([high, low])) % edited.len().max(1);
        match how % 4 {
            0 => {
                if let Some(byte) = edited.get_mut(at) {
                    *byte = with;
                }
            }
            1 => {
                if let Some(byte) = edited.get_mut(at) {
                    *byte ^= with;
                }
            }
            2 => edited.truncate(at),
            _ => edited.insert(at, with),
        }
    }
    (edited != message).then_some(edited)
}
