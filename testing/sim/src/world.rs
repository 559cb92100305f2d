mod server;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use conclave_call_proto::{Call, ConnectionId, SessionRecord};
use conclave_client_proto::{
    Command, EndReason, Event, Input as DeviceInput, Output as DeviceOutput,
};
use conclave_commit_rules::CredentialId;
use conclave_e2ee::KnockId;
use conclave_model::{ParticipantId, PublicationId, TrackSource};
use conclave_sfu_proto::{Input as NodeInput, Node, NodeConfig, NodeStats, Transport};
use conclave_wire::{ClientMessage, ServerMessage, Want};

use crate::device::{Device, DeviceId, DeviceSetup, Move, moved};
use crate::encoder::{frame_number, shows_media};
use crate::link::{Datagram, LinkSetup};
use crate::meeting::{Meeting, MeetingSetup};
use crate::watch::{Deliveries, Observed};

/// A call, its node, its devices and all that is between them.
///
/// Time stands still but in [`run`](Self::run) and [`run_until`](Self::run_until).
pub struct World {
    start: Instant,
    now: Instant,
    meeting: Meeting,
    call: Call,
    /// What the server's store keeps of the sessions.
    sessions: BTreeMap<ParticipantId, SessionRecord>,
    call_deadline: Option<Instant>,
    node: Node,
    node_deadline: Instant,
    devices: Vec<Device>,
    /// Signalling under way, by arrival.
    wires: BTreeMap<(Instant, u64), Carried>,
    serial: u64,
    sample_at: Instant,
    /// What the lines' chances are drawn from.
    seed: u64,
}

/// Something under way on a signalling socket.
enum Carried {
    /// The socket is open.
    Opened { device: usize },
    /// The socket is closed by the client.
    Closed { connection: ConnectionId },
    /// A message to the device.
    Down { connection: ConnectionId, device: usize, message: ServerMessage },
    /// A message to the server.
    Up { connection: ConnectionId, device: usize, message: ClientMessage },
}

/// Each way on the signalling socket. It is a stream: nothing is lost or out of order.
const SIGNAL_DELAY: Duration = Duration::from_millis(20);

/// How often devices are asked what they received.
const SAMPLE: Duration = Duration::from_millis(10);

/// More steps than this without time going on is a loop.
const STUCK: u32 = 200_000;

impl World {
    /// A call that nobody is in, and that whoever has the link may enter.
    pub fn new() -> Self {
        Self::of(MeetingSetup::OPEN)
    }

    /// Like [`new`](Self::new), with lines that lose and delay other packets.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::new() }
    }

    /// A call of a meeting that nobody is in.
    pub fn of(setup: MeetingSetup) -> Self {
        // An origin; only differences count.
        let now = Instant::now();
        let meeting = Meeting::found(setup);
        let call = meeting.call(meeting.founded_unix_s);
        Self {
            start: now,
            now,
            meeting,
            call: Call::new(call, now),
            sessions: BTreeMap::new(),
            call_deadline: None,
            node: node(now),
            node_deadline: now,
            devices: Vec::new(),
            wires: BTreeMap::new(),
            serial: 0,
            sample_at: now,
            seed: 0,
        }
    }

    /// The time.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Adds a device, which joins at once.
    pub fn add(&mut self, setup: DeviceSetup) -> DeviceId {
        let number = self.devices.len();
        let device = Device::new(number, setup, &self.meeting, self.start, self.now, self.seed);
        self.devices.push(device);
        DeviceId(number)
    }

    /// A device leaves for good.
    pub fn leave(&mut self, device: DeviceId) {
        self.tell_device(device.0, DeviceInput::Leave);
        self.settle();
        let device = self.device_mut(device);
        device.camera = None;
        device.microphone = None;
    }

    /// Somebody wants something of the meeting's group.
    pub fn command(&mut self, device: DeviceId, command: Command) {
        self.tell_device(device.0, DeviceInput::Command(command));
        self.settle();
    }

    /// A device's signalling socket is lost; the device notices at once.
    pub fn lose_socket(&mut self, device: DeviceId) {
        if let Some(connection) = self.device_mut(device).connection.take() {
            self.carry(SIGNAL_DELAY, Carried::Closed { connection });
            self.tell_device(device.0, DeviceInput::SignalLost);
        }
    }

    /// The server dies without a word, and another starts at once with what it had stored. All
    /// sockets are lost, and with the node its media sessions.
    pub fn restart_server(&mut self, stored: Stored) {
        let mut config =
            self.meeting.call(self.meeting.founded_unix_s + (self.now - self.start).as_secs());
        if stored == Stored::Everything {
            config.group = self.call.group_snapshot();
            config.sessions = self.sessions.values().copied().collect();
        }
        config.next_participant = ParticipantId(1000);
        self.call = Call::new(config, self.now);
        self.node = node(self.now);
        (self.call_deadline, self.node_deadline) = (None, self.now);
        self.sessions.clear();
        self.wires.clear();
        for number in 0..self.devices.len() {
            let device = self.devices.get_mut(number);
            if device.is_some_and(|device| device.connection.take().is_some()) {
                self.tell_device(number, DeviceInput::SignalLost);
            }
        }
        self.settle();
    }

    /// A device vanishes: nothing it sends arrives, nothing arrives at it.
    pub fn cut(&mut self, device: DeviceId) {
        let dead = LinkSetup { loss: 1.0, ..LinkSetup::GOOD };
        self.change_links(device, dead, dead);
    }

    /// Changes a device's network.
    pub fn change_links(&mut self, device: DeviceId, up: LinkSetup, down: LinkSetup) {
        let device = self.device_mut(device);
        device.up.change(up);
        device.down.change(down);
    }

    /// From here on, a device's packets come from elsewhere, and what is sent to where it was is
    /// lost. The device is not told, as nobody is behind a translator of addresses, or with a
    /// socket that is bound to no address.
    pub fn move_device(&mut self, device: DeviceId, to: Move) {
        let device = self.device_mut(device);
        device.outside = moved(device.outside, to);
    }

    /// A device's camera sends only so many of its layers, lowest first, and tells nobody.
    pub fn encode_layers(&mut self, device: DeviceId, layers: usize) {
        if let Some(camera) = &mut self.device_mut(device).camera {
            camera.layers = layers;
        }
    }

    /// Lets a device speak or be silent.
    pub fn speak(&mut self, device: DeviceId, speaks: bool) {
        if let Some(microphone) = &mut self.device_mut(device).microphone {
            microphone.speaks = speaks;
        }
    }

    /// A device shows these publications, for a device with no tiles of its own.
    pub fn view(&mut self, device: DeviceId, wants: Vec<Want>) {
        self.carry_up(device.0, ClientMessage::View { wants });
    }

    /// Throws a datagram at the node from an address that is nobody's.
    pub fn throw(&mut self, source: SocketAddr, bytes: &[u8]) {
        let destination = node_address();
        let (arrived, transport) = (self.now, Transport::Udp);
        let input = NodeInput::Datagram { arrived, transport, source, destination, bytes };
        self.node.handle_input(self.now, input);
        self.settle();
    }

    /// Throws a datagram at the node that seems to come from a device.
    pub fn throw_as(&mut self, device: DeviceId, bytes: &[u8]) {
        self.throw(self.device(device).outside, bytes);
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        self.advance(end, |_| false);
    }

    /// Lets time pass until `done`; the time that took.
    ///
    /// # Panics
    ///
    /// If it takes longer than `limit`.
    pub fn run_until(
        &mut self,
        limit: Duration,
        what: &str,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Duration {
        let start = self.now;
        self.advance(start + limit, |world| done(world));
        let reports = self.devices.iter().map(|device| device.participant.report());
        assert!(done(self), "after {limit:?}: not {what}\n{:#?}", reports.collect::<Vec<_>>());
        self.now - start
    }

    /// Lets time pass until `done`, but no longer than `limit`; the time that passed.
    pub fn run_at_most(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Duration {
        let start = self.now;
        self.advance(start + limit, |world| done(world));
        self.now - start
    }

    /// Starts counting anew on all devices.
    pub fn restart_counts(&mut self) {
        for device in &mut self.devices {
            device.watch.restart(self.now);
        }
    }

    /// What `receiver` got of a track of `sender` since the counts were restarted.
    pub fn observed(&self, receiver: DeviceId, sender: DeviceId, source: TrackSource) -> Observed {
        let sender = self.device(sender).id;
        sender.map_or_else(Observed::default, |sender| {
            self.device(receiver).watch.observed(self.now, sender, source)
        })
    }

    /// How the frames came that `sender` made of a track from the counts' last restart to `until`.
    pub fn deliveries(
        &self,
        receiver: DeviceId,
        sender: DeviceId,
        source: TrackSource,
        until: Instant,
    ) -> Deliveries {
        let Some(participant) = self.device(sender).id else { return Deliveries::default() };
        let clock = self.device(sender).clock(source);
        self.device(receiver).watch.deliveries(participant, source, clock, until)
    }

    /// Who a device is in the call, once it has joined.
    pub fn participant(&self, device: DeviceId) -> Option<ParticipantId> {
        self.device(device).id
    }

    /// Whether a device publishes a camera.
    pub fn has_camera(&self, device: DeviceId) -> bool {
        self.device(device).camera.is_some()
    }

    /// What a device went through.
    pub fn report(&self, device: DeviceId) -> conclave_client_proto::Report {
        self.device(device).participant.report()
    }

    /// A device's credential in the group.
    pub fn credential(&self, device: DeviceId) -> Option<CredentialId> {
        self.device(device).participant.session().credential()
    }

    /// Who asks to come in, as a device that may let them in sees it.
    pub fn knocks(&self, device: DeviceId) -> Vec<KnockId> {
        let knocks = self.device(device).participant.session().knocks();
        knocks.into_iter().map(|knock| knock.id).collect()
    }

    /// What others wrote to a device, by name.
    pub fn chat(&self, device: DeviceId) -> &[(String, String)] {
        &self.device(device).chat
    }

    /// Why it is over for a device.
    pub fn end(&self, device: DeviceId) -> Option<EndReason> {
        self.device(device).end
    }

    /// All that the server said to a device, the newest last.
    pub fn heard(&self, device: DeviceId) -> &[ServerMessage] {
        &self.device(device).heard
    }

    /// The publication of a device, as told to `by`.
    pub fn publication(
        &self,
        by: DeviceId,
        of: DeviceId,
        source: TrackSource,
    ) -> Option<PublicationId> {
        let of = self.device(of).id?;
        self.heard(by).iter().rev().find_map(|message| {
            let participants = match message {
                ServerMessage::Admitted { admitted } => &admitted.others,
                ServerMessage::Joined { joined } => &joined.admitted.as_ref()?.others,
                ServerMessage::Roster { present, .. } => present,
                ServerMessage::Answer { .. }
                | ServerMessage::Demand { .. }
                | ServerMessage::Error { .. }
                | ServerMessage::Group { .. }
                | ServerMessage::Pong
                | ServerMessage::Quality { .. }
                | ServerMessage::Slots { .. }
                | ServerMessage::Speakers { .. }
                | ServerMessage::Welcome { .. } => return None,
            };
            let publications =
                participants.iter().filter(|p| p.id == of).flat_map(|p| &p.publications);
            publications.clone().find(|p| p.source == source).map(|p| p.id)
        })
    }

    /// The one whom the server told `by` to feature.
    pub fn featured(&self, by: DeviceId) -> Option<ParticipantId> {
        self.heard(by).iter().rev().find_map(|message| {
            if let ServerMessage::Speakers { active, .. } = message { Some(*active) } else { None }
        })?
    }

    /// What the node has done.
    pub fn node_stats(&self) -> NodeStats {
        self.node.stats()
    }

    /// Lets time pass until `end` or until `done` after some step.
    fn advance(&mut self, end: Instant, mut done: impl FnMut(&Self) -> bool) {
        let mut stuck = 0;
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            stuck = if due > self.now { 0 } else { stuck + 1 };
            assert!(stuck < STUCK, "time stands still");
            self.now = self.now.max(due);
            let samples = self.sample_at;
            self.step();
            if samples != self.sample_at && done(self) {
                return;
            }
        }
        self.now = end;
    }

    fn next_due(&self) -> Option<Instant> {
        let devices = self.devices.iter().filter_map(Device::next_due);
        let wires = self.wires.keys().next().map(|(at, _)| *at);
        devices
            .chain(wires)
            .chain(self.call_deadline)
            .chain([self.node_deadline, self.sample_at])
            .min()
    }

    /// Does all that is due.
    fn step(&mut self) {
        let now = self.now;
        for number in 0..self.devices.len() {
            self.record(number);
            self.step_links(number);
            if self.devices.get(number).and_then(|d| d.deadline).is_some_and(|at| at <= now) {
                self.tell_device(number, DeviceInput::Timeout);
            }
        }
        while let Some(entry) = self.wires.first_entry().filter(|entry| entry.key().0 <= now) {
            let carried = entry.remove();
            self.deliver(carried);
        }
        if self.node_deadline <= now {
            self.node.handle_input(now, NodeInput::Timeout);
        }
        if self.call_deadline.is_some_and(|at| at <= now) {
            self.call.handle_input(now, conclave_call_proto::Input::Timeout);
        }
        self.settle();
        if self.sample_at <= now {
            self.sample_at = now + SAMPLE;
            for device in &mut self.devices {
                device.watch.sample(now, &device.participant.report().received);
            }
        }
    }

    /// Publishes what a device's camera and microphone have made by now.
    fn record(&mut self, number: usize) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(number) else { return };
        let mut frames = Vec::new();
        if let Some(microphone) = device.microphone.as_mut().filter(|m| m.due_at() <= now) {
            frames.extend(microphone.next());
        }
        if let Some(camera) = device.camera.as_mut().filter(|c| c.due_at() <= now) {
            frames.extend(camera.next());
        }
        for frame in frames {
            self.tell_device(number, DeviceInput::Media(frame));
        }
    }

    /// Hands over what has arrived on a device's links.
    fn step_links(&mut self, number: usize) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(number) else { return };
        let (up, down) = (device.up.arrived(now), device.down.arrived(now));
        for Datagram { source, destination, bytes } in up {
            let (arrived, transport) = (now, Transport::Udp);
            let bytes = bytes.as_slice();
            let input = NodeInput::Datagram { arrived, transport, source, destination, bytes };
            self.node.handle_input(now, input);
        }
        let outside = device.outside;
        for Datagram { source, destination, bytes } in down {
            // On its way, the device may have moved.
            if destination != outside {
                continue;
            }
            let destination = crate::device::address(number);
            let contents = bytes.as_slice();
            self.tell_device(number, DeviceInput::Datagram { source, destination, contents });
        }
    }

    /// Gives a device one input, and does what it says.
    fn tell_device(&mut self, number: usize, input: DeviceInput<'_>) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(number) else { return };
        device.participant.handle_input(now, input);
        loop {
            let Some(device) = self.devices.get_mut(number) else { return };
            match device.participant.poll_output() {
                DeviceOutput::Connect => {
                    self.serial += 1;
                    if let Some(device) = self.devices.get_mut(number) {
                        device.connection = Some(ConnectionId(self.serial));
                    }
                    self.carry(SIGNAL_DELAY * 2, Carried::Opened { device: number });
                }
                DeviceOutput::Disconnect => {
                    if let Some(connection) = device.connection.take() {
                        self.carry(SIGNAL_DELAY, Carried::Closed { connection });
                    }
                }
                DeviceOutput::Event(Event::KeyframeWanted { .. }) => {
                    if let Some(camera) = &mut device.camera {
                        camera.want_keyframe();
                    }
                }
                DeviceOutput::Event(Event::Chat { name, text }) => device.chat.push((name, text)),
                DeviceOutput::Event(Event::Ended { reason }) => device.end = Some(reason),
                DeviceOutput::Event(Event::Frame { participant, source, data }) => {
                    if let Some(frame) = frame_number(source, &data) {
                        device.watch.arrived(now, participant, source, frame);
                    }
                }
                DeviceOutput::Event(Event::Joined { participant }) => {
                    device.id = Some(participant);
                }
                DeviceOutput::Event(_) | DeviceOutput::Relay { .. } => {}
                DeviceOutput::Signal(message) => self.carry_up(number, message),
                DeviceOutput::Timeout(at) => {
                    device.deadline = at;
                    return;
                }
                DeviceOutput::Transmit(transmit) => {
                    let (source, destination) = (device.outside, transmit.destination);
                    let bytes = transmit.contents;
                    assert!(!shows_media(&bytes), "media on the line, for anybody to see");
                    device.up.send(now, Datagram { source, destination, bytes });
                }
            }
        }
    }

    fn carry_up(&mut self, device: usize, message: ClientMessage) {
        if let Some(connection) = self.devices.get(device).and_then(|device| device.connection) {
            self.carry(SIGNAL_DELAY, Carried::Up { connection, device, message });
        }
    }

    fn carry(&mut self, delay: Duration, carried: Carried) {
        self.serial += 1;
        self.wires.insert((self.now + delay, self.serial), carried);
    }

    #[expect(clippy::indexing_slicing, reason = "ids come from `add`")]
    fn device(&self, id: DeviceId) -> &Device {
        &self.devices[id.0]
    }

    #[expect(clippy::indexing_slicing, reason = "ids come from `add`")]
    fn device_mut(&mut self, id: DeviceId) -> &mut Device {
        &mut self.devices[id.0]
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("devices", &self.devices.len()).finish_non_exhaustive()
    }
}

/// What is left of a server that died.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stored {
    /// Group and sessions.
    Everything,
    /// Nothing.
    Nothing,
}

fn node(now: Instant) -> Node {
    Node::new(NodeConfig::new(vec![node_address()], vec![], [7; 32]), now)
}

/// The address of the node.
fn node_address() -> SocketAddr {
    (Ipv4Addr::new(10, 1, 0, 1), 10_000).into()
}
