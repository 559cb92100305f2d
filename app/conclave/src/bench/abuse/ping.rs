//! The least that a datagram takes on this machine at the moment.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::inbox::{Inbox, Port, unix_ns};

/// Sends datagrams from one socket to another, with no server between.
pub(super) struct Ping {
    from: UdpSocket,
    to: SocketAddr,
    port: Port,
    due: Instant,
    /// How long each was under way since it was last asked, in microseconds.
    delays_us: Vec<u32>,
}

/// Between two datagrams.
const EVERY: Duration = Duration::from_millis(3);

/// As large as those that are measured, in bytes.
const LENGTH: usize = 1200;

impl Ping {
    pub(super) fn new() -> anyhow::Result<Self> {
        let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = Port::to(from.local_addr()?)?;
        let to = port.socket.local_addr()?;
        Ok(Self { from, to, port, due: Instant::now(), delays_us: Vec::new() })
    }

    /// Sends what is due, and takes what has come.
    pub(super) fn turn(&mut self, inbox: &mut Inbox) -> anyhow::Result<()> {
        let now = Instant::now();
        if self.due <= now {
            self.due = now + EVERY;
            let mut datagram = unix_ns().to_be_bytes().to_vec();
            datagram.resize(LENGTH, 0);
            self.from.send_to(&datagram, self.to)?;
        }
        inbox.receive(&self.port, |came, bytes| {
            if let Some(sent_at) = bytes.first_chunk().copied().map(u64::from_be_bytes) {
                let delay = came.saturating_sub(sent_at) / 1000;
                self.delays_us.push(u32::try_from(delay).unwrap_or(u32::MAX));
            }
            Ok(())
        })?;
        Ok(())
    }

    /// What was measured since it was last asked.
    pub(super) fn take(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.delays_us)
    }
}
