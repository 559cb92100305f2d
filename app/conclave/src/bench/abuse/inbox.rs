//! Reading sockets, and when what is read had come: the kernel's word, so that it does not matter
//! how often and how late anybody looks.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::SystemTime;

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Socket, Type};

/// A socket of a client's.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) socket: UdpSocket,
    state: UdpSocketState,
}

/// Where datagrams are received to, many with one call of the system. One serves all ports.
#[derive(Debug)]
pub(super) struct Inbox {
    buffers: Vec<Vec<u8>>,
    metas: [RecvMeta; BATCH_SIZE],
}

/// Socket buffers in bytes. The kernel may give less.
const BUFFER: usize = 2 * 1024 * 1024;

/// What one receive may put into one buffer, in bytes: a whole burst that the kernel keeps together.
const ROOM: usize = 64 * 1024;

impl Port {
    /// A free port of loopback that speaks with one address alone and never waits.
    pub(super) fn to(remote: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        // A kernel that gives less may lose something, and then the row says so.
        let _ = socket.set_recv_buffer_size(BUFFER);
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.connect(&remote.into())?;
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket: socket.into(), state })
    }
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { buffers: vec![vec![0; ROOM]; BATCH_SIZE], metas: [RecvMeta::default(); BATCH_SIZE] }
    }

    /// Gives each datagram of one batch to `each`, and when it came, in nanoseconds since 1970.
    /// Returns how many there were.
    pub(super) fn receive(
        &mut self,
        port: &Port,
        mut each: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let mut slices: Vec<IoSliceMut<'_>> =
            self.buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let received = port.state.recv((&port.socket).into(), &mut slices, &mut self.metas);
        let batches = match received {
            Ok(batches) => batches,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for (meta, buffer) in self.metas.iter().zip(&self.buffers).take(batches) {
            let came = meta.timestamp.map_or_else(unix_ns, |at| nanoseconds(at.as_nanos()));
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            for datagram in bytes.chunks(meta.stride.max(1)) {
                each(came, datagram)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// The time, in nanoseconds since 1970: of the kernel's clocks the one by which it tells arrivals.
pub(super) fn unix_ns() -> u64 {
    nanoseconds(SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos())
}

fn nanoseconds(count: u128) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
