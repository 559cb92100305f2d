//! The clients' process: has a crowd come in, speak and listen, and counts.

use std::process::id as own_process;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::client::{Client, Role};
use super::measured::{Measured, Totals};
use crate::bench::cores::pin;
use crate::bench::media::client::nanoseconds_since;
use crate::bench::media::control::{Event, Request};
use crate::bench::media::server_process::ServerProcess;
use crate::bench::process;
use crate::serve::say;

/// Who comes, and for how long.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::bench) struct Load {
    /// Clients that listen.
    #[arg(long)]
    pub(super) listeners: u32,
    /// How many of them open what they get.
    #[arg(long)]
    pub(super) opening: u32,
    /// Clients that speak, one after the other.
    #[arg(long)]
    pub(super) publishers: u32,
    /// How many of them show themselves.
    #[arg(long)]
    pub(super) cameras: u32,
    /// Pictures in a second.
    #[arg(long)]
    pub(super) fps: u32,
    /// Packets of a picture.
    #[arg(long)]
    pub(super) burst: u32,
    /// How long it is measured.
    #[arg(long)]
    pub(super) seconds: u32,
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
    server_figures: ServerFigures,
    /// When there is sound next, and the next picture of each camera; nothing before it begins.
    sound_due: Option<Instant>,
    pictures_due: Vec<Instant>,
    /// When all sockets are looked at next.
    sweep_at: Instant,
}

/// What the server told of itself.
#[derive(Clone, Copy, Debug, Default)]
struct ServerFigures {
    packets_forwarded: u64,
    longest_turn: Duration,
}

/// What is read at both ends of a measurement.
struct Reading {
    at: Instant,
    server_cpu: Duration,
    clients_cpu: Duration,
}

/// The time of a packet of sound.
const SOUND_TIME: Duration = Duration::from_millis(20);

/// How long one speaks before the next one begins, and for how long both do.
const SPEECH: Duration = Duration::from_secs(3);
const INTERRUPTION: Duration = Duration::from_secs(1);

/// How often the sockets are looked at of publishers and of those who open what they get, and how
/// often all are: so long a packet waits to be seen.
const LOOK: Duration = Duration::from_micros(500);
const SWEEP: Duration = Duration::from_millis(5);

/// Clients that may be on their way in at a time, and how long all may take.
const JOINING: usize = 10;
const JOIN_PATIENCE: Duration = Duration::from_secs(60);

/// How long it goes on before it is measured: until estimates have settled.
const WARM_UP: Duration = Duration::from_secs(3);

/// Measures, and writes the figures as a line of JSON.
pub(in crate::bench) fn run(load: &Load) -> anyhow::Result<()> {
    // Before this process is bound to a core: its children would be, too.
    let server = ServerProcess::start()?;
    let pinned = pin(process::CLIENTS_CORE);
    let mut crowd = Crowd::new(*load, server, pinned);

    crowd.join_all(load.publishers)?;
    let idle_kb = crowd.server.resident_kb()?;
    let before = crowd.read()?;
    crowd.join_all(load.publishers + load.listeners)?;
    let after = crowd.read()?;
    crowd.begin();
    crowd.go_on_for(WARM_UP.min(Duration::from_secs(load.seconds.into()) / 2))?;
    let mut totals = crowd.measure()?;
    totals.join_time = after.at - before.at;
    totals.join_cpu = after.server_cpu.saturating_sub(before.server_cpu);
    totals.grown_kb = crowd.server.resident_kb()? - idle_kb;
    let pinned = crowd.server.pinned && crowd.pinned;
    say(&serde_json::to_string(&Measured::new(load, totals, pinned))?)
}

impl Load {
    /// This load as arguments of the process that makes it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let Self { listeners, opening, publishers, cameras, fps, burst, seconds } = self;
        let options = [
            ("listeners", listeners),
            ("opening", opening),
            ("publishers", publishers),
            ("cameras", cameras),
            ("fps", fps),
            ("burst", burst),
            ("seconds", seconds),
        ];
        options.map(|(name, value)| format!("--{name}={value}")).into()
    }

    fn role(&self, client: u32) -> Role {
        if client < self.publishers {
            Role::Publisher { camera: client < self.cameras }
        } else {
            Role::Listener { opens: client - self.publishers < self.opening }
        }
    }

    /// Who speaks after so long.
    fn speaks(&self, publisher: u32, after: Duration) -> bool {
        let turn = |after: Duration| (after.as_secs() / SPEECH.as_secs()) as u32 % self.publishers;
        let interrupted = after.saturating_sub(INTERRUPTION);
        publisher == turn(after) || publisher == turn(interrupted)
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
            server_figures: ServerFigures::default(),
            sound_due: None,
            pictures_due: Vec::new(),
            sweep_at: epoch,
        }
    }

    /// Lets clients join until there are so many, and waits until all are connected.
    fn join_all(&mut self, wanted: u32) -> anyhow::Result<()> {
        let deadline = Instant::now() + JOIN_PATIENCE;
        while self.connected < wanted as usize {
            let joined = self.clients.len();
            if joined < wanted as usize && joined - self.connected < JOINING {
                self.join(u32::try_from(joined)?)?;
            }
            // Whoever comes is among those that are looked at seldom.
            self.sweep_at = Instant::now();
            self.turn()?;
            let (connected, in_time) = (self.connected, Instant::now() < deadline);
            anyhow::ensure!(in_time, "only {connected} of {wanted} clients are connected");
        }
        Ok(())
    }

    fn join(&mut self, client: u32) -> anyhow::Result<()> {
        let role = self.load.role(client);
        let (new, sdp) = Client::new(self.server.address, role, self.epoch)?;
        self.server.ask(&Request::Offer { client, sdp })?;
        self.server.ask(&match role {
            Role::Publisher { .. } => {
                let section = |mid: str0m::media::Mid| conclave_model::Mid::new(&mid);
                let microphone = section(new.microphone());
                Request::Publish { client, camera: new.camera().and_then(section), microphone }
            }
            Role::Listener { .. } => {
                Request::Show { client, publisher: client % self.load.cameras }
            }
        })?;
        self.clients.push(new);
        Ok(())
    }

    /// Lets the publishers send.
    fn begin(&mut self) {
        let now = Instant::now();
        self.sound_due = Some(now);
        let stagger = Duration::from_secs(1) / self.load.fps / self.load.cameras;
        self.pictures_due = (0..self.load.cameras).map(|place| now + stagger * place).collect();
    }

    fn measure(&mut self) -> anyhow::Result<Totals> {
        let (before, now) = (self.read()?, nanoseconds_since(self.epoch));
        for client in &mut self.clients {
            client.tally.open(now);
            client.delays_us.clear();
        }
        let forwarded = self.server_figures.packets_forwarded;
        self.server_figures.longest_turn = Duration::ZERO;
        self.go_on_for(Duration::from_secs(self.load.seconds.into()))?;
        let (after, now) = (self.read()?, nanoseconds_since(self.epoch));
        self.clients.iter_mut().for_each(|client| client.tally.close(now));

        let listeners = || self.clients.iter().skip(self.load.publishers as usize);
        Ok(Totals {
            time: after.at - before.at,
            server_cpu: after.server_cpu.saturating_sub(before.server_cpu),
            clients_cpu: after.clients_cpu.saturating_sub(before.clients_cpu),
            forwarded: self.server_figures.packets_forwarded - forwarded,
            longest_turn: self.server_figures.longest_turn,
            received: listeners().map(|client| client.tally.received).sum(),
            least_received: listeners().map(|client| client.tally.received).min().unwrap_or(0),
            lost: listeners().map(|client| client.tally.lost()).sum(),
            gaps: listeners()
                .map(|client| Duration::from_nanos(client.tally.longest_gap))
                .collect(),
            delays_us: listeners().flat_map(|client| client.delays_us.iter().copied()).collect(),
            join_time: Duration::ZERO,
            join_cpu: Duration::ZERO,
            grown_kb: 0.0,
        })
    }

    /// Goes on for a while.
    fn go_on_for(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn()?;
        }
        Ok(())
    }

    /// Does all that is due, and sleeps until something is to be looked at again.
    fn turn(&mut self) -> anyhow::Result<()> {
        while let Some(event) = self.server.hear() {
            self.handle(event)?;
        }
        let sweeps = self.sweep_at <= Instant::now();
        for place in 0..self.clients.len() {
            if place % 64 == 0 {
                // What is sent is on time even while much comes in.
                self.send()?;
            }
            let Some(client) = self.clients.get_mut(place) else { break };
            if sweeps || client.opens() {
                client.turn()?;
            }
        }
        if sweeps {
            self.sweep_at = Instant::now() + SWEEP;
        }
        let next = self.pictures_due.iter().copied().chain(self.sound_due).min();
        let until = next.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
        thread::sleep(until.min(LOOK));
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
            Event::Figures { packets_forwarded, longest_turn_us, .. } => {
                let longest_turn = Duration::from_micros(longest_turn_us);
                let longest_turn = longest_turn.max(self.server_figures.longest_turn);
                self.server_figures = ServerFigures { packets_forwarded, longest_turn };
                Ok(())
            }
            Event::Counted(_) => Ok(()),
            Event::Failed { client, detail } => anyhow::bail!("client {client}: {detail}"),
            Event::Ready { .. } => anyhow::bail!("the server is ready twice"),
        }
    }

    /// Sends the sound and the pictures that are due.
    fn send(&mut self) -> anyhow::Result<()> {
        let Load { publishers, fps, burst, .. } = self.load;
        let now = Instant::now();
        if let Some(due) = self.sound_due.as_mut().filter(|due| **due <= now) {
            let after = now - self.epoch;
            *due += SOUND_TIME;
            for (number, client) in (0..publishers).zip(&mut self.clients) {
                if self.load.speaks(number, after) {
                    client.speak()?;
                }
            }
        }
        for (due, client) in self.pictures_due.iter_mut().zip(&mut self.clients) {
            if *due <= now {
                *due += Duration::from_secs(1) / fps;
                client.show(burst, fps)?;
            }
        }
        Ok(())
    }

    fn read(&self) -> anyhow::Result<Reading> {
        Ok(Reading {
            at: Instant::now(),
            server_cpu: self.server.cpu()?,
            clients_cpu: process::cpu(own_process())?,
        })
    }
}
