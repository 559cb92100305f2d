use std::net::SocketAddr;
use std::time::Duration;

use crate::credential::Issuer;

/// What a server is told at birth.
#[derive(Debug)]
pub struct ServerConfig {
    /// The media node's addresses for UDP, as clients know them: all that there is to be reached.
    pub peers: Vec<SocketAddr>,
    /// Whose credentials are taken.
    pub issuer: Issuer,
    /// What clients can make the server hold.
    pub limits: Limits,
    /// Random bytes: what nonces are made with, and which ports are given out.
    pub seed: [u8; 32],
}

/// What clients can make a server hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Allocations at a time.
    pub allocations: usize,
    /// Allocations of one credential. A browser makes one for each way to the server and each of
    /// its interfaces, and has two media sessions for a moment.
    pub per_credential: usize,
    /// Allocations of one network: a large office behind one address.
    pub per_network: usize,
    /// Refusals that one network is sent at once; beyond, it gets so many a second. What is asked
    /// with a credential that holds does not count.
    pub refusals: u32,
    /// Connections at a time. The shell has a limit of its own.
    pub streams: usize,
    /// How long an allocation lives unless it is refreshed. RFC 8656 section 3.2 has ten minutes.
    pub lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations: 8192,
            per_credential: 24,
            per_network: 2048,
            refusals: 256,
            streams: 4096,
            lifetime: Duration::from_secs(600),
        }
    }
}
