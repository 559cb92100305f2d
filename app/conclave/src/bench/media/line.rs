//! What a client's datagrams go over: a socket of its own, or an allocation of the TURN server.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use conclave_turn_proto::{
    Client as Turn, ClientEvent, ClientInput, ClientOutput, Credential, Framer,
};
use serde::{Deserialize, Serialize};
use str0m::Candidate;

use super::control::Relay;

/// Which way a client's datagrams take.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(in crate::bench) enum Way {
    /// From a socket of the client's own to the media port.
    Direct,
    /// Through the TURN server, over a connection.
    Tcp,
    /// Through the TURN server, as datagrams.
    Udp,
}

impl Way {
    /// The word for it among a program's arguments.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A way that datagrams take to the media port and back.
pub(super) enum Line {
    Direct { socket: UdpSocket, local: SocketAddr },
    Relayed(Box<Relayed>),
}

/// A way through the TURN server.
pub(super) struct Relayed {
    turn: Turn,
    pipe: Pipe,
    /// Where the media port is.
    peer: SocketAddr,
    /// The relayed address, once there is one.
    relayed: Option<SocketAddr>,
    /// Where it reads to.
    buffer: Vec<u8>,
    /// What came and was not yet taken.
    arrived: VecDeque<Vec<u8>>,
}

/// The way to the TURN server itself.
enum Pipe {
    Datagrams(UdpSocket),
    Stream {
        stream: TcpStream,
        framer: Framer,
        /// What the connection has not yet taken.
        unsent: Vec<u8>,
    },
}

/// How long the TURN server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much is read from a connection at once, in bytes; longer than any datagram.
const READ: usize = 16 * 1024;

impl Line {
    /// A socket at a port of its own, for the media port at `server`.
    pub(super) fn direct(server: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(server.ip(), 0))?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        Ok(Self::Direct { socket, local })
    }

    /// An allocation with a channel for the media port at `server`. Waits until there is one.
    pub(super) fn relayed(relay: &Relay, way: Way, server: SocketAddr) -> anyhow::Result<Self> {
        let pipe = match way {
            Way::Tcp => Pipe::connection(relay.tcp)?,
            Way::Udp => Pipe::datagrams(relay.udp)?,
            Way::Direct => anyhow::bail!("this way is not relayed"),
        };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context("the system gives no random bytes")?;
        let Relay { username, password, .. } = relay.clone();
        let credential = Credential { username, password };
        let turn = Turn::new(credential, way == Way::Tcp, &seed, Instant::now());
        let (buffer, arrived) = (vec![0; READ], VecDeque::new());
        let mut line = Relayed { turn, pipe, peer: server, relayed: None, buffer, arrived };
        line.allocate()?;
        Ok(Self::Relayed(Box::new(line)))
    }

    /// Where the media node sees the client.
    pub(super) fn local(&self) -> anyhow::Result<SocketAddr> {
        match self {
            Self::Direct { local, .. } => Ok(*local),
            Self::Relayed(line) => line.relayed.context("there is no allocation"),
        }
    }

    /// What the client tells the media node of it.
    pub(super) fn candidate(&self) -> anyhow::Result<Candidate> {
        let local = self.local()?;
        Ok(match self {
            Self::Direct { .. } => Candidate::host(local, "udp")?,
            Self::Relayed(_) => Candidate::relayed(local, local, "udp")?,
        })
    }

    /// Takes one datagram, if there is one, and returns how long it is.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<Option<usize>> {
        match self {
            Self::Direct { socket, .. } => nothing_yet(socket.recv(buffer)),
            Self::Relayed(line) => line.receive(buffer),
        }
    }

    /// Goes on with the server at another address.
    pub(super) fn turn_to(&self, server: SocketAddr) -> anyhow::Result<()> {
        match self {
            Self::Direct { socket, .. } => Ok(socket.connect(server)?),
            Self::Relayed(_) => anyhow::bail!("a channel is for one address"),
        }
    }

    /// Sends a datagram to the media port, or loses it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Direct { socket, .. } => transmitted(socket.send(bytes)),
            Self::Relayed(line) => line.send(bytes),
        }
    }
}

impl Relayed {
    /// Asks for an allocation, then for a channel, and waits for both.
    fn allocate(&mut self) -> anyhow::Result<()> {
        self.flush()?;
        while self.relayed.is_none() {
            self.wait()?;
        }
        // What is sent without a channel is lost, and has the client ask for one.
        self.send(&[])?;
        self.wait()?;
        self.pipe.set_nonblocking()
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let answered = self.read()?;
        anyhow::ensure!(answered, "the TURN server does not answer");
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<Option<usize>> {
        while self.arrived.is_empty() && self.read()? {}
        let Some(datagram) = self.arrived.pop_front() else { return Ok(None) };
        let room = buffer.get_mut(..datagram.len()).context("a datagram is too long")?;
        room.copy_from_slice(&datagram);
        Ok(Some(datagram.len()))
    }

    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let peer = self.peer;
        self.turn.handle_input(Instant::now(), ClientInput::Send { peer, bytes });
        self.flush()
    }

    /// Reads once from the TURN server, and returns whether there was anything. The client's timers
    /// need no attention of their own: it looks at them whenever something comes.
    fn read(&mut self) -> anyhow::Result<bool> {
        let Self { turn, pipe, buffer, .. } = self;
        let mut take =
            |packet: &[u8]| turn.handle_input(Instant::now(), ClientInput::Received(packet));
        match pipe {
            Pipe::Datagrams(socket) => {
                let Some(length) = nothing_yet(socket.recv(buffer))? else {
                    return Ok(false);
                };
                take(buffer.get(..length).unwrap_or_default());
            }
            Pipe::Stream { stream, framer, .. } => {
                let Some(length) = nothing_yet(stream.read(buffer))? else {
                    return Ok(false);
                };
                anyhow::ensure!(length > 0, "the TURN server has closed a connection");
                let packets = framer.feed(buffer.get(..length).unwrap_or_default())?;
                packets.iter().for_each(|packet| take(packet));
            }
        }
        self.flush()?;
        Ok(true)
    }

    /// Takes out everything that the TURN client has to say.
    fn flush(&mut self) -> anyhow::Result<()> {
        loop {
            match self.turn.poll_output() {
                ClientOutput::Event(ClientEvent::Allocated { relayed }) => {
                    self.relayed = Some(relayed);
                }
                ClientOutput::Event(ClientEvent::Failed(failure)) => return Err(failure.into()),
                ClientOutput::Event(ClientEvent::Received { bytes, .. }) => {
                    self.arrived.push_back(bytes);
                }
                ClientOutput::Timeout(_) => return self.pipe.send(&[]),
                ClientOutput::Transmit(bytes) => self.pipe.send(&bytes)?,
            }
        }
    }
}

impl Pipe {
    fn datagrams(server: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(server.ip(), 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::Datagrams(socket))
    }

    fn connection(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self::Stream { stream, framer: Framer::new(), unsent: Vec::new() })
    }

    /// From here on, nothing waits.
    fn set_nonblocking(&self) -> anyhow::Result<()> {
        match self {
            Self::Datagrams(socket) => socket.set_nonblocking(true)?,
            Self::Stream { stream, .. } => stream.set_nonblocking(true)?,
        }
        Ok(())
    }

    /// Sends a packet, and what a connection did not take before.
    fn send(&mut self, packet: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Datagrams(_) if packet.is_empty() => Ok(()),
            Self::Datagrams(socket) => transmitted(socket.send(packet)),
            Self::Stream { stream, unsent, .. } => {
                unsent.extend_from_slice(packet);
                while !unsent.is_empty() {
                    let Some(sent) = nothing_yet(stream.write(unsent))? else { break };
                    unsent.drain(..sent);
                }
                Ok(())
            }
        }
    }
}

/// Nothing, where a socket that does not wait has nothing to say, or one that does has waited for
/// too long.
fn nothing_yet(result: io::Result<usize>) -> anyhow::Result<Option<usize>> {
    match result {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error).context("a socket fails"),
    }
}

/// A full buffer is a loss like any other.
pub(super) fn transmitted(result: io::Result<usize>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error).context("cannot send"),
        Ok(_) | Err(_) => Ok(()),
    }
}
