//! The client against the server, over a line that may lose what it carries.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_turn_proto::{
    Client, ClientEvent, ClientId, ClientInput, ClientOutput, Credential, Framer, Input, Output,
    TurnFailure,
};

use crate::world::{World, at, node, turn};

/// A client, its line, and a node that sends everything back.
struct Line {
    world: World,
    client: Client,
    is_stream: bool,
    framer: Framer,
    /// Of what the client sends, which packets are lost.
    lost: fn(usize) -> bool,
    sent: usize,
    relayed: Option<SocketAddr>,
    failed: Option<TurnFailure>,
    heard: Vec<Vec<u8>>,
}

impl Line {
    fn new(is_stream: bool, credential: Option<Credential>) -> Self {
        let mut world = World::new();
        let credential = credential.unwrap_or_else(|| world.credential("a"));
        if is_stream {
            world.input(Input::Opened { number: 1, source: at("192.0.2.1:5000") });
        }
        let client = Client::new(credential, is_stream, &[3; 32], world.now);
        Self {
            world,
            client,
            is_stream,
            framer: Framer::new(),
            lost: |_| false,
            sent: 0,
            relayed: None,
            failed: None,
            heard: Vec::new(),
        }
    }

    fn input(&mut self, input: ClientInput<'_>) -> Option<Instant> {
        self.client.handle_input(self.world.now, input);
        self.drain()
    }

    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.client.poll_output() {
                ClientOutput::Event(ClientEvent::Allocated { relayed }) => {
                    self.relayed = Some(relayed)
                }
                ClientOutput::Event(ClientEvent::Failed(failure)) => self.failed = Some(failure),
                ClientOutput::Event(ClientEvent::Received { peer, bytes }) => {
                    assert_eq!(peer, node());
                    self.heard.push(bytes);
                }
                ClientOutput::Timeout(at) => return at,
                ClientOutput::Transmit(bytes) => {
                    self.sent += 1;
                    if !(self.lost)(self.sent) {
                        self.carry(&bytes);
                    }
                }
            }
        }
    }

    fn carry(&mut self, bytes: &[u8]) {
        let (source, destination) = (at("192.0.2.1:5000"), turn());
        let mut outputs = self.world.input(if self.is_stream {
            Input::Stream { number: 1, bytes }
        } else {
            Input::Datagram { source, destination, bytes }
        });
        while let Some(output) = outputs.pop() {
            match output {
                Output::Relay { source, destination, bytes } => {
                    let back =
                        Input::FromPeer { peer: destination, relayed: source, bytes: &bytes };
                    outputs.extend(self.world.input(back));
                }
                Output::Transmit { client, bytes } => {
                    assert_eq!(client == ClientId::Stream(1), self.is_stream);
                    let packets = if self.is_stream {
                        self.framer.feed(&bytes).unwrap()
                    } else {
                        vec![bytes]
                    };
                    for packet in packets {
                        self.client.handle_input(self.world.now, ClientInput::Received(&packet));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lets time pass, from one thing that is due to the next.
    fn run_for(&mut self, time: Duration) {
        let end = self.world.now + time;
        while let Some(at) = self.drain().filter(|at| *at <= end) {
            self.world.now = self.world.now.max(at);
            self.input(ClientInput::Timeout);
        }
        self.world.now = end;
    }

    fn echo(&mut self, text: &[u8]) -> bool {
        self.heard.clear();
        self.input(ClientInput::Send { peer: node(), bytes: text });
        self.heard == [text]
    }
}

#[test]
fn a_client_reaches_the_node_and_hears_from_it() {
    for is_stream in [false, true] {
        let mut line = Line::new(is_stream, None);
        line.drain();

        assert!(line.relayed.is_some(), "{:?}", line.failed);
        assert!(!line.echo(b"the first is lost while the channel is bound"));
        assert!(line.echo(b"hello"));
    }
}

#[test]
fn it_stays_for_hours() {
    let mut line = Line::new(false, None);
    line.drain();
    line.echo(b"");
    for hour in 0..14 {
        line.run_for(Duration::from_secs(3600));
        assert!(line.echo(b"still there"), "hour {hour}: {:?}", line.failed);
    }
    assert_eq!(line.world.stats().allocated, 1);
}

#[test]
fn what_is_lost_is_sent_again() {
    let mut line = Line::new(false, None);
    line.lost = |packet| packet % 2 == 1;
    line.run_for(Duration::from_secs(10));
    assert!(line.relayed.is_some(), "{:?}", line.failed);
}

#[test]
fn a_server_that_is_silent_is_given_up() {
    for is_stream in [false, true] {
        let mut line = Line::new(is_stream, None);
        line.lost = |_| true;
        line.run_for(Duration::from_secs(20));
        assert_eq!(line.failed, Some(TurnFailure::Silent));
        assert_eq!(line.drain(), None, "nothing more is due");
    }
}

#[test]
fn a_credential_that_does_not_hold_is_not_shown_for_ever() {
    let forged = Credential { username: "9999999999:x".to_owned(), password: "x".to_owned() };
    let mut line = Line::new(false, Some(forged));
    line.run_for(Duration::from_secs(60));
    assert_eq!(line.failed, Some(TurnFailure::Unauthorized));
    assert_eq!(line.sent, 2);
}
