use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener as StdTcpListener};
use std::time::{Duration, Instant};

use conclave_sfu_proto::{Deframer, Transmit, frame_header};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::address::canonical;

/// Connections at a time. TCP is for the few whose network lets no UDP through.
const MAX_CONNECTIONS: usize = 1024;

/// Connections from one network at a time: an office behind one address, not a flood.
const MAX_PER_NETWORK: usize = 128;

/// A connection on which nothing comes is closed: ICE checks come every few seconds. So is one
/// that takes nothing for as long.
const SILENCE: Duration = Duration::from_secs(30);

/// A connection that belongs to no session for this long is closed, whatever comes on it: a
/// client's first ICE check follows within a second.
const STRANGER_FOR: Duration = Duration::from_secs(15);

/// Datagrams that may wait for a slow connection; what comes beyond is lost, as on a full link.
const OUT_QUEUE: usize = 256;

/// What connections may have read that the shard has not yet taken.
const IN_QUEUE: usize = 256;

/// How long the kernel may hold a new connection back.
const BACKLOG: i32 = 128;

/// Binds a listener that is ready for an event loop.
pub(crate) fn bind(address: SocketAddr) -> io::Result<StdTcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The TCP side of a shard: ICE over TCP (RFC 6544), framed (RFC 4571).
#[derive(Debug)]
pub(crate) struct Tcp {
    listener: Option<TcpListener>,
    connections: HashMap<SocketAddr, Connection>,
    /// Numbers the connections: an address may come back before the end of its last one is known.
    next: u64,
    events_in: mpsc::Receiver<TcpEvent>,
    events_out: mpsc::Sender<TcpEvent>,
    pub(crate) refused: u64,
    pub(crate) overflowed: u64,
}

/// One client's connection.
#[derive(Debug)]
struct Connection {
    number: u64,
    queue: mpsc::Sender<Vec<u8>>,
    reader: AbortHandle,
    /// When it was last seen to belong to a session, or was accepted.
    known_at: Instant,
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum TcpEvent {
    /// It is gone.
    Closed { source: SocketAddr, number: u64 },
    /// These datagrams came.
    Datagrams { source: SocketAddr, destination: SocketAddr, datagrams: Vec<Vec<u8>> },
}

/// Something to do for the TCP side.
#[derive(Debug)]
pub(crate) enum TcpTurn {
    Accepted(TcpStream, SocketAddr),
    Event(TcpEvent),
}

impl Tcp {
    pub(crate) fn new(listener: Option<TcpListener>) -> Self {
        let (events_out, events_in) = mpsc::channel(IN_QUEUE);
        let connections = HashMap::new();
        Self { listener, connections, next: 0, events_in, events_out, refused: 0, overflowed: 0 }
    }

    /// Waits for a connection or for what comes on one. Safe to drop while it waits.
    pub(crate) async fn turn(&mut self) -> TcpTurn {
        tokio::select! {
            Some(event) = self.events_in.recv() => TcpTurn::Event(event),
            (stream, source) = accept(self.listener.as_ref()) => TcpTurn::Accepted(stream, source),
        }
    }

    /// Takes a connection in, unless there are too many.
    pub(crate) fn accepted(&mut self, now: Instant, stream: TcpStream, source: SocketAddr) {
        let source = canonical(source);
        let network = network_of(source.ip());
        let of_network = self.connections.keys().filter(|s| network_of(s.ip()) == network).count();
        let destination = stream.local_addr().map(canonical);
        let (Ok(destination), true) =
            (destination, self.connections.len() < MAX_CONNECTIONS && of_network < MAX_PER_NETWORK)
        else {
            self.refused += 1;
            return;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a media connection may be slow");
        }
        let (reader, writer) = stream.into_split();
        let (queue_in, queue_out) = mpsc::channel(OUT_QUEUE);
        let number = self.next;
        self.next += 1;
        tokio::spawn(write(writer, queue_out, SILENCE));
        let reading = read(reader, source, destination, number, self.events_out.clone());
        let reader = tokio::spawn(reading).abort_handle();
        let connection = Connection { number, queue: queue_in, reader, known_at: now };
        if let Some(before) = self.connections.insert(source, connection) {
            before.reader.abort();
        }
    }

    /// Forgets a connection; answers whether it was there. Its writer ends with its queue.
    pub(crate) fn closed(&mut self, source: SocketAddr, number: u64) -> bool {
        let there = self.connections.get(&source).is_some_and(|c| c.number == number);
        if there {
            self.connections.remove(&source);
        }
        there
    }

    /// Closes the connections that have belonged to no session for too long: whoever holds one
    /// open keeps it from somebody else.
    pub(crate) fn close_strangers(&mut self, now: Instant, known: impl Fn(SocketAddr) -> bool) {
        self.connections.retain(|source, connection| {
            if known(*source) {
                connection.known_at = now;
            }
            let keep = now.saturating_duration_since(connection.known_at) < STRANGER_FOR;
            if !keep {
                connection.reader.abort();
            }
            keep
        });
    }

    /// Sends a datagram; if the connection is slow or gone, it is lost.
    pub(crate) fn send(&mut self, transmit: Transmit) {
        let Some(connection) = self.connections.get(&transmit.destination) else { return };
        self.overflowed += u64::from(connection.queue.try_send(transmit.bytes).is_err());
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }
}

async fn accept(listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                // Out of file descriptors, say: a moment later there may be some.
                tracing::debug!(%error, "a media connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn read(
    mut reader: OwnedReadHalf,
    source: SocketAddr,
    destination: SocketAddr,
    number: u64,
    events: mpsc::Sender<TcpEvent>,
) {
    let mut deframer = Deframer::new();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(Ok(len @ 1..)) = timeout(SILENCE, reader.read(&mut buffer)).await {
        let mut datagrams = Vec::new();
        let bytes = buffer.get(..len).unwrap_or_default();
        let intact = deframer.feed(bytes, |datagram| datagrams.push(datagram.to_vec())).is_ok();
        let event = TcpEvent::Datagrams { source, destination, datagrams };
        if events.send(event).await.is_err() || !intact {
            break;
        }
    }
    // If the shard is gone, nobody needs to know.
    let _ = events.send(TcpEvent::Closed { source, number }).await;
}

/// What one subscriber controls: an IPv4 address, or the first 64 bits of an IPv6 address.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}

/// Sends what is queued until the queue ends, or the other end takes nothing for `patience`.
async fn write<W>(mut writer: W, mut queue: mpsc::Receiver<Vec<u8>>, patience: Duration)
where
    W: AsyncWrite + Unpin,
{
    let mut bytes = Vec::new();
    while let Some(datagram) = queue.recv().await {
        bytes.clear();
        append(&mut bytes, &datagram);
        while bytes.len() < 16 * 1024
            && let Ok(more) = queue.try_recv()
        {
            append(&mut bytes, &more);
        }
        if !matches!(timeout(patience, writer.write_all(&bytes)).await, Ok(Ok(()))) {
            return;
        }
    }
}

fn append(bytes: &mut Vec<u8>, datagram: &[u8]) {
    if let Some(header) = frame_header(datagram) {
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(datagram);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TCP side with one connection, and the client's end of it.
    async fn connected(now: Instant) -> (Tcp, TcpStream) {
        let listener = TcpListener::from_std(bind(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut tcp = Tcp::new(Some(listener));
        let client = TcpStream::connect(address).await.unwrap();
        let TcpTurn::Accepted(stream, source) = tcp.turn().await else { panic!("no connection") };
        tcp.accepted(now, stream, source);
        (tcp, client)
    }

    #[tokio::test]
    async fn a_connection_that_belongs_to_no_session_is_closed_whatever_comes_on_it() {
        let now = Instant::now();
        let (mut tcp, mut client) = connected(now).await;
        client.write_all(&[0, 1, 7]).await.unwrap();

        tcp.close_strangers(now + STRANGER_FOR / 2, |_| false);
        assert_eq!(tcp.connections(), 1);
        tcp.close_strangers(now + STRANGER_FOR, |_| false);
        assert_eq!(tcp.connections(), 0);

        // Closed with something unread, it may end with a reset.
        assert!(matches!(client.read(&mut [0; 8]).await, Ok(0) | Err(_)));
    }

    #[tokio::test]
    async fn a_connection_stays_as_long_as_its_session() {
        let now = Instant::now();
        let (mut tcp, _client) = connected(now).await;

        tcp.close_strangers(now + STRANGER_FOR, |_| true);
        tcp.close_strangers(now + STRANGER_FOR + STRANGER_FOR / 2, |_| false);
        assert_eq!(tcp.connections(), 1);
    }

    #[tokio::test]
    async fn the_late_end_of_a_connection_does_not_end_the_next_from_the_same_address() {
        let now = Instant::now();
        let (mut tcp, client) = connected(now).await;
        let source = client.local_addr().unwrap();

        assert!(!tcp.closed(source, 1), "another connection's number");
        assert_eq!(tcp.connections(), 1);
        assert!(tcp.closed(source, 0));
        assert_eq!(tcp.connections(), 0);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_does_not_hold_its_writer() {
        let (ours, _theirs) = tokio::io::duplex(8);
        let (sender, queue) = mpsc::channel(1);
        sender.send(vec![0; 100]).await.unwrap();

        let writing = write(ours, queue, Duration::from_millis(10));
        timeout(SILENCE, writing).await.unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let network = |text: &str| network_of(text.parse().unwrap());

        assert_eq!(network("2001:db8::1"), network("2001:db8::2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
