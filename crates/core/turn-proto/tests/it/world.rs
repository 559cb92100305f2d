use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_turn_proto::{
    ClientId, Credential, Input, Issuer, Limits, Output, Server, ServerConfig, Stats,
};
use stun_types::attribute::{
    AttributeType, ErrorCode, Nonce, RawAttribute, Realm, Username, XorSocketAddr,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType,
    MessageWrite as _, MessageWriteExt as _, MessageWriteVec, Method,
};

pub(crate) const ALLOCATE: u16 = 3;
pub(crate) const REFRESH: u16 = 4;
pub(crate) const SEND: u16 = 6;
pub(crate) const CREATE_PERMISSION: u16 = 8;
pub(crate) const CHANNEL_BIND: u16 = 9;

pub(crate) const CHANNEL_NUMBER: u16 = 0x0c;
pub(crate) const LIFETIME: u16 = 0x0d;
pub(crate) const PEER: u16 = 0x12;
pub(crate) const DATA: u16 = 0x13;
pub(crate) const RELAYED: u16 = 0x16;
pub(crate) const FAMILY: u16 = 0x17;
pub(crate) const TRANSPORT: u16 = 0x19;

pub(crate) const UDP: (u16, &[u8]) = (TRANSPORT, &[17, 0, 0, 0]);

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Where the server's port for datagrams is.
pub(crate) fn turn() -> SocketAddr {
    at("203.0.113.5:3478")
}

/// Where the media node takes media.
pub(crate) fn node() -> SocketAddr {
    at("203.0.113.5:10000")
}

/// A server and the time.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    issuer: Issuer,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), vec![node(), at("[2001:db8::5]:10000")])
    }

    pub(crate) fn with(limits: Limits, peers: Vec<SocketAddr>) -> Self {
        let now = Instant::now();
        let issuer = Issuer::new(&[1; 32], now, 1_800_000_000);
        let config = ServerConfig { peers, issuer: issuer.clone(), limits, seed: [2; 32] };
        Self { server: Server::new(config, now), now, issuer }
    }

    pub(crate) fn credential(&self, holder: &str) -> Credential {
        self.issuer.issue(self.now, holder.as_bytes())
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Gives the server something and takes what it has to say, but for the time.
    pub(crate) fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.server.handle_input(self.now, input);
        let mut outputs = Vec::new();
        loop {
            match self.server.poll_output() {
                Output::Timeout(_) => return outputs,
                output => outputs.push(output),
            }
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.server.stats()
    }

    /// A client that has allocated, from a port of its own.
    pub(crate) fn allocated(&mut self, holder: &str, port: u16) -> (Caller, SocketAddr) {
        let mut caller = Caller::at(SocketAddr::from(([192, 0, 2, 1], port)));
        caller.log_in(self, holder);
        let answer = caller.ask(self, ALLOCATE, &[UDP]).unwrap();
        (caller, answer.relayed.unwrap())
    }
}

/// A client that says what it is told to.
pub(crate) struct Caller {
    pub(crate) source: SocketAddr,
    pub(crate) login: Option<Login>,
    pub(crate) transactions: u128,
}

/// What a client adds to its requests.
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) realm: String,
    pub(crate) nonce: String,
    pub(crate) key: IntegrityKey,
}

/// What matters of a success.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) relayed: Option<SocketAddr>,
    pub(crate) lifetime: Option<u32>,
}

/// An error's code; 0 for silence.
pub(crate) type Code = u16;

impl Caller {
    pub(crate) fn at(source: SocketAddr) -> Self {
        let transactions = u128::from(source.port()) << 64;
        Self { source, login: None, transactions }
    }

    pub(crate) fn id(&self) -> ClientId {
        ClientId::Datagram { source: self.source, destination: turn() }
    }

    /// Asks for a nonce, and has a credential from here on.
    pub(crate) fn log_in(&mut self, world: &mut World, holder: &str) {
        let credential = world.credential(holder);
        self.log_in_as(world, &credential);
    }

    pub(crate) fn log_in_as(&mut self, world: &mut World, credential: &Credential) {
        let request = self.request(ALLOCATE, &[UDP]);
        let replies = self.say(world, &request);
        let reply = Message::from_bytes(&replies[0]).unwrap();
        assert_eq!(reply.attribute::<ErrorCode>().unwrap().code(), 401);
        let realm = reply.attribute::<Realm>().unwrap().realm().to_owned();
        let nonce = reply.attribute::<Nonce>().unwrap().nonce().to_owned();
        let Credential { username, password } = credential.clone();
        let key = LongTermKeyCredentials::new(username.clone(), password, realm.clone())
            .make_key(IntegrityAlgorithm::Sha1);
        self.login = Some(Login { username, realm, nonce, key });
    }

    /// Writes a request with these attributes.
    pub(crate) fn request(&mut self, method: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        self.write(MessageClass::Request, method, attributes, &[])
    }

    pub(crate) fn write(
        &mut self,
        class: MessageClass,
        method: u16,
        attributes: &[(u16, &[u8])],
        peers: &[SocketAddr],
    ) -> Vec<u8> {
        self.transactions += 1;
        let transaction = self.transactions.into();
        let kind = MessageType::from_class_method(class, Method::new(method));
        let mut message = Message::builder(kind, transaction, MessageWriteVec::new());
        for (kind, value) in attributes {
            let attribute = RawAttribute::new(AttributeType::new(*kind), value);
            message.add_attribute(&attribute).unwrap();
        }
        for peer in peers {
            let address = XorSocketAddr::new(*peer, transaction);
            message.add_attribute(&address.to_raw(AttributeType::new(PEER))).unwrap();
        }
        if let (Some(login), MessageClass::Request) = (&self.login, class) {
            message.add_attribute(&Username::new(&login.username).unwrap()).unwrap();
            message.add_attribute(&Realm::new(&login.realm).unwrap()).unwrap();
            message.add_attribute(&Nonce::new(&login.nonce).unwrap()).unwrap();
            message.add_message_integrity_with_key(&login.key, IntegrityAlgorithm::Sha1).unwrap();
        }
        message.finish()
    }

    /// Sends bytes and returns what comes back to this client.
    pub(crate) fn say(&self, world: &mut World, bytes: &[u8]) -> Vec<Vec<u8>> {
        let datagram = Input::Datagram { source: self.source, destination: turn(), bytes };
        let outputs = world.input(datagram);
        let mine = |output| match output {
            Output::Transmit { client, bytes } if client == self.id() => Some(bytes),
            _ => None,
        };
        outputs.into_iter().filter_map(mine).collect()
    }

    pub(crate) fn ask(
        &mut self,
        world: &mut World,
        method: u16,
        attributes: &[(u16, &[u8])],
    ) -> Result<Answer, Code> {
        self.ask_about(world, method, attributes, &[])
    }

    /// Makes a request that names peers.
    pub(crate) fn ask_about(
        &mut self,
        world: &mut World,
        method: u16,
        attributes: &[(u16, &[u8])],
        peers: &[SocketAddr],
    ) -> Result<Answer, Code> {
        let request = self.write(MessageClass::Request, method, attributes, peers);
        let replies = self.say(world, &request);
        assert!(replies.len() <= 1);
        let Some(bytes) = replies.first() else { return Err(0) };
        read(bytes)
    }
}

/// What a reply says.
pub(crate) fn read(bytes: &[u8]) -> Result<Answer, Code> {
    let reply = Message::from_bytes(bytes).unwrap();
    if reply.class() == MessageClass::Error {
        return Err(reply.attribute::<ErrorCode>().unwrap().code());
    }
    let raw = |kind| reply.raw_attribute(AttributeType::new(kind));
    let relayed = raw(RELAYED)
        .map(|attribute| XorSocketAddr::from_raw(&attribute).unwrap().addr(reply.transaction_id()));
    let lifetime = raw(LIFETIME)
        .map(|attribute| u32::from_be_bytes(*attribute.value.first_chunk::<4>().unwrap()));
    Ok(Answer { relayed, lifetime })
}
