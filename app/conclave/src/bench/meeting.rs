use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use conclave_call_proto::{Call, CallConfig, NodeKey};
use conclave_commit_rules::{Classification, Constitution, Mode, SUITE_DEFAULT};
use conclave_delivery::ProposalKey;
use conclave_e2ee::Setup;
use conclave_link::{HostSeed, LinkKeys, LinkSecret, PolicyDigest, Profile};
use conclave_model::{CallId, MeetingId};

use super::clock::{Clock, Used};
use super::crew::{Crew, Newcomer, Order, ToCrew};
use super::post::{Load, Post};
use super::seen::{Part, Seen, Work};
use super::server::{Server, ToServer};
use crate::meeting::random;

/// Threads that run the devices.
const CREWS: usize = 2;

/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is due in a shorter time than this belongs to what is going on.
const QUIET: Duration = Duration::from_millis(150);

/// A meeting that is measured: a server, devices, and what they report.
///
/// Device 0 is a host, unless the meeting has none.
pub(super) struct Meeting {
    pub(super) clock: Arc<Clock>,
    server: Post<ToServer>,
    crews: Vec<Post<ToCrew>>,
    load: Load,
    seen: Receiver<Seen>,
    threads: Vec<JoinHandle<()>>,
    /// Of the server, then of the crews.
    used: Vec<Arc<Used>>,
    constitution: String,
    meeting: MeetingId,
    keys: LinkKeys,
    host: HostSeed,
    next: usize,
    pub(super) devices: BTreeMap<usize, Standing>,
    /// How many wait to be let in.
    pub(super) knocks: usize,
    pub(super) tally: Tally,
}

/// Where a device is.
#[derive(Default)]
pub(super) struct Standing {
    /// It runs a session; if not, it sleeps.
    pub(super) is_live: bool,
    pub(super) knocked: Option<Duration>,
    /// When it came in.
    pub(super) entered: Option<Duration>,
    /// Its epoch, and since when.
    pub(super) epoch: Option<(u64, Duration)>,
    /// The last epoch that it opened a frame of, and when.
    pub(super) opened: Option<(u64, Duration)>,
}

/// Who comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Who {
    Guest,
    Host,
    /// A guest that goes to sleep when it is let in: it has a leaf, and costs nothing.
    Sleeper,
}

/// What was reported since it was last cleared.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) bytes: BTreeMap<Part, Vec<usize>>,
    pub(super) work: BTreeMap<Work, Vec<Duration>>,
    /// When commits were ordered.
    pub(super) accepted: Vec<Duration>,
    /// How many were refused.
    pub(super) rejected: usize,
    /// When a removal was proposed first.
    pub(super) proposed: Option<Duration>,
}

impl Meeting {
    /// Opens a meeting that nobody is in yet.
    pub(super) fn open(mode: Mode, join_before_host: bool) -> anyhow::Result<Self> {
        let meeting = MeetingId::from_bytes(random()?);
        let seed = || anyhow::Ok(HostSeed::from_bytes(random()?));
        let (host, node, proposals) = (seed()?, seed()?, seed()?);
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: *meeting.as_bytes(),
            suite: SUITE_DEFAULT,
            mode,
            join_before_host,
            host_key: host.public_key(),
            issuers: Vec::new(),
            guests: true,
            node_key: node.public_key(),
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: MAX_MEMBERS,
        };
        let text = constitution.encode()?;
        let clock = Arc::new(Clock::new()?);
        let config = CallConfig::new(
            CallId(1),
            usize::from(MAX_MEMBERS),
            constitution,
            NodeKey::new(None, move |bytes| node.sign(bytes)),
            ProposalKey::new(proposals.public_key(), move |bytes| proposals.sign(bytes)),
            clock.now().unix_s,
        );
        let call = Call::new(config, clock.instant());
        let keys = LinkKeys::derive(&LinkSecret::from_bytes(random()?), &meeting);
        let threads = Threads::start(&clock, call)?;
        let Threads { server, crews, load, seen, handles, used } = threads;
        Ok(Self {
            clock,
            server,
            crews,
            load,
            seen,
            threads: handles,
            used,
            constitution: text,
            meeting,
            keys,
            host,
            next: 0,
            devices: BTreeMap::new(),
            knocks: 0,
            tally: Tally::default(),
        })
    }

    /// Someone comes to the door.
    pub(super) fn enter(&mut self, who: Who) -> anyhow::Result<usize> {
        let device = self.next;
        self.next += 1;
        let setup = Setup {
            constitution: self.constitution.clone(),
            digest: PolicyDigest::of(&self.constitution),
            meeting: self.meeting,
            keys: self.keys.clone(),
            profile: Profile::new(&format!("Person {device}")),
            holds_host_key: who == Who::Host,
            previous: None,
            seed: random()?,
        };
        let host = (who == Who::Host).then(|| self.host.clone());
        let sleeps = who == Who::Sleeper;
        let newcomer = Newcomer { device, setup, host, sleeps };
        self.devices.insert(device, Standing { is_live: !sleeps, ..Standing::default() });
        self.tell(device, ToCrew::Enter(Box::new(newcomer)));
        // From here, so that who comes later has a later number, and a later leaf.
        self.server.send(ToServer::Join { device });
        Ok(device)
    }

    /// Makes a device do something.
    pub(super) fn order(&mut self, device: usize, order: Order) {
        match order {
            Order::Leave => {
                self.devices.remove(&device);
            }
            Order::Sleep => {
                if let Some(standing) = self.devices.get_mut(&device) {
                    standing.is_live = false;
                }
            }
            Order::AdmitAll
            | Order::Admits(_)
            | Order::Deaf(_)
            | Order::OpenMany(_)
            | Order::SealMany { .. }
            | Order::Speak { .. } => {}
        }
        self.tell(device, ToCrew::Order { device, order });
    }

    /// Has the server write down what it would keep over a restart.
    pub(super) fn snapshot(&self) {
        self.server.send(ToServer::Snapshot);
    }

    /// Waits until something is so.
    pub(super) fn wait(&mut self, what: &str, is: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !is(self) {
            match self.seen.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(seen) => self.note(seen)?,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("it takes too long: {what} ({})", self.progress())
                }
                Err(RecvTimeoutError::Disconnected) => bail!("a thread of the meeting is gone"),
            }
        }
        Ok(())
    }

    /// Waits until nothing is going on any more.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.seen.recv_timeout(QUIET) {
                Ok(seen) => self.note(seen)?,
                Err(RecvTimeoutError::Timeout) if self.load.is_none() => return Ok(()),
                Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
                Err(_) => bail!("it takes too long until nothing goes on ({})", self.progress()),
            }
        }
    }

    /// Leaves the pause out that the protocol keeps between commits which let people in.
    pub(super) fn skip(&mut self, time: Duration) -> anyhow::Result<()> {
        self.clock.skip(time);
        self.server.send(ToServer::Wake);
        for crew in &self.crews {
            crew.send(ToCrew::Wake);
        }
        self.settle()
    }

    /// The latest epoch that a device is in.
    pub(super) fn epoch(&self) -> u64 {
        let epochs = self.devices.values().filter_map(|device| device.epoch);
        epochs.map(|(epoch, _)| epoch).max().unwrap_or_default()
    }

    /// Whether all devices are in an epoch, or beyond.
    pub(super) fn all_at(&self, epoch: u64) -> bool {
        self.devices.values().all(|device| device.epoch.is_some_and(|(at, _)| at >= epoch))
    }

    /// Whether all members are in one epoch, and nobody is outside.
    pub(super) fn is_whole(&self) -> bool {
        self.all_at(self.epoch())
    }

    /// How far it is, for whoever has to find out why it goes no further.
    fn progress(&self) -> String {
        let epoch = self.epoch();
        let here = |at: Option<(u64, Duration)>| at.is_some_and(|(at, _)| at >= epoch);
        let there = self.devices.values().filter(|device| here(device.epoch)).count();
        let heard = self.devices.values().filter(|device| here(device.opened)).count();
        let all = self.devices.len();
        let Tally { accepted, rejected, .. } = &self.tally;
        format!(
            "epoch {epoch}: {there} of {all} are in it, {heard} have opened a frame of it; {} commits \
             were ordered and {rejected} refused",
            accepted.len()
        )
    }

    /// When the last of those who run a session came to the epoch in which it is.
    pub(super) fn last_at(&self) -> Duration {
        let live = self.devices.values().filter(|device| device.is_live);
        live.filter_map(|device| device.epoch).map(|(_, at)| at).max().unwrap_or_default()
    }

    /// The devices that run a session.
    pub(super) fn live(&self) -> Vec<usize> {
        let live = self.devices.iter().filter(|(_, device)| device.is_live);
        live.map(|(number, _)| *number).collect()
    }

    /// The processor time that the server has used so far, and that all devices have.
    pub(super) fn used(&self) -> (Duration, Duration) {
        let mut used = self.used.iter().map(|used| used.read());
        (used.next().unwrap_or_default(), used.sum())
    }

    /// Ends the meeting.
    pub(super) fn close(self) -> anyhow::Result<()> {
        self.server.send(ToServer::Stop);
        for crew in &self.crews {
            crew.send(ToCrew::Stop);
        }
        for thread in self.threads {
            thread.join().ok().context("a thread of the meeting panicked")?;
        }
        Ok(())
    }

    fn tell(&self, device: usize, message: ToCrew) {
        if let Some(crew) = self.crews.get(device % CREWS) {
            crew.send(message);
        }
    }

    fn note(&mut self, seen: Seen) -> anyhow::Result<()> {
        let tally = &mut self.tally;
        match seen {
            Seen::Bytes { part, len } => tally.bytes.entry(part).or_default().push(len),
            Seen::Epoch { device, epoch, at } => {
                if let Some(device) = self.devices.get_mut(&device) {
                    device.epoch = Some((epoch, at));
                    device.entered.get_or_insert(at);
                }
            }
            Seen::Failed { device, what } => bail!("device {device} failed: {what}"),
            Seen::Knocked { device, at } => {
                if let Some(device) = self.devices.get_mut(&device) {
                    device.knocked.get_or_insert(at);
                }
            }
            Seen::Knocks(count) => self.knocks = count,
            Seen::Opened { device, epoch, at } => {
                if let Some(device) = self.devices.get_mut(&device) {
                    device.opened = Some((epoch, at));
                }
            }
            Seen::Ordered { is_accepted: true, at } => tally.accepted.push(at),
            Seen::Ordered { is_accepted: false, .. } => tally.rejected += 1,
            Seen::Proposed { at } => {
                tally.proposed.get_or_insert(at);
            }
            Seen::Work { work, cpu } => tally.work.entry(work).or_default().push(cpu),
        }
        Ok(())
    }
}

/// The most devices in a meeting: more than any that is measured here.
const MAX_MEMBERS: u16 = 2000;

struct Threads {
    server: Post<ToServer>,
    crews: Vec<Post<ToCrew>>,
    load: Load,
    seen: Receiver<Seen>,
    handles: Vec<JoinHandle<()>>,
    used: Vec<Arc<Used>>,
}

impl Threads {
    fn start(clock: &Arc<Clock>, call: Call) -> anyhow::Result<Self> {
        let load = Load::default();
        let (server, server_inbox) = channel();
        let server = Post::new(server, &load);
        let (see, seen) = channel();
        let crews = (0..CREWS).map(|_| channel());
        let (crews, inboxes): (Vec<_>, Vec<_>) =
            crews.map(|(crew, inbox)| (Post::new(crew, &load), inbox)).unzip();
        let (handles, used) = (Vec::new(), Vec::new());
        let mut threads = Self { server, crews, load, seen, handles, used };
        let used = threads.used();
        let server = Server {
            call,
            clock: Arc::clone(clock),
            inbox: server_inbox,
            crews: threads.crews.clone(),
            load: threads.load.clone(),
            seen: see.clone(),
            used,
            epoch: 0,
            due: None,
        };
        threads.spawn("server", move || server.run())?;
        for inbox in inboxes {
            let used = threads.used();
            let crew = Crew {
                clock: Arc::clone(clock),
                inbox,
                server: threads.server.clone(),
                crews: threads.crews.clone(),
                load: threads.load.clone(),
                seen: see.clone(),
                used,
                devices: BTreeMap::new(),
                speaker: None,
            };
            threads.spawn("devices", move || crew.run())?;
        }
        Ok(threads)
    }

    fn used(&mut self) -> Arc<Used> {
        let used = Arc::new(Used::default());
        self.used.push(Arc::clone(&used));
        used
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
        let thread = thread::Builder::new().name(name.to_owned());
        self.handles.push(thread.spawn(run).context("no thread can be started")?);
        Ok(())
    }
}
