use std::net::TcpStream;

use tokio::sync::mpsc;

/// Connections that may wait to be taken in: as many as at the shard's own listener.
const WAITING: usize = 128;

/// Where connections go in that came to a listener of somebody else's.
#[derive(Clone, Debug)]
pub struct Entrance {
    arrivals: mpsc::Sender<Arrival>,
}

/// A connection that came elsewhere, and what was read of it there.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    pub(crate) head: Vec<u8>,
}

impl Entrance {
    /// Creates one, and the end at which the shard takes in what came.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Arrival>) {
        let (arrivals, taken) = mpsc::channel(WAITING);
        (Self { arrivals }, taken)
    }

    /// Hands over a connection, with what was read of it. From here on it is held to the limits of
    /// the shard's own connections. Returns whether there was room; if not, it is closed.
    pub fn hand_over(&self, stream: TcpStream, head: Vec<u8>) -> bool {
        self.arrivals.try_send(Arrival { stream, head }).is_ok()
    }
}
