use std::net::SocketAddr;

use conclave_model::Bitrate;

/// What a node is told at birth.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Addresses at which clients reach the UDP socket, best first.
    pub udp: Vec<SocketAddr>,
    /// Addresses at which clients reach the node by TCP, best first.
    pub tcp: Vec<SocketAddr>,
    /// What clients can make the node hold.
    pub limits: Limits,
    /// What the path to a peer is taken to carry until something is known of it.
    pub initial_estimate: Bitrate,
    /// Random bytes: where sequence numbers and timestamps of outgoing streams start.
    pub seed: [u8; 32],
}

impl NodeConfig {
    /// A node behind these addresses, with the default limits.
    pub fn new(udp: Vec<SocketAddr>, tcp: Vec<SocketAddr>, seed: [u8; 32]) -> Self {
        Self { udp, tcp, limits: Limits::default(), initial_estimate: INITIAL_ESTIMATE, seed }
    }
}

/// Enough for a picture at once, little enough not to flood a mobile link.
pub const INITIAL_ESTIMATE: Bitrate = Bitrate::kbps(1000);

/// What clients can make a node hold. Each is far above what a browser of ours asks for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions on this node, over all calls. An offer above it is refused.
    pub peers: usize,
    /// Receiving audio sections in one offer.
    pub audio_slots: usize,
    /// Receiving video sections in one offer.
    pub video_slots: usize,
    /// Sending sections in one offer.
    pub publications: usize,
    /// Remote addresses remembered for one session; the oldest goes first.
    pub addresses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { peers: 4096, audio_slots: 16, video_slots: 64, publications: 8, addresses: 16 }
    }
}
