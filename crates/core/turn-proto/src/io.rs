use std::net::SocketAddr;
use std::time::Instant;

/// Which client: what RFC 8656 calls a 5-tuple.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ClientId {
    /// One that sends datagrams.
    Datagram {
        /// Where it is.
        source: SocketAddr,
        /// At which of the server's addresses.
        destination: SocketAddr,
    },
    /// One that has a connection, over TCP or TLS. The shell never gives a number twice.
    Stream(u64),
}

/// What the shell tells a server.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection is gone.
    Closed {
        /// Which.
        number: u64,
    },
    /// A datagram came to the TURN port.
    Datagram {
        /// From where.
        source: SocketAddr,
        /// At which of the server's addresses.
        destination: SocketAddr,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// The media node sends a datagram to a relayed address.
    FromPeer {
        /// From which of its addresses.
        peer: SocketAddr,
        /// To which relayed address.
        relayed: SocketAddr,
        /// The datagram.
        bytes: &'a [u8],
    },
    /// There is a connection, over TCP or TLS.
    Opened {
        /// Its number.
        number: u64,
        /// The client's end of it.
        source: SocketAddr,
    },
    /// This was read from a connection.
    Stream {
        /// Which.
        number: u64,
        /// What, however it is cut.
        bytes: &'a [u8],
    },
    /// The instant of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What a server tells the shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Close this connection: what comes on it is not TURN. [`Input::Closed`] is not needed for it.
    Close {
        /// Which.
        number: u64,
    },
    /// Give this to the media node, as a datagram over UDP.
    Relay {
        /// Where it seems to come from: a relayed address.
        source: SocketAddr,
        /// To which of the node's addresses.
        destination: SocketAddr,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Nothing more to do until this instant, or until the next input if there is none.
    Timeout(Option<Instant>),
    /// Send this to a client: as a datagram, or as it is on its connection.
    Transmit {
        /// Which.
        client: ClientId,
        /// What.
        bytes: Vec<u8>,
    },
}
