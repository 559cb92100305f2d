//! A server, a call on it, and whoever else has a session there; all but the server on this thread.

use std::collections::{BTreeMap, BTreeSet};
use std::process::id as own_process;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use str0m::media::Direction;

use super::case::Place;
use super::client::Client;
use super::inbox::{Inbox, unix_ns};
use super::ping::Ping;
use crate::bench::cores::pin;
use crate::bench::media::control::{CLIENTS_OF_A_CALL, Event, Request};
use crate::bench::media::server_process::ServerProcess;
use crate::bench::process;

/// What the publishers send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Calls of bystanders, each with a camera.
    pub(super) calls: u32,
    /// Clients that show a call's camera.
    pub(super) subscribers: u32,
    /// Packets of a frame.
    pub(super) burst: u32,
}

/// Everything that is measured, and who measures it.
pub(super) struct Scene {
    load: Load,
    pub(super) server: ServerProcess,
    /// By number: of a call's, the publisher has the first one, those who show it the next ones.
    clients: BTreeMap<u32, Client>,
    connected: BTreeSet<u32>,
    /// When each publisher sends its next frame.
    frames_due: BTreeMap<u32, Instant>,
    inbox: Inbox,
    pub(super) ping: Ping,
    /// What the server has counted, and how often it has told.
    counted: BTreeMap<String, u64>,
    tellings: u64,
}

/// What is read at both ends of a phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) server_cpu: Duration,
    pub(super) clients_cpu: Duration,
    /// Packets that were sent to the bystanders, counted once for each of them.
    pub(super) due: u64,
}

/// Who publishes what the first call's bystanders show.
pub(super) const PUBLISHER: u32 = 0;

/// One of the bystanders.
pub(super) const BYSTANDER: u32 = 1;

/// An attacker in the bystanders' call, and two in a call of their own.
const INTRUDER: u32 = CLIENTS_OF_A_CALL - 1;
const OTHER_PUBLISHER: u32 = 1000 * CLIENTS_OF_A_CALL;
const OTHER_SUBSCRIBER: u32 = OTHER_PUBLISHER + 1;

/// Frames that a camera sends in a second.
pub(super) const FPS: u32 = 60;

/// The frame times of two calls differ by one part in so many.
const UNEVEN: f64 = 1000.0;

/// How often the sockets are looked at. Delays do not depend on it, but what the server hears of
/// its receivers does.
const LOOK: Duration = Duration::from_micros(500);

/// How long all joins, warming up, and the server's next telling may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Clients that may be on their way in at a time.
const JOINING: usize = 10;

/// Subscribers are warm when they got nearly everything in so many periods after each other.
const WARM_UP_PERIOD: Duration = Duration::from_millis(250);
const WARM_PERIODS: u32 = 3;
const WARM_SHARE: f64 = 0.95;

impl Load {
    fn publishers(self) -> impl Iterator<Item = u32> {
        (0..self.calls).map(|call| call * CLIENTS_OF_A_CALL)
    }

    fn subscribers_of(self, publisher: u32) -> impl Iterator<Item = u32> {
        (1..=self.subscribers).map(move |number| publisher + number)
    }

    fn bystanders(self) -> impl Iterator<Item = u32> {
        self.publishers().flat_map(move |publisher| self.subscribers_of(publisher))
    }

    /// Whether a client is not an attacker.
    fn is_innocent(self, client: u32) -> bool {
        client / CLIENTS_OF_A_CALL < self.calls && client % CLIENTS_OF_A_CALL <= self.subscribers
    }
}

impl Scene {
    /// A server, and the calls of the bystanders, in which media flows.
    pub(super) fn open(load: Load, attackers: Place) -> anyhow::Result<Self> {
        // Before this process is bound to a core: its children would be, too.
        let server = ServerProcess::start_whole()?;
        pin(process::CLIENTS_CORE);
        let mut scene = Self {
            load,
            server,
            clients: BTreeMap::new(),
            connected: BTreeSet::new(),
            frames_due: BTreeMap::new(),
            inbox: Inbox::new(),
            ping: Ping::new()?,
            counted: BTreeMap::new(),
            tellings: 0,
        };
        for publisher in load.publishers() {
            scene.join(publisher, None)?;
            for subscriber in load.subscribers_of(publisher) {
                scene.join(subscriber, Some(publisher))?;
            }
        }
        match attackers {
            Place::Elsewhere => {
                scene.join(OTHER_PUBLISHER, None)?;
                scene.join(OTHER_SUBSCRIBER, Some(OTHER_PUBLISHER))?;
            }
            Place::Here => scene.join(INTRUDER, Some(PUBLISHER))?,
            Place::Nowhere => {}
        }
        scene.warm_up()?;
        Ok(scene)
    }

    /// A client with this number.
    pub(super) fn client(&self, number: u32) -> anyhow::Result<&Client> {
        self.clients.get(&number).context("no such client")
    }

    /// The attackers' session: one that publishes, or one that shows something.
    pub(super) fn attacker(&self, publishes: bool) -> Option<&Client> {
        let elsewhere = if publishes { OTHER_PUBLISHER } else { OTHER_SUBSCRIBER };
        self.clients.get(&INTRUDER).or_else(|| self.clients.get(&elsewhere))
    }

    /// Lets the attacker in the bystanders' call read its socket, or not.
    pub(super) fn let_intruder_listen(&mut self, listens: bool) {
        if let Some(client) = self.clients.get_mut(&INTRUDER) {
            client.listens = listens;
        }
    }

    /// Those who show the bystanders' camera and did nothing wrong.
    pub(super) fn bystanders(&self) -> impl Iterator<Item = &Client> {
        self.load.bystanders().filter_map(|number| self.clients.get(&number))
    }

    /// A new window of time for what the bystanders get.
    pub(super) fn open_window(&mut self) {
        let now = unix_ns();
        self.clients.values_mut().for_each(|client| client.tally.open(now));
    }

    /// The end of that window.
    pub(super) fn close_window(&mut self) {
        let now = unix_ns();
        self.clients.values_mut().for_each(|client| client.tally.close(now));
    }

    /// Lets a client join, which publishes unless it shows somebody, and waits for its turn.
    fn join(&mut self, client: u32, shows: Option<u32>) -> anyhow::Result<()> {
        let direction = if shows.is_some() { Direction::RecvOnly } else { Direction::SendOnly };
        let (new, sdp) = Client::new(self.server.address, direction)?;
        let mid = conclave_model::Mid::new(&new.mid()).context("a strange media section")?;
        self.clients.insert(client, new);
        self.server.ask(&Request::Offer { client, sdp })?;
        self.server.ask(&match shows {
            Some(publisher) => Request::Show { client, publisher },
            None => Request::Publish { client, camera: Some(mid), microphone: None },
        })?;
        self.go_on_until("joining", |scene| scene.clients.len() - scene.connected.len() < JOINING)
    }

    /// Lets the publishers send until all subscribers get everything.
    fn warm_up(&mut self) -> anyhow::Result<()> {
        self.go_on_until("joining", |scene| scene.connected.len() == scene.clients.len())?;
        let began = Instant::now();
        let other = self.clients.contains_key(&OTHER_PUBLISHER).then_some(OTHER_PUBLISHER);
        let cameras: Vec<u32> = self.load.publishers().chain(other).collect();
        for (publisher, place) in cameras.iter().zip(0..) {
            let first = began + frame_time(0, 1) * place / cameras.len() as u32;
            self.frames_due.insert(*publisher, first);
        }
        let mut warm = 0;
        while warm < WARM_PERIODS {
            anyhow::ensure!(began.elapsed() < PATIENCE, "some never got everything");
            let before = self.received();
            let period = Instant::now();
            self.go_on_for(WARM_UP_PERIOD)?;
            let due = period.elapsed().as_secs_f64() * f64::from(FPS * self.load.burst);
            let mut pairs = before.iter().zip(self.received());
            let slack = u64::from(self.load.burst);
            let all = pairs.all(|(then, now)| (now - then + slack) as f64 > due * WARM_SHARE);
            warm = if all { warm + 1 } else { 0 };
        }
        Ok(())
    }

    fn received(&self) -> Vec<u64> {
        let shows = |number: &u32| !number.is_multiple_of(CLIENTS_OF_A_CALL);
        let subscribers = self.clients.iter().filter(|(number, _)| shows(number));
        subscribers.map(|(_, client)| client.tally.received).collect()
    }

    pub(super) fn read(&self) -> anyhow::Result<Reading> {
        Ok(Reading {
            at: Instant::now(),
            server_cpu: self.server.cpu()?,
            clients_cpu: process::cpu(own_process())?,
            due: self.due(),
        })
    }

    fn due(&self) -> u64 {
        let cameras = self.load.publishers().filter_map(|publisher| self.clients.get(&publisher));
        let sent: u64 = cameras.map(|client| client.camera.packets()).sum();
        sent * u64::from(self.load.subscribers)
    }

    /// What the server has counted up to now. It tells once a second.
    pub(super) fn count(&mut self) -> anyhow::Result<BTreeMap<String, u64>> {
        let before = self.tellings;
        self.go_on_until("hearing what the server counted", |scene| scene.tellings > before)?;
        Ok(self.counted.clone())
    }

    fn go_on_until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            anyhow::ensure!(Instant::now() < deadline, "{what} took too long");
            self.turn()?;
        }
        Ok(())
    }

    /// Goes on for a while.
    pub(super) fn go_on_for(&mut self, time: Duration) -> anyhow::Result<()> {
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
        let numbers: Vec<u32> = self.clients.keys().copied().collect();
        for number in numbers {
            // Frames are on time even while many packets come in.
            self.send_frames()?;
            let Some(client) = self.clients.get_mut(&number) else { continue };
            if let Err(error) = client.turn(&mut self.inbox) {
                anyhow::ensure!(!self.load.is_innocent(number), "client {number}: {error:#}");
                // What an attacker's own session makes of it is of no interest.
                client.listens = false;
            }
        }
        self.ping.turn(&mut self.inbox)?;
        let next = self.frames_due.values().min().copied();
        let until_next = next.map_or(LOOK, |at| at.saturating_duration_since(Instant::now()));
        thread::sleep(until_next.min(LOOK));
        Ok(())
    }

    fn handle(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Answer { client, sdp } => {
                self.clients.get_mut(&client).context("an answer to nobody")?.accept(&sdp)
            }
            Event::Connected { client } => {
                self.connected.insert(client);
                Ok(())
            }
            Event::Counted(counted) => {
                self.counted = counted;
                self.tellings += 1;
                Ok(())
            }
            Event::Failed { client, detail } => {
                anyhow::ensure!(!self.load.is_innocent(client), "client {client}: {detail}");
                Ok(())
            }
            Event::Figures { .. } => Ok(()),
            Event::Ready { .. } => anyhow::bail!("the server is ready twice"),
        }
    }

    fn send_frames(&mut self) -> anyhow::Result<()> {
        let calls = self.load.calls;
        for (number, due) in &mut self.frames_due {
            let frame_time = frame_time(number / CLIENTS_OF_A_CALL, calls);
            let Some(late) = Instant::now().checked_duration_since(*due) else { continue };
            let publisher = self.clients.get_mut(number).context("no such publisher")?;
            publisher.send_frame(self.load.burst, FPS)?;
            // Frames that were missed are left out, and void the row.
            *due += frame_time * (1 + (late.as_nanos() / frame_time.as_nanos()) as u32);
        }
        Ok(())
    }
}

/// From one frame to the next of a call's camera. Those of several calls are a little faster and slower
/// than each other, so that their frames meet in all manners.
fn frame_time(call: u32, calls: u32) -> Duration {
    let place = f64::from(call.min(calls - 1)) - f64::from(calls - 1) / 2.0;
    (Duration::from_secs(1) / FPS).mul_f64(1.0 + place / UNEVEN)
}
