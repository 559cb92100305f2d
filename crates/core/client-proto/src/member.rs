use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use conclave_commit_rules::CredentialId;
use conclave_e2ee::{
    Command, Dropped, Event, FromServer, Input, KnockId, KnockView, NotSealed, Now, Output, Said,
    Session, Setup, State,
};
use conclave_frame::{Codec, Expected, Opened, Track};
use conclave_link::{HostSeed, Profile};
use conclave_node_statement::{Fault, verify};
use conclave_wire::{Answer, GroupNews, GroupRequest, NodeStatement};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::config::Config;

/// This device's side of the meeting's group: the session and those who ask to come in.
///
/// After each input, what it wants said is in [`requests`](Self::requests), and what it has to
/// tell in [`events`](Self::events).
#[derive(Debug)]
pub(crate) struct Member {
    session: Session,
    seeds: Seeds,
    started_at: Instant,
    started_unix_s: u64,
    host: Option<HostSeed>,
    admits: bool,
    /// The requests to come in that were there when last looked at.
    knocks: BTreeSet<(KnockId, CredentialId)>,
    deadline: Option<Duration>,
    pub(crate) requests: VecDeque<GroupRequest>,
    pub(crate) events: VecDeque<MemberEvent>,
}

/// What a member has to tell.
#[derive(Debug)]
pub(crate) enum MemberEvent {
    Said(Said),
    State(State),
}

impl Member {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let mut seeds = Seeds { seed: config.seed, draws: 0 };
        let unix_s = config.started_unix_s;
        let start = Now { at: Duration::ZERO, unix_s };
        let mut member = Self {
            session: Session::new(setup(config, &mut seeds, None), start),
            seeds,
            started_at: now,
            started_unix_s: unix_s,
            host: config.host.clone(),
            admits: config.admits,
            knocks: BTreeSet::new(),
            deadline: None,
            requests: VecDeque::new(),
            events: VecDeque::new(),
        };
        member.drain(now);
        member
    }

    /// Comes in anew as another device: the server has forgotten this one.
    pub(crate) fn begin_anew(&mut self, config: &Config, now: Instant) {
        let previous = self.session.credential();
        let setup = setup(config, &mut self.seeds, previous);
        self.session = Session::new(setup, self.time(now));
        self.knocks.clear();
        self.drain(now);
    }

    /// The connection to the server is back.
    pub(crate) fn connected(&mut self, now: Instant) {
        self.input(now, Input::Connected);
    }

    pub(crate) fn command(&mut self, now: Instant, command: Command) {
        self.input(now, Input::Command(command));
    }

    /// Takes what the server says of the group. News that is none of the protocol's is dropped.
    pub(crate) fn handle_news(&mut self, now: Instant, news: GroupNews) {
        match FromServer::try_from(news) {
            Ok(message) => self.input(now, Input::Server(message)),
            Err(error) => tracing::warn!(%error, "news of the group cannot be read"),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|at| at <= now) {
            self.input(now, Input::Timeout);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.map(|at| self.started_at + at)
    }

    pub(crate) fn seal(
        &mut self,
        now: Instant,
        track: Track,
        codec: Codec,
        frame: &[u8],
    ) -> Result<Vec<u8>, NotSealed> {
        self.session.seal(self.time(now), track, codec, frame)
    }

    pub(crate) fn open(
        &mut self,
        now: Instant,
        expected: Expected,
        sealed: &[u8],
    ) -> Result<Opened, Dropped> {
        self.session.open(self.time(now), expected, sealed)
    }

    /// What takes this device's call up again; nothing if it has no leaf to sign with.
    pub(crate) fn sign_resume(&self, challenge: &[u8; 32]) -> Option<Vec<u8>> {
        self.session.sign_resume(challenge)
    }

    /// Whether it is in the group.
    pub(crate) fn is_in(&self) -> bool {
        self.session.epoch().is_some()
    }

    pub(crate) const fn session(&self) -> &Session {
        &self.session
    }

    /// Verifies that a media node's answer leads to where the meeting's constitution allows, and that
    /// the ways by which media is relayed are the node's.
    pub(crate) fn verify_node(
        &self,
        now: Instant,
        answer: &Answer,
        relay: &[String],
    ) -> Result<(), Fault> {
        let NodeStatement { text, signature } = &answer.statement;
        let constitution = self.session.constitution().ok_or(Fault::Meeting)?;
        let unix_s = self.time(now).unix_s;
        verify(text, signature.as_bytes(), &answer.sdp, relay, constitution, unix_s)
    }

    /// Where RTP's counters start, of the `generation`th media session.
    pub(crate) fn rtp_seed(&self, generation: u32) -> u64 {
        u64::from_be_bytes(*self.seeds.expand(b"conclave/1 rtp", generation))
    }

    fn input(&mut self, now: Instant, input: Input) {
        self.session.handle_input(self.time(now), input);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => self.handle_event(now, event),
                Output::Send(message) => self.requests.extend(message.into_request()),
                Output::SignHost(statement) => {
                    if let Some(host) = &self.host {
                        let signature = host.sign(&statement);
                        self.session.handle_input(self.time(now), Input::HostSignature(signature));
                    }
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Knocks(knocks) => self.answer(now, &knocks),
            Event::Said(said) => self.events.push_back(MemberEvent::Said(said)),
            Event::State(state) => self.events.push_back(MemberEvent::State(state)),
            Event::NotDone(reason) => tracing::debug!(%reason, "not done"),
            Event::Warning(warning) => tracing::warn!(?warning, "the group"),
            Event::Epoch(_) | Event::KnockRefused(_) => {}
        }
    }

    fn answer(&mut self, now: Instant, knocks: &[KnockView]) {
        if !self.admits {
            return;
        }
        let known = std::mem::take(&mut self.knocks);
        for knock in knocks {
            if !known.contains(&(knock.id, knock.credential)) {
                let admit = Input::Command(Command::Admit(knock.id));
                self.session.handle_input(self.time(now), admit);
            }
            self.knocks.insert((knock.id, knock.credential));
        }
    }

    fn time(&self, now: Instant) -> Now {
        let at = now.saturating_duration_since(self.started_at);
        Now { at, unix_s: self.started_unix_s + at.as_secs() }
    }
}

fn setup(config: &Config, seeds: &mut Seeds, previous: Option<CredentialId>) -> Setup {
    Setup {
        constitution: config.constitution.clone(),
        digest: config.digest,
        meeting: config.meeting,
        keys: config.keys.clone(),
        profile: Profile::new(&config.name),
        holds_host_key: config.host.is_some(),
        previous,
        seed: *seeds.draw(),
    }
}

/// What a participant's random bytes become: one seed for each session, and some more.
struct Seeds {
    seed: [u8; 32],
    draws: u32,
}

impl Seeds {
    /// A seed that no session had.
    fn draw(&mut self) -> Zeroizing<[u8; 32]> {
        self.draws += 1;
        self.expand(b"conclave/1 session seed", self.draws)
    }

    fn expand<const N: usize>(&self, info: &[u8], number: u32) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        Hkdf::<Sha256>::new(None, &self.seed)
            .expand(&[info, &number.to_be_bytes()].concat(), bytes.as_mut_slice())
            .expect("HKDF-SHA-256 gives up to 8160 bytes");
        bytes
    }
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeds(..)")
    }
}

impl Drop for Seeds {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}
