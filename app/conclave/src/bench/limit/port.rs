//! Sockets of a measurement, as a media shard uses its own.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::Duration;

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};

use super::srtp::DATAGRAM;

/// Socket buffers in bytes: what the media shard asks for. The kernel may give less.
const BUFFER: usize = 6 * 1024 * 1024;

/// What one receive may put into one buffer, in bytes: a whole burst that the kernel keeps together.
const BURST_ROOM: usize = 64 * 1024;

/// The most bytes that one send may carry: what fits into one IP packet.
const MOST_BYTES: usize = 60 * 1024;

/// Most that the kernel charges a socket for one datagram that waits in it, in bytes.
const CHARGE: usize = 4096;

/// A socket that sends bursts, and takes them in whole, where the kernel can.
#[derive(Debug)]
pub(super) struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    inbox: Inbox,
}

/// Where datagrams are received to, many with one call of the system.
#[derive(Debug)]
pub(super) struct Inbox {
    buffers: Vec<Vec<u8>>,
    metas: [RecvMeta; BATCH_SIZE],
}

impl Port {
    /// Binds to a free port of loopback.
    pub(super) fn open() -> io::Result<Self> {
        let socket = bind()?;
        let state = UdpSocketState::new((&socket).into())?;
        let address = socket.local_addr()?;
        Ok(Self { socket, state, address, inbox: Inbox::new(BURST_ROOM) })
    }

    /// Where it is reached.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether so many datagrams to one destination leave as one.
    pub(super) fn sends_whole(&self, burst: usize) -> bool {
        burst <= self.state.max_gso_segments().min(MOST_BYTES / DATAGRAM)
    }

    /// Sends one datagram in the plainest manner.
    pub(super) fn send_one(&self, destination: SocketAddr, packet: &[u8; DATAGRAM]) {
        // What does not leave is missed where it is counted: at the receivers.
        let _ = self.socket.send_to(packet, destination);
    }

    /// Sends datagrams to one destination as the media shard does: as one burst, if the kernel can.
    pub(super) fn send(&self, destination: SocketAddr, packets: &[[u8; DATAGRAM]]) {
        let most = if self.sends_whole(packets.len()) { packets.len() } else { 1 };
        for run in packets.chunks(most.max(1)) {
            let transmit = Transmit {
                destination,
                ecn: None,
                contents: run.as_flattened(),
                segment_size: (run.len() > 1).then_some(DATAGRAM),
                src_ip: None,
            };
            // What does not leave is missed where it is counted: at the receivers.
            let _ = self.state.try_send((&self.socket).into(), &transmit);
        }
    }

    /// Waits until there is something to receive, but not longer than that.
    pub(super) fn wait(&self, most: Duration) -> anyhow::Result<()> {
        let mut sockets = [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
        poll(&mut sockets, Some(&Timespec::try_from(most)?))?;
        Ok(())
    }

    /// Gives each datagram of one batch to `each`. Returns how many there were.
    pub(super) fn receive(&mut self, each: impl FnMut(&mut [u8])) -> io::Result<usize> {
        self.inbox.receive(&self.state, &self.socket, each)
    }
}

impl Inbox {
    /// With so many bytes for each datagram, or each burst that is kept together.
    pub(super) fn new(room: usize) -> Self {
        Self { buffers: vec![vec![0; room]; BATCH_SIZE], metas: [RecvMeta::default(); BATCH_SIZE] }
    }

    /// Gives each datagram of one batch to `each`. Returns how many there were.
    pub(super) fn receive(
        &mut self,
        state: &UdpSocketState,
        socket: &UdpSocket,
        mut each: impl FnMut(&mut [u8]),
    ) -> io::Result<usize> {
        let mut slices: Vec<IoSliceMut<'_>> =
            self.buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let batches = match state.recv(socket.into(), &mut slices, &mut self.metas) {
            Ok(batches) => batches,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut count = 0;
        for (meta, buffer) in self.metas.iter().zip(&mut self.buffers).take(batches) {
            let bytes = buffer.get_mut(..meta.len).unwrap_or_default();
            for datagram in bytes.chunks_mut(meta.stride.max(1)) {
                each(datagram);
                count += 1;
            }
        }
        Ok(count)
    }
}

/// A socket at a free port of loopback that never waits.
pub(super) fn bind() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    // A kernel that gives less only makes the phases of a measurement shorter.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket.into())
}

/// How many datagrams surely find room in a socket that nobody reads.
pub(super) fn room(socket: &UdpSocket) -> io::Result<usize> {
    Ok(socket2::SockRef::from(socket).recv_buffer_size()? / CHARGE)
}
