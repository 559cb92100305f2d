use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use conclave_e2ee::{
    Command, Event, FromServer, Input, KnockId, Output, Session, Setup, State, ToServer,
};
use conclave_frame::{Codec, Expected, Leaf, Source, Track};
use conclave_link::HostSeed;
use conclave_wire::{ClientMessage, GroupNews, ServerMessage};

use super::clock::{Clock, cpu};
use super::seen::{Seen, Work};

/// One device: a member's session, or one that has gone to sleep.
pub(super) struct Device {
    number: usize,
    clock: Arc<Clock>,
    /// Nothing, if it sleeps.
    session: Option<Session>,
    host: Option<HostSeed>,
    /// It goes to sleep when it is let in.
    sleeps: bool,
    /// It lets people in as they knock.
    pub(super) admits: bool,
    /// Whom it has not let in.
    knocks: Vec<KnockId>,
    /// It hears nothing.
    pub(super) is_deaf: bool,
    /// When the session wants to be called again.
    pub(super) due: Option<Duration>,
    /// A frame that it cannot open yet.
    early: Option<Frame>,
}

/// What came of an input: messages to the server, and what there is to report.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) says: Vec<String>,
    pub(super) seen: Vec<Seen>,
}

/// A frame of sound, sealed by a member.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) leaf: Leaf,
    pub(super) epoch: u64,
    pub(super) sealed: Vec<u8>,
}

/// The track that frames are of which show who has which keys.
const VOICE: Track = Track::single(Source::Microphone);

impl Device {
    pub(super) fn new(
        number: usize,
        clock: Arc<Clock>,
        setup: Setup,
        host: Option<HostSeed>,
        sleeps: bool,
    ) -> Self {
        Self {
            number,
            session: Some(Session::new(setup, clock.now())),
            clock,
            host,
            sleeps,
            admits: number == 0,
            knocks: Vec::new(),
            is_deaf: false,
            due: None,
            early: None,
        }
    }

    /// Gives up its state; from now on it only says that it follows.
    pub(super) fn sleep(&mut self) {
        self.session = None;
        self.due = None;
        self.early = None;
    }

    /// Takes a message of the server in. `epoch` is the group's, as the server has it.
    pub(super) fn hear(&mut self, text: &str, epoch: u64) -> Outcome {
        let mut outcome = Outcome::default();
        if self.is_deaf {
            return outcome;
        }
        let news = match serde_json::from_str(text) {
            Ok(ServerMessage::Group { news }) => news,
            // What concerns media, or says that it asked too often: it asks again.
            Ok(_) => return outcome,
            Err(error) => {
                outcome.fail(self.number, error.to_string());
                return outcome;
            }
        };
        if self.sleeps && matches!(news, GroupNews::Welcome { .. }) {
            self.sleep();
        }
        if self.session.is_none() {
            if matches!(news, GroupNews::Welcome { .. } | GroupNews::Commit { .. }) {
                let request = conclave_wire::GroupRequest::Ready { epoch };
                outcome.say(&ClientMessage::Group { request });
                let (device, at) = (self.number, self.clock.elapsed());
                outcome.seen.push(Seen::Epoch { device, epoch, at });
            }
            return outcome;
        }
        match FromServer::try_from(news) {
            Ok(message) => self.input(Input::Server(message), &mut outcome),
            Err(error) => outcome.fail(self.number, error.to_string()),
        }
        outcome
    }

    /// The person leaves.
    pub(super) fn leave(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        if self.session.is_none() {
            outcome.say(&ClientMessage::Leave);
        }
        self.input(Input::Command(Command::Leave), &mut outcome);
        outcome
    }

    pub(super) fn handle(&mut self, input: Input) -> Outcome {
        let mut outcome = Outcome::default();
        self.input(input, &mut outcome);
        outcome
    }

    /// Lets in all who knock.
    pub(super) fn admit_all(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        for knock in std::mem::take(&mut self.knocks) {
            self.input(Input::Command(Command::Admit(knock)), &mut outcome);
        }
        outcome
    }

    fn input(&mut self, input: Input, outcome: &mut Outcome) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(session) = &mut self.session else { return };
            let kind = Kind::of(&input);
            let started = cpu();
            session.handle_input(self.clock.now(), input);
            let mut outputs = Vec::new();
            loop {
                match session.poll_output() {
                    Output::Timeout(at) => {
                        self.due = at;
                        break;
                    }
                    output @ (Output::Event(_) | Output::Send(_) | Output::SignHost(_)) => {
                        outputs.push(output);
                    }
                }
            }
            let spent = cpu().saturating_sub(started);
            let mut did = Did::default();
            for output in outputs {
                self.act(output, &mut did, &mut inputs, outcome);
            }
            if let Some(work) = kind.work(&did) {
                outcome.seen.push(Seen::Work { work, cpu: spent });
            }
            if did.epoch {
                self.try_early(outcome);
            }
        }
    }

    fn act(
        &mut self,
        output: Output,
        did: &mut Did,
        inputs: &mut VecDeque<Input>,
        outcome: &mut Outcome,
    ) {
        let device = self.number;
        match output {
            Output::Event(Event::Epoch(epoch)) => {
                did.epoch = true;
                outcome.seen.push(Seen::Epoch { device, epoch, at: self.clock.elapsed() });
            }
            Output::Event(Event::Knocks(knocks)) => {
                outcome.seen.push(Seen::Knocks(knocks.len()));
                let all = knocks.into_iter().map(|knock| knock.id);
                if self.admits {
                    inputs.extend(all.map(|knock| Input::Command(Command::Admit(knock))));
                } else {
                    self.knocks = all.collect();
                }
            }
            Output::Event(Event::State(
                state @ (State::Failed(_)
                | State::Forked(_)
                | State::Refused(_)
                | State::Stranded { .. }
                | State::Suspended(_)),
            )) => outcome.fail(device, format!("{state:?}")),
            Output::Event(_) | Output::Timeout(_) => {}
            Output::SignHost(statement) => {
                if let Some(host) = &self.host {
                    inputs.push_back(Input::HostSignature(host.sign(&statement)));
                }
            }
            Output::Send(message) => {
                did.commit |= matches!(message, ToServer::Commit(_));
                if matches!(message, ToServer::Knock(_)) {
                    did.knock = true;
                    outcome.seen.push(Seen::Knocked { device, at: self.clock.elapsed() });
                }
                let leaves = matches!(message, ToServer::Leave);
                match message.into_request() {
                    Some(request) => outcome.say(&ClientMessage::Group { request }),
                    None if leaves => outcome.say(&ClientMessage::Leave),
                    None => {}
                }
            }
        }
    }

    /// Seals a frame, once its keys are those of a later epoch than `after`.
    pub(super) fn speak(&mut self, after: u64) -> Option<Frame> {
        let session = self.session.as_mut()?;
        let epoch = session.sending_epoch().filter(|epoch| *epoch > after)?;
        let leaf = Leaf::try_from(session.own_leaf()?).ok()?;
        let sealed = session.seal(self.clock.now(), VOICE, Codec::Opus, b"can you hear me").ok()?;
        Some(Frame { leaf, epoch, sealed })
    }

    /// Tries to open a member's frame; keeps it if the keys are not there yet, or it is not in yet.
    pub(super) fn listen(&mut self, frame: Frame) -> Option<Seen> {
        let session = self.session.as_mut()?;
        if session.own_leaf() == Some(u32::from(frame.leaf.index())) {
            return None;
        }
        let expected = Expected { leaf: frame.leaf, source: VOICE.source, codec: Codec::Opus };
        if session.open(self.clock.now(), expected, &frame.sealed).is_err() {
            self.early = Some(frame);
            return None;
        }
        Some(Seen::Opened { device: self.number, epoch: frame.epoch, at: self.clock.elapsed() })
    }

    fn try_early(&mut self, outcome: &mut Outcome) {
        if let Some(frame) = self.early.take() {
            outcome.seen.extend(self.listen(frame));
        }
    }

    /// Seals as many frames of so many bytes as there shall be.
    pub(super) fn seal_many(&mut self, kind: Sealed, count: usize) -> Option<Sample> {
        let session = self.session.as_mut()?;
        let leaf = Leaf::try_from(session.own_leaf()?).ok()?;
        let (track, codec, frame) = kind.frame();
        let started = cpu();
        let frames: Result<Vec<_>, _> =
            (0..count).map(|_| session.seal(self.clock.now(), track, codec, &frame)).collect();
        let each = cpu().saturating_sub(started) / u32::try_from(count).unwrap_or(1).max(1);
        Some(Sample { kind, leaf, frames: frames.ok()?, each })
    }

    /// Opens what another has sealed; how long each took.
    pub(super) fn open_many(&mut self, sample: &Sample) -> Option<Duration> {
        let session = self.session.as_mut()?;
        let (track, codec, _) = sample.kind.frame();
        let expected = Expected { leaf: sample.leaf, source: track.source, codec };
        let started = cpu();
        for frame in &sample.frames {
            session.open(self.clock.now(), expected, frame).ok()?;
        }
        let count = u32::try_from(sample.frames.len()).unwrap_or(1).max(1);
        Some(cpu().saturating_sub(started) / count)
    }
}

/// A kind of frame, of a usual size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sealed {
    /// 6,000 bytes: 1.5 Mbit/s at 30 frames a second.
    Picture,
    /// 120 bytes: 48 kbit/s at 50 frames a second.
    Sound,
}

impl Sealed {
    /// Bytes of a frame.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Picture => 6000,
            Self::Sound => 120,
        }
    }

    fn frame(self) -> (Track, Codec, Vec<u8>) {
        let (source, codec) = match self {
            Self::Picture => (Source::Camera, Codec::Vp8),
            Self::Sound => (Source::Microphone, Codec::Opus),
        };
        (Track::single(source), codec, vec![1; self.len()])
    }

    pub(super) const fn seal_work(self) -> Work {
        match self {
            Self::Picture => Work::SealPicture,
            Self::Sound => Work::SealSound,
        }
    }

    pub(super) const fn open_work(self) -> Work {
        match self {
            Self::Picture => Work::OpenPicture,
            Self::Sound => Work::OpenSound,
        }
    }
}

/// Frames that one device sealed, for another to open.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) kind: Sealed,
    leaf: Leaf,
    frames: Vec<Vec<u8>>,
    pub(super) each: Duration,
}

impl Outcome {
    fn say(&mut self, message: &ClientMessage) {
        self.says.extend(serde_json::to_string(message));
    }

    fn fail(&mut self, device: usize, what: String) {
        self.seen.push(Seen::Failed { device, what });
    }
}

/// What a session did on one input.
#[derive(Default)]
struct Did {
    epoch: bool,
    commit: bool,
    knock: bool,
}

/// What a session was told.
#[derive(Clone, Copy)]
enum Kind {
    Accepted,
    Commit,
    Group,
    Log,
    Other,
    Welcome,
}

impl Kind {
    fn of(input: &Input) -> Self {
        let Input::Server(message) = input else { return Self::Other };
        match message {
            FromServer::Accepted(_) => Self::Accepted,
            FromServer::Commit(_) => Self::Commit,
            FromServer::GroupInfo { .. } => Self::Group,
            FromServer::Log(_) => Self::Log,
            FromServer::Welcome { .. } => Self::Welcome,
            FromServer::AllReady(_)
            | FromServer::App(_)
            | FromServer::Denied
            | FromServer::Ended
            | FromServer::FoundLost
            | FromServer::Founded
            | FromServer::Knock(..)
            | FromServer::KnockAgain
            | FromServer::KnockGone(_)
            | FromServer::Meeting { .. }
            | FromServer::Proposal(_)
            | FromServer::Rejected(_)
            | FromServer::Voided(_) => Self::Other,
        }
    }

    /// What it was, if it is a step that is timed.
    const fn work(self, did: &Did) -> Option<Work> {
        Some(match (self, did.epoch, did.commit) {
            (Self::Accepted, true, _) => Work::Confirm,
            (Self::Commit, true, _) => Work::Follow,
            (Self::Group, _, true) => Work::ComeAlone,
            (Self::Log, true, _) => Work::ReadLog,
            (Self::Welcome, true, _) => Work::Enter,
            (_, _, true) => Work::Commit,
            (_, _, false) if did.knock => Work::Knock,
            (_, _, false) => return None,
        })
    }
}
