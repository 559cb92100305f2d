use std::collections::HashMap;
use std::io::{self, Cursor};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener as StdTcpListener};
use std::time::{Duration, Instant};

use conclave_sfu_proto::{Deframer, Transmit, frame_header};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::address::canonical;
use crate::entrance::Arrival;

/// Connections at a time. TCP is for the few whose network lets no UDP through.
const MAX_CONNECTIONS: usize = 1024;

/// Connections from one network at a time that belong to no session yet: an office behind one
/// address in which all join at once, not a flood.
const MAX_STRANGERS_PER_NETWORK: usize = 128;

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
    arrivals: mpsc::Receiver<Arrival>,
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
    /// Which of our addresses it came to.
    destination: SocketAddr,
    queue: mpsc::Sender<Vec<u8>>,
    reader: AbortHandle,
    /// When it was last seen to belong to a session, or was accepted.
    known_at: Instant,
    /// It was not yet seen to belong to a session.
    is_stranger: bool,
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
    Arrived(Arrival),
    Event(TcpEvent),
}

impl Tcp {
    /// Takes connections from a listener of its own, if there is one, and such as arrive from
    /// elsewhere.
    pub(crate) fn new(listener: Option<TcpListener>, arrivals: mpsc::Receiver<Arrival>) -> Self {
        let (events_out, events_in) = mpsc::channel(IN_QUEUE);
        Self {
            listener,
            arrivals,
            connections: HashMap::new(),
            next: 0,
            events_in,
            events_out,
            refused: 0,
            overflowed: 0,
        }
    }

    /// Waits for a connection or for what comes on one. Safe to drop while it waits.
    pub(crate) async fn turn(&mut self) -> TcpTurn {
        tokio::select! {
            Some(event) = self.events_in.recv() => TcpTurn::Event(event),
            Some(arrival) = self.arrivals.recv() => TcpTurn::Arrived(arrival),
            (stream, source) = accept(self.listener.as_ref()) => TcpTurn::Accepted(stream, source),
        }
    }

    /// Takes a connection in that came to the own listener, unless there are too many.
    pub(crate) fn accepted(&mut self, now: Instant, stream: TcpStream, source: SocketAddr) {
        let destination = stream.local_addr();
        self.take_in(now, stream, source, destination, Vec::new());
    }

    /// Takes a connection in that came to another listener, unless there are too many.
    pub(crate) fn arrived(&mut self, now: Instant, arrival: Arrival) {
        let Arrival { stream, head } = arrival;
        let ends = (stream.peer_addr(), stream.local_addr());
        // It was another event loop's; from here on it is this one's.
        match (ends, TcpStream::from_std(stream)) {
            ((Ok(source), destination), Ok(stream)) => {
                self.take_in(now, stream, source, destination, head);
            }
            _ => self.refused += 1,
        }
    }

    fn take_in(
        &mut self,
        now: Instant,
        stream: TcpStream,
        source: SocketAddr,
        destination: io::Result<SocketAddr>,
        head: Vec<u8>,
    ) {
        let source = canonical(source);
        let destination = match destination.map(canonical) {
            Ok(destination) if self.has_room_for(source, destination) => destination,
            Ok(_) | Err(_) => {
                self.refused += 1;
                return;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a media connection may be slow");
        }
        let (reader, writer) = stream.into_split();
        let (queue_in, queue_out) = mpsc::channel(OUT_QUEUE);
        let number = self.next;
        self.next += 1;
        tokio::spawn(write(writer, queue_out, SILENCE, append_frame));
        let bytes = Cursor::new(head).chain(reader);
        let reading = read(bytes, source, destination, number, self.events_out.clone());
        let connection = Connection {
            number,
            destination,
            queue: queue_in,
            reader: tokio::spawn(reading).abort_handle(),
            known_at: now,
            is_stranger: true,
        };
        if let Some(before) = self.connections.insert(source, connection) {
            before.reader.abort();
        }
    }

    fn has_room_for(&self, source: SocketAddr, destination: SocketAddr) -> bool {
        // An address translator may let two clients speak from one port to two of ours: the
        // second one does not end the first. To the same port, the first one is over.
        let is_taken =
            self.connections.get(&source).is_some_and(|other| other.destination != destination);
        let network = network_of(source.ip());
        let strangers = self
            .connections
            .iter()
            .filter(|(other, it)| it.is_stranger && network_of(other.ip()) == network)
            .count();
        let is_full = self.connections.len() >= MAX_CONNECTIONS;
        !is_taken && !is_full && strangers < MAX_STRANGERS_PER_NETWORK
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
                connection.is_stranger = false;
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

pub(crate) async fn accept(listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
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
    mut reader: impl AsyncRead + Unpin,
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
pub(crate) fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}

/// Sends what is queued until the queue ends, or the other end takes nothing for `patience`.
/// `append` puts a datagram into the stream.
pub(crate) async fn write<W>(
    mut writer: W,
    mut queue: mpsc::Receiver<Vec<u8>>,
    patience: Duration,
    append: impl Fn(&mut Vec<u8>, &[u8]),
) where
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
        // TLS keeps what it was given until it is told that this is all for now.
        let sent = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        if !matches!(timeout(patience, sent).await, Ok(io::Result::Ok(()))) {
            return;
        }
    }
}

fn append_frame(bytes: &mut Vec<u8>, datagram: &[u8]) {
    if let Some(header) = frame_header(datagram) {
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(datagram);
    }
}

#[cfg(test)]
mod tests;
