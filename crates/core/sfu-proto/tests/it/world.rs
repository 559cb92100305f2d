use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_call_proto::media::{
    MediaEvent, MediaRequest, PeerId, PublicationTrack, TilePriority, Want,
};
use conclave_model::{CallId, Mid, ParticipantId, PublicationId, TrackSource};
use conclave_sfu_proto::{
    Input, Node, NodeConfig, NodeNumber, NodeStats, Output, Relay, Spread, Transport,
};

use crate::client::{Client, Setup};

/// One node or several, clients, a network with delay, and a clock that only moves when told.
pub(crate) struct World {
    pub(crate) now: Instant,
    /// Clients are on them by turns.
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    pub(crate) events: Vec<MediaEvent>,
    /// Drops every n-th datagram to a client, if set.
    pub(crate) lose_every: Option<u64>,
    /// What the link to each client carries, in bits per second, if it is limited.
    pub(crate) limit: Option<u64>,
    /// When the link to each client has sent all that waits.
    link_free_at: BTreeMap<usize, Instant>,
    node_timeouts: Vec<Instant>,
    /// Clients that are on another node than it would be their turn for.
    pub(crate) moved: BTreeMap<usize, usize>,
    /// Nodes that have clients, in the order in which they came to have some, and who is there.
    populated: Vec<usize>,
    present: BTreeSet<ParticipantId>,
    /// The nodes are told in another order each time.
    tells_backwards: bool,
    /// What nodes say to each other waits.
    pub(crate) holds_relays: bool,
    /// Packets that nodes passed on to each other.
    pub(crate) relayed_packets: u64,
    /// What nodes say to each other: to whom, and from whom.
    relays: VecDeque<(NodeNumber, NodeNumber, Relay)>,
    /// How often the node was woken by the clock.
    pub(crate) wakes: u64,
    network: BTreeMap<(Instant, u64), Flight>,
    sent: u64,
    delay: Duration,
    /// How long the node has other things to do before it gets to a datagram.
    pub(crate) lateness: Duration,
}

/// Slots, and what each carries.
pub(crate) type Carried = Vec<(Mid, PublicationId)>;

enum Flight {
    ToClient { client: usize, from: SocketAddr, bytes: Vec<u8> },
    ToNode { arrived: Instant, from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
}

thread_local! {
    /// How many nodes a world has.
    static NODES: Cell<usize> = const { Cell::new(1) };
}

/// Runs a test with its call spread over so many nodes.
pub(crate) fn spread_over(nodes: usize, test: fn()) {
    NODES.set(nodes);
    test();
    NODES.set(1);
}

pub(crate) const CALL: CallId = CallId(7);

pub(crate) fn node_address() -> SocketAddr {
    address_of(0)
}

fn address_of(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 10_000 + node as u16))
}

/// The id of a client's publication of this source.
pub(crate) fn publication(client: usize, source: TrackSource) -> PublicationId {
    PublicationId(client as u32 * 10 + source as u32)
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(NODES.get())
    }

    /// With so many nodes, among which the call is spread.
    fn over(nodes: usize) -> Self {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
        let now = Instant::now();
        Self {
            now,
            nodes: (0..nodes).map(|node| start_node(node, now)).collect(),
            moved: BTreeMap::new(),
            populated: Vec::new(),
            present: BTreeSet::new(),
            tells_backwards: false,
            holds_relays: false,
            relayed_packets: 0,
            clients: Vec::new(),
            events: Vec::new(),
            lose_every: None,
            limit: None,
            link_free_at: BTreeMap::new(),
            node_timeouts: vec![now; nodes],
            relays: VecDeque::new(),
            wakes: 0,
            network: BTreeMap::new(),
            sent: 0,
            delay: Duration::from_millis(10),
            lateness: Duration::ZERO,
        }
    }

    /// Tells all nodes which of them have the call, as the plane does.
    fn spread(&mut self) {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        if self.tells_backwards {
            order.reverse();
        }
        self.tells_backwards = !self.tells_backwards;
        let populated = self.populated.clone();
        for node in order {
            self.tell_spread(node, &populated);
        }
    }

    /// Tells a node that these have the call.
    pub(crate) fn tell_spread(&mut self, node: usize, nodes: &[usize]) {
        let number = |node: usize| NodeNumber(node as u16);
        let nodes = nodes.iter().map(|node| number(*node)).collect();
        let spread = Spread { here: number(node), nodes };
        self.nodes[node].handle_input(self.now, Input::Spread { call: CALL, spread });
        self.drain_nodes(node);
    }

    /// Asks a node for something, whoever is there.
    pub(crate) fn request_of(&mut self, node: usize, request: MediaRequest) {
        self.nodes[node].handle_input(self.now, Input::Request(request));
        self.drain_nodes(node);
    }

    /// Where a client is.
    fn node_of(&self, client: usize) -> usize {
        self.moved.get(&client).copied().unwrap_or(client % self.nodes.len())
    }

    /// Adds a client to the call and waits for its media to flow.
    pub(crate) fn join(&mut self, setup: Setup) -> usize {
        let i = self.add(setup);
        self.until("connected", |world| {
            let peer = peer(i);
            world
                .events
                .iter()
                .any(|e| matches!(e, MediaEvent::Connected { peer: p, .. } if *p == peer))
        });
        i
    }

    /// Adds a client to the call.
    pub(crate) fn add(&mut self, setup: Setup) -> usize {
        let i = self.clients.len();
        self.clients.push(Client::new(i, setup, self.now));
        self.offer(i, 1);
        i
    }

    /// Makes a client offer, takes the answer to it, and announces what it publishes.
    pub(crate) fn offer(&mut self, i: usize, generation: u32) {
        let sdp = self.clients[i].offer();
        self.request(MediaRequest::Offer { peer: peer(i), generation, sdp });
        let answer = self.events.iter().rev().find_map(|event| match event {
            MediaEvent::Answer { peer: p, generation: g, sdp }
                if (*p, *g) == (peer(i), generation) =>
            {
                Some(sdp.clone())
            }
            _ => None,
        });
        self.clients[i].accept_answer(&answer.expect("an answer"));
        self.drain_client(i);
        let tracks = self.tracks(i);
        self.request(MediaRequest::Publish { peer: peer(i), tracks });
    }

    pub(crate) fn tracks(&self, i: usize) -> Vec<PublicationTrack> {
        let track = |(source, mid): &(TrackSource, str0m::media::Mid)| PublicationTrack {
            publication: publication(i, *source),
            source: *source,
            mid: Mid::new(mid).unwrap(),
        };
        self.clients[i].sending().iter().map(track).collect()
    }

    /// Replaces a client by a new one of the same participant.
    pub(crate) fn replace(&mut self, i: usize, setup: Setup, generation: u32) {
        self.clients[i] = Client::new(i + 100 * generation as usize, setup, self.now);
        self.offer(i, generation);
    }

    pub(crate) fn view(&mut self, i: usize, wants: &[(usize, TrackSource, u16, u16)]) {
        let want = |(who, source, width, height): &(usize, TrackSource, u16, u16)| Want {
            publication: publication(*who, *source),
            width: *width,
            height: *height,
            priority: TilePriority::Tile,
        };
        let wants = wants.iter().map(want).collect();
        self.request(MediaRequest::View { peer: peer(i), wants });
    }

    pub(crate) fn leave(&mut self, i: usize) {
        self.request(MediaRequest::Leave { peer: peer(i) });
        self.clients[i].kill();
    }

    /// Takes a participant out that never had a client here.
    pub(crate) fn leave_without_client(&mut self, i: usize) {
        self.request(MediaRequest::Leave { peer: peer(i) });
    }

    pub(crate) fn request(&mut self, request: MediaRequest) {
        let nodes = match &request {
            MediaRequest::Leave { peer }
            | MediaRequest::Offer { peer, .. }
            | MediaRequest::Publish { peer, .. }
            | MediaRequest::View { peer, .. } => {
                let node = self.node_of(peer.participant.0 as usize);
                node..node + 1
            }
            MediaRequest::End { .. } => 0..self.nodes.len(),
        };
        self.note_presence(&request);
        for node in nodes {
            self.nodes[node].handle_input(self.now, Input::Request(request.clone()));
            self.drain_nodes(node);
        }
    }

    fn note_presence(&mut self, request: &MediaRequest) {
        match request {
            MediaRequest::Offer { peer, .. } => self.present.insert(peer.participant),
            MediaRequest::Leave { peer } => self.present.remove(&peer.participant),
            _ => return,
        };
        let having: BTreeSet<usize> =
            self.present.iter().map(|participant| self.node_of(participant.0 as usize)).collect();
        let before = self.populated.clone();
        self.populated.retain(|node| having.contains(node));
        let new = having.iter().filter(|node| !before.contains(node));
        self.populated.extend(new);
        if self.populated != before && self.nodes.len() > 1 {
            self.spread();
        }
    }

    /// Gives the node bytes from anywhere.
    pub(crate) fn inject(&mut self, from: SocketAddr, bytes: &[u8]) {
        let input = Input::Datagram {
            arrived: self.now,
            transport: Transport::Udp,
            source: from,
            destination: node_address(),
            bytes,
        };
        self.nodes[0].handle_input(self.now, input);
        self.drain_nodes(0);
    }

    /// The datagrams of a client that the node has not got yet.
    pub(crate) fn on_the_way(&self, client: usize) -> Vec<Vec<u8>> {
        let sender = self.clients[client].address();
        let all = self.network.values().filter_map(|flight| match flight {
            Flight::ToNode { from, bytes, .. } if *from == sender => Some(bytes.clone()),
            Flight::ToClient { .. } | Flight::ToNode { .. } => None,
        });
        all.collect()
    }

    /// The media sessions of all nodes.
    pub(crate) fn sessions(&self) -> u64 {
        self.nodes.iter().map(|node| node.stats().sessions).sum()
    }

    /// What the first node has done.
    pub(crate) fn stats(&self) -> NodeStats {
        self.nodes[0].stats()
    }

    /// Lets time pass until something holds; fails if it does not within a minute.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = self.now + Duration::from_secs(60);
        while !holds(self) {
            assert!(self.now < deadline, "waited too long until {what}");
            self.run(Duration::from_millis(10));
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let clients = self.clients.iter().map(Client::due).min();
            let network = self.network.first_key_value().map(|((at, _), _)| *at);
            let nodes = self.node_timeouts.iter().copied().min();
            let next = [nodes, clients, network].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn step(&mut self) {
        while let Some(entry) = self.network.first_entry()
            && entry.key().0 <= self.now
        {
            match entry.remove() {
                Flight::ToClient { client, from, bytes } => {
                    self.clients[client].receive(self.now, from, &bytes);
                    self.drain_client(client);
                }
                Flight::ToNode { arrived, from, to, bytes } => {
                    let input = Input::Datagram {
                        arrived,
                        transport: Transport::Udp,
                        source: from,
                        destination: to,
                        bytes: &bytes,
                    };
                    let node = (0..self.nodes.len()).find(|node| address_of(*node) == to);
                    let node = node.unwrap_or_default();
                    self.nodes[node].handle_input(self.now, input);
                    self.drain_nodes(node);
                }
            }
        }
        for node in 0..self.nodes.len() {
            if self.node_timeouts[node] <= self.now {
                self.wakes += 1;
                self.nodes[node].handle_input(self.now, Input::Timeout);
                self.drain_nodes(node);
                assert!(self.node_timeouts[node] > self.now, "the node does not let time pass");
            }
        }
        for i in 0..self.clients.len() {
            if self.clients[i].due() <= self.now {
                self.clients[i].wake(self.now);
                self.drain_client(i);
            }
        }
    }

    /// Takes out what a node has to say, and all others to each other for it.
    fn drain_nodes(&mut self, node: usize) {
        self.drain_node(node);
        if !self.holds_relays {
            self.deliver_relays();
        }
    }

    /// Gives nodes what others have said.
    pub(crate) fn deliver_relays(&mut self) {
        while let Some((to, from, relay)) = self.relays.pop_front() {
            let to = usize::from(to.0);
            self.nodes[to].handle_input(self.now, Input::Relay { from, relay });
            self.drain_node(to);
        }
    }

    fn drain_node(&mut self, node: usize) {
        loop {
            match self.nodes[node].poll_output() {
                Output::Relay { to, relay } => {
                    self.relayed_packets += u64::from(relay.is_media());
                    self.relays.push_back((to, NodeNumber(node as u16), relay));
                }
                Output::Event(event) => {
                    self.obey(&event);
                    self.events.push(event);
                }
                Output::Timeout(at) => {
                    self.node_timeouts[node] = at;
                    return;
                }
                Output::Transmit(transmit) => {
                    let client =
                        self.clients.iter().position(|c| c.address() == transmit.destination);
                    for datagram in transmit.datagrams() {
                        self.sent += 1;
                        let lost = self.lose_every.is_some_and(|n| self.sent.is_multiple_of(n));
                        let Some(client) = client.filter(|_| !lost) else { continue };
                        let Some(wait) = self.pass_link(client, datagram.len()) else { continue };
                        let (from, bytes) = (transmit.source, datagram.to_vec());
                        self.fly(wait, Flight::ToClient { client, from, bytes });
                    }
                    self.nodes[node].recycle(transmit.bytes);
                }
            }
        }
    }

    /// Has a client encode what it is told to, as browsers do.
    fn obey(&mut self, event: &MediaEvent) {
        let MediaEvent::Demand { peer: who, pictures, .. } = event else { return };
        let Some(i) = (0..self.clients.len()).find(|i| peer(*i) == *who) else { return };
        self.clients[i].demanded =
            pictures.iter().map(|picture| (picture.mid.to_string(), picture.layers)).collect();
    }

    fn drain_client(&mut self, i: usize) {
        for (to, bytes) in self.clients[i].drain(self.now) {
            let from = self.clients[i].address();
            let arrived = self.now + self.delay;
            self.fly(self.lateness, Flight::ToNode { arrived, from, to, bytes });
        }
    }

    fn fly(&mut self, wait: Duration, flight: Flight) {
        self.sent += 1;
        self.network.insert((self.now + wait + self.delay, self.sent), flight);
    }

    /// How long a datagram waits for the link to a client; `None` if the queue is full.
    fn pass_link(&mut self, client: usize, bytes: usize) -> Option<Duration> {
        let Some(limit) = self.limit else { return Some(Duration::ZERO) };
        let free_at = self.link_free_at.entry(client).or_insert(self.now);
        let start = (*free_at).max(self.now);
        if start - self.now > Duration::from_millis(300) {
            return None;
        }
        *free_at = start + Duration::from_micros(bytes as u64 * 8 * 1_000_000 / limit);
        Some(*free_at - self.now)
    }

    /// What the slots of a client carry, as it was last told: audio, then video.
    pub(crate) fn slots(&self, i: usize) -> (Carried, Carried) {
        let last = self.events.iter().rev().find_map(|event| match event {
            MediaEvent::Slots { peer: p, audio, video, .. } if *p == peer(i) => Some((
                audio.iter().map(|slot| (slot.mid, slot.publication)).collect(),
                video.iter().map(|slot| (slot.mid, slot.publication)).collect(),
            )),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// The video slot in which a client sees a publication.
    pub(crate) fn video_slot(&self, i: usize, id: PublicationId) -> Option<Mid> {
        self.slots(i).1.iter().find(|(_, carried)| *carried == id).map(|(mid, _)| *mid)
    }
}

fn start_node(number: usize, now: Instant) -> Node {
    let address = address_of(number);
    Node::new(NodeConfig::new(vec![address], vec![address], [7; 32]), now)
}

pub(crate) fn peer(client: usize) -> PeerId {
    PeerId { call: CALL, participant: ParticipantId(client as u32) }
}
