use std::net::SocketAddr;
use std::slice::Chunks;
use std::time::Instant;

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_model::CallId;

use crate::relay::{NodeNumber, Relay, Spread};

/// How datagrams travel. Over TCP they are framed (RFC 4571); see [`Deframer`](crate::Deframer).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// A TCP connection that the client opened.
    Tcp,
    /// The node's UDP socket.
    Udp,
}

/// What the shell tells a node.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came in.
    Datagram {
        /// When it reached the machine, which may have kept it waiting. Senders are told this
        /// time, and conclude from it whether the network is full.
        arrived: Instant,
        /// How.
        transport: Transport,
        /// From where.
        source: SocketAddr,
        /// At which of the node's addresses.
        destination: SocketAddr,
        /// The datagram, without framing.
        bytes: &'a [u8],
    },
    /// Another node says something of a call that both have peers of.
    Relay {
        /// Which node.
        from: NodeNumber,
        /// What.
        relay: Relay,
    },
    /// The control plane asks for something.
    Request(MediaRequest),
    /// Other nodes have peers of a call from now on, or have not any more.
    Spread {
        /// Which call.
        call: CallId,
        /// All nodes that have.
        spread: Spread,
    },
    /// A TCP connection is gone.
    TcpClosed {
        /// The client's end of it.
        source: SocketAddr,
    },
    /// The instant of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What a node tells the shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// For the control plane.
    Event(MediaEvent),
    /// For another node.
    Relay {
        /// Which.
        to: NodeNumber,
        /// What.
        relay: Relay,
    },
    /// Nothing more to do until this instant, or until the next input.
    Timeout(Instant),
    /// Something to send.
    Transmit(Transmit),
}

/// A datagram to send, or several to one destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// How.
    pub transport: Transport,
    /// From which of the node's addresses.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// The datagrams, one after another, without framing. Give the buffer back with
    /// [`Node::recycle`](crate::Node::recycle) if it was sent.
    pub bytes: Vec<u8>,
    /// The length of each datagram but the last, which may be shorter. `None` if there is one.
    pub segment: Option<usize>,
}

impl Transmit {
    /// The most bytes in one burst: what fits into one IP packet, with its headers.
    pub const MAX_BYTES: usize = 60 * 1024;

    /// The most datagrams in one burst: what Linux takes (`UDP_MAX_SEGMENTS`).
    pub const MAX_DATAGRAMS: usize = 64;

    /// The longest datagram of a burst, in bytes. A longer one, by itself, is cut up where the path takes
    /// no more; bursts of such are refused by the kernel.
    pub const MAX_SEGMENT: usize = 1400;

    /// Each of the datagrams.
    pub fn datagrams(&self) -> Chunks<'_, u8> {
        self.bytes.chunks(self.segment.unwrap_or(self.bytes.len()).max(1))
    }
}
