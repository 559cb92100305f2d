use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_call_proto::media::{
    MediaEvent, MediaRequest, PeerId, PublicationTrack, TilePriority, Want,
};
use conclave_model::{CallId, Mid, ParticipantId, PublicationId, TrackSource};
use conclave_sfu_proto::{Input, Node, NodeConfig, NodeStats, Output, Transport};

use crate::client::{Client, Setup};

/// A node, clients, a network with delay, and a clock that only moves when told.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) node: Node,
    pub(crate) clients: Vec<Client>,
    pub(crate) events: Vec<MediaEvent>,
    /// Drops every n-th datagram to a client, if set.
    pub(crate) lose_every: Option<u64>,
    /// What the link to each client carries, in bits per second, if it is limited.
    pub(crate) limit: Option<u64>,
    /// When the link to each client has sent all that waits.
    link_free_at: BTreeMap<usize, Instant>,
    node_timeout: Instant,
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

pub(crate) const CALL: CallId = CallId(7);

pub(crate) fn node_address() -> SocketAddr {
    "10.0.0.1:10000".parse().unwrap()
}

/// The id of a client's publication of this source.
pub(crate) fn publication(client: usize, source: TrackSource) -> PublicationId {
    PublicationId(client as u32 * 10 + source as u32)
}

impl World {
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
        let now = Instant::now();
        let config = NodeConfig::new(vec![node_address()], vec![node_address()], [7; 32]);
        Self {
            now,
            node: Node::new(config, now),
            clients: Vec::new(),
            events: Vec::new(),
            lose_every: None,
            limit: None,
            link_free_at: BTreeMap::new(),
            node_timeout: now,
            wakes: 0,
            network: BTreeMap::new(),
            sent: 0,
            delay: Duration::from_millis(10),
            lateness: Duration::ZERO,
        }
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
        self.node.handle_input(self.now, Input::Request(request));
        self.drain_node();
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
        self.node.handle_input(self.now, input);
        self.drain_node();
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

    pub(crate) fn stats(&self) -> NodeStats {
        self.node.stats()
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
            let next = [Some(self.node_timeout), clients, network].into_iter().flatten().min();
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
                    self.node.handle_input(self.now, input);
                    self.drain_node();
                }
            }
        }
        if self.node_timeout <= self.now {
            self.wakes += 1;
            self.node.handle_input(self.now, Input::Timeout);
            self.drain_node();
            assert!(self.node_timeout > self.now, "the node does not let time pass");
        }
        for i in 0..self.clients.len() {
            if self.clients[i].due() <= self.now {
                self.clients[i].wake(self.now);
                self.drain_client(i);
            }
        }
    }

    fn drain_node(&mut self) {
        loop {
            match self.node.poll_output() {
                Output::Event(event) => {
                    self.obey(&event);
                    self.events.push(event);
                }
                Output::Timeout(at) => {
                    self.node_timeout = at;
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
                    self.node.recycle(transmit.bytes);
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

pub(crate) fn peer(client: usize) -> PeerId {
    PeerId { call: CALL, participant: ParticipantId(client as u32) }
}
