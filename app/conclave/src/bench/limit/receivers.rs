//! The destinations, which count what arrives.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use quinn_udp::{BATCH_SIZE, UdpSocketState};

use super::port::{Inbox, bind, room};
use super::srtp::DATAGRAM;

/// How long nothing may arrive until the rest counts as lost. On a busy machine a thread may well
/// have to wait for its core that long.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// No more datagrams than this wait at a destination. More would measure how caches overflow.
const ROOM: usize = 64;

/// One socket for each destination.
///
/// They have no GRO: a receiver elsewhere takes datagrams, so on loopback the sender's thread has
/// to cut its bursts into datagrams, as in front of a network card that cannot.
#[derive(Debug)]
pub(super) struct Receivers {
    sockets: Vec<UdpSocket>,
    addresses: Vec<SocketAddr>,
    /// The state of another socket: to make one for these would switch GRO on. Receiving reads
    /// nothing of it.
    reader: UdpSocketState,
    inbox: Inbox,
    room: usize,
}

impl Receivers {
    /// Opens so many destinations.
    pub(super) fn open(destinations: usize) -> anyhow::Result<Self> {
        let sockets = (0..destinations).map(|_| bind()).collect::<Result<Vec<_>, _>>()?;
        let addresses = sockets.iter().map(UdpSocket::local_addr).collect::<Result<_, _>>()?;
        let rooms = sockets.iter().map(room).collect::<Result<Vec<_>, _>>()?;
        let reader = UdpSocketState::new((&bind()?).into())?;
        let room = rooms.into_iter().min().unwrap_or(0).min(ROOM);
        // One byte more, so that what is longer is not taken for ours.
        Ok(Self { sockets, addresses, reader, inbox: Inbox::new(DATAGRAM + 1), room })
    }

    /// Where they are reached.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many bursts may wait at each; at least one.
    pub(super) fn room(&self, burst: usize) -> usize {
        (self.room / burst.max(1)).max(1)
    }

    /// Takes what has arrived, and counts it.
    pub(super) fn sweep(&mut self) -> anyhow::Result<u64> {
        let Self { sockets, reader, inbox, .. } = self;
        let mut count = 0;
        for socket in sockets {
            let mut each = |bytes: &mut [u8]| count += u64::from(bytes.len() == DATAGRAM);
            // A batch that is not full was the last.
            while inbox.receive(reader, socket, &mut each)? == BATCH_SIZE {}
        }
        Ok(count)
    }

    /// Takes what arrives, until so many have, or until nothing more does.
    pub(super) fn collect(&mut self, expected: u64) -> anyhow::Result<u64> {
        let mut count = self.sweep()?;
        let mut heard = Instant::now();
        while count < expected && heard.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
            let more = self.sweep()?;
            if more > 0 {
                heard = Instant::now();
            }
            count += more;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::limit::port::Port;

    #[test]
    fn a_burst_arrives_as_datagrams_whether_it_can_leave_as_one_or_not() {
        let port = Port::open().unwrap();
        let mut receivers = Receivers::open(1).unwrap();
        assert!(!port.sends_whole(100), "no kernel takes as much at once");
        for burst in [1, 8, 100] {
            port.send(receivers.addresses()[0], &vec![[1; DATAGRAM]; burst]);
            assert_eq!(receivers.collect(burst as u64).unwrap(), burst as u64);
        }
    }
}
