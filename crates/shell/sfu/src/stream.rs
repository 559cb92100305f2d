//! Connections that carry TURN, over TCP or TLS: moved by tasks of their own, wherever they came.

use std::collections::HashMap;
use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::address::canonical;
use crate::tcp::{accept, network_of, write};

/// A connection on which nothing comes is closed: checks come on each path that is in use, and one
/// that a browser keeps for later is made anew.
const SILENCE: Duration = Duration::from_secs(60);

/// A connection that has no allocation for this long is closed, whatever comes on it.
const STRANGER_FOR: Duration = Duration::from_secs(15);

/// Connections from one network at a time that have no allocation yet.
const MAX_STRANGERS_PER_NETWORK: usize = 128;

/// Packets that may wait for a slow connection; what comes beyond is lost, as on a full link.
const OUT_QUEUE: usize = 256;

/// What connections may have read that the shard has not yet taken.
const IN_QUEUE: usize = 256;

/// Where connections go in that carry TURN and came to a listener of somebody else's.
#[derive(Clone, Debug)]
pub struct TurnEntrance {
    next: Arc<AtomicU64>,
    events: mpsc::Sender<StreamEvent>,
}

/// What happened on a connection.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// This was read.
    Bytes { number: u64, bytes: Vec<u8> },
    /// It is gone.
    Closed { number: u64 },
    /// It is there. Dropping the queue closes it.
    Opened { number: u64, source: SocketAddr, queue: mpsc::Sender<Vec<u8>> },
}

/// Something to do for the connections.
#[derive(Debug)]
pub(crate) enum StreamTurn {
    Accepted(TcpStream, SocketAddr),
    Event(StreamEvent),
}

/// The connections of a shard that carry TURN.
#[derive(Debug)]
pub(crate) struct Streams {
    listener: Option<TcpListener>,
    entrance: TurnEntrance,
    events: mpsc::Receiver<StreamEvent>,
    connections: HashMap<u64, Connection>,
    pub(crate) refused: u64,
    pub(crate) overflowed: u64,
}

#[derive(Debug)]
struct Connection {
    network: IpAddr,
    queue: mpsc::Sender<Vec<u8>>,
    opened_at: Instant,
    /// It was not yet seen to have an allocation.
    is_stranger: bool,
}

impl TurnEntrance {
    /// Creates one, and the end at which the shard hears of what comes.
    pub(crate) fn new() -> (Self, mpsc::Receiver<StreamEvent>) {
        let (events, heard) = mpsc::channel(IN_QUEUE);
        (Self { next: Arc::default(), events }, heard)
    }

    /// Hands over a connection from `source`, with what was read of it, and carries it until it
    /// ends: on the runtime whose context this is called in. From here on it is held to the limits of
    /// the shard's own connections.
    pub fn hand_over<S>(&self, stream: S, source: SocketAddr, head: Vec<u8>)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(carry(stream, canonical(source), head, number, self.events.clone()));
    }
}

impl Streams {
    /// Takes connections from a listener of its own, if there is one, and such as are handed over.
    pub(crate) fn new(
        listener: Option<TcpListener>,
        entrance: TurnEntrance,
        events: mpsc::Receiver<StreamEvent>,
    ) -> Self {
        Self { listener, entrance, events, connections: HashMap::new(), refused: 0, overflowed: 0 }
    }

    /// Waits for a connection or for what comes on one. Safe to drop while it waits.
    pub(crate) async fn turn(&mut self) -> StreamTurn {
        tokio::select! {
            Some(event) = self.events.recv() => StreamTurn::Event(event),
            (stream, source) = accept(self.listener.as_ref()) => StreamTurn::Accepted(stream, source),
        }
    }

    /// Takes a connection in that came to the own listener.
    pub(crate) fn accepted(&self, stream: TcpStream, source: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a TURN connection may be slow");
        }
        self.entrance.hand_over(stream, source, Vec::new());
    }

    /// Keeps a connection, unless there are too many of its network that have shown nothing. If
    /// not, it is closed.
    pub(crate) fn opened(
        &mut self,
        now: Instant,
        number: u64,
        source: SocketAddr,
        queue: mpsc::Sender<Vec<u8>>,
    ) -> bool {
        let network = network_of(source.ip());
        let of_network =
            self.connections.values().filter(|it| it.is_stranger && it.network == network).count();
        if of_network >= MAX_STRANGERS_PER_NETWORK {
            self.refused += 1;
            return false;
        }
        let connection = Connection { network, queue, opened_at: now, is_stranger: true };
        self.connections.insert(number, connection);
        true
    }

    /// Forgets a connection, and closes it if it is there.
    pub(crate) fn close(&mut self, number: u64) {
        self.connections.remove(&number);
    }

    /// Closes the connections that are without an allocation for too long; returns which.
    pub(crate) fn close_strangers(
        &mut self,
        now: Instant,
        known: impl Fn(u64) -> bool,
    ) -> Vec<u64> {
        let mut closed = Vec::new();
        self.connections.retain(|number, connection| {
            if known(*number) {
                connection.opened_at = now;
                connection.is_stranger = false;
            }
            let keep = now.saturating_duration_since(connection.opened_at) < STRANGER_FOR;
            if !keep {
                closed.push(*number);
            }
            keep
        });
        closed
    }

    /// Sends a packet; if the connection is slow or gone, it is lost.
    pub(crate) fn send(&mut self, number: u64, bytes: Vec<u8>) {
        let Some(connection) = self.connections.get(&number) else { return };
        self.overflowed += u64::from(connection.queue.try_send(bytes).is_err());
    }
}

/// Moves what comes and what is to go, until either end has enough.
async fn carry<S>(
    stream: S,
    source: SocketAddr,
    head: Vec<u8>,
    number: u64,
    events: mpsc::Sender<StreamEvent>,
) where
    S: AsyncRead + AsyncWrite,
{
    let (reader, writer) = split(stream);
    let (queue, queued) = mpsc::channel(OUT_QUEUE);
    if events.send(StreamEvent::Opened { number, source, queue }).await.is_err() {
        return;
    }
    let append = |bytes: &mut Vec<u8>, packet: &[u8]| bytes.extend_from_slice(packet);
    tokio::select! {
        () = read(Cursor::new(head).chain(reader), number, &events) => {}
        () = write(writer, queued, SILENCE, append) => {}
    }
    // If the shard is gone, nobody needs to know.
    let _ = events.send(StreamEvent::Closed { number }).await;
}

async fn read(mut reader: impl AsyncRead + Unpin, number: u64, events: &mpsc::Sender<StreamEvent>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(Ok(len @ 1..)) = timeout(SILENCE, reader.read(&mut buffer)).await {
        let bytes = buffer.get(..len).unwrap_or_default().to_vec();
        if events.send(StreamEvent::Bytes { number, bytes }).await.is_err() {
            return;
        }
    }
}
