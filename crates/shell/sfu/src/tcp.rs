use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::time::Duration;

use conclave_sfu_proto::{Deframer, Transmit, frame_header};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::address::canonical;

/// Connections at a time. TCP is for the few whose network lets no UDP through.
const MAX_CONNECTIONS: usize = 1024;

/// Connections from one address at a time: an office behind one address, not a flood.
const MAX_PER_ADDRESS: usize = 128;

/// A connection on which nothing comes is closed: ICE checks come every few seconds.
const SILENCE: Duration = Duration::from_secs(30);

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
    connections: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>,
    events_in: mpsc::Receiver<TcpEvent>,
    events_out: mpsc::Sender<TcpEvent>,
    pub(crate) refused: u64,
    pub(crate) overflowed: u64,
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum TcpEvent {
    /// It is gone.
    Closed { source: SocketAddr },
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
        Self { listener, connections, events_in, events_out, refused: 0, overflowed: 0 }
    }

    /// Waits for a connection or for what comes on one. Safe to drop while it waits.
    pub(crate) async fn turn(&mut self) -> TcpTurn {
        tokio::select! {
            Some(event) = self.events_in.recv() => TcpTurn::Event(event),
            (stream, source) = accept(self.listener.as_ref()) => TcpTurn::Accepted(stream, source),
        }
    }

    /// Takes a connection in, unless there are too many.
    pub(crate) fn accepted(&mut self, stream: TcpStream, source: SocketAddr) {
        let source = canonical(source);
        let of_address = self.connections.keys().filter(|s| s.ip() == source.ip()).count();
        let destination = stream.local_addr().map(canonical);
        let (Ok(destination), true) =
            (destination, self.connections.len() < MAX_CONNECTIONS && of_address < MAX_PER_ADDRESS)
        else {
            self.refused += 1;
            return;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a media connection may be slow");
        }
        let (reader, writer) = stream.into_split();
        let (queue_in, queue_out) = mpsc::channel(OUT_QUEUE);
        self.connections.insert(source, queue_in);
        tokio::spawn(write(writer, queue_out));
        tokio::spawn(read(reader, source, destination, self.events_out.clone()));
    }

    /// Forgets a connection. Its writer ends with its queue.
    pub(crate) fn closed(&mut self, source: SocketAddr) {
        self.connections.remove(&source);
    }

    /// Sends a datagram; if the connection is slow or gone, it is lost.
    pub(crate) fn send(&mut self, transmit: Transmit) {
        let Some(queue) = self.connections.get(&transmit.destination) else { return };
        self.overflowed += u64::from(queue.try_send(transmit.bytes).is_err());
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
    let _ = events.send(TcpEvent::Closed { source }).await;
}

async fn write(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) {
    let mut bytes = Vec::new();
    while let Some(datagram) = queue.recv().await {
        bytes.clear();
        append(&mut bytes, &datagram);
        while bytes.len() < 16 * 1024
            && let Ok(more) = queue.try_recv()
        {
            append(&mut bytes, &more);
        }
        if writer.write_all(&bytes).await.is_err() {
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
