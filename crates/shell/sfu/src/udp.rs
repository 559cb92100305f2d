use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::time::{Duration, Instant as StdInstant, SystemTime};

use conclave_sfu_proto::Transmit;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use crate::address::{self, canonical};

/// Socket buffers: half a second of 100 Mbit/s. The kernel may give less.
const BUFFER: usize = 6 * 1024 * 1024;

/// No datagram of ours is longer; a longer one is none of ours.
const MAX_DATAGRAM: usize = 2048;

/// What waited for longer did not: somebody has set the clock meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How long the socket is left alone after an error: what comes meanwhile waits in its buffer.
const REST: Duration = Duration::from_millis(5);

/// Binds a UDP socket that is ready for an event loop.
pub(crate) fn bind(address: SocketAddr) -> io::Result<StdUdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    for (what, result) in [
        ("receive", socket.set_recv_buffer_size(BUFFER)),
        ("send", socket.set_send_buffer_size(BUFFER)),
    ] {
        if let Err(error) = result {
            tracing::debug!(what, %error, "a socket buffer stays as it was");
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The UDP socket of a shard. It takes and gives many datagrams at a time where the kernel can.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    buffers: Vec<Vec<u8>>,
    metas: Vec<RecvMeta>,
    /// The machine's addresses, if the socket is bound to all of them.
    own: Vec<IpAddr>,
    /// Until when the socket is left alone, after an error.
    rests_until: Option<Instant>,
    pub(crate) send_failures: u64,
    /// Calls of the system that sent, or were to.
    pub(crate) sends: u64,
    /// Calls of the system that received, or found nothing.
    pub(crate) receives: u64,
}

impl Udp {
    /// Takes the socket over. Must be called within the runtime that will drive it.
    pub(crate) fn new(socket: StdUdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let local = socket.local_addr()?;
        let own = if local.ip().is_unspecified() { address::own()? } else { Vec::new() };
        let room = MAX_DATAGRAM * state.gro_segments();
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            state,
            local,
            buffers: vec![vec![0; room]; BATCH_SIZE],
            metas: vec![RecvMeta::default(); BATCH_SIZE],
            own,
            rests_until: None,
            send_failures: 0,
            sends: 0,
            receives: 0,
        })
    }

    /// The port that it is bound to.
    pub(crate) const fn port(&self) -> u16 {
        self.local.port()
    }

    /// Waits until there is something to receive: not at once after an error, which would show
    /// again as often as it is looked for.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        if let Some(until) = self.rests_until {
            sleep_until(until).await;
        }
        self.socket.readable().await
    }

    /// Gives each datagram of one batch to `each`: when it came, source, destination, bytes. Returns
    /// how many there were; none if the socket is empty. A batch has `most` datagrams, or as many
    /// bursts that the kernel put together.
    pub(crate) fn receive(
        &mut self,
        most: usize,
        mut each: impl FnMut(StdInstant, SocketAddr, SocketAddr, &[u8]),
    ) -> io::Result<usize> {
        let mut slices: Vec<IoSliceMut<'_>> =
            self.buffers.iter_mut().take(most).map(|buffer| IoSliceMut::new(buffer)).collect();
        let (socket, state, metas) = (&self.socket, &self.state, &mut self.metas);
        self.receives += 1;
        let received =
            socket.try_io(Interest::READABLE, || state.recv(socket.into(), &mut slices, metas));
        let batches = match received {
            Ok(batches) => batches,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => {
                self.rest();
                return Err(error);
            }
        };
        self.rests_until = None;

        // Of the kernel's two clocks, it tells arrivals by the one that people set.
        let read_at = StdInstant::now();
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let mut count = 0;
        for (meta, buffer) in self.metas.iter().zip(&self.buffers).take(batches) {
            let ip = meta.dst_ip.unwrap_or_else(|| self.local.ip());
            let destination = canonical(SocketAddr::new(ip, self.local.port()));
            let source = canonical(meta.addr);
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            let waited = meta.timestamp.and_then(|at| since_1970.checked_sub(at));
            let arrived =
                read_at - waited.filter(|waited| *waited < LONGEST_WAIT).unwrap_or_default();
            if meta.len == 0 {
                each(arrived, source, destination, bytes);
                count += 1;
                continue;
            }
            for datagram in bytes.chunks(meta.stride.max(1)) {
                each(arrived, source, destination, datagram);
                count += 1;
            }
        }
        Ok(count)
    }

    /// Leaves the socket alone for a moment.
    fn rest(&mut self) {
        self.rests_until = Some(Instant::now() + REST);
    }

    /// Sends a burst of datagrams, in one go where the kernel can.
    pub(crate) fn send(&mut self, transmit: &Transmit) {
        let fits = transmit.datagrams().len() <= self.state.max_gso_segments();
        if fits && self.try_send(transmit, &transmit.bytes, transmit.segment) {
            return;
        }
        // The path may not take bursts: one by one then.
        for datagram in transmit.datagrams() {
            self.send_failures += u64::from(!self.try_send(transmit, datagram, None));
        }
    }

    fn try_send(&mut self, transmit: &Transmit, contents: &[u8], segment: Option<usize>) -> bool {
        let destination = self.native(transmit.destination);
        let src_ip = self.source_ip(transmit.source);
        self.sends += 1;
        if segment.is_none() && src_ip.is_none() {
            // A datagram of which there is nothing else to say is a little cheaper to send so.
            return SockRef::from(&self.socket).send_to(contents, &destination.into()).is_ok();
        }
        let transmit =
            quinn_udp::Transmit { destination, ecn: None, contents, segment_size: segment, src_ip };
        self.state.try_send((&self.socket).into(), &transmit).is_ok()
    }

    /// The form in which the socket's family knows an address.
    const fn native(&self, address: SocketAddr) -> SocketAddr {
        match (self.local, address.ip()) {
            (SocketAddr::V6(_), IpAddr::V4(ip)) => {
                SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), address.port())
            }
            _ => address,
        }
    }

    /// The address to send from, where the socket is bound to all of them. One that stands in
    /// front of the machine is the translator's to put in.
    fn source_ip(&self, source: SocketAddr) -> Option<IpAddr> {
        Some(source.ip()).filter(|ip| self.own.contains(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waited_in_the_socket_came_when_it_came() {
        let mut udp = Udp::new(bind(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
        let other = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        let before = StdInstant::now();
        other.send_to(b"hello", udp.local).unwrap();
        let after = StdInstant::now();
        udp.readable().await.unwrap();

        // The machine is busy with something else.
        let busy = Duration::from_millis(50);
        tokio::time::sleep(busy).await;

        let mut times = Vec::new();
        udp.receive(usize::MAX, |arrived, _, _, _| times.push(arrived)).unwrap();
        let [arrived] = times.try_into().unwrap();
        // The clocks are not read at the very same time.
        let slack = Duration::from_millis(5);
        assert!(arrived + slack >= before && arrived <= after + slack);
    }

    #[tokio::test]
    async fn a_socket_that_failed_is_left_alone_for_a_moment_and_then_goes_on() {
        let mut udp = Udp::new(bind(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
        let other = StdUdpSocket::bind("127.0.0.1:0").unwrap();
        other.send_to(b"hello", udp.local).unwrap();
        udp.readable().await.unwrap();

        udp.rest();
        let started = Instant::now();
        udp.readable().await.unwrap();

        assert!(started.elapsed() >= REST);
        let mut heard = Vec::new();
        udp.receive(usize::MAX, |_, _, _, bytes| heard.extend_from_slice(bytes)).unwrap();
        assert_eq!(heard, b"hello");
        assert_eq!(udp.rests_until, None);
    }
}
