use std::net::TcpStream as StdTcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conclave_sfu_proto::{Deframer, asks_for_echo, checked_ufrag};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::plane::lock;
use crate::routes::Routes;

/// Connections that may wait to be taken in: as many as at the shard's own listener.
const WAITING: usize = 128;

/// How long the first frame of a connection may take: its beginning is there already.
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(10);

/// Where connections go in that came to a listener of somebody else's.
#[derive(Clone, Debug)]
pub struct Entrance {
    shards: Vec<mpsc::Sender<Arrival>>,
    /// What tells whose a connection is, if there are several shards.
    routes: Option<Arc<Mutex<Routes>>>,
    /// Connections of which it is not known yet whose they are.
    undecided: Arc<Semaphore>,
}

/// A connection that came elsewhere, and what was read of it there.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) stream: StdTcpStream,
    pub(crate) head: Vec<u8>,
}

impl Entrance {
    /// Creates that of one shard, and the end at which the shard takes in what came.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Arrival>) {
        let (arrivals, taken) = mpsc::channel(WAITING);
        let undecided = Arc::new(Semaphore::new(WAITING));
        (Self { shards: vec![arrivals], routes: None, undecided }, taken)
    }

    /// Joins those of several shards; `None` if there are none.
    pub(crate) fn before(entrances: Vec<Self>, routes: Arc<Mutex<Routes>>) -> Option<Self> {
        let shards: Vec<_> = entrances.into_iter().flat_map(|entrance| entrance.shards).collect();
        let undecided = Arc::new(Semaphore::new(WAITING));
        let routes = (shards.len() > 1).then_some(routes);
        (!shards.is_empty()).then_some(Self { shards, routes, undecided })
    }

    /// Hands over a connection, with what was read of it. From here on it is held to the limits of
    /// the shard's own connections. Returns whether there was room; if not, it is closed.
    ///
    /// Must be called within a runtime: with several shards, what tells them apart is still to be
    /// read.
    pub fn hand_over(&self, stream: StdTcpStream, head: Vec<u8>) -> bool {
        let Some(routes) = &self.routes else {
            let only = self.shards.first();
            return only.is_some_and(|shard| shard.try_send(Arrival { stream, head }).is_ok());
        };
        let Ok(permit) = Arc::clone(&self.undecided).try_acquire_owned() else { return false };
        let (shards, routes) = (self.shards.clone(), Arc::clone(routes));
        tokio::spawn(async move {
            let found = timeout(FIRST_FRAME_WITHIN, find(stream, head, &routes)).await;
            // One that is nobody's, or comes to a shard that is full, is closed.
            if let Ok(Some((shard, arrival))) = found
                && let Some(shard) = shards.get(shard)
            {
                let _ = shard.try_send(arrival);
            }
            drop(permit);
        });
        true
    }
}

/// Reads a connection's first frame, and finds the shard whose session it calls; one for who only
/// asks whether somebody is there.
async fn find(
    stream: StdTcpStream,
    mut head: Vec<u8>,
    routes: &Mutex<Routes>,
) -> Option<(usize, Arrival)> {
    let mut stream = TcpStream::from_std(stream).ok()?;
    let frame = read_first_frame(&mut stream, &mut head).await?;
    let shard = match checked_ufrag(&frame) {
        Some(ufrag) => lock(routes).shard_of(&ufrag)?,
        // Each of them could answer.
        None if asks_for_echo(&frame) => 0,
        None => return None,
    };
    let stream = stream.into_std().ok()?;
    Some((shard, Arrival { stream, head }))
}

/// Reads until the first frame is whole, and not much beyond. `head` gets all that was read.
async fn read_first_frame(
    stream: &mut (impl AsyncRead + Unpin),
    head: &mut Vec<u8>,
) -> Option<Vec<u8>> {
    let mut deframer = Deframer::new();
    let mut first = None;
    let mut seen = 0;
    loop {
        let take = |frame: &[u8]| first = first.take().or_else(|| Some(frame.to_vec()));
        deframer.feed(head.get(seen..)?, take).ok()?;
        if first.is_some() {
            return first;
        }
        seen = head.len();
        if stream.read_buf(head).await.ok()? == 0 {
            return None;
        }
    }
}
