//! One camera, many who show it, and a node between them, in virtual time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_call_proto::media::{
    MediaEvent, MediaRequest, PeerId, PublicationTrack, TilePriority, Want,
};
use conclave_model::{CallId, Mid as SlotMid, ParticipantId, PublicationId, TrackSource};
use conclave_sfu_proto::{Input, Node, NodeConfig, Output, Transport};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Rtc};

/// A second of it is what `conclave bench media` measures: 60 frames of eight packets.
const FRAME: Duration = Duration::from_micros(16_667);
const PACKETS: u32 = 8;

/// Behind RTP's header and extensions this makes datagrams of about 1200 bytes.
const PAYLOAD: usize = 1144;

/// How long a datagram is under way.
const DELAY: Duration = Duration::from_millis(5);

const CALL: CallId = CallId(1);
const CAMERA: PublicationId = PublicationId(0);

/// Everybody, and the network.
pub(crate) struct Crowd {
    now: Instant,
    node: Node,
    /// How the node is called.
    calls: Calls,
    node_due: Instant,
    /// The first one publishes.
    clients: Vec<Client>,
    network: BTreeMap<(Instant, u64), Flight>,
    flights: u64,
    frame_due: Option<Instant>,
}

/// How the node is called, so that what it does can be counted.
#[derive(Clone, Copy)]
pub(crate) struct Calls {
    pub(crate) tell: fn(&mut Node, Instant, Input<'_>),
    pub(crate) poll: fn(&mut Node) -> Output,
}

struct Client {
    rtc: Rtc,
    address: SocketAddr,
    mid: Mid,
    due: Instant,
    connected: bool,
    packets: u32,
    frames: u32,
}

enum Flight {
    ToClient { client: usize, bytes: Vec<u8> },
    ToNode { source: SocketAddr, bytes: Vec<u8> },
}

impl Crowd {
    /// A call in which so many show the camera, with all of them connected and the camera on.
    pub(crate) fn new(subscribers: u32) -> Self {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
        let now = Instant::now();
        let config = NodeConfig::new(vec![node_address()], Vec::new(), [7; 32]);
        let mut crowd = Self {
            now,
            node: Node::new(config, now),
            calls: Calls { tell: Node::handle_input, poll: Node::poll_output },
            node_due: now,
            clients: Vec::new(),
            network: BTreeMap::new(),
            flights: 0,
            frame_due: None,
        };
        crowd.join(Direction::SendOnly);
        for _ in 0..subscribers {
            crowd.join(Direction::RecvOnly);
        }
        while crowd.clients.iter().any(|client| !client.connected) {
            crowd.run(Duration::from_millis(10));
        }
        crowd.frame_due = Some(crowd.now);
        crowd
    }

    /// Somebody else joins, and shows the camera.
    pub(crate) fn join_another(&mut self) {
        self.join(Direction::RecvOnly);
    }

    /// From now on the node is called like this.
    pub(crate) const fn call_node_by(&mut self, calls: Calls) {
        self.calls = calls;
    }

    /// The packets that were forwarded so far.
    pub(crate) fn forwarded(&self) -> u64 {
        self.node.stats().packets_forwarded
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let clients = self.clients.iter().map(|client| client.due).min();
            let network = self.network.first_key_value().map(|((at, _), _)| *at);
            let next = [Some(self.node_due), clients, network, self.frame_due];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn join(&mut self, direction: Direction) {
        let number = self.clients.len() as u32;
        let (client, sdp, pending) = Client::new(number, direction, self.now);
        let mid = SlotMid::new(&client.mid).unwrap();
        self.clients.push(client);
        let peer = PeerId { call: CALL, participant: ParticipantId(number) };
        let answer = self.request(MediaRequest::Offer { peer, generation: 1, sdp });
        self.clients.last_mut().unwrap().accept(&answer.expect("an answer"), pending);
        self.request(if direction == Direction::SendOnly {
            let source = TrackSource::Camera;
            let track = PublicationTrack { publication: CAMERA, source, mid };
            MediaRequest::Publish { peer, tracks: vec![track] }
        } else {
            let (width, height, priority) = (1280, 720, TilePriority::Featured);
            let want = Want { publication: CAMERA, width, height, priority };
            MediaRequest::View { peer, wants: vec![want] }
        });
        self.drain_client(number as usize);
    }

    /// Asks something of the node, and returns its answer if it was an offer.
    fn request(&mut self, request: MediaRequest) -> Option<String> {
        (self.calls.tell)(&mut self.node, self.now, Input::Request(request));
        self.drain_node()
    }

    fn step(&mut self) {
        if self.frame_due.is_some_and(|due| due <= self.now) {
            self.frame_due = Some(self.now + FRAME);
            self.clients[0].send_frame(self.now);
            self.drain_client(0);
        }
        while let Some(entry) = self.network.first_entry()
            && entry.key().0 <= self.now
        {
            match entry.remove() {
                Flight::ToClient { client, bytes } => {
                    self.clients[client].receive(self.now, &bytes);
                    self.drain_client(client);
                }
                Flight::ToNode { source, bytes } => {
                    let (transport, destination) = (Transport::Udp, node_address());
                    let (arrived, bytes) = (self.now, &bytes);
                    let input = Input::Datagram { arrived, transport, source, destination, bytes };
                    (self.calls.tell)(&mut self.node, self.now, input);
                }
            }
        }
        if self.node_due <= self.now {
            (self.calls.tell)(&mut self.node, self.now, Input::Timeout);
        }
        self.drain_node();
        for i in 0..self.clients.len() {
            if self.clients[i].due <= self.now {
                self.clients[i].handle(str0m::Input::Timeout(self.now));
                self.drain_client(i);
            }
        }
    }

    fn drain_node(&mut self) -> Option<String> {
        let mut answer = None;
        loop {
            match (self.calls.poll)(&mut self.node) {
                // It is the only one.
                Output::Relay { .. } => {}
                Output::Event(MediaEvent::Answer { sdp, .. }) => answer = Some(sdp),
                Output::Event(_) => {}
                Output::Timeout(at) => {
                    self.node_due = at;
                    return answer;
                }
                Output::Transmit(transmit) => {
                    let client = client_at(transmit.destination);
                    for datagram in transmit.datagrams() {
                        let bytes = datagram.to_vec();
                        self.fly(Flight::ToClient { client, bytes });
                    }
                    self.node.recycle(transmit.bytes);
                }
            }
        }
    }

    fn drain_client(&mut self, i: usize) {
        for bytes in self.clients[i].drain() {
            let source = self.clients[i].address;
            self.fly(Flight::ToNode { source, bytes });
        }
    }

    fn fly(&mut self, flight: Flight) {
        self.flights += 1;
        self.network.insert((self.now + DELAY, self.flights), flight);
    }
}

impl Client {
    fn new(number: u32, direction: Direction, now: Instant) -> (Self, String, SdpPendingOffer) {
        let address = client_address(number);
        let mut rtc = Rtc::builder().clear_codecs().enable_vp8(true).set_rtp_mode(true).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Video, direction, None, None, None);
        let (offer, pending) = api.apply().unwrap();
        let client = Self { rtc, address, mid, due: now, connected: false, packets: 0, frames: 0 };
        (client, offer.to_sdp_string(), pending)
    }

    fn accept(&mut self, answer: &str, pending: SdpPendingOffer) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    /// Sends a frame as VP8's packets are, with a picture id of 15 bits (RFC 7741 section 4.2).
    fn send_frame(&mut self, now: Instant) {
        self.frames += 1;
        let [.., high, low] = self.frames.to_be_bytes();
        let pt = self.rtc.media(self.mid).unwrap().remote_pts()[0];
        for part in 0..PACKETS {
            self.packets += 1;
            let start = if part == 0 { 0x90 } else { 0x80 };
            let delta_frame = u8::from(self.frames > 1);
            let mut payload = vec![start, 0xe0, 0x80 | high, low, low, 0, delta_frame];
            payload.resize(PAYLOAD, 0xaa);
            let (seq, time) = (u64::from(self.packets), self.frames * 1500);
            let write = RtpWrite::new(pt, seq.into(), time, now, payload)
                .marker(part + 1 == PACKETS)
                .nackable(true);
            let mut api = self.rtc.direct_api();
            let stream = api.stream_tx_by_mid(self.mid, None).unwrap();
            // A frame is one burst here, so that there is one way only in which it can come in.
            stream.set_unpaced(true);
            stream.write_rtp(write);
        }
        self.handle(str0m::Input::Timeout(now));
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        let receive = Receive::new(Protocol::Udp, node_address(), self.address, bytes).unwrap();
        self.handle(str0m::Input::Receive(now, receive));
    }

    fn handle(&mut self, input: str0m::Input<'_>) {
        self.rtc.handle_input(input).unwrap();
    }

    /// What it has to send.
    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        loop {
            match self.rtc.poll_output().unwrap() {
                str0m::Output::Event(Event::Connected) => self.connected = true,
                str0m::Output::Event(_) => {}
                str0m::Output::Timeout(at) => {
                    self.due = at;
                    return datagrams;
                }
                str0m::Output::Transmit(transmit) => datagrams.push(transmit.contents.to_vec()),
            }
        }
    }
}

fn node_address() -> SocketAddr {
    ([10, 0, 0, 1], 10000).into()
}

fn client_address(number: u32) -> SocketAddr {
    let [.., high, low] = number.to_be_bytes();
    ([10, 1, high, low], 5000).into()
}

fn client_at(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { panic!("no client is at {address}") };
    let [.., high, low] = address.ip().octets();
    u16::from_be_bytes([high, low]).into()
}
