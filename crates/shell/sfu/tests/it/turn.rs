//! Clients whose media is relayed, over real sockets.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Instant;

use conclave_call_proto::media::PeerId;
use conclave_model::{CallId, ParticipantId};
use conclave_sfu::{Plane, Shard, ShardConfig, ShardHandle, TurnConfig, TurnHandle};
use conclave_turn_proto::{
    Client as Turn, ClientEvent, ClientInput, ClientOutput, Credential, Framer, Issuer, Limits,
    TurnFailure,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::client::Link;
use crate::{PATIENCE, join, join_as, told_port, udp, watch_each_other};

/// A TURN client and its line.
pub(crate) struct TurnLink {
    client: Turn,
    line: Line,
    framer: Framer,
    pub(crate) relayed: SocketAddr,
    heard: VecDeque<(SocketAddr, Vec<u8>)>,
}

enum Line {
    Handed(DuplexStream),
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl TurnLink {
    /// Asks for a relayed address.
    async fn open(line: Line, credential: Credential) -> Result<Self, TurnFailure> {
        let is_stream = !matches!(line, Line::Udp(_));
        let client = Turn::new(credential, is_stream, &[5; 32], Instant::now());
        let relayed = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut link =
            Self { client, line, framer: Framer::new(), relayed, heard: VecDeque::new() };
        link.drain().await?;
        while link.relayed.port() == 0 {
            link.listen().await;
            link.drain().await?;
        }
        Ok(link)
    }

    pub(crate) async fn send(&mut self, peer: SocketAddr, bytes: &[u8]) {
        self.client.handle_input(Instant::now(), ClientInput::Send { peer, bytes });
        self.drain().await.unwrap();
    }

    pub(crate) async fn receive(&mut self, buffer: &mut [u8]) -> (usize, SocketAddr) {
        loop {
            if let Some((peer, bytes)) = self.heard.pop_front() {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                return (bytes.len(), peer);
            }
            self.listen().await;
            self.drain().await.unwrap();
        }
    }

    async fn listen(&mut self) {
        let mut buffer = vec![0; 4096];
        let len = match &mut self.line {
            Line::Handed(stream) => stream.read(&mut buffer).await.unwrap(),
            Line::Tcp(stream) => stream.read(&mut buffer).await.unwrap(),
            Line::Udp(socket) => socket.recv(&mut buffer).await.unwrap(),
        };
        let bytes = &buffer[..len];
        let packets = match self.line {
            Line::Udp(_) => vec![bytes.to_vec()],
            Line::Handed(_) | Line::Tcp(_) => self.framer.feed(bytes).unwrap(),
        };
        for packet in packets {
            self.client.handle_input(Instant::now(), ClientInput::Received(&packet));
        }
    }

    async fn drain(&mut self) -> Result<(), TurnFailure> {
        loop {
            match self.client.poll_output() {
                ClientOutput::Event(ClientEvent::Allocated { relayed }) => self.relayed = relayed,
                ClientOutput::Event(ClientEvent::Failed(failure)) => return Err(failure),
                ClientOutput::Event(ClientEvent::Received { peer, bytes }) => {
                    self.heard.push_back((peer, bytes));
                }
                ClientOutput::Timeout(_) => return Ok(()),
                ClientOutput::Transmit(bytes) => match &mut self.line {
                    Line::Handed(stream) => stream.write_all(&bytes).await.unwrap(),
                    Line::Tcp(stream) => stream.write_all(&bytes).await.unwrap(),
                    Line::Udp(socket) => drop(socket.send(&bytes).await),
                },
            }
        }
    }
}

/// A server with all ways to TURN, and what makes its credentials.
fn config() -> (ShardConfig, Issuer) {
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    let issuer = Issuer::new(&[9; 32], Instant::now(), 1_800_000_000);
    let limits = Limits::default();
    let turn = TurnConfig { udp: Some(any), tcp: Some(any), issuer: issuer.clone(), limits };
    let config =
        ShardConfig { udp: any, tcp: Some(any), turn: Some(turn), ..ShardConfig::default() };
    (config, issuer)
}

fn start() -> (ShardHandle, Issuer) {
    let (config, issuer) = config();
    (Shard::spawn(&config).unwrap(), issuer)
}

/// Where the TURN server of a shard is.
fn turn(shard: &ShardHandle) -> (IpAddr, &TurnHandle) {
    (shard.udp.first().unwrap().ip(), shard.turn.as_ref().unwrap())
}

async fn udp_line((ip, turn): (IpAddr, &TurnHandle)) -> Line {
    let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    socket.connect((ip, turn.udp.unwrap())).await.unwrap();
    Line::Udp(socket)
}

async fn tcp_line((ip, turn): (IpAddr, &TurnHandle)) -> Line {
    Line::Tcp(TcpStream::connect((ip, turn.tcp.unwrap())).await.unwrap())
}

/// One that came to another listener.
fn handed_line((_, turn): (IpAddr, &TurnHandle)) -> Line {
    let (ours, theirs) = duplex(64 * 1024);
    let source = SocketAddr::from(([192, 0, 2, 1], 5000));
    turn.entrance.hand_over(theirs, source, Vec::new());
    Line::Handed(ours)
}

#[tokio::test]
async fn a_client_that_is_relayed_and_one_that_is_not_see_each_other() {
    for way in ["udp", "tcp", "handed over"] {
        let (mut shard, issuer) = start();
        let line = match way {
            "udp" => udp_line(turn(&shard)).await,
            "tcp" => tcp_line(turn(&shard)).await,
            _ => handed_line(turn(&shard)),
        };
        let credential = issuer.issue(Instant::now(), b"a");
        let relayed = timeout(PATIENCE, TurnLink::open(line, credential)).await.unwrap().unwrap();
        let direct = udp(&shard).await;
        let mut a = join(&mut shard, 1, Link::Turn(Box::new(relayed))).await;
        let mut b = join(&mut shard, 2, direct).await;
        watch_each_other(&mut a, &mut b).await;
        assert!(shard.running.join(), "{way}");
    }
}

#[tokio::test]
async fn two_clients_that_are_relayed_see_each_other() {
    let (mut shard, issuer) = start();
    let mut links = Vec::new();
    for line in [udp_line(turn(&shard)).await, tcp_line(turn(&shard)).await] {
        let credential = issuer.issue(Instant::now(), b"a");
        links.push(timeout(PATIENCE, TurnLink::open(line, credential)).await.unwrap().unwrap());
    }
    let [link_a, link_b] = links.try_into().ok().unwrap();
    let mut a = join(&mut shard, 1, Link::Turn(Box::new(link_a))).await;
    let mut b = join(&mut shard, 2, Link::Turn(Box::new(link_b))).await;
    watch_each_other(&mut a, &mut b).await;
    assert!(shard.running.join());
}

#[tokio::test]
async fn who_is_relayed_may_be_in_a_call_of_any_shard() {
    let (config, issuer) = config();
    let mut plane = Plane::spawn(&config, NonZeroU16::new(2).unwrap()).unwrap();
    let ip = plane.addresses[0].udp[0].ip();

    let mut ports = Vec::new();
    for call in [1, 2] {
        let line = udp_line((ip, plane.turn.as_ref().unwrap())).await;
        let credential = issuer.issue(Instant::now(), b"a");
        let relayed = timeout(PATIENCE, TurnLink::open(line, credential)).await.unwrap().unwrap();
        let direct = Link::Udp(UdpSocket::bind((ip, 0)).await.unwrap());
        let mut clients = Vec::new();
        for (participant, link) in [(1, Link::Turn(Box::new(relayed))), (2, direct)] {
            let peer = PeerId { call: CallId(call), participant: ParticipantId(participant) };
            let (client, answer) = join_as(&plane.requests, &mut plane.events, peer, link).await;
            ports.push(told_port(&answer));
            clients.push(client);
        }
        let [a, b] = &mut clients[..] else { panic!("two of them") };
        watch_each_other(a, b).await;
    }

    let [first, second] = [0, 1].map(|shard: usize| plane.addresses[shard].udp[0].port());
    assert_eq!(ports, [first, first, second, second]);
    for shard in plane.running {
        assert!(shard.join());
    }
}

#[tokio::test]
async fn who_has_no_credential_of_this_server_is_not_relayed() {
    let (shard, _) = start();
    let forged = Issuer::new(&[8; 32], Instant::now(), 1_800_000_000);
    for line in
        [udp_line(turn(&shard)).await, tcp_line(turn(&shard)).await, handed_line(turn(&shard))]
    {
        let credential = forged.issue(Instant::now(), b"a");
        let outcome = timeout(PATIENCE, TurnLink::open(line, credential)).await.unwrap();
        assert_eq!(outcome.err(), Some(TurnFailure::Unauthorized));
    }
    assert!(shard.running.join());
}

#[tokio::test]
async fn a_connection_that_speaks_something_else_is_closed() {
    let (shard, _) = start();
    let (ip, turn) = turn(&shard);
    let mut stream = TcpStream::connect((ip, turn.tcp.unwrap())).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();

    let closed = timeout(PATIENCE, stream.read(&mut [0; 8])).await.unwrap();

    assert!(matches!(closed, Ok(0) | Err(_)));
    assert!(shard.running.join());
}
