//! The clients' process: lets clients join, send and receive, and counts.

use std::collections::VecDeque;
use std::process::id as own_process;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use str0m::media::Direction;

use super::client::{Client, nanoseconds_since};
use super::control::{Event, Request};
use super::line::{Line, Way};
use super::measured::{Entry, Measured, Pinned, Totals};
use super::server_process::ServerProcess;
use crate::bench::cores::pin;
use crate::bench::process;
use crate::serve::say;

/// What is sent, to how many, and for how long.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::bench) struct Load {
    /// Clients that publish a camera.
    #[arg(long)]
    pub(in crate::bench) publishers: u32,
    /// Clients that show one of the cameras each.
    #[arg(long)]
    pub(in crate::bench) subscribers: u32,
    /// How long it is measured.
    #[arg(long)]
    pub(in crate::bench) seconds: u32,
    /// Frames that a camera sends in a second.
    #[arg(long)]
    pub(in crate::bench) fps: u32,
    /// Packets of a frame.
    #[arg(long)]
    pub(in crate::bench) burst: u32,
    /// The subscribers' way to the server, which then has a TURN server beside it.
    #[arg(long)]
    pub(in crate::bench) way: Option<Way>,
}

/// The clients, all on this thread, and their server.
struct Crowd {
    load: Load,
    server: ServerProcess,
    /// Whether this process is bound to its processor core.
    pinned: bool,
    epoch: Instant,
    /// The publishers come first. A client's number is its place.
    clients: Vec<Client>,
    connected: usize,
    /// Ways through the TURN server, for subscribers that are still to come.
    lines: VecDeque<Line>,
    /// What the server last told of itself.
    server_figures: ServerFigures,
    /// When each publisher sends its next frame; empty while none does.
    frames_due: Vec<Instant>,
}

/// What the server has done since it started.
#[derive(Clone, Copy, Debug, Default)]
struct ServerFigures {
    packets_forwarded: u64,
    system_calls: u64,
}

/// What is read at both ends of a measurement.
struct Reading {
    at: Instant,
    server_cpu: Duration,
    clients_cpu: Duration,
    /// Up to a second old.
    server_figures: ServerFigures,
    sent: u64,
}

/// How often the sockets are looked at. A subscriber's packet waits up to so long to be seen; the
/// clients sleep meanwhile, so that the server need not wake them for every packet.
const LOOK: Duration = Duration::from_micros(200);

/// Clients that may be on their way in at a time.
const JOINING: usize = 10;

/// How long all joins, and warming up, may take.
const JOIN_PATIENCE: Duration = Duration::from_secs(60);
const WARM_UP_PATIENCE: Duration = Duration::from_secs(20);

/// Subscribers are warm when they got everything in so many periods after each other.
const WARM_UP_PERIOD: Duration = Duration::from_millis(500);
const WARM_PERIODS: u32 = 4;

/// How long what was sent may still arrive, retransmissions included.
const LAST_ARRIVALS: Duration = Duration::from_millis(300);

/// A subscriber that gets this share of what is sent is warm.
const WARM_SHARE: f64 = 0.99;

/// Measures, and writes the figures as a line of JSON.
pub(in crate::bench) fn run(load: &Load) -> anyhow::Result<()> {
    // Before this process is bound to a core: its children would be, too.
    let server = match load.way {
        Some(_) => ServerProcess::start_with_turn(load.subscribers)?,
        None => ServerProcess::start()?,
    };
    let pinned = pin(process::CLIENTS_CORE);
    let mut crowd = Crowd::new(*load, server, pinned);

    crowd.join_all(load.publishers)?;
    let idle_kb = crowd.server.resident_kb()?;
    let allocation = crowd.allocate()?;
    let join = crowd.join_subscribers()?;
    let warm_up = crowd.warm_up()?;
    let mut measured = crowd.measure(join)?;

    let grown = crowd.server.resident_kb()? - idle_kb;
    measured.allocation = allocation;
    measured.loaded_kb_per_subscriber = grown / f64::from(load.subscribers);
    measured.warm_up_seconds = warm_up.map(|took| took.as_secs_f64());
    if warm_up.is_none() {
        measured.void.push("some subscribers never got everything".to_owned());
    }
    say(&serde_json::to_string(&measured)?)
}

impl ServerFigures {
    /// Calls of the system for each packet that was forwarded since; nothing if none was.
    fn system_calls_since(self, before: Self) -> Option<f64> {
        let packets = self.packets_forwarded - before.packets_forwarded;
        let calls = self.system_calls - before.system_calls;
        (packets > 0).then(|| calls as f64 / packets as f64)
    }
}

impl Load {
    /// This load as arguments of the process that makes it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let Self { publishers, subscribers, seconds, fps, burst, way } = self;
        let options = [
            ("publishers", publishers),
            ("subscribers", subscribers),
            ("seconds", seconds),
            ("fps", fps),
            ("burst", burst),
        ];
        let options = options.map(|(name, value)| format!("--{name}={value}"));
        options.into_iter().chain(way.map(|way| format!("--way={}", way.word()))).collect()
    }

    /// The time between two frames of a camera.
    fn frame_time(&self) -> Duration {
        Duration::from_secs(1) / self.fps
    }

    /// The packets that a subscriber should get in this time.
    pub(super) fn packets_in(&self, time: Duration) -> f64 {
        time.as_secs_f64() * f64::from(self.fps) * f64::from(self.burst)
    }

    fn is_publisher(&self, client: u32) -> bool {
        client < self.publishers
    }
}

impl Crowd {
    fn new(load: Load, server: ServerProcess, pinned: bool) -> Self {
        let epoch = Instant::now();
        Self {
            load,
            server,
            pinned,
            epoch,
            clients: Vec::new(),
            connected: 0,
            lines: VecDeque::new(),
            server_figures: ServerFigures::default(),
            frames_due: Vec::new(),
        }
    }

    /// Gets each subscriber its own way through the TURN server, if they are to be relayed. One
    /// after the other, so that what is measured is not a crowd's.
    fn allocate(&mut self) -> anyhow::Result<Option<Entry>> {
        let Some(way @ (Way::Tcp | Way::Udp)) = self.load.way else { return Ok(None) };
        let allocating = self.entry(|crowd| {
            for relay in &crowd.server.turn {
                crowd.lines.push_back(Line::relayed(relay, way, crowd.server.address)?);
            }
            Ok(())
        });
        allocating.map(Some)
    }

    /// Lets the subscribers join. Publishers are in by then, so that what the first join of all
    /// costs is left out.
    fn join_subscribers(&mut self) -> anyhow::Result<Entry> {
        let Load { publishers, subscribers, .. } = self.load;
        self.entry(|crowd| crowd.join_all(publishers + subscribers))
    }

    /// What a step of all subscribers costs the server.
    fn entry(
        &mut self,
        step: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Entry> {
        let (before, kb_before) = (self.read()?, self.server.resident_kb()?);
        step(self)?;
        let (after, kb_after) = (self.read()?, self.server.resident_kb()?);

        let each = f64::from(self.load.subscribers);
        let cpu = after.server_cpu.saturating_sub(before.server_cpu);
        Ok(Entry {
            all_ms: (after.at - before.at).as_secs_f64() * 1000.0,
            cpu_ms_each: cpu.as_secs_f64() * 1000.0 / each,
            kb_each: (kb_after - kb_before) / each,
        })
    }

    /// Lets clients join until there are so many, and waits until all are connected.
    fn join_all(&mut self, wanted: u32) -> anyhow::Result<()> {
        let deadline = Instant::now() + JOIN_PATIENCE;
        while self.connected < wanted as usize {
            let joined = self.clients.len();
            if joined < wanted as usize && joined - self.connected < JOINING {
                self.join(u32::try_from(joined)?)?;
            }
            self.turn()?;
            let (connected, in_time) = (self.connected, Instant::now() < deadline);
            anyhow::ensure!(in_time, "only {connected} of {wanted} clients are connected");
        }
        Ok(())
    }

    fn join(&mut self, client: u32) -> anyhow::Result<()> {
        let publishes = self.load.is_publisher(client);
        let direction = if publishes { Direction::SendOnly } else { Direction::RecvOnly };
        let line = if publishes { None } else { self.lines.pop_front() };
        let line = line.map_or_else(|| Line::direct(self.server.address), Ok)?;
        let (new, sdp) = Client::over(line, self.server.address, direction, self.epoch)?;
        let mid = conclave_model::Mid::new(&new.mid()).context("a strange media section")?;
        self.clients.push(new);
        self.server.ask(&Request::Offer { client, sdp })?;
        self.server.ask(&if publishes {
            Request::Publish { client, camera: Some(mid), microphone: None }
        } else {
            Request::Show { client, publisher: client % self.load.publishers }
        })
    }

    /// Lets the publishers send until all subscribers get everything, and returns how long that
    /// took; nothing if some never did.
    fn warm_up(&mut self) -> anyhow::Result<Option<Duration>> {
        let began = Instant::now();
        // One after the other within the time of a frame, as cameras that know nothing of each
        // other.
        let stagger = self.load.frame_time() / self.load.publishers;
        self.frames_due = (0..self.load.publishers).map(|place| began + stagger * place).collect();

        let mut warm = 0;
        while warm < WARM_PERIODS {
            if began.elapsed() > WARM_UP_PATIENCE {
                return Ok(None);
            }
            let before = self.received();
            let period_began = Instant::now();
            self.go_on_for(WARM_UP_PERIOD)?;
            let full = self.load.packets_in(period_began.elapsed()) * WARM_SHARE;
            let after = self.received();
            // A frame more or less may fall into the period.
            let slack = u64::from(self.load.burst);
            let all =
                before.iter().zip(after).all(|(then, now)| (now - then + slack) as f64 > full);
            warm = if all { warm + 1 } else { 0 };
        }
        Ok(Some(began.elapsed()))
    }

    fn measure(&mut self, join: Entry) -> anyhow::Result<Measured> {
        let before = self.read()?;
        let now = nanoseconds_since(self.epoch);
        self.clients.iter_mut().for_each(|client| client.tally.open(now));
        self.go_on_for(Duration::from_secs(self.load.seconds.into()))?;
        let now = nanoseconds_since(self.epoch);
        self.clients.iter_mut().for_each(|client| client.tally.close(now));
        let after = self.read()?;
        self.go_on_for(LAST_ARRIVALS)?;
        let totals = self.totals(&before, &after);
        let pinned = Pinned { server: self.server.pinned, clients: self.pinned };
        Ok(Measured::new(&self.load, totals, join, pinned))
    }

    /// What the subscribers counted, and what was used meanwhile.
    fn totals(&mut self, before: &Reading, after: &Reading) -> Totals {
        let sum = |of: fn(&Client) -> u64| self.clients.iter().map(of).sum();
        let (delivered, lost) =
            (sum(|client| client.tally.delivered), sum(|client| client.tally.lost()));
        let bytes = sum(|client| client.tally.bytes);
        let tallies = self.clients.iter_mut().map(|client| &mut client.tally);
        Totals {
            time: after.at - before.at,
            server_cpu: after.server_cpu.saturating_sub(before.server_cpu),
            clients_cpu: after.clients_cpu.saturating_sub(before.clients_cpu),
            system_calls_per_packet: after.server_figures.system_calls_since(before.server_figures),
            sent: after.sent - before.sent,
            delivered,
            lost,
            bytes,
            delays_us: tallies.flat_map(|tally| std::mem::take(&mut tally.delays_us)).collect(),
        }
    }

    /// Goes on for a while.
    fn go_on_for(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn()?;
        }
        Ok(())
    }

    /// Does all that is due, and sleeps until the sockets are to be looked at again.
    fn turn(&mut self) -> anyhow::Result<()> {
        while let Some(event) = self.server.hear() {
            self.handle(event)?;
        }
        self.send_frames()?;
        for place in 0..self.clients.len() {
            // Frames are on time even while many packets come in.
            self.send_frames()?;
            if let Some(client) = self.clients.get_mut(place) {
                client.turn(Instant::now())?;
            }
        }
        let next = self.frames_due.iter().min().copied();
        let until_next = next.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
        thread::sleep(until_next.min(LOOK));
        Ok(())
    }

    fn handle(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Answer { client, sdp } => {
                let client = self.clients.get_mut(client as usize);
                client.context("an answer to nobody")?.accept(&sdp)
            }
            Event::Connected { .. } => {
                self.connected += 1;
                Ok(())
            }
            Event::Figures { packets_forwarded, system_calls, .. } => {
                self.server_figures = ServerFigures { packets_forwarded, system_calls };
                Ok(())
            }
            Event::Counted(_) => Ok(()),
            Event::Failed { client, detail } => anyhow::bail!("client {client}: {detail}"),
            Event::Ready { .. } => anyhow::bail!("the server is ready twice"),
        }
    }

    fn send_frames(&mut self) -> anyhow::Result<()> {
        let Load { burst, fps, .. } = self.load;
        let frame_time = self.load.frame_time();
        for (due, publisher) in self.frames_due.iter_mut().zip(&mut self.clients) {
            let late = Instant::now().checked_duration_since(*due);
            let Some(late) = late else { continue };
            publisher.send_frame(burst, fps)?;
            // Frames that were missed are left out, and void the row.
            *due += frame_time * (1 + (late.as_nanos() / frame_time.as_nanos()) as u32);
        }
        Ok(())
    }

    fn received(&self) -> Vec<u64> {
        let subscribers = self.clients.iter().skip(self.load.publishers as usize);
        subscribers.map(|client| client.tally.received).collect()
    }

    fn read(&self) -> anyhow::Result<Reading> {
        Ok(Reading {
            at: Instant::now(),
            server_cpu: self.server.cpu()?,
            clients_cpu: process::cpu(own_process())?,
            server_figures: self.server_figures,
            sent: self.clients.iter().map(|client| client.camera.packets()).sum(),
        })
    }
}
