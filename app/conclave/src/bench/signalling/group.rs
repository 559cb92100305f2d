//! A meeting's group of many members, made here and kept as a server keeps it over a restart.
//!
//! A host lets everybody in, by the real state machines and with all their cryptography; only the
//! pauses that the protocol keeps between commits are left out. The members' devices stop at the
//! door, so to speak: each has its keys and its leaf, and never opens what the group says. That is
//! nothing to a server, which cannot see what its members can open.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use conclave_commit_rules::{Classification, Constitution, Mode, SUITE_DEFAULT, add_spacing};
use conclave_delivery::{
    DeliveryService, Input as ToService, Output as FromService, ProposalKey, ToDevice, news,
    request,
};
use conclave_e2ee::{
    Command, Event, FromServer, Input, Now, Output, Say, Session, Setup, ToServer,
};
use conclave_link::{HostSeed, LinkKeys, LinkSecret, PolicyDigest, Profile};
use conclave_model::{MeetingId, ParticipantId};
use conclave_wire::GroupRequest;

use crate::meeting::random;

/// How many knock at once while the group is filled: fewer than a lobby holds.
const BATCH: usize = 128;

/// The host, who comes first.
pub(super) const HOST: ParticipantId = ParticipantId(1);

/// The server's own keys, as its store has them.
pub(super) struct ServerKeys {
    pub(super) node: HostSeed,
    pub(super) proposals: HostSeed,
}

/// A group, and all who are in it.
pub(super) struct Group {
    pub(super) meeting: MeetingId,
    pub(super) keys: LinkKeys,
    /// What the meeting was founded on.
    pub(super) policy: String,
    service: DeliveryService,
    /// The devices' sessions. The host's is in the group, the others' have their keys.
    pub(super) sessions: BTreeMap<ParticipantId, Session>,
    host: HostSeed,
    began: Instant,
    began_unix_s: u64,
    /// How long it has lasted, by its own time.
    elapsed: Duration,
    /// Who was let in.
    inside: usize,
    /// What the service has said and nobody has heard yet.
    said: VecDeque<(ParticipantId, ToDevice)>,
}

impl Group {
    /// Makes the group of a call of so many members, at least one.
    pub(super) fn of(members: usize, keys: &ServerKeys) -> anyhow::Result<Self> {
        let mut group = Self::empty(keys)?;
        group.enter(HOST)?;
        anyhow::ensure!(group.host_epoch().is_some(), "the host founded no group");
        group.inside = 1;
        let mut next = HOST.0 + 1;
        while group.inside < members {
            let batch = BATCH.min(members - group.inside);
            let expected = group.inside + batch;
            for _ in 0..batch {
                group.enter(ParticipantId(next))?;
                next += 1;
            }
            // A commit lets in as many as one may, and the next one has to wait.
            for _ in 0..batch {
                if group.inside >= expected {
                    break;
                }
                group.pass(add_spacing(usize::MAX))?;
            }
            let inside = group.inside;
            anyhow::ensure!(inside == expected, "{inside} are in instead of {expected}");
        }
        Ok(group)
    }

    /// What is to be kept of it over a restart.
    pub(super) fn snapshot(&self) -> anyhow::Result<conclave_delivery::Snapshot> {
        self.service.snapshot().context("there is no group")
    }

    /// The epoch that it is in.
    pub(super) fn epoch(&self) -> u64 {
        self.service.epoch().unwrap_or_default()
    }

    /// Messages of the host to all members, as its device seals them: the hand goes up, and down.
    pub(super) fn hands(&mut self, count: usize) -> anyhow::Result<Vec<GroupRequest>> {
        let mut requests = Vec::new();
        for number in 0..count {
            let raised = number.is_multiple_of(2);
            let command = Input::Command(Command::Say(Say::Hand(raised)));
            let apps = |message: &ToServer| matches!(message, ToServer::App(_));
            let sent = self.feed(HOST, command)?;
            requests.extend(sent.into_iter().filter(apps).filter_map(ToServer::into_request));
        }
        anyhow::ensure!(requests.len() == count, "the host does not get a word in");
        Ok(requests)
    }

    fn empty(keys: &ServerKeys) -> anyhow::Result<Self> {
        let meeting = MeetingId::from_bytes(random()?);
        let host = HostSeed::from_bytes(random()?);
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: *meeting.as_bytes(),
            suite: SUITE_DEFAULT,
            mode: Mode::Lobby,
            join_before_host: false,
            host_key: host.public_key(),
            issuers: Vec::new(),
            guests: true,
            node_key: keys.node.public_key(),
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 4096,
        };
        let policy = constitution.encode()?;
        let began_unix_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let signer = keys.proposals.clone();
        let key = ProposalKey::new(keys.proposals.public_key(), move |bytes| signer.sign(bytes));
        let began = Instant::now();
        Ok(Self {
            meeting,
            keys: LinkKeys::derive(&LinkSecret::from_bytes(random()?), &meeting),
            policy,
            service: DeliveryService::new(constitution, key, began, began_unix_s),
            sessions: BTreeMap::new(),
            host,
            began,
            began_unix_s,
            elapsed: Duration::ZERO,
            inside: 0,
            said: VecDeque::new(),
        })
    }

    /// Somebody comes to the door.
    fn enter(&mut self, who: ParticipantId) -> anyhow::Result<()> {
        let setup = Setup {
            constitution: self.policy.clone(),
            digest: PolicyDigest::of(&self.policy),
            meeting: self.meeting,
            keys: self.keys.clone(),
            profile: Profile::new(&format!("Person {}", who.0)),
            holds_host_key: who == HOST,
            previous: None,
            seed: random()?,
        };
        self.sessions.insert(who, Session::new(setup, self.now()));
        self.tell_service(ToService::Connected { who });
        self.settle()
    }

    /// Lets time pass for the service and for the host.
    fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        self.elapsed += time;
        self.tell_service(ToService::Timeout);
        self.act(HOST, Input::Timeout)?;
        self.settle()
    }

    /// Has everybody hear what there is to hear, until nobody has anything to say.
    #[expect(clippy::wildcard_enum_match_arm, reason = "light members pass over the rest")]
    fn settle(&mut self) -> anyhow::Result<()> {
        while let Some((to, message)) = self.said.pop_front() {
            match message {
                ToDevice::Welcome { .. } => {
                    self.inside += 1;
                    let epoch = self.service.epoch().context("there is no group")?;
                    self.tell_service(ToService::Ready { from: to, epoch });
                }
                ToDevice::Rejected { why, .. } => bail!("a commit was refused: {why}"),
                ToDevice::Meeting { .. } => self.hear(to, &message)?,
                message if to == HOST => self.hear(to, &message)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self, who: ParticipantId, message: &ToDevice) -> anyhow::Result<()> {
        let Some(news) = news(message) else { return Ok(()) };
        let message = FromServer::try_from(news).context("the service says nonsense")?;
        self.act(who, Input::Server(message))
    }

    /// Gives a device an input, and the service what the device says of it.
    fn act(&mut self, who: ParticipantId, input: Input) -> anyhow::Result<()> {
        for message in self.feed(who, input)? {
            if let Some(asked) = message.into_request() {
                self.tell_service(request(who, asked)?);
            }
        }
        Ok(())
    }

    /// Gives a device an input. Returns what it says to the server.
    fn feed(&mut self, who: ParticipantId, input: Input) -> anyhow::Result<Vec<ToServer>> {
        let now = self.now();
        let session = self.sessions.get_mut(&who).context("nobody is there")?;
        let mut inputs = VecDeque::from([input]);
        let mut says = Vec::new();
        while let Some(input) = inputs.pop_front() {
            session.handle_input(now, input);
            loop {
                match session.poll_output() {
                    Output::Event(Event::Knocks(knocks)) => {
                        let admit = |id| Input::Command(Command::Admit(id));
                        inputs.extend(knocks.into_iter().map(|knock| admit(knock.id)));
                    }
                    Output::Event(_) => {}
                    Output::Send(message) => says.push(message),
                    Output::SignHost(statement) => {
                        inputs.push_back(Input::HostSignature(self.host.sign(&statement)));
                    }
                    Output::Timeout(_) => break,
                }
            }
        }
        Ok(says)
    }

    fn tell_service(&mut self, input: ToService) {
        self.service.handle_input(self.began + self.elapsed, input);
        loop {
            match self.service.poll_output() {
                FromService::Send { to, message } => self.said.push_back((to, message)),
                FromService::Timeout(_) => return,
                FromService::Gate(_) | FromService::Order | FromService::Persist => {}
            }
        }
    }

    fn host_epoch(&self) -> Option<u64> {
        self.sessions.get(&HOST).and_then(Session::epoch)
    }

    const fn now(&self) -> Now {
        Now { at: self.elapsed, unix_s: self.began_unix_s + self.elapsed.as_secs() }
    }
}
