//! What somebody asks of the TURN server, with a credential and without.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use conclave_turn_proto::{Client as Turn, ClientEvent, ClientInput, ClientOutput, Credential};
use str0m::ice::{StunMessageBuilder, TransId};

use super::Surroundings;
use crate::bench::abuse::flood::{Sources, Weapon};
use crate::bench::media::control::Relay;

/// Addresses in a private network that the scanner would like to know about.
const TARGETS: u16 = 30;

/// How long the TURN server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Room for a message.
const ROOM: usize = 2048;

/// With an allocation of its own: channels and data for addresses that are not ours, and garbage for
/// the media node, which is.
pub(super) fn scan(around: &Surroundings<'_>) -> anyhow::Result<Weapon> {
    let relay = around.relay.context("there is no TURN server")?;
    let Relay { username, password, .. } = relay.clone();
    let mut caller = Caller::new(relay, Credential { username, password })?;
    anyhow::ensure!(caller.asks_until_answered()?, "the TURN server refused us");

    let mut packets = Vec::new();
    for at in 0..TARGETS {
        let peer = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 1 + at));
        packets.extend(caller.asks_for(peer));
        packets.push(indication(peer)?);
        packets.push(indication(around.server)?);
    }
    let socket = caller.socket;
    Ok(Box::new(move |number| {
        if let Some(packet) = packets.get(number as usize % packets.len()) {
            // What does not leave does no harm; the report says how much did.
            let _ = socket.send(packet);
        }
    }))
}

/// Asking for allocations: from many addresses with words that mean nothing here, and from one with
/// the server's own nonce and another password.
pub(super) fn strangers(around: &Surroundings<'_>) -> anyhow::Result<Weapon> {
    let relay = around.relay.context("there is no TURN server")?;
    let credential =
        Credential { username: relay.username.clone(), password: "guessed".to_owned() };
    let mut caller = Caller::new(relay, credential)?;
    anyhow::ensure!(!caller.asks_until_answered()?, "the TURN server took a wrong password");
    let guess = caller.last;

    let request = StunMessageBuilder::new()
        .allocate()
        .request()
        .username(&relay.username)
        .realm("conclave")
        .nonce("AAAAAAAAAAAAAAAA")
        .build(TransId::new());
    let mut bytes = vec![0; ROOM];
    let length = request.to_bytes(Some(b"guessed"), &mut bytes, |_, _| [7; 20])?;
    bytes.truncate(length);

    let (turn, sources, socket) = (relay.udp, Sources::open()?, caller.socket);
    Ok(Box::new(move |number| {
        if number.is_multiple_of(2) {
            sources.send(number / 2, turn, &bytes);
        } else {
            let _ = socket.send(&guess);
        }
    }))
}

/// Data for a peer, which nothing answers (RFC 8656 section 11.1).
fn indication(peer: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let message = StunMessageBuilder::new()
        .send()
        .indication()
        .xor_peer_address(peer)
        .data(&[0xff; 100])
        .build(TransId::new());
    let mut bytes = vec![0; ROOM];
    let length = message.to_bytes(None, &mut bytes, |_, _| [0; 20])?;
    bytes.truncate(length);
    Ok(bytes)
}

/// A client of the TURN server.
struct Caller {
    turn: Turn,
    socket: UdpSocket,
    /// What it last sent.
    last: Vec<u8>,
}

impl Caller {
    fn new(relay: &Relay, credential: Credential) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(relay.udp)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let turn = Turn::new(credential, false, &[5; 32], Instant::now());
        Ok(Self { turn, socket, last: Vec::new() })
    }

    /// Asks for an allocation. Returns whether there is one.
    fn asks_until_answered(&mut self) -> anyhow::Result<bool> {
        let mut buffer = [0; ROOM];
        loop {
            match self.turn.poll_output() {
                ClientOutput::Event(ClientEvent::Allocated { .. }) => return Ok(true),
                ClientOutput::Event(ClientEvent::Failed(_)) => return Ok(false),
                ClientOutput::Event(ClientEvent::Received { .. }) => {}
                ClientOutput::Timeout(_) => {
                    let length = self.socket.recv(&mut buffer).context("TURN does not answer")?;
                    let received = ClientInput::Received(buffer.get(..length).unwrap_or_default());
                    self.turn.handle_input(Instant::now(), received);
                }
                ClientOutput::Transmit(bytes) => {
                    self.socket.send(&bytes)?;
                    self.last = bytes;
                }
            }
        }
    }

    /// What it would send to get a channel to a peer.
    fn asks_for(&mut self, peer: SocketAddr) -> Vec<Vec<u8>> {
        self.turn.handle_input(Instant::now(), ClientInput::Send { peer, bytes: &[1] });
        let mut packets = Vec::new();
        while let ClientOutput::Transmit(bytes) = self.turn.poll_output() {
            packets.push(bytes);
        }
        packets
    }
}
