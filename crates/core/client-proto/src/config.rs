use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use conclave_link::{HostSeed, LinkKeys, PolicyDigest};
use conclave_model::MeetingId;
use conclave_wire::{RelayProtocol, TilePriority};

/// What a participant is and does.
#[derive(Clone)]
pub struct Config {
    /// The meeting.
    pub meeting: MeetingId,
    /// What is derived from its link's secret.
    pub keys: LinkKeys,
    /// Its constitution, as the server hands it out.
    pub constitution: String,
    /// What the link says of its constitution.
    pub digest: PolicyDigest,
    /// What makes a host of this device, if the link was a host's.
    pub host: Option<HostSeed>,
    /// The name to come in under.
    pub name: String,
    /// Whether it lets everybody in who knocks, while it may.
    pub admits: bool,
    /// How long it waits to be let in; for ever if absent.
    pub patience: Option<Duration>,
    /// What it publishes.
    pub sends: Sends,
    /// How many receiving slots for sound it offers.
    pub audio_slots: usize,
    /// How many receiving slots for pictures it offers.
    pub video_slots: usize,
    /// Which pictures it wants.
    pub view: ViewPolicy,
    /// Whether frames that were opened are handed out, as [`Event::Frame`](crate::Event::Frame).
    pub hands_out: bool,
    /// Takes no path for media but by the server's TURN server, reached so.
    pub relay: Option<RelayProtocol>,
    /// The addresses of its UDP sockets.
    pub addresses: Vec<SocketAddr>,
    /// Fresh random bytes, of which its keys are made. Never the same for two participants.
    pub seed: [u8; 32],
    /// The time when it starts, in seconds since 1970.
    pub started_unix_s: u64,
}

impl Config {
    /// Whether it sends or receives media. Who does neither offers no media session, and is in the
    /// meeting's group alone.
    pub(crate) const fn has_media(&self) -> bool {
        self.sends.microphone || self.sends.camera || self.audio_slots > 0 || self.video_slots > 0
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("sends", &self.sends).finish_non_exhaustive()
    }
}

/// What a participant publishes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sends {
    /// Sound.
    pub microphone: bool,
    /// A picture, in three simulcast layers.
    pub camera: bool,
}

/// Which pictures a participant wants: the first few in the order of the roster, all alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ViewPolicy {
    /// How many.
    pub tiles: usize,
    /// Width of each in device pixels.
    pub width: u16,
    /// Height of each in device pixels.
    pub height: u16,
    /// How much they matter.
    pub priority: TilePriority,
}
