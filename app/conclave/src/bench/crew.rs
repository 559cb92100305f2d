use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use conclave_e2ee::{Input, Setup};
use conclave_link::HostSeed;

use super::clock::{Clock, Used};
use super::device::{Device, Frame, Outcome, Sample, Sealed};
use super::post::{Load, Post};
use super::seen::Seen;
use super::server::ToServer;

/// What a crew's thread is told.
pub(super) enum ToCrew {
    /// A device comes to the door.
    Enter(Box<Newcomer>),
    /// A member's frame arrives at every device.
    Frame(Frame),
    /// The director has something for one device.
    Order { device: usize, order: Order },
    /// The server said something. `epoch` is the group's as the server has it.
    Said { device: usize, text: Arc<str>, epoch: u64 },
    /// The meeting is over.
    Stop,
    /// The clock has jumped.
    Wake,
}

/// A device that comes.
pub(super) struct Newcomer {
    pub(super) device: usize,
    pub(super) setup: Setup,
    pub(super) host: Option<HostSeed>,
    /// It goes to sleep when it is let in.
    pub(super) sleeps: bool,
}

/// What a device is made to do.
pub(super) enum Order {
    /// Let in all who knock.
    AdmitAll,
    /// Let people in as they knock, or not.
    Admits(bool),
    /// Hear nothing, or hear again and ask for what was missed.
    Deaf(bool),
    /// The person leaves.
    Leave,
    /// Open what another has sealed.
    OpenMany(Sample),
    /// Seal so many frames, for another to open.
    SealMany { kind: Sealed, count: usize, opener: usize },
    /// Go to sleep.
    Sleep,
    /// Seal one frame for all as soon as its keys are of a later epoch.
    Speak { after: u64 },
}

/// A thread with the sessions of some of the devices.
pub(super) struct Crew {
    pub(super) clock: Arc<Clock>,
    pub(super) inbox: Receiver<ToCrew>,
    pub(super) server: Post<ToServer>,
    /// All crews, for frames: the media plane, as far as it counts here.
    pub(super) crews: Vec<Post<ToCrew>>,
    pub(super) load: Load,
    pub(super) seen: Sender<Seen>,
    pub(super) used: Arc<Used>,
    pub(super) devices: BTreeMap<usize, Device>,
    /// Who is to speak, in an epoch later than which.
    pub(super) speaker: Option<(usize, u64)>,
}

/// How long to sleep if nothing is due.
const LONG: Duration = Duration::from_secs(3600);

impl Crew {
    pub(super) fn run(mut self) {
        loop {
            let due = self.devices.values().filter_map(|device| device.due).min();
            let wait = due.map_or(LONG, |due| due.saturating_sub(self.clock.elapsed()));
            let message = self.inbox.recv_timeout(wait);
            let is_message = message.is_ok();
            match message {
                Ok(ToCrew::Enter(newcomer)) => self.enter(*newcomer),
                Ok(ToCrew::Frame(frame)) => self.listen(&frame),
                Ok(ToCrew::Order { device, order }) => self.order(device, order),
                Ok(ToCrew::Said { device, text, epoch }) => {
                    self.with(device, |device| device.hear(&text, epoch));
                }
                Ok(ToCrew::Wake) | Err(RecvTimeoutError::Timeout) => {}
                Ok(ToCrew::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            self.handle_timeouts();
            self.speak();
            self.used.note();
            if is_message {
                self.load.done();
            }
        }
    }

    fn enter(&mut self, newcomer: Newcomer) {
        let Newcomer { device, setup, host, sleeps } = newcomer;
        let device_there = Device::new(device, Arc::clone(&self.clock), setup, host, sleeps);
        self.devices.insert(device, device_there);
    }

    fn order(&mut self, number: usize, order: Order) {
        match order {
            Order::AdmitAll => self.with(number, Device::admit_all),
            Order::Leave => {
                self.with(number, Device::leave);
                self.devices.remove(&number);
            }
            Order::Admits(admits) => self.change(number, |device| device.admits = admits),
            Order::Deaf(true) => self.change(number, |device| device.is_deaf = true),
            Order::Deaf(false) => {
                self.change(number, |device| device.is_deaf = false);
                self.with(number, |device| device.handle(Input::Connected));
            }
            Order::OpenMany(sample) => self.open_many(number, &sample),
            Order::SealMany { kind, count, opener } => self.seal_many(number, kind, count, opener),
            Order::Sleep => self.change(number, Device::sleep),
            Order::Speak { after } => self.speaker = Some((number, after)),
        }
    }

    fn change(&mut self, number: usize, change: impl FnOnce(&mut Device)) {
        if let Some(device) = self.devices.get_mut(&number) {
            change(device);
        }
    }

    fn with(&mut self, number: usize, act: impl FnOnce(&mut Device) -> Outcome) {
        let Some(device) = self.devices.get_mut(&number) else { return };
        let outcome = act(device);
        for text in outcome.says {
            self.server.send(ToServer::Said { device: number, text });
        }
        outcome.seen.into_iter().for_each(|seen| self.see(seen));
    }

    fn handle_timeouts(&mut self) {
        let now = self.clock.elapsed();
        let is_due = |device: &Device| device.due.is_some_and(|due| due <= now);
        let due: Vec<_> = self
            .devices
            .iter()
            .filter(|(_, device)| is_due(device))
            .map(|(number, _)| *number)
            .collect();
        for number in due {
            self.with(number, |device| device.handle(Input::Timeout));
        }
    }

    fn speak(&mut self) {
        let Some((number, after)) = self.speaker else { return };
        let frame = self.devices.get_mut(&number).and_then(|device| device.speak(after));
        let Some(frame) = frame else { return };
        self.speaker = None;
        for crew in &self.crews {
            crew.send(ToCrew::Frame(frame.clone()));
        }
    }

    fn listen(&mut self, frame: &Frame) {
        let mut seen = Vec::new();
        for device in self.devices.values_mut() {
            seen.extend(device.listen(frame.clone()));
        }
        seen.into_iter().for_each(|seen| self.see(seen));
    }

    fn seal_many(&mut self, number: usize, kind: Sealed, count: usize, opener: usize) {
        let device = self.devices.get_mut(&number);
        let Some(sample) = device.and_then(|device| device.seal_many(kind, count)) else {
            return self.fail(number, "it cannot seal");
        };
        self.see(Seen::Work { work: kind.seal_work(), cpu: sample.each });
        if let Some(crew) = self.crews.get(opener % self.crews.len().max(1)) {
            crew.send(ToCrew::Order { device: opener, order: Order::OpenMany(sample) });
        }
    }

    fn open_many(&mut self, number: usize, sample: &Sample) {
        let device = self.devices.get_mut(&number);
        match device.and_then(|device| device.open_many(sample)) {
            Some(cpu) => self.see(Seen::Work { work: sample.kind.open_work(), cpu }),
            None => self.fail(number, "it cannot open what another sealed"),
        }
    }

    fn fail(&self, device: usize, what: &str) {
        self.see(Seen::Failed { device, what: what.to_owned() });
    }

    fn see(&self, seen: Seen) {
        // Nobody looks any more when the measurement is over.
        let _ = self.seen.send(seen);
    }
}
