use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stun_types::attribute::{ErrorCode, Nonce, Realm, Username};
use stun_types::message::{IntegrityKey, Message, MessageClass, Method, TransactionId};

use crate::credential::Credential;
use crate::message::{
    self, ALLOCATE, CHANNEL_BIND, CHANNEL_NUMBER, DATA, Draft, REFRESH, REQUESTED_TRANSPORT, UDP,
    XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS,
};
use crate::random::Random;

/// The first wait for an answer to a datagram; doubled each time (RFC 8489 section 6.2.1).
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// How often a request is sent at most. The last one is waited for as long as all before.
const MAX_SENDS: u32 = 5;

/// How long an answer on a connection may take: as long as to datagrams in all.
const STREAM_WAIT: Duration = Duration::from_secs(16);

/// How often allocation and channels are refreshed: before the permissions of the channels end.
const REFRESH_EVERY: Duration = Duration::from_secs(240);

/// Refusals that ask for credentials, in a row. The first is usual, a second one is for a nonce that
/// ended meanwhile.
const MAX_CHALLENGES: u32 = 3;

/// The first channel (RFC 8656 section 12).
const FIRST_CHANNEL: u16 = 0x4000;

/// The most channels: more peers than a media node has addresses.
const MAX_CHANNELS: usize = 64;

/// A TURN client with one allocation, which reaches each peer by a channel.
///
/// Sans-IO. Give it inputs with [`handle_input`](Self::handle_input), then call
/// [`poll_output`](Self::poll_output) until it returns [`ClientOutput::Timeout`].
#[derive(Debug)]
pub struct Client {
    credential: Credential,
    is_stream: bool,
    random: Random,
    challenge: Option<Challenge>,
    pending: BTreeMap<TransactionId, Pending>,
    channels: BTreeMap<SocketAddr, Channel>,
    refresh_at: Option<Instant>,
    has_failed: bool,
    outputs: VecDeque<ClientOutput>,
}

/// What the client is told.
#[derive(Debug)]
pub enum ClientInput<'a> {
    /// A packet came: a datagram, or what a [`Framer`](crate::Framer) cut from the connection.
    Received(&'a [u8]),
    /// Send this to a peer. It is lost while the peer's channel is being bound.
    Send {
        /// Which.
        peer: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// The instant of the last [`ClientOutput::Timeout`] has come.
    Timeout,
}

/// What the client tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientOutput {
    /// Something for whoever uses it.
    Event(ClientEvent),
    /// Nothing more to do until this instant, or until the next input if there is none.
    Timeout(Option<Instant>),
    /// Send this to the server: as a datagram, or as it is on the connection.
    Transmit(Vec<u8>),
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientEvent {
    /// There is an allocation.
    Allocated {
        /// Its address.
        relayed: SocketAddr,
    },
    /// There is none, or none any more. Nothing follows.
    Failed(TurnFailure),
    /// A peer sent this.
    Received {
        /// Which.
        peer: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
}

/// Why there is no allocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TurnFailure {
    /// The server refused.
    #[error("the TURN server refused ({code})")]
    Refused {
        /// The error's code (RFC 8656 section 19).
        code: u16,
    },
    /// The server does not answer.
    #[error("the TURN server does not answer")]
    Silent,
    /// The server takes the credential for none.
    #[error("the TURN server does not take the credential")]
    Unauthorized,
    /// The server's answer makes no sense.
    #[error("the TURN server's answer cannot be understood")]
    Unintelligible,
}

/// What the server wants to be said with each request, and the key that goes with it.
#[derive(Debug)]
struct Challenge {
    realm: Realm,
    nonce: Nonce,
    key: IntegrityKey,
}

/// A request without an answer.
#[derive(Debug)]
struct Pending {
    ask: Ask,
    /// How often it was answered with a challenge.
    challenges: u32,
    bytes: Vec<u8>,
    sends: u32,
    wait: Duration,
    due: Instant,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ask {
    Allocate,
    Bind(SocketAddr),
    Refresh,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    number: u16,
    is_bound: bool,
}

impl Client {
    /// Creates a client, which asks for an allocation at once. `is_stream` says that it has a
    /// connection; `seed` is fresh random bytes.
    pub fn new(credential: Credential, is_stream: bool, seed: &[u8; 32], now: Instant) -> Self {
        let mut client = Self {
            credential,
            is_stream,
            random: Random::new(seed),
            challenge: None,
            pending: BTreeMap::new(),
            channels: BTreeMap::new(),
            refresh_at: None,
            has_failed: false,
            outputs: VecDeque::new(),
        };
        client.ask(now, Ask::Allocate, 0);
        client
    }

    /// Takes one input. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: ClientInput<'_>) {
        if self.has_failed {
            return;
        }
        match input {
            ClientInput::Received(bytes) => self.handle_packet(now, bytes),
            ClientInput::Send { peer, bytes } => self.send(now, peer, bytes),
            ClientInput::Timeout => {}
        }
        self.handle_timers(now);
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> ClientOutput {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let due = self.pending.values().map(|pending| pending.due).chain(self.refresh_at);
        ClientOutput::Timeout(due.min())
    }

    fn send(&mut self, now: Instant, peer: SocketAddr, bytes: &[u8]) {
        match self.channels.get(&peer) {
            Some(Channel { number, is_bound: true }) => {
                let Ok(len) = u16::try_from(bytes.len()) else { return };
                let mut packet = [number.to_be_bytes(), len.to_be_bytes()].concat();
                packet.extend_from_slice(bytes);
                if self.is_stream {
                    packet.resize(packet.len().next_multiple_of(4), 0);
                }
                self.outputs.push_back(ClientOutput::Transmit(packet));
            }
            Some(Channel { is_bound: false, .. }) => {}
            None if self.refresh_at.is_some() && self.channels.len() < MAX_CHANNELS => {
                let number = u16::try_from(self.channels.len()).unwrap_or_default() + FIRST_CHANNEL;
                self.channels.insert(peer, Channel { number, is_bound: false });
                self.ask(now, Ask::Bind(peer), 0);
            }
            None => {}
        }
    }

    fn handle_packet(&mut self, now: Instant, bytes: &[u8]) {
        if let Some((&[n0 @ 0x40..=0x4f, n1, l0, l1], rest)) = bytes.split_first_chunk::<4>() {
            let number = u16::from_be_bytes([n0, n1]);
            let payload = rest.get(..usize::from(u16::from_be_bytes([l0, l1])));
            let from = self.channels.iter().find(|(_, channel)| channel.number == number);
            if let (Some((&peer, _)), Some(payload)) = (from, payload) {
                self.tell(ClientEvent::Received { peer, bytes: payload.to_vec() });
            }
            return;
        }
        let Some(message) = message::parse(bytes) else { return };
        match message.class() {
            MessageClass::Indication if message.method() == DATA => {
                let told =
                    message::address(&message, XOR_PEER_ADDRESS).zip(message::payload(&message));
                if let Some((peer, bytes)) = told {
                    self.tell(ClientEvent::Received { peer, bytes });
                }
            }
            MessageClass::Error => self.handle_error(now, &message),
            MessageClass::Success => self.handle_success(now, &message),
            MessageClass::Indication | MessageClass::Request => {}
        }
    }

    fn handle_success(&mut self, now: Instant, message: &Message<'_>) {
        // Only who knows the password can say yes.
        let sealed = self
            .challenge
            .as_ref()
            .is_some_and(|challenge| message.validate_integrity_with_key(&challenge.key).is_ok());
        if !sealed {
            return;
        }
        let Some(pending) = self.pending.remove(&message.transaction_id()) else { return };
        match pending.ask {
            Ask::Allocate => match message::address(message, XOR_RELAYED_ADDRESS) {
                Some(relayed) => {
                    self.refresh_at = Some(now + REFRESH_EVERY);
                    self.tell(ClientEvent::Allocated { relayed });
                }
                None => self.fail(TurnFailure::Unintelligible),
            },
            Ask::Bind(peer) => {
                if let Some(channel) = self.channels.get_mut(&peer) {
                    channel.is_bound = true;
                }
            }
            Ask::Refresh => {}
        }
    }

    fn handle_error(&mut self, now: Instant, message: &Message<'_>) {
        let Some(pending) = self.pending.remove(&message.transaction_id()) else { return };
        let code = message.attribute::<ErrorCode>().map_or(0, |code| code.code());
        match (code, pending.ask) {
            (401 | 438, ask) => {
                let challenges = pending.challenges + 1;
                let challenge =
                    message.attribute::<Realm>().ok().zip(message.attribute::<Nonce>().ok());
                let Some((realm, nonce)) = challenge else {
                    return self.fail(TurnFailure::Unintelligible);
                };
                if challenges >= MAX_CHALLENGES || (code == 401 && self.challenge.is_some()) {
                    return self.fail(TurnFailure::Unauthorized);
                }
                let key = self.credential.key(realm.realm());
                self.challenge = Some(Challenge { realm, nonce, key });
                self.ask(now, ask, challenges);
            }
            // No way to this peer; the others have theirs.
            (_, Ask::Bind(_)) => {}
            (0, Ask::Allocate | Ask::Refresh) => self.fail(TurnFailure::Unintelligible),
            (code, Ask::Allocate | Ask::Refresh) => self.fail(TurnFailure::Refused { code }),
        }
    }

    fn handle_timers(&mut self, now: Instant) {
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = Some(now + REFRESH_EVERY);
            self.ask(now, Ask::Refresh, 0);
            let peers: Vec<SocketAddr> = self.channels.keys().copied().collect();
            peers.into_iter().for_each(|peer| self.ask(now, Ask::Bind(peer), 0));
        }
        let most = if self.is_stream { 1 } else { MAX_SENDS };
        let mut is_silent = false;
        for pending in self.pending.values_mut().filter(|pending| pending.due <= now) {
            if pending.sends >= most {
                is_silent = true;
                continue;
            }
            pending.sends += 1;
            pending.wait *= 2;
            pending.due = now + pending.wait;
            self.outputs.push_back(ClientOutput::Transmit(pending.bytes.clone()));
        }
        if is_silent {
            self.fail(TurnFailure::Silent);
        }
    }

    /// Makes a request, unless it is under way. It was answered with so many challenges.
    fn ask(&mut self, now: Instant, ask: Ask, challenges: u32) {
        if self.pending.values().any(|pending| pending.ask == ask) {
            return;
        }
        let transaction = self.random.transaction();
        let request = |method: Method| Draft::new(MessageClass::Request, method, transaction);
        let draft = match ask {
            Ask::Allocate => request(ALLOCATE).with_value(REQUESTED_TRANSPORT, &[UDP, 0, 0, 0]),
            Ask::Bind(peer) => {
                let Some(channel) = self.channels.get(&peer) else { return };
                let [high, low] = channel.number.to_be_bytes();
                request(CHANNEL_BIND)
                    .with_value(CHANNEL_NUMBER, &[high, low, 0, 0])
                    .with_address(XOR_PEER_ADDRESS, peer)
            }
            Ask::Refresh => request(REFRESH),
        };
        let bytes = match (&self.challenge, Username::new(&self.credential.username)) {
            (Some(Challenge { realm, nonce, key }), Ok(username)) => {
                draft.with(&username).with(realm).with(nonce).sealed(key)
            }
            (Some(_) | None, _) => draft.open(),
        };
        self.outputs.push_back(ClientOutput::Transmit(bytes.clone()));
        let wait = if self.is_stream { STREAM_WAIT } else { FIRST_WAIT };
        let pending = Pending { ask, challenges, bytes, sends: 1, wait, due: now + wait };
        self.pending.insert(transaction, pending);
    }

    fn fail(&mut self, failure: TurnFailure) {
        self.has_failed = true;
        self.pending.clear();
        self.refresh_at = None;
        self.tell(ClientEvent::Failed(failure));
    }

    fn tell(&mut self, event: ClientEvent) {
        self.outputs.push_back(ClientOutput::Event(event));
    }
}
