use std::net::SocketAddr;
use std::time::Instant;

use conclave_call_proto::media::{MediaEvent, MediaRequest};

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
        /// How.
        transport: Transport,
        /// From where.
        source: SocketAddr,
        /// At which of the node's addresses.
        destination: SocketAddr,
        /// The datagram, without framing.
        bytes: &'a [u8],
    },
    /// The control plane asks for something.
    Request(MediaRequest),
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
    /// Nothing more to do until this instant, or until the next input.
    Timeout(Instant),
    /// A datagram to send.
    Transmit(Transmit),
}

/// A datagram to send.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// How.
    pub transport: Transport,
    /// From which of the node's addresses.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// The datagram, without framing.
    pub bytes: Vec<u8>,
}
