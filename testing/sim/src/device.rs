use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use conclave_call_proto::ConnectionId;
use conclave_client_proto::{Config, EndReason, Participant, Sends, ViewPolicy};
use conclave_model::{MediaKind, ParticipantId, TrackSource};
use conclave_wire::{ServerMessage, TilePriority};

use crate::encoder::{Camera, CameraSetup, FrameClock, Microphone};
use crate::link::{Link, LinkSetup};
use crate::meeting::Meeting;
use crate::watch::Watch;

/// A device in a world, in the order they came.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct DeviceId(pub usize);

/// What a device is and does.
#[derive(Clone, Copy, Debug)]
pub struct DeviceSetup {
    /// It has the host's link.
    pub host: bool,
    /// It lets everybody in who knocks, while it may.
    pub admits: bool,
    /// It has a microphone, and speaks until told otherwise.
    pub microphone: bool,
    /// Its camera.
    pub camera: Option<CameraSetup>,
    /// Slots for sound.
    pub audio_slots: usize,
    /// Slots for pictures.
    pub video_slots: usize,
    /// What it shows by itself.
    pub viewport: Viewport,
    /// Its network, to the node.
    pub up: LinkSetup,
    /// Its network, from the node.
    pub down: LinkSetup,
}

/// The tiles that a device fills by itself, in the order of the roster.
#[derive(Clone, Copy, Debug)]
pub struct Viewport {
    /// How many. With none, the device shows what [`World::view`](crate::World::view) says.
    pub tiles: usize,
    /// Width of each.
    pub width: u16,
    /// Height of each.
    pub height: u16,
}

impl DeviceSetup {
    /// Sees and hears others and is seen and heard, over good lines.
    pub const USUAL: Self = Self {
        host: false,
        admits: false,
        microphone: true,
        camera: Some(CameraSetup::HD),
        audio_slots: 3,
        video_slots: 4,
        viewport: Viewport { tiles: 4, width: 1280, height: 720 },
        up: LinkSetup::GOOD,
        down: LinkSetup::GOOD,
    };

    /// A host who lets everybody in.
    pub const HOST: Self = Self { host: true, admits: true, ..Self::USUAL };
}

/// A participant, what it records and the lines it is on.
pub(crate) struct Device {
    pub(crate) participant: Participant,
    pub(crate) id: Option<ParticipantId>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) camera: Option<Camera>,
    pub(crate) microphone: Option<Microphone>,
    pub(crate) up: Link,
    pub(crate) down: Link,
    /// The address that the node sees it at.
    pub(crate) outside: SocketAddr,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) watch: Watch,
    /// What the server said, the newest last.
    pub(crate) heard: Vec<ServerMessage>,
    /// What others wrote, by name.
    pub(crate) chat: Vec<(String, String)>,
    /// Why it is over for it.
    pub(crate) end: Option<EndReason>,
}

impl Device {
    pub(crate) fn new(
        number: usize,
        setup: DeviceSetup,
        meeting: &Meeting,
        start: Instant,
        now: Instant,
        world_seed: u64,
    ) -> Self {
        let seed = number as u64 * 1000 + 1;
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(seed.to_be_bytes()).for_each(|(to, from)| *to = from);
        let config = Config {
            meeting: meeting.id,
            keys: meeting.keys.clone(),
            constitution: meeting.constitution.clone(),
            digest: meeting.digest,
            host: setup.host.then(|| meeting.host.clone()),
            name: format!("Device {number}"),
            admits: setup.admits,
            patience: None,
            sends: Sends { microphone: setup.microphone, camera: setup.camera.is_some() },
            audio_slots: setup.audio_slots,
            video_slots: setup.video_slots,
            view: ViewPolicy {
                tiles: setup.viewport.tiles,
                width: setup.viewport.width,
                height: setup.viewport.height,
                priority: TilePriority::Tile,
            },
            hands_out: true,
            relay: None,
            addresses: vec![address(number)],
            seed: bytes,
            started_unix_s: meeting.founded_unix_s + (now - start).as_secs(),
        };
        let line_seed = seed.wrapping_add(world_seed.wrapping_mul(1_000_003));
        Self {
            participant: Participant::new(config, now),
            id: None,
            deadline: Some(now),
            camera: setup.camera.map(|camera| Camera::new(camera, now)),
            microphone: setup.microphone.then(|| Microphone::new(now)),
            up: Link::new(setup.up, line_seed),
            down: Link::new(setup.down, line_seed + 1),
            outside: address(number),
            connection: None,
            watch: Watch::default(),
            heard: Vec::new(),
            chat: Vec::new(),
            end: None,
        }
    }

    /// When it makes which frame of a track.
    pub(crate) fn clock(&self, source: TrackSource) -> Option<FrameClock> {
        match source.kind() {
            MediaKind::Audio => self.microphone.as_ref().map(Microphone::clock),
            MediaKind::Video => self.camera.as_ref().map(Camera::clock),
        }
    }

    /// When something of it is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        [
            self.deadline,
            self.camera.as_ref().map(Camera::due_at),
            self.microphone.as_ref().map(Microphone::due_at),
            self.up.deadline(),
            self.down.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// The address of a device.
pub(crate) fn address(number: usize) -> SocketAddr {
    let [high, low] = u16::try_from(number + 2).unwrap_or(u16::MAX).to_be_bytes();
    (Ipv4Addr::new(10, 0, high, low), 4000).into()
}

/// The same device elsewhere: at another port of its network's edge, or in another network.
pub(crate) fn moved(from: SocketAddr, to: Move) -> SocketAddr {
    match (from, to) {
        (SocketAddr::V4(v4), Move::Network) => {
            let [first, second, high, low] = v4.ip().octets();
            (Ipv4Addr::new(first, second ^ 0x10, high, low), v4.port()).into()
        }
        (from, _) => (from.ip(), from.port().wrapping_add(1)).into(),
    }
}

/// How a device's address changes, as the node sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Move {
    /// Its network lets it out at another port: the translator in front forgot the one before.
    Port,
    /// It is in another network.
    Network,
}
