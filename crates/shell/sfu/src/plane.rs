use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use tokio::sync::{mpsc, watch};

use crate::entrance::Entrance;
use crate::handover;
use crate::routes::{Route, Routes};
use crate::shard::{
    Beside, QUEUE, Running, Shard, ShardConfig, ShardFigures, ShardHandle, StartError,
};
use crate::siblings::{self, Teller};
use crate::turn::TurnHandle;

/// Several shards that look like one: each call is on one of them, or on several if it is large.
#[derive(Debug)]
pub struct Plane;

/// The running shards, seen from outside.
#[derive(Debug)]
pub struct PlaneHandle {
    /// Takes the control plane's requests.
    pub requests: mpsc::Sender<MediaRequest>,
    /// What the shards report. It must be read: shards that cannot report take no requests.
    pub events: mpsc::Receiver<MediaEvent>,
    /// The addresses that clients are told, shard by shard.
    pub addresses: Vec<Addresses>,
    /// What each shard has done, told once a second.
    pub figures: Vec<watch::Receiver<ShardFigures>>,
    /// Takes connections that came to the shared listener, if there is one.
    pub entrance: Option<Entrance>,
    /// The TURN server, if there is one.
    pub turn: Option<TurnHandle>,
    /// Ends each shard.
    pub running: Vec<Running>,
}

/// Where a shard is, best first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addresses {
    /// Its UDP addresses.
    pub udp: Vec<SocketAddr>,
    /// Its TCP addresses, and last that of the shared listener, which is every shard's.
    pub tcp: Vec<SocketAddr>,
}

impl Plane {
    /// Starts so many shards: the first one as configured, each other one a port further, if the
    /// ports are not for the system to choose. Must be called within a runtime, on which requests
    /// and events find their ways.
    ///
    /// # Errors
    ///
    /// [`StartError`] names what could not be had. Nothing runs then.
    pub fn spawn(config: &ShardConfig, shards: NonZeroU16) -> Result<PlaneHandle, StartError> {
        let (handles, teller) = spawn_all(config, shards)?;
        let routes = Arc::new(Mutex::new(Routes::new(handles.len())));
        let (requests, requests_in) = mpsc::channel(QUEUE);
        let (events_out, events) = mpsc::channel(QUEUE);
        let mut plane = PlaneHandle {
            requests,
            events,
            addresses: Vec::new(),
            figures: Vec::new(),
            entrance: None,
            turn: None,
            running: Vec::new(),
        };
        let (mut queues, mut entrances) = (Vec::new(), Vec::new());
        for (shard, handle) in handles.into_iter().enumerate() {
            let ShardHandle { requests, events, udp, tcp, entrance, figures, turn, running } =
                handle;
            plane.addresses.push(Addresses { udp, tcp });
            plane.figures.push(figures);
            plane.turn = plane.turn.or(turn);
            plane.running.push(running);
            queues.push(requests);
            entrances.extend(entrance);
            tokio::spawn(pass_events_on(shard, events, events_out.clone(), Arc::clone(&routes)));
        }
        plane.entrance = Entrance::before(entrances, Arc::clone(&routes));
        tokio::spawn(pass_requests_on(requests_in, queues, teller, routes));
        Ok(plane)
    }
}

/// Starts the first shard last: the TURN server in it must know where all others are.
fn spawn_all(
    config: &ShardConfig,
    shards: NonZeroU16,
) -> Result<(Vec<ShardHandle>, Teller), StartError> {
    let others = 1..shards.get();
    let (mut far, far_nodes, far_turns) = handover::connect(others.len());
    let (teller, first, siblings) = siblings::connect(others.len());
    let mut handles = Vec::new();
    for (((number, node), turn), siblings) in others.zip(far_nodes).zip(far_turns).zip(siblings) {
        let beside = config.turn.as_ref().map_or(Beside::None, |_| Beside::There(turn));
        let handle = Shard::spawn_among(&config.further(number)?, beside, siblings)?;
        far.add(node, handle.udp.clone());
        handles.push(handle);
    }
    let beside = config.turn.as_ref().map_or(Beside::None, |turn| Beside::Here(turn, far));
    handles.insert(0, Shard::spawn_among(config, beside, first)?);
    Ok((handles, teller))
}

/// Brings each request to the shard of its peer, until there are no more.
async fn pass_requests_on(
    mut requests: mpsc::Receiver<MediaRequest>,
    shards: Vec<mpsc::Sender<MediaRequest>>,
    teller: Teller,
    routes: Arc<Mutex<Routes>>,
) {
    while let Some(request) = requests.recv().await {
        let Route { shards: to, spread } = lock(&routes).route(&request);
        for (call, spread) in spread {
            teller.tell(call, spread);
        }
        for queue in to.iter().filter_map(|shard| shards.get(*shard)) {
            if queue.send(request.clone()).await.is_err() {
                tracing::error!("a media shard is gone");
                return;
            }
        }
    }
}

/// Brings a shard's events to the control plane, until there are no more.
async fn pass_events_on(
    shard: usize,
    mut events: mpsc::Receiver<MediaEvent>,
    all: mpsc::Sender<MediaEvent>,
    routes: Arc<Mutex<Routes>>,
) {
    while let Some(event) = events.recv().await {
        lock(&routes).learn(shard, &event);
        if all.send(event).await.is_err() {
            return;
        }
    }
}

pub(crate) fn lock(routes: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    // Nothing panics while it holds the lock; if it did, the tables would still be whole.
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}
