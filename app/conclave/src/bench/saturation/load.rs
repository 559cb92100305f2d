//! The process that measures: shards on a processor core each, and clients that end up as sinks.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use conclave_call_proto::media::{
    MediaEvent, MediaRequest, PeerId, PublicationTrack, TilePriority, Want,
};
use conclave_model::{Bitrate, CallId, Mid, ParticipantId, PublicationId, TrackSource};
use conclave_sfu::{Plane, PlaneHandle, Running, Shard, ShardConfig, ShardFigures, ShardHandle};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};
use str0m::media::Direction;
use tokio::runtime::{self, Runtime};
use tokio::sync::{mpsc, watch};

use super::report::Row;
use super::sink::Sink;
use crate::bench::cores::pin;
use crate::bench::media::Client;
use crate::serve::say;

/// What is sent, by how many shards, to how many, and for how long.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::bench) struct Load {
    /// Shards, each with one camera, if they do not share a call.
    #[arg(long)]
    pub(super) shards: u32,
    /// All shards have one call together, and one camera.
    #[arg(long)]
    pub(super) one_call: bool,
    /// Clients that show it, for each shard.
    #[arg(long)]
    pub(super) subscribers: u32,
    /// How long it is measured.
    #[arg(long)]
    pub(super) seconds: u32,
    /// Frames that a camera sends in a second.
    #[arg(long)]
    pub(super) fps: u32,
    /// Packets of a frame.
    #[arg(long)]
    pub(super) burst: u32,
}

/// A call and the shards that have it: the camera, and those who show it.
struct Stage {
    requests: mpsc::Sender<MediaRequest>,
    events: mpsc::Receiver<MediaEvent>,
    /// Where each shard is, and what it has done.
    shards: Vec<SocketAddr>,
    figures: Vec<watch::Receiver<ShardFigures>>,
    /// Whether each could be bound to a core of its own.
    pinned: bool,
    /// What they live on.
    _running: (Vec<Running>, Option<Runtime>),
    /// The first one publishes.
    clients: Vec<Client>,
    connected: usize,
    frame_due: Instant,
}

const CALL: CallId = CallId(1);
const CAMERA: PublicationId = PublicationId(0);
const GENERATION: u32 = 1;

/// The tile that a subscriber shows, in device pixels.
const TILE: (u16, u16) = (1280, 720);

/// Clients that may be on their way in at a time.
const JOINING: usize = 50;

/// How long all joins may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a packet takes of a path, about, in bits.
const PACKET_BITS: u64 = 1200 * 8;

/// Frames a second that cost next to nothing, and for how long they come, until all have begun with a key
/// frame.
const EASY: u32 = 10;
const SETTLING: Duration = Duration::from_secs(4);

/// How long cameras send before what is measured is steady.
const STEADYING: Duration = Duration::from_secs(1);

/// How often clients look at their sockets: while they join, and while they only answer checks.
const LOOK: Duration = Duration::from_micros(200);
const SELDOM: Duration = Duration::from_millis(50);

/// Measures, and writes the figures as a line of JSON.
pub(in crate::bench) fn run(load: &Load) -> anyhow::Result<()> {
    // This program's main thread drives a runtime, in which nothing may block.
    thread::scope(|scope| scope.spawn(|| measure(load)).join())
        .unwrap_or_else(|_| anyhow::bail!("the thread that measures panicked"))
}

fn measure(load: &Load) -> anyhow::Result<()> {
    let epoch = Instant::now();
    let mut stages = Vec::new();
    if load.one_call {
        stages.push(Stage::open_spread(load)?);
    } else {
        for core in 0..load.shards {
            stages.push(Stage::open(core as usize, load)?);
        }
    }
    join_all(&mut stages, 1, epoch)?;
    // Before the others come: whoever got one packet, even to probe the path, would tell of it.
    let shards: Vec<_> = stages.iter().flat_map(Stage::ports).collect();
    let cameras: Vec<_> = stages.iter().filter_map(Stage::camera_port).collect();
    let sink = Sink::open(&shards, &cameras)?;
    let subscribers = load.subscribers * if load.one_call { load.shards } else { 1 };
    join_all(&mut stages, subscribers as usize + 1, epoch)?;
    let everyone: Vec<usize> = (1..=subscribers as usize).collect();
    for stage in &stages {
        stage.show(&everyone, true)?;
    }
    send_for(&mut stages, load, (SETTLING, EASY))?;
    let length = usual_length(&mut stages, load, &sink)?;
    send_for(&mut stages, load, (STEADYING, load.fps))?;
    let (sent_before, before, began) = (sent(&stages), sink.dropped()?, Instant::now());
    send_for(&mut stages, load, (load.time(), load.fps))?;
    let (sent_after, after, time) = (sent(&stages), sink.dropped()?, began.elapsed());

    let carried = after.datagrams_since(before, length);
    let wanted = (sent_after - sent_before) * u64::from(subscribers);
    let pinned = stages.iter().all(|stage| stage.pinned);
    let row = Row::new(load, (carried, wanted), time, pinned);
    say(&serde_json::to_string(&row)?)
}

/// Lets clients join until there are so many in each call, and waits until all are connected.
fn join_all(stages: &mut [Stage], wanted: usize, epoch: Instant) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while stages.iter().any(|stage| stage.connected < wanted) {
        for stage in stages.iter_mut() {
            while stage.clients.len() < wanted.min(stage.connected + JOINING) {
                stage.join(epoch)?;
            }
            stage.look(0, 0)?;
        }
        thread::sleep(LOOK);
        anyhow::ensure!(Instant::now() < deadline, "not all of {wanted} clients are connected");
    }
    Ok(())
}

/// How many bytes a datagram has that ends in the sink: what ends there while nothing is lost, by what the
/// shards say that they forwarded.
fn usual_length(stages: &mut [Stage], load: &Load, sink: &Sink) -> anyhow::Result<f64> {
    fn forwarded(stages: &[Stage]) -> u64 {
        let figures = stages.iter().flat_map(|stage| &stage.figures);
        figures.map(|figures| figures.borrow().packets_forwarded).sum()
    }
    rest(stages)?;
    let (forwarded_before, before) = (forwarded(stages), sink.dropped()?);
    send_for(stages, load, (Duration::from_secs(2), EASY))?;
    rest(stages)?;
    let packets = forwarded(stages) - forwarded_before;
    anyhow::ensure!(packets > 0, "nothing was forwarded");
    Ok(sink.dropped()?.bytes_since(before) as f64 / packets as f64)
}

/// Lets the shards do what is left to do, and tell of it: they do so once a second.
fn rest(stages: &mut [Stage]) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < until {
        for stage in stages.iter_mut() {
            stage.look(0, 0)?;
        }
        thread::sleep(SELDOM);
    }
    Ok(())
}

/// Lets the cameras send for a while, so many frames a second, one after the other within the time of a
/// frame.
fn send_for(stages: &mut [Stage], load: &Load, (time, fps): (Duration, u32)) -> anyhow::Result<()> {
    let began = Instant::now();
    let frame_time = Duration::from_secs(1) / fps;
    for (stage, number) in stages.iter_mut().zip(0..) {
        stage.frame_due = began + frame_time * number / load.shards;
    }
    let mut look_at = began;
    while began.elapsed() < time {
        for stage in stages.iter_mut() {
            stage.send_if_due(load.burst, fps)?;
        }
        if look_at <= Instant::now() {
            for stage in stages.iter_mut() {
                stage.look(load.burst, fps)?;
            }
            look_at = Instant::now() + SELDOM;
        }
        let next = stages.iter().map(|stage| stage.frame_due).chain([look_at]).min();
        thread::sleep(next.map_or(LOOK, |at| at.saturating_duration_since(Instant::now())));
    }
    Ok(())
}

fn sent(stages: &[Stage]) -> u64 {
    // All cameras send alike, and each to its own subscribers.
    stages.iter().filter_map(|stage| stage.clients.first()).map(|c| c.camera.packets()).sum()
}

impl Stage {
    /// Starts a shard on a core.
    fn open(core: usize, load: &Load) -> anyhow::Result<Self> {
        let before = sched_getaffinity(None)?;
        // Its thread inherits it.
        let pinned = pin(core);
        let handle = Shard::spawn(&config(load));
        sched_setaffinity(None, &before)?;
        let ShardHandle { requests, events, udp, figures, running, .. } = handle?;
        Ok(Self {
            requests,
            events,
            shards: udp.first().copied().into_iter().collect(),
            figures: vec![figures],
            pinned,
            _running: (vec![running], None),
            clients: Vec::new(),
            connected: 0,
            frame_due: Instant::now(),
        })
    }

    /// Starts shards that share a call, each on a core.
    fn open_spread(load: &Load) -> anyhow::Result<Self> {
        let shards = u16::try_from(load.shards).ok().and_then(NonZeroU16::new);
        let shards = shards.context("no shards, or too many")?;
        // Requests and events find their ways on it.
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build()?;
        let plane = {
            let _entered = runtime.enter();
            Plane::spawn(&config(load), shards)?
        };
        let pinned = pin_shards(shards.get().into())?;
        let PlaneHandle { requests, events, addresses, figures, running, .. } = plane;
        Ok(Self {
            requests,
            events,
            shards: addresses.iter().filter_map(|shard| shard.udp.first()).copied().collect(),
            figures,
            pinned,
            _running: (running, Some(runtime)),
            clients: Vec::new(),
            connected: 0,
            frame_due: Instant::now(),
        })
    }

    fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        self.shards.iter().map(SocketAddr::port)
    }

    fn camera_port(&self) -> Option<u16> {
        Some(self.clients.first()?.local.port())
    }

    fn join(&mut self, epoch: Instant) -> anyhow::Result<()> {
        let address = *self.shards.first().context("the shard has no address")?;
        let publishes = self.clients.is_empty();
        let direction = if publishes { Direction::SendOnly } else { Direction::RecvOnly };
        let (client, sdp) = Client::new(address, direction, epoch)?;
        let mid = Mid::new(&client.mid()).context("a strange media section")?;
        let peer = peer(self.clients.len());
        self.clients.push(client);
        self.ask(MediaRequest::Offer { peer, generation: GENERATION, sdp })?;
        if !publishes {
            return Ok(());
        }
        let track = PublicationTrack { publication: CAMERA, source: TrackSource::Camera, mid };
        self.ask(MediaRequest::Publish { peer, tracks: vec![track] })
    }

    /// Shows the camera to these clients, or no longer.
    fn show(&self, clients: &[usize], shown: bool) -> anyhow::Result<()> {
        let (width, height) = TILE;
        let want = Want { publication: CAMERA, width, height, priority: TilePriority::Featured };
        for client in clients {
            let wants = if shown { vec![want] } else { Vec::new() };
            self.ask(MediaRequest::View { peer: peer(*client), wants })?;
        }
        Ok(())
    }

    fn ask(&self, request: MediaRequest) -> anyhow::Result<()> {
        self.requests.blocking_send(request).context("a shard has ended")
    }

    fn send_if_due(&mut self, burst: u32, fps: u32) -> anyhow::Result<()> {
        let now = Instant::now();
        if now < self.frame_due {
            return Ok(());
        }
        // A frame that was missed is left out: what was sent is counted.
        self.frame_due = now.max(self.frame_due + Duration::from_secs(1) / fps);
        let camera = self.clients.first_mut().context("nobody publishes")?;
        camera.send_frame(burst, fps)
    }

    /// Takes what has come for the clients. Frames are on time meanwhile, if there are any.
    fn look(&mut self, burst: u32, fps: u32) -> anyhow::Result<()> {
        while let Ok(event) = self.events.try_recv() {
            self.handle_event(event)?;
        }
        for place in 0..self.clients.len() {
            if let Some(client) = self.clients.get_mut(place) {
                client.turn(Instant::now())?;
            }
            if fps > 0 {
                self.send_if_due(burst, fps)?;
            }
        }
        Ok(())
    }

    fn handle_event(&mut self, event: MediaEvent) -> anyhow::Result<()> {
        match event {
            MediaEvent::Answer { peer, sdp, .. } => {
                let client = self.clients.get_mut(peer.participant.0 as usize);
                let shard = self.shards.iter().find(|shard| names(&sdp, **shard));
                let shard = *shard.context("an answer from nobody")?;
                client.context("an answer to nobody")?.accept_from(shard, &sdp)
            }
            MediaEvent::Connected { .. } => {
                self.connected += 1;
                Ok(())
            }
            MediaEvent::Disconnected { .. } => anyhow::bail!("a media session has ended"),
            MediaEvent::OfferRefused { detail, .. } => anyhow::bail!("refused: {detail}"),
            MediaEvent::Demand { .. }
            | MediaEvent::Quality { .. }
            | MediaEvent::Slots { .. }
            | MediaEvent::Speakers { .. } => Ok(()),
        }
    }
}

/// What a shard is told.
fn config(load: &Load) -> ShardConfig {
    // A sink reads nothing, and cannot tell what the path to it carries. A little more than the
    // camera takes: if there were much more, it would be probed for again and again.
    let camera = u64::from(load.fps * load.burst) * PACKET_BITS;
    let initial_estimate = Bitrate::bps(camera + camera / 4);
    let udp = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    ShardConfig { udp, tcp: None, initial_estimate, ..ShardConfig::default() }
}

/// Binds the shards' threads to a core each. Returns whether that worked.
fn pin_shards(shards: usize) -> anyhow::Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    let mut threads = media_threads()?;
    // A thread takes its name as it begins.
    while threads.len() < shards && Instant::now() < deadline {
        thread::sleep(LOOK);
        threads = media_threads()?;
    }
    let bind = |(core, thread): (usize, &i32)| {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(Pid::from_raw(*thread), &set).is_ok()
    };
    Ok(threads.len() == shards && threads.iter().enumerate().all(bind))
}

/// The threads of this process that are shards, by their name.
fn media_threads() -> anyhow::Result<Vec<i32>> {
    let mut threads = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        // One that has just ended has no name any more.
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.trim() == "media" {
            threads.extend(task.file_name().to_str().and_then(|number| number.parse::<i32>().ok()));
        }
    }
    Ok(threads)
}

/// Whether an answer tells the client to come to this address.
fn names(answer: &str, address: SocketAddr) -> bool {
    let candidate = format!(" {} {} typ host", address.ip(), address.port());
    answer.lines().any(|line| line.starts_with("a=candidate:") && line.contains(&candidate))
}

fn peer(client: usize) -> PeerId {
    PeerId { call: CALL, participant: ParticipantId(u32::try_from(client).unwrap_or(u32::MAX)) }
}
