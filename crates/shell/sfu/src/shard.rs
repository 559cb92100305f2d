use std::io;
use std::net::{IpAddr, SocketAddr};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_model::Bitrate;
use conclave_sfu_proto::{INITIAL_ESTIMATE, Limits, Node, NodeConfig};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};

use crate::address;
use crate::entrance::Entrance;
use crate::handover::{self, FarNodes, FarTurn};
use crate::siblings::Siblings;
use crate::tcp::Tcp;
use crate::turn::{Turn, TurnConfig, TurnHandle};
use crate::udp::Udp;
use crate::worker::{TurnSide, Worker};

/// Where a shard listens.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Where the UDP socket is bound. An IPv6 address that stands for all takes IPv4 as well.
    pub udp: SocketAddr,
    /// Where the TCP listener for clients without UDP is bound, if there shall be one.
    pub tcp: Option<SocketAddr>,
    /// Where a listener of somebody else's is bound that hands media connections over to the
    /// [`Entrance`], if there is one. Its port is the one that clients are told.
    pub shared_tcp: Option<SocketAddr>,
    /// The addresses that clients are told, best first. If empty, those of the interfaces.
    pub advertised: Vec<IpAddr>,
    /// What clients can make the shard hold.
    pub limits: Limits,
    /// What the path to a client is taken to carry until something is known of it.
    pub initial_estimate: Bitrate,
    /// The TURN server beside it, if there shall be one. Of several shards, the first has it.
    pub turn: Option<TurnConfig>,
}

impl ShardConfig {
    /// The same for another shard beside it: its ports are so many further, unless the system
    /// chooses them.
    pub(crate) fn further(&self, by: u16) -> Result<Self, StartError> {
        let shift = |address: SocketAddr| match address.port() {
            0 => Ok(address),
            port => {
                let port = port.checked_add(by).ok_or(StartError::NoPort)?;
                Ok(SocketAddr::new(address.ip(), port))
            }
        };
        let (udp, tcp) = (shift(self.udp)?, self.tcp.map(shift).transpose()?);
        Ok(Self { udp, tcp, ..self.clone() })
    }
}

impl Default for ShardConfig {
    /// UDP and TCP port 10000 on all addresses.
    fn default() -> Self {
        let all = SocketAddr::from(([0, 0, 0, 0], 10000));
        Self {
            udp: all,
            tcp: Some(all),
            shared_tcp: None,
            advertised: Vec::new(),
            limits: Limits::default(),
            initial_estimate: INITIAL_ESTIMATE,
            turn: None,
        }
    }
}

/// One thread with its sockets and all calls that live on it.
#[derive(Debug)]
pub struct Shard;

/// Where the TURN server is to be, for a shard that starts.
pub(crate) enum Beside<'a> {
    /// In its thread.
    Here(&'a TurnConfig, FarNodes),
    /// Nowhere.
    None,
    /// In another shard's thread.
    There(FarTurn),
}

impl Beside<'_> {
    /// Must be called within the shard's runtime.
    fn start(self, own: &[SocketAddr]) -> Result<(TurnSide, Option<TurnHandle>), StartError> {
        match self {
            Self::Here(config, far) => {
                let (turn, handle) = Turn::start(config, own, far, random()?)?;
                Ok((TurnSide::Here(Box::new(turn)), Some(handle)))
            }
            Self::None => Ok((TurnSide::None, None)),
            Self::There(turn) => Ok((TurnSide::There(turn), None)),
        }
    }
}

/// A running shard, seen from outside.
#[derive(Debug)]
pub struct ShardHandle {
    /// Takes the control plane's requests.
    pub requests: mpsc::Sender<MediaRequest>,
    /// What the shard reports. It must be read: a shard that cannot report takes no requests.
    pub events: mpsc::Receiver<MediaEvent>,
    /// The UDP addresses that clients are told, best first.
    pub udp: Vec<SocketAddr>,
    /// The TCP addresses that clients are told, best first.
    pub tcp: Vec<SocketAddr>,
    /// Takes connections that came to the shared listener, if there is one.
    pub entrance: Option<Entrance>,
    /// What it has done, told once a second.
    pub figures: watch::Receiver<ShardFigures>,
    /// The TURN server in its thread, if there is one.
    pub turn: Option<TurnHandle>,
    /// Ends it.
    pub running: Running,
}

/// What a shard has done since it started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ShardFigures {
    /// Packets put into slots.
    pub packets_forwarded: u64,
    /// Calls of the system by its loop: to send and to receive on UDP, and to wait.
    pub system_calls: u64,
    /// The longest turn of its loop since figures were told before: from an event until all that it
    /// led to was sent. Whatever came meanwhile had to wait so long.
    pub longest_turn: Duration,
}

/// Ends a shard, and waits for its end.
#[derive(Debug)]
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: JoinHandle<()>,
}

/// Requests and events that may wait. A call of a hundred makes a few hundred when it forms.
pub(crate) const QUEUE: usize = 1024;

impl Shard {
    /// Binds the sockets and starts the thread. Install the metrics recorder before: figures
    /// told to one that comes later are lost.
    ///
    /// # Errors
    ///
    /// [`StartError`] names what could not be had. Nothing runs then.
    pub fn spawn(config: &ShardConfig) -> Result<ShardHandle, StartError> {
        let (alone, ..) = handover::connect(0);
        let beside = config.turn.as_ref().map_or(Beside::None, |turn| Beside::Here(turn, alone));
        Self::spawn_among(config, beside, Siblings::none())
    }

    /// The same, with the TURN server where it is told to be.
    pub(crate) fn spawn_among(
        config: &ShardConfig,
        beside: Beside<'_>,
        siblings: Siblings,
    ) -> Result<ShardHandle, StartError> {
        let udp_socket =
            crate::udp::bind(config.udp).map_err(|source| StartError::Udp { source })?;
        let tcp_listener = config
            .tcp
            .map(crate::tcp::bind)
            .transpose()
            .map_err(|source| StartError::Tcp { source })?;
        let reachable =
            |bound: io::Result<SocketAddr>| address::reachable(bound?, &config.advertised);
        let find = |bound| reachable(bound).map_err(|source| StartError::Addresses { source });
        let udp = find(udp_socket.local_addr())?;
        let mut tcp = match &tcp_listener {
            Some(listener) => find(listener.local_addr())?,
            None => Vec::new(),
        };
        if let Some(shared) = config.shared_tcp {
            // After those of its own: who gets through there leaves the other port to pages.
            tcp.extend(find(Ok(shared))?);
        }
        if udp.is_empty() {
            return Err(StartError::NoAddress);
        }

        let mut node_config = NodeConfig::new(udp.clone(), tcp.clone(), random()?);
        node_config.limits = config.limits;
        node_config.initial_estimate = config.initial_estimate;

        let (requests, requests_in) = mpsc::channel(QUEUE);
        let (events_out, events) = mpsc::channel(QUEUE);
        let (entrance, arrivals) = Entrance::new();
        let (stop, stopped) = oneshot::channel();
        let (figures_in, figures) = watch::channel(ShardFigures::default());
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| StartError::Thread { source })?;
        let (udp_port, tcp_socket, (turn, turn_handle)) = {
            let _entered = runtime.enter();
            let listener = tcp_listener.map(TcpListener::from_std).transpose();
            (
                Udp::new(udp_socket).map_err(|source| StartError::Udp { source })?,
                listener.map_err(|source| StartError::Tcp { source })?,
                beside.start(&udp)?,
            )
        };

        let thread = thread::Builder::new()
            .name("media".to_owned())
            .spawn(move || {
                let node = Node::new(node_config, Instant::now());
                let tcp = Tcp::new(tcp_socket, arrivals);
                let parts = (udp_port, tcp, turn, siblings);
                let worker = Worker::new(node, parts, requests_in, events_out, figures_in);
                runtime.block_on(worker.run(stopped));
                tracing::info!("a media shard has stopped");
            })
            .map_err(|source| StartError::Thread { source })?;
        tracing::info!(udp = udp.len(), tcp = tcp.len(), "a media shard runs");
        let running = Running { stop: Some(stop), thread };
        let entrance = config.shared_tcp.map(|_| entrance);
        let turn = turn_handle;
        Ok(ShardHandle { requests, events, udp, tcp, entrance, figures, turn, running })
    }
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| StartError::Randomness)?;
    Ok(bytes)
}

impl Running {
    /// Asks the shard to end. Its sessions end without a word to the clients.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // If nobody listens any more, it has ended already.
            let _ = stop.send(());
        }
    }

    /// Asks the shard to end and waits until it has. Returns whether it ended as it should; if
    /// not, its thread panicked.
    pub fn join(mut self) -> bool {
        self.stop();
        self.thread.join().is_ok()
    }
}

/// Why a shard could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The machine's addresses cannot be read; set the advertised ones.
    #[error("cannot find out the addresses of this machine: {source}")]
    Addresses {
        /// The system's words.
        source: io::Error,
    },
    /// No address to tell clients; set the advertised ones.
    #[error("this machine has no address that clients could use")]
    NoAddress,
    /// A shard's port would be beyond the last one; choose a lower first one, or fewer shards.
    #[error("there are not enough ports after the first one for all media shards")]
    NoPort,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
    /// The TCP listener cannot be had; choose another address or port.
    #[error("cannot listen for media over TCP: {source}")]
    Tcp {
        /// The system's words.
        source: io::Error,
    },
    /// The thread cannot be had.
    #[error("cannot start the media thread: {source}")]
    Thread {
        /// The system's words.
        source: io::Error,
    },
    /// TURN's TCP listener cannot be had; choose another port.
    #[error("cannot listen for TURN over TCP: {source}")]
    TurnTcp {
        /// The system's words.
        source: io::Error,
    },
    /// TURN's UDP socket cannot be had; choose another port.
    #[error("cannot open the UDP socket for TURN: {source}")]
    TurnUdp {
        /// The system's words.
        source: io::Error,
    },
    /// The UDP socket cannot be had; choose another address or port.
    #[error("cannot open the UDP socket for media: {source}")]
    Udp {
        /// The system's words.
        source: io::Error,
    },
}
