mod act;
pub(crate) mod again;
mod enter;
mod follow;
mod hear;
mod member;
mod show;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use conclave_commit_rules::{Constitution, CredentialId, Order};
use conclave_frame::{Codec, Expected, Opened, Track};
use conclave_link::{LinkKeys, PolicyDigest, Profile};
use conclave_mls::{Device, Former, Group, Rejoining, SafetyCode, ServerKey};
use conclave_model::MeetingId;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::admission::KnockView;
use crate::epoch::{Dropped, NotSealed};
use crate::input::{Command, FromServer, Input, Now};
use crate::output::{End, Event, NotDone, Output, State, ToServer};
use crate::roster::Person;
use crate::shield::{Shield, ShieldLevel};
use crate::verify::{Failure, constitution};
use member::Member;

/// What a session begins with.
pub struct Setup {
    /// The policy's text, as the server shows it.
    pub constitution: String,
    /// The policy's digest in the link.
    pub digest: PolicyDigest,
    /// The meeting.
    pub meeting: MeetingId,
    /// What is derived from the link's secret.
    pub keys: LinkKeys,
    /// The name to come in under.
    pub profile: Profile,
    /// Whether the shell can have the host key sign.
    pub holds_host_key: bool,
    /// The stay before a reload: a host removes the leaf that it left.
    pub previous: Option<CredentialId>,
    /// Fresh random bytes. Never the same for two sessions.
    pub seed: [u8; 32],
}

/// A member's session.
///
/// It reads no clock and sends nothing. After every [`handle_input`](Self::handle_input), call
/// [`poll_output`](Self::poll_output) until it returns [`Output::Timeout`]; then wait for that
/// time or the next input, whichever is first. Nothing of it is ever stored: after a reload, a new
/// session comes in as a new leaf.
pub struct Session {
    setup: Setup,
    constitution: Option<Constitution>,
    /// The meeting as the server describes it.
    meeting: Option<Meeting>,
    draws: u32,
    /// How often it came in vain in a row.
    tries: u32,
    /// The stay before, if the server lost step with it: whoever let this device in need not be
    /// asked again.
    former: Option<Former>,
    /// Before this, it does not come in alone.
    not_before: Duration,
    /// When it last asked the server for what it waits for.
    asked_at: Duration,
    phase: Phase,
    shown: State,
    now: Now,
    out: VecDeque<Output>,
}

/// The meeting as the server describes it.
#[derive(Clone, Copy)]
struct Meeting {
    /// The key that removals are proposed with.
    server: ServerKey,
    has_group: bool,
    has_admitter: bool,
}

enum Phase {
    /// Its external commit was sent.
    Coming(Box<Coming>),
    Ended(End),
    Failed(Failure),
    Founding(Box<Group>),
    In(Box<Member>),
    Knocking(Box<Knocking>),
    /// It waits for the host key's signature.
    Proving(Box<Device>),
    Removed,
    /// It waits for the server's description of the meeting.
    Start,
}

/// A device at the door. A host's waits for the group's description only; others wait for an
/// admitter too.
struct Knocking {
    device: Device,
    key_package: Vec<u8>,
    /// When it asks for the group's description, if it may come in alone.
    ask_at: Duration,
    /// Whether it has asked.
    asked: bool,
}

struct Coming {
    rejoining: Rejoining,
    /// The device that knocks meanwhile: whichever comes in first, the server lets the other not.
    knocking: Option<Knocking>,
}

impl Session {
    /// Begins a session. A policy that is not the link's is a state of it.
    pub fn new(setup: Setup, now: Now) -> Self {
        let read = constitution(&setup.constitution, setup.digest, &setup.meeting);
        let (constitution, phase) = match read {
            Ok(constitution) => (Some(constitution), Phase::Start),
            Err(fault) => (None, Phase::Failed(Failure::Constitution(fault))),
        };
        let mut session = Self {
            setup,
            constitution,
            meeting: None,
            draws: 0,
            tries: 0,
            former: None,
            not_before: Duration::ZERO,
            asked_at: now.at,
            phase,
            shown: State::Connecting,
            now,
            out: VecDeque::new(),
        };
        session.show_state();
        session
    }

    /// Takes one input.
    pub fn handle_input(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Command(command) => self.command(command),
            Input::Connected => self.connected(),
            Input::HostSignature(signature) => self.proved(signature),
            Input::Server(message) => self.server(message),
            Input::Timeout => {}
        }
        self.handle_timeout();
        self.show_state();
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        if let Phase::In(member) = &mut self.phase
            && let Some(output) = member.out.pop_front()
        {
            return output;
        }
        Output::Timeout(self.deadline())
    }

    /// Where it is.
    pub const fn state(&self) -> &State {
        &self.shown
    }

    /// This device's credential in the group, for [`Setup::previous`].
    pub fn credential(&self) -> Option<CredentialId> {
        let member = self.member()?;
        member.roster.people().get(&member.own_leaf()).map(|person| person.credential)
    }

    /// This device's leaf.
    pub fn own_leaf(&self) -> Option<u32> {
        self.member().map(Member::own_leaf)
    }

    /// The policy that the link names; nothing if the server shows another.
    pub const fn constitution(&self) -> Option<&Constitution> {
        self.constitution.as_ref()
    }

    /// Who asks to come in, for those who may let them in.
    pub fn knocks(&self) -> Vec<KnockView> {
        self.member().map(Member::knocks).unwrap_or_default()
    }

    /// Signs the server's challenge with the key of this device's leaf, to go on as the same
    /// participant on another connection. Nothing if there is no device: then it must join anew.
    pub fn sign_resume(&self, challenge: &[u8; 32]) -> Option<Vec<u8>> {
        match &self.phase {
            Phase::Coming(coming) => match &coming.knocking {
                Some(knocking) => knocking.device.sign_resume(challenge),
                None => coming.rejoining.sign_resume(challenge),
            },
            Phase::Proving(device) => device.sign_resume(challenge),
            Phase::Founding(group) => group.sign_resume(challenge),
            Phase::In(member) => member.group.sign_resume(challenge),
            Phase::Knocking(knocking) => knocking.device.sign_resume(challenge),
            Phase::Ended(_) | Phase::Failed(_) | Phase::Removed | Phase::Start => None,
        }
    }

    /// The epoch.
    pub fn epoch(&self) -> Option<u64> {
        self.member().map(|member| member.group.epoch())
    }

    /// The epoch that media is sealed in: behind [`epoch`](Self::epoch) for a moment.
    pub fn sending_epoch(&self) -> Option<u64> {
        self.member().and_then(|member| member.media.sending_epoch())
    }

    /// The members by leaf, as the group's tree has them.
    pub fn roster(&self) -> Option<&BTreeMap<u32, Person>> {
        self.member().map(|member| member.roster.people())
    }

    /// What hosts decided.
    pub fn order(&self) -> Option<&Order> {
        self.member().map(|member| &member.order)
    }

    /// What people read to each other. It changes with each epoch: lock first.
    pub fn safety_code(&self) -> Option<SafetyCode> {
        self.member().map(|member| member.group.safety_code())
    }

    /// What can be said of the call's protection.
    pub fn shield(&self) -> Shield {
        self.member().map_or_else(
            || Shield { level: ShieldLevel::None, based_on: Vec::new(), not_covered: Vec::new() },
            |member| member.shield(self.now),
        )
    }

    /// Seals an encoded frame.
    ///
    /// # Errors
    ///
    /// The frame is to be dropped: nothing readable may be sent in its place.
    pub fn seal(
        &mut self,
        now: Now,
        track: Track,
        codec: Codec,
        frame: &[u8],
    ) -> Result<Vec<u8>, NotSealed> {
        let Phase::In(member) = &mut self.phase else { return Err(NotSealed::NotInGroup) };
        if !member.may_send(now.at) {
            return Err(NotSealed::Stopped);
        }
        member.media.seal(now.at, track, codec, frame)
    }

    /// Opens a frame that came in the slot of `expected`.
    ///
    /// After a removal senders change keys at once, so a frame may be quicker than the commit that
    /// it needs: one of a later epoch may be held for a moment and tried again.
    ///
    /// # Errors
    ///
    /// The frame is to be dropped; it is [counted](Self::drops).
    pub fn open(&mut self, now: Now, expected: Expected, sealed: &[u8]) -> Result<Opened, Dropped> {
        let Phase::In(member) = &mut self.phase else { return Err(Dropped::NotInGroup) };
        member.media.open(now.at, expected, sealed)
    }

    /// How many frames were dropped, by reason.
    pub fn drops(&self) -> BTreeMap<Dropped, u64> {
        self.member().map(|member| member.media.drops().clone()).unwrap_or_default()
    }

    fn member(&self) -> Option<&Member> {
        match &self.phase {
            Phase::In(member) => Some(member),
            Phase::Coming(_)
            | Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Founding(_)
            | Phase::Knocking(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => None,
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Leave => {
                self.out.push_back(Output::Send(ToServer::Leave));
                self.phase = Phase::Ended(End::Left);
            }
            Command::Rejoin => {
                if self.may_rejoin() {
                    // A person wants it: people decide on it.
                    self.former = None;
                    self.begin();
                } else {
                    self.out.push_back(Output::Event(Event::NotDone(NotDone::NotNow)));
                }
            }
            command @ (Command::Admit(_)
            | Command::Appoint(..)
            | Command::CodeCompared
            | Command::Deny(_)
            | Command::Kick(_)
            | Command::Lock(_)
            | Command::Mute(..)
            | Command::Raise(_)
            | Command::Say(_)) => match &mut self.phase {
                Phase::In(member) => member.command(self.now, command),
                Phase::Coming(_)
                | Phase::Ended(_)
                | Phase::Failed(_)
                | Phase::Founding(_)
                | Phase::Knocking(_)
                | Phase::Proving(_)
                | Phase::Removed
                | Phase::Start => {
                    self.out.push_back(Output::Event(Event::NotDone(NotDone::NotNow)));
                }
            },
        }
    }

    /// Only who is out, or cannot go on, comes in anew; and never under another policy.
    fn may_rejoin(&self) -> bool {
        match self.current_state() {
            State::Failed(Failure::Constitution(_))
            | State::CatchingUp { .. }
            | State::ComingIn
            | State::Connecting
            | State::Founding
            | State::InGroup
            | State::Knocking
            | State::ProvingHost
            | State::WaitingForHost => false,
            State::Ended(_)
            | State::Failed(_)
            | State::Forked(_)
            | State::Refused(_)
            | State::Removed
            | State::Stranded { .. }
            | State::Suspended(_) => true,
        }
    }

    fn handle_timeout(&mut self) {
        match &mut self.phase {
            Phase::In(member) => {
                member.handle_timeout(self.now);
                if member.is_removed {
                    self.phase = Phase::Removed;
                }
            }
            Phase::Coming(_) | Phase::Founding(_) | Phase::Knocking(_) => self.door_timeout(),
            Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => {}
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::In(member) => member.deadline(self.now.at),
            Phase::Coming(_) | Phase::Founding(_) | Phase::Knocking(_) => self.door_deadline(),
            Phase::Ended(_)
            | Phase::Failed(_)
            | Phase::Proving(_)
            | Phase::Removed
            | Phase::Start => None,
        }
    }

    fn current_state(&self) -> State {
        match &self.phase {
            Phase::Coming(_) => State::ComingIn,
            Phase::Ended(end) => State::Ended(*end),
            Phase::Failed(failure) => State::Failed(*failure),
            Phase::Founding(_) => State::Founding,
            Phase::In(member) => member.state(self.now.at),
            Phase::Knocking(knocking) if knocking.device.is_host() => State::ComingIn,
            Phase::Knocking(_) if !self.has_group() => State::WaitingForHost,
            Phase::Knocking(_) => State::Knocking,
            Phase::Proving(_) => State::ProvingHost,
            Phase::Removed => State::Removed,
            Phase::Start => State::Connecting,
        }
    }

    fn show_state(&mut self) {
        let state = self.current_state();
        if state != self.shown {
            self.shown = state.clone();
            self.out.push_back(Output::Event(Event::State(state)));
        }
    }

    /// Fresh bytes of the seed, never the same twice.
    fn draw<const N: usize>(&mut self) -> Zeroizing<[u8; N]> {
        self.draws += 1;
        let mut bytes = Zeroizing::new([0; N]);
        let info = [b"conclave/1 session".as_slice(), &self.draws.to_be_bytes()].concat();
        Hkdf::<Sha256>::new(None, &self.setup.seed)
            .expand(&info, bytes.as_mut_slice())
            .expect("HKDF-SHA-256 gives up to 8160 bytes");
        bytes
    }

    fn fail(&mut self, failure: Failure) {
        self.phase = Phase::Failed(failure);
    }

    fn server(&mut self, message: FromServer) {
        match message {
            FromServer::Ended => self.phase = Phase::Ended(End::Over),
            FromServer::Denied => self.denied(),
            FromServer::Founded => self.founded(),
            FromServer::FoundLost => self.found_lost(),
            FromServer::GroupInfo { info, tree } => self.come_in(&info, &tree),
            FromServer::KnockAgain => self.knock_again(),
            FromServer::Meeting { server, has_group, has_admitter } => {
                self.meeting(Meeting { server, has_group, has_admitter });
            }
            FromServer::Welcome { welcome, tree } => self.welcomed(&welcome, &tree),
            FromServer::Accepted(epoch) if matches!(self.phase, Phase::Coming(_)) => {
                self.came_in(epoch);
            }
            FromServer::Rejected(epoch) if matches!(self.phase, Phase::Coming(_)) => {
                self.come_again(epoch);
            }
            message @ (FromServer::Accepted(_)
            | FromServer::AllReady(_)
            | FromServer::App(_)
            | FromServer::Commit(_)
            | FromServer::Knock(..)
            | FromServer::KnockGone(_)
            | FromServer::Log(_)
            | FromServer::Proposal(_)
            | FromServer::Rejected(_)
            | FromServer::Voided(_)) => {
                if let Phase::In(member) = &mut self.phase {
                    member.server(self.now, message);
                }
            }
        }
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("state", &self.shown).finish_non_exhaustive()
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Setup(..)")
    }
}
