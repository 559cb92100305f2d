//! A node to throw things at.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use conclave_call_proto::media::{MediaEvent, MediaRequest, PeerId};
use conclave_model::{CallId, ParticipantId};
use conclave_sfu_proto::{Input, Node, NodeConfig, Output, Transmit, Transport};

/// A node and its time.
pub(crate) struct Rig {
    pub(crate) now: Instant,
    pub(crate) node: Node,
    /// What the node said since this was last emptied.
    pub(crate) events: Vec<MediaEvent>,
    pub(crate) transmits: Vec<Transmit>,
    pub(crate) deadline: Instant,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let config = NodeConfig::new(vec![node_address()], vec![node_address()], [3; 32]);
        let node = Node::new(config, now);
        Self { now, node, events: Vec::new(), transmits: Vec::new(), deadline: now }
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.node.handle_input(self.now, input);
        self.drain();
    }

    pub(crate) fn datagram(&mut self, transport: Transport, source: SocketAddr, bytes: &[u8]) {
        let (arrived, destination) = (self.now, node_address());
        self.input(Input::Datagram { arrived, transport, source, destination, bytes });
    }

    pub(crate) fn offer(&mut self, participant: u32, generation: u32, sdp: &str) {
        let peer = peer(participant);
        self.input(Input::Request(MediaRequest::Offer { peer, generation, sdp: sdp.to_owned() }));
    }

    /// Lets time pass, timeouts included.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.deadline <= end {
            self.now = self.now.max(self.deadline);
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn drain(&mut self) {
        loop {
            match self.node.poll_output() {
                Output::Event(event) => self.events.push(event),
                // It is the only one.
                Output::Relay { .. } => {}
                Output::Timeout(at) => {
                    // A deadline that does not move on would stop time.
                    self.deadline = at.max(self.now + Duration::from_micros(1));
                    return;
                }
                Output::Transmit(transmit) => self.transmits.push(transmit),
            }
        }
    }
}

/// A peer of the only call.
pub(crate) const fn peer(participant: u32) -> PeerId {
    PeerId { call: CallId(1), participant: ParticipantId(participant) }
}

pub(crate) fn node_address() -> SocketAddr {
    (Ipv4Addr::new(10, 1, 0, 1), 10_000).into()
}
