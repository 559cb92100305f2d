use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::time::Duration;

use conclave_sfu_proto::Transmit;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use crate::address::{self, canonical};

/// Socket buffers: half a second of 100 Mbit/s. The kernel may give less.
const BUFFER: usize = 6 * 1024 * 1024;

/// No datagram of ours is longer; a longer one is none of ours.
const MAX_DATAGRAM: usize = 2048;

/// How long the socket is left alone after an error: what comes meanwhile waits in its buffer.
const REST: Duration = Duration::from_millis(5);

/// The most bytes that one send may carry: what fits into one IP packet.
const MAX_BURST: usize = 60 * 1024;

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
    burst: Vec<u8>,
    /// The machine's addresses, if the socket is bound to all of them.
    own: Vec<IpAddr>,
    /// Until when the socket is left alone, after an error.
    rests_until: Option<Instant>,
    pub(crate) send_failures: u64,
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
            burst: Vec::with_capacity(MAX_BURST),
            own,
            rests_until: None,
            send_failures: 0,
        })
    }

    /// Waits until there is something to receive: not at once after an error, which would show
    /// again as often as it is looked for.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        if let Some(until) = self.rests_until {
            sleep_until(until).await;
        }
        self.socket.readable().await
    }

    /// Gives each datagram of one batch to `each`: source, destination, bytes. Returns how many
    /// there were; none if the socket is empty.
    pub(crate) fn receive(
        &mut self,
        mut each: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> io::Result<usize> {
        let mut slices: Vec<IoSliceMut<'_>> =
            self.buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let (socket, state, metas) = (&self.socket, &self.state, &mut self.metas);
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

        let mut count = 0;
        for (meta, buffer) in self.metas.iter().zip(&self.buffers).take(batches) {
            let ip = meta.dst_ip.unwrap_or_else(|| self.local.ip());
            let destination = canonical(SocketAddr::new(ip, self.local.port()));
            let source = canonical(meta.addr);
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            if meta.len == 0 {
                each(source, destination, bytes);
                count += 1;
                continue;
            }
            for datagram in bytes.chunks(meta.stride.max(1)) {
                each(source, destination, datagram);
                count += 1;
            }
        }
        Ok(count)
    }

    /// Leaves the socket alone for a moment.
    fn rest(&mut self) {
        self.rests_until = Some(Instant::now() + REST);
    }

    /// Sends datagrams in their order. Runs of equal size to one destination go as one burst.
    pub(crate) fn send(&mut self, transmits: &[Transmit]) {
        let mut rest = transmits;
        while !rest.is_empty() {
            let run = run_length(rest, self.state.max_gso_segments());
            let (now, later) = rest.split_at(run);
            rest = later;
            if self.send_run(now) {
                continue;
            }
            if run == 1 {
                self.send_failures += 1;
                continue;
            }
            // The path may not take bursts: one by one then.
            for one in now {
                self.send_failures += u64::from(!self.send_run(std::slice::from_ref(one)));
            }
        }
    }

    fn send_run(&mut self, run: &[Transmit]) -> bool {
        let Some(first) = run.first() else { return true };
        self.burst.clear();
        for transmit in run {
            self.burst.extend_from_slice(&transmit.bytes);
        }
        let transmit = quinn_udp::Transmit {
            destination: self.native(first.destination),
            ecn: None,
            contents: &self.burst,
            segment_size: (run.len() > 1).then_some(first.bytes.len()),
            src_ip: self.source_ip(first.source),
        };
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

/// How many datagrams at the head can go as one: same ends, same size, only the last shorter.
fn run_length(transmits: &[Transmit], most: usize) -> usize {
    let Some(first) = transmits.first() else { return 0 };
    let size = first.bytes.len();
    let most = most.min(MAX_BURST / size.max(1)).max(1);
    let mut run = 1;
    for transmit in transmits.iter().skip(1).take(most - 1) {
        let same = (transmit.destination, transmit.source) == (first.destination, first.source);
        if !same || transmit.bytes.len() > size || transmit.bytes.is_empty() {
            break;
        }
        run += 1;
        if transmit.bytes.len() < size {
            break;
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use conclave_sfu_proto::Transport;

    use super::*;

    fn transmit(port: u16, len: usize) -> Transmit {
        let source = SocketAddr::from(([127, 0, 0, 1], 10000));
        let destination = SocketAddr::from(([127, 0, 0, 1], port));
        Transmit { transport: Transport::Udp, source, destination, bytes: vec![1; len] }
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
        udp.receive(|_, _, bytes| heard.extend_from_slice(bytes)).unwrap();
        assert_eq!(heard, b"hello");
        assert_eq!(udp.rests_until, None);
    }

    #[test]
    fn a_burst_has_one_destination_one_size_and_perhaps_a_shorter_end() {
        let cases = [
            ("nothing", vec![], 0),
            ("one", vec![(1, 100)], 1),
            ("all the same", vec![(1, 100), (1, 100), (1, 100)], 3),
            ("another destination", vec![(1, 100), (1, 100), (2, 100)], 2),
            ("a shorter one ends it", vec![(1, 100), (1, 50), (1, 50)], 2),
            ("a longer one is not in it", vec![(1, 100), (1, 101)], 1),
        ];
        for (name, sizes, expected) in cases {
            let transmits: Vec<_> = sizes.iter().map(|(port, len)| transmit(*port, *len)).collect();
            assert_eq!(run_length(&transmits, 64), expected, "case: {name}");
        }
        let many: Vec<_> = (0..100).map(|_| transmit(1, 1200)).collect();
        assert_eq!(run_length(&many, 64), 51, "what fits into one IP packet");
        assert_eq!(run_length(&many, 1), 1, "what the kernel can");
    }
}
