//! What a TURN server's clients send, over datagrams and connections.

use std::time::{Duration, Instant};

use conclave_turn_proto::{
    Client, ClientInput, ClientOutput, Framer, Input, Issuer, Limits, Output, Server, ServerConfig,
    speaks_turn,
};

/// As a first packet and behind an allocation, as a datagram and on a connection, nothing comes out
/// for anybody but the node; and a client takes whatever a server sends.
pub(crate) fn target(data: &[u8]) {
    let (node, turn) = (([203, 0, 113, 5], 10_000).into(), ([203, 0, 113, 5], 3478).into());
    let source = ([192, 0, 2, 1], 5000).into();
    let now = Instant::now();
    let issuer = Issuer::new(&[1; 32], now, 0);
    let credential = issuer.issue(now, b"somebody");
    let config =
        ServerConfig { peers: vec![node], issuer, limits: Limits::default(), seed: [2; 32] };
    let mut server = Server::new(config, now);
    let mut client = Client::new(credential, false, &[3; 32], now);
    converse(&mut server, &mut client, now);

    server.handle_input(now, Input::Datagram { source, destination: turn, bytes: data });
    server.handle_input(now, Input::Opened { number: 1, source });
    server.handle_input(now, Input::Stream { number: 1, bytes: data });
    let later = now + Duration::from_secs(1);
    server.handle_input(later, Input::Timeout);
    loop {
        match server.poll_output() {
            Output::Relay { source, destination, .. } => {
                assert!(destination == node && server.relays(source), "a way out");
            }
            Output::Timeout(_) => break,
            Output::Close { .. } | Output::Transmit { .. } => {}
        }
    }
    client.handle_input(later, ClientInput::Received(data));
    while !matches!(client.poll_output(), ClientOutput::Timeout(_)) {}

    let mut whole = Framer::new();
    let mut parts = Framer::new();
    let (head, tail) = data.split_at(data.len() / 2);
    if let (Ok(packets), Ok(mut first)) = (whole.feed(data), parts.feed(head)) {
        first.extend(parts.feed(tail).unwrap_or_default());
        assert_eq!(packets, first, "cut otherwise");
    }
    let told = speaks_turn(data);
    for len in 0..data.len().min(16) {
        let part = speaks_turn(data.get(..len).unwrap_or_default());
        assert!(part.is_none() || part == told, "{part:?} after {len} bytes, then {told:?}");
    }
}

/// Lets a client allocate.
fn converse(server: &mut Server, client: &mut Client, now: Instant) {
    let (source, destination) = (([192, 0, 2, 1], 5000).into(), ([203, 0, 113, 5], 3478).into());
    loop {
        match client.poll_output() {
            ClientOutput::Event(_) => {}
            ClientOutput::Timeout(_) => return,
            ClientOutput::Transmit(bytes) => {
                server.handle_input(now, Input::Datagram { source, destination, bytes: &bytes });
                while let Output::Transmit { bytes, .. } = server.poll_output() {
                    client.handle_input(now, ClientInput::Received(&bytes));
                }
            }
        }
    }
}
