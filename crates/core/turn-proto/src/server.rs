mod relay;
mod request;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::allocation::Allocation;
use crate::framing::Framer;
use crate::io::{ClientId, Input, Output};
use crate::limits::ServerConfig;
use crate::nonce::Nonces;
use crate::random::Random;
use crate::stats::Stats;
use crate::throttle::Throttle;

/// The ports of relayed addresses. No operating system gives one of them to who asks for any port,
/// so a client on this machine does not have one by chance.
const PORTS: std::ops::Range<u16> = 1024..32_768;

/// A TURN server (RFC 8656) for clients over UDP, TCP and TLS, which relays to the media node alone.
///
/// Sans-IO. Give it inputs with [`handle_input`](Self::handle_input), then call
/// [`poll_output`](Self::poll_output) until it returns [`Output::Timeout`]; then wait for that
/// instant or the next input, whichever is first.
///
/// What clients can make it hold is bounded by [`Limits`](crate::Limits). What it sends to somebody
/// who has shown no credential is, on the wire, less than twice as long as what came, and there is
/// little of it.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    now: Instant,
    nonces: Nonces,
    random: Random,
    throttle: Throttle,
    streams: HashMap<u64, Stream>,
    allocations: HashMap<ClientId, Allocation>,
    by_relayed: HashMap<SocketAddr, ClientId>,
    /// How many allocations each credential and each network has.
    by_username: HashMap<String, usize>,
    by_network: HashMap<IpAddr, usize>,
    expiries: BTreeSet<(Instant, ClientId)>,
    outputs: VecDeque<Output>,
    stats: Stats,
}

/// A client's connection.
#[derive(Debug)]
struct Stream {
    source: SocketAddr,
    framer: Framer,
}

impl Server {
    /// Creates a server without clients.
    pub fn new(config: ServerConfig, now: Instant) -> Self {
        let mut random = Random::new(&config.seed);
        Self {
            now,
            nonces: Nonces::new(&config.seed, now),
            throttle: Throttle::new(random.draw(), config.limits.refusals, now),
            random,
            streams: HashMap::new(),
            allocations: HashMap::new(),
            by_relayed: HashMap::new(),
            by_username: HashMap::new(),
            by_network: HashMap::new(),
            expiries: BTreeSet::new(),
            outputs: VecDeque::new(),
            stats: Stats::default(),
            config,
        }
    }

    /// Takes one input. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        self.expire();
        match input {
            Input::Closed { number } => self.close(number),
            Input::Datagram { source, destination, bytes } => {
                self.handle_packet(ClientId::Datagram { source, destination }, source, bytes);
            }
            Input::FromPeer { peer, relayed, bytes } => self.handle_peer(peer, relayed, bytes),
            Input::Opened { number, source } => self.open(number, source),
            Input::Stream { number, bytes } => self.handle_stream(number, bytes),
            Input::Timeout => {}
        }
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        Output::Timeout(self.expiries.first().map(|(at, _)| *at))
    }

    /// Whether an address is some client's relayed address.
    pub fn relays(&self, address: SocketAddr) -> bool {
        !self.by_relayed.is_empty() && self.by_relayed.contains_key(&address)
    }

    /// Whether a connection has shown a credential: it has an allocation.
    pub fn knows(&self, number: u64) -> bool {
        self.allocations.contains_key(&ClientId::Stream(number))
    }

    /// What the server has done and what it holds.
    pub fn stats(&self) -> Stats {
        let (allocations, streams) = (self.allocations.len() as u64, self.streams.len() as u64);
        Stats { allocations, streams, ..self.stats }
    }

    fn open(&mut self, number: u64, source: SocketAddr) {
        if self.streams.len() >= self.config.limits.streams {
            self.outputs.push_back(Output::Close { number });
            return;
        }
        self.streams.insert(number, Stream { source, framer: Framer::new() });
    }

    fn close(&mut self, number: u64) {
        self.streams.remove(&number);
        self.release(ClientId::Stream(number));
    }

    fn handle_stream(&mut self, number: u64, bytes: &[u8]) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let source = stream.source;
        let Ok(packets) = stream.framer.feed(bytes) else {
            self.stats.garbage += 1;
            self.close(number);
            self.outputs.push_back(Output::Close { number });
            return;
        };
        for packet in packets {
            self.handle_packet(ClientId::Stream(number), source, &packet);
        }
    }

    /// Sorts a packet by its first two bits (RFC 8656 section 12).
    fn handle_packet(&mut self, client: ClientId, source: SocketAddr, bytes: &[u8]) {
        match bytes.first() {
            Some(0x00..=0x3f) => self.handle_message(client, source, bytes),
            Some(0x40..=0x4f) => self.handle_channel_data(client, bytes),
            Some(0x50..=0xff) | None => self.stats.garbage += 1,
        }
    }

    /// Takes note of a new allocation.
    fn keep(&mut self, client: ClientId, allocation: Allocation) {
        self.stats.allocated += 1;
        self.by_relayed.insert(allocation.relayed, client);
        *self.by_username.entry(allocation.username.clone()).or_default() += 1;
        *self.by_network.entry(allocation.network).or_default() += 1;
        self.expiries.insert((allocation.expires, client));
        self.allocations.insert(client, allocation);
    }

    /// Forgets an allocation, if there is one.
    fn release(&mut self, client: ClientId) {
        let Some(allocation) = self.allocations.remove(&client) else { return };
        self.by_relayed.remove(&allocation.relayed);
        self.expiries.remove(&(allocation.expires, client));
        count_down(&mut self.by_username, &allocation.username);
        count_down(&mut self.by_network, &allocation.network);
    }

    fn expire(&mut self) {
        while let Some((at, client)) = self.expiries.first().copied()
            && at <= self.now
        {
            self.release(client);
        }
    }

    /// A relayed address that is nobody's, of the family.
    fn free_address(&mut self, is_ipv4: bool) -> Option<SocketAddr> {
        let ip = self.config.peers.iter().find(|peer| peer.is_ipv4() == is_ipv4)?.ip();
        let count = u64::from(PORTS.end - PORTS.start);
        let first = self.random.draw() % count;
        let ports = (0..count).map(|step| (first + step) % count);
        ports
            .filter_map(|at| Some(SocketAddr::new(ip, PORTS.start + u16::try_from(at).ok()?)))
            .find(|address| {
                !self.by_relayed.contains_key(address) && !self.config.peers.contains(address)
            })
    }
}

fn count_down<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
