//! TURN beside the media port: clients on one side, the nodes of all shards on the other. That of
//! the first shard is in this very thread.

use std::net::SocketAddr;
use std::time::Instant;

use conclave_sfu_proto::{Input as NodeInput, Node, Transmit, Transport};
use conclave_turn_proto::{ClientId, Input, Issuer, Limits, Output, Server, ServerConfig, Stats};
use tokio::net::TcpListener;

use crate::gather::Gather;
use crate::handover::{FarNodes, Handed};
use crate::shard::StartError;
use crate::stream::{StreamEvent, StreamTurn, Streams, TurnEntrance};
use crate::tcp;
use crate::udp::{self, Udp};

/// Batches of datagrams taken in one turn.
const BUDGET: usize = 8;

/// Where the first shard takes clients that are to be relayed, and whose credentials it takes.
#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// Where the UDP socket is bound, if there shall be one.
    pub udp: Option<SocketAddr>,
    /// Where the TCP listener is bound, if there shall be one.
    pub tcp: Option<SocketAddr>,
    /// Makes the credentials that are taken.
    pub issuer: Issuer,
    /// What clients can make it hold.
    pub limits: Limits,
}

/// The TURN server, seen from outside.
#[derive(Debug)]
pub struct TurnHandle {
    /// The UDP port, if there is one.
    pub udp: Option<u16>,
    /// The TCP port, if there is one.
    pub tcp: Option<u16>,
    /// Takes connections that came to another listener.
    pub entrance: TurnEntrance,
}

/// The TURN server, in a shard's thread.
#[derive(Debug)]
pub(crate) struct Turn {
    server: Server,
    udp: Option<Udp>,
    /// What leaves by it next.
    gather: Gather,
    streams: Streams,
    far: FarNodes,
    timeout: Option<Instant>,
}

/// What woke it.
#[derive(Debug)]
pub(crate) enum TurnWake {
    Node(Handed),
    Stream(StreamTurn),
    Udp,
}

impl Turn {
    /// Binds the sockets, for a node with the addresses `near` and others elsewhere. Must be called
    /// within the runtime that will drive them.
    pub(crate) fn start(
        config: &TurnConfig,
        near: &[SocketAddr],
        far: FarNodes,
        seed: [u8; 32],
    ) -> Result<(Self, TurnHandle), StartError> {
        let udp = config.udp.map(|address| Udp::new(udp::bind(address)?)).transpose();
        let udp = udp.map_err(|source| StartError::TurnUdp { source })?;
        let listener =
            config.tcp.map(|address| TcpListener::from_std(tcp::bind(address)?)).transpose();
        let listener = listener.map_err(|source| StartError::TurnTcp { source })?;
        let port = listener.as_ref().map(TcpListener::local_addr).transpose();
        let port = port.map_err(|source| StartError::TurnTcp { source })?;
        let (entrance, events) = TurnEntrance::new();
        let handle = TurnHandle {
            udp: udp.as_ref().map(Udp::port),
            tcp: port.map(|address| address.port()),
            entrance: entrance.clone(),
        };
        let peers = near.iter().copied().chain(far.addresses()).collect();
        let server =
            ServerConfig { peers, issuer: config.issuer.clone(), limits: config.limits, seed };
        let turn = Self {
            server: Server::new(server, Instant::now()),
            udp,
            gather: Gather::default(),
            streams: Streams::new(listener, entrance, events),
            far,
            timeout: None,
        };
        Ok((turn, handle))
    }

    /// Waits for something to do. Safe to drop while it waits.
    pub(crate) async fn wait(&mut self) -> TurnWake {
        tokio::select! {
            () = readable(self.udp.as_ref()) => TurnWake::Udp,
            turn = self.streams.turn() => TurnWake::Stream(turn),
            handed = self.far.next() => TurnWake::Node(handed),
        }
    }

    /// When the server wants to be called next.
    pub(crate) const fn timeout(&self) -> Option<Instant> {
        self.timeout
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_input(now, Input::Timeout);
    }

    pub(crate) fn handle(&mut self, now: Instant, wake: TurnWake) {
        match wake {
            TurnWake::Node(Handed { source: peer, destination: relayed, bytes }) => {
                let input = Input::FromPeer { peer, relayed, bytes: &bytes };
                self.server.handle_input(now, input);
            }
            TurnWake::Stream(StreamTurn::Accepted(stream, source)) => {
                self.streams.accepted(stream, source);
            }
            TurnWake::Stream(StreamTurn::Event(event)) => self.handle_stream(now, event),
            TurnWake::Udp => self.receive(now),
        }
    }

    fn handle_stream(&mut self, now: Instant, event: StreamEvent) {
        match event {
            StreamEvent::Bytes { number, bytes } => {
                self.server.handle_input(now, Input::Stream { number, bytes: &bytes });
            }
            StreamEvent::Closed { number } => {
                self.streams.close(number);
                self.server.handle_input(now, Input::Closed { number });
            }
            StreamEvent::Opened { number, source, queue } => {
                if self.streams.opened(now, number, source, queue) {
                    self.server.handle_input(now, Input::Opened { number, source });
                }
            }
        }
    }

    fn receive(&mut self, now: Instant) {
        let Self { server, udp: Some(udp), .. } = self else { return };
        for _ in 0..BUDGET {
            let received = udp.receive(usize::MAX, |_, source, destination, bytes| {
                server.handle_input(now, Input::Datagram { source, destination, bytes });
            });
            match received {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "the TURN socket reports an error");
                    return;
                }
            }
        }
    }

    /// Takes what the node in this thread sends, if it is for a client that is relayed.
    pub(crate) fn take(&mut self, now: Instant, transmit: &Transmit) -> bool {
        let relayed = transmit.destination;
        let is_ours = self.server.relays(relayed);
        if is_ours {
            for bytes in transmit.datagrams() {
                let input = Input::FromPeer { peer: transmit.source, relayed, bytes };
                self.server.handle_input(now, input);
            }
        }
        is_ours
    }

    /// Takes out everything that the server has to say. Returns whether there was something for
    /// the node in this thread, which may have an answer.
    pub(crate) fn drain(&mut self, now: Instant, node: &mut Node) -> bool {
        let mut was_given = false;
        loop {
            match self.server.poll_output() {
                Output::Close { number } => self.streams.close(number),
                Output::Relay { source, destination, bytes } => {
                    let handed = Handed { source, destination, bytes };
                    let Err(Handed { source, destination, bytes }) = self.far.give(handed) else {
                        continue;
                    };
                    was_given = true;
                    let (arrived, transport, bytes) = (now, Transport::Udp, bytes.as_slice());
                    let input =
                        NodeInput::Datagram { arrived, transport, source, destination, bytes };
                    node.handle_input(now, input);
                }
                Output::Timeout(at) => {
                    self.timeout = at;
                    let rest = self.gather.take();
                    self.send_burst(rest);
                    return was_given;
                }
                Output::Transmit { client, bytes } => self.send(client, bytes),
            }
        }
    }

    fn send(&mut self, client: ClientId, bytes: Vec<u8>) {
        match client {
            ClientId::Datagram { source: client, destination: own } => {
                let full = self.gather.add(own, client, bytes);
                self.send_burst(full);
            }
            ClientId::Stream(number) => self.streams.send(number, bytes),
        }
    }

    fn send_burst(&mut self, burst: Option<Transmit>) {
        if let Some((udp, burst)) = self.udp.as_mut().zip(burst) {
            udp.send(&burst);
        }
    }

    /// Closes the connections that have shown nothing for too long.
    pub(crate) fn close_strangers(&mut self, now: Instant) {
        let server = &self.server;
        for number in self.streams.close_strangers(now, |number| server.knows(number)) {
            self.server.handle_input(now, Input::Closed { number });
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.server.stats()
    }

    pub(crate) fn send_failures(&self) -> u64 {
        self.udp.as_ref().map_or(0, |udp| udp.send_failures)
    }

    /// Connections that were turned away, and packets that were lost on slow ones or between threads.
    pub(crate) const fn refused_and_overflowed(&self) -> (u64, u64) {
        (self.streams.refused, self.streams.overflowed + self.far.overflowed)
    }
}

async fn readable(udp: Option<&Udp>) {
    match udp {
        // An error shows again when the socket is read.
        Some(udp) => drop(udp.readable().await),
        None => std::future::pending().await,
    }
}
