//! Whom a client can reach: the media node, and nobody else.

use std::net::SocketAddr;
use std::time::Duration;

use conclave_turn_proto::{ClientId, Input, Output};
use stun_types::message::MessageClass;

use crate::world::{
    CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, Caller, DATA, SEND, World, at, node, turn,
};

const CHANNEL: (u16, &[u8]) = (CHANNEL_NUMBER, &[0x40, 0, 0, 0]);

/// What comes out for the media node.
fn relayed(outputs: &[Output]) -> Vec<(SocketAddr, SocketAddr, &[u8])> {
    let relayed = outputs.iter().filter_map(|output| match output {
        Output::Relay { source, destination, bytes } => {
            Some((*source, *destination, bytes.as_slice()))
        }
        _ => None,
    });
    relayed.collect()
}

fn datagram<'a>(caller: &Caller, bytes: &'a [u8]) -> Input<'a> {
    Input::Datagram { source: caller.source, destination: turn(), bytes }
}

#[test]
fn a_port_scanner_gets_nowhere() {
    let mut world = World::new();
    let (mut caller, relayed_address) = world.allocated("a", 5000);
    let own = at("192.0.2.1:5000");
    let targets = [
        "127.0.0.1:22",
        "127.0.0.1:10000",
        "0.0.0.0:10000",
        "10.0.0.1:80",
        "172.16.0.1:443",
        "192.168.1.1:10000",
        "169.254.169.254:80",
        "198.51.100.7:10000",
        "224.0.0.1:10000",
        "255.255.255.255:10000",
        "[::1]:22",
        "[::]:10000",
        "[fe80::1]:10000",
        "[fc00::1]:10000",
        "[::ffff:127.0.0.1]:22",
        "[::ffff:10.0.0.1]:80",
        "[::ffff:203.0.113.5]:10000",
        "[2001:db8::6]:10000",
    ]
    .map(at);
    for target in targets.into_iter().chain([own]) {
        let permitted = caller.ask_about(&mut world, CREATE_PERMISSION, &[], &[target]);
        assert_eq!(permitted, Err(403), "{target}");
        let among = caller.ask_about(&mut world, CREATE_PERMISSION, &[], &[node(), target]);
        assert_eq!(among, Err(403), "{target} beside the node");
        let bound = caller.ask_about(&mut world, CHANNEL_BIND, &[CHANNEL], &[target]);
        assert_eq!(bound, Err(403), "{target}");
        let sent = caller.write(MessageClass::Indication, SEND, &[(DATA, b"knock")], &[target]);
        assert!(world.input(datagram(&caller, &sent)).is_empty(), "{target}");
    }
    // The node's own address at another port: its other services, or another client.
    for target in [turn(), SocketAddr::new(node().ip(), 22), relayed_address] {
        let bound = caller.ask_about(&mut world, CHANNEL_BIND, &[CHANNEL], &[target]);
        assert_eq!(bound, Err(403), "{target}");
        assert!(caller.ask_about(&mut world, CREATE_PERMISSION, &[], &[target]).is_ok());
        let sent = caller.write(MessageClass::Indication, SEND, &[(DATA, b"knock")], &[target]);
        assert!(world.input(datagram(&caller, &sent)).is_empty(), "{target}");
    }
    assert_eq!(world.stats().datagrams_in, 0);
    assert!(world.stats().forbidden >= 3 * 19);
}

#[test]
fn data_goes_both_ways_as_indications() {
    let mut world = World::new();
    let (mut caller, address) = world.allocated("a", 5000);
    let sent = caller.write(MessageClass::Indication, SEND, &[(DATA, b"hello")], &[node()]);

    assert!(world.input(datagram(&caller, &sent)).is_empty(), "not permitted yet");
    assert!(caller.ask_about(&mut world, CREATE_PERMISSION, &[], &[node()]).is_ok());
    let outputs = world.input(datagram(&caller, &sent));
    assert_eq!(relayed(&outputs), [(address, node(), &b"hello"[..])]);

    let back = Input::FromPeer { peer: node(), relayed: address, bytes: b"you too" };
    let outputs = world.input(back);
    let [Output::Transmit { client, bytes }] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(*client, caller.id());
    assert!(bytes.windows(7).any(|part| part == b"you too"));
}

#[test]
fn data_goes_both_ways_on_a_channel() {
    let mut world = World::new();
    let (mut caller, address) = world.allocated("a", 5000);
    assert!(caller.ask_about(&mut world, CHANNEL_BIND, &[CHANNEL], &[node()]).is_ok());

    let packet = [&[0x40, 0, 0, 5][..], b"hello", &[0, 0, 0]].concat();
    let outputs = world.input(datagram(&caller, &packet));
    assert_eq!(relayed(&outputs), [(address, node(), &b"hello"[..])]);

    let back = Input::FromPeer { peer: node(), relayed: address, bytes: b"you too" };
    let outputs = world.input(back);
    let bytes = [&[0x40, 0, 0, 7][..], b"you too"].concat();
    assert_eq!(outputs, [Output::Transmit { client: caller.id(), bytes }]);
    let stats = world.stats();
    assert_eq!((stats.datagrams_in, stats.bytes_in), (1, 5));
    assert_eq!((stats.datagrams_out, stats.bytes_out), (1, 7));
}

#[test]
fn permissions_and_channels_end_unless_renewed() {
    let mut world = World::new();
    let (mut caller, address) = world.allocated("a", 5000);
    assert!(caller.ask_about(&mut world, CHANNEL_BIND, &[CHANNEL], &[node()]).is_ok());
    let back = || Input::FromPeer { peer: node(), relayed: address, bytes: b"news" };

    world.pass(Duration::from_secs(299));
    assert_eq!(world.input(back()).len(), 1);
    world.pass(Duration::from_secs(1));
    assert!(world.input(back()).is_empty());
    assert!(caller.ask_about(&mut world, CHANNEL_BIND, &[CHANNEL], &[node()]).is_ok());
    assert_eq!(world.input(back()).len(), 1);
    assert_eq!(world.stats().stray, 1);
}

#[test]
fn a_channel_stands_for_one_peer_and_a_peer_has_one() {
    let mut world = World::with(Default::default(), vec![node(), at("203.0.113.6:10000")]);
    let (mut caller, _) = world.allocated("a", 5000);
    let mut bind = |number: &[u8], peer: &str| {
        let attributes = [(CHANNEL_NUMBER, number)];
        caller.ask_about(&mut world, CHANNEL_BIND, &attributes, &[at(peer)]).map(|_| ())
    };

    assert_eq!(bind(&[0x40, 0, 0, 0], "203.0.113.5:10000"), Ok(()));
    assert_eq!(bind(&[0x40, 0, 0, 0], "203.0.113.5:10000"), Ok(()), "renewed");
    assert_eq!(bind(&[0x40, 0, 0, 0], "203.0.113.6:10000"), Err(400));
    assert_eq!(bind(&[0x40, 1, 0, 0], "203.0.113.5:10000"), Err(400));
    assert_eq!(bind(&[0x50, 0, 0, 0], "203.0.113.6:10000"), Err(400), "no channel");
    assert_eq!(bind(&[0x4f, 0xff, 0, 0], "203.0.113.6:10000"), Ok(()));
}

#[test]
fn the_other_familys_addresses_are_out_of_reach() {
    let mut world = World::new();
    let (mut caller, _) = world.allocated("a", 5000);
    let v6 = at("[2001:db8::5]:10000");

    assert_eq!(caller.ask_about(&mut world, CREATE_PERMISSION, &[], &[v6]), Err(443));
    assert_eq!(caller.ask_about(&mut world, CHANNEL_BIND, &[CHANNEL], &[v6]), Err(443));
}

#[test]
fn a_connection_carries_the_same_however_it_is_cut_and_padded() {
    let mut world = World::new();
    let mut caller = Caller::at(at("192.0.2.1:5000"));
    caller.log_in(&mut world, "a");
    world.input(Input::Opened { number: 7, source: caller.source });

    let requests = [
        caller.request(crate::world::ALLOCATE, &[crate::world::UDP]),
        caller.write(MessageClass::Request, CHANNEL_BIND, &[CHANNEL], &[node()]),
        [&[0x40, 0, 0, 5][..], b"hello", &[0, 0, 0]].concat(),
    ];
    let mut outputs = Vec::new();
    for byte in requests.concat() {
        outputs.extend(world.input(Input::Stream { number: 7, bytes: &[byte] }));
    }

    let address = match relayed(&outputs)[..] {
        [(address, peer, b"hello")] if peer == node() => address,
        ref other => panic!("{other:?}"),
    };
    assert!(world.server.knows(7));
    let back = Input::FromPeer { peer: node(), relayed: address, bytes: b"you too" };
    let bytes = [&[0x40, 0, 0, 7][..], b"you too", &[0]].concat();
    let client = ClientId::Stream(7);
    assert_eq!(world.input(back), [Output::Transmit { client, bytes }]);

    world.input(Input::Closed { number: 7 });
    assert!(!world.server.relays(address));
}
