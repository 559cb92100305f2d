use std::net::{IpAddr, SocketAddr};

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_sfu_proto::{Input, Node, NodeConfig, Output, Transport};

use crate::client::{Client, Setup};
use crate::world::{World, node_address, peer};

#[test]
fn udp_is_preferred_to_tcp_and_what_is_first_to_what_comes_after() {
    #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
    let now = std::time::Instant::now();
    let ips: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
    let at = |port| ips.map(|ip| SocketAddr::new(ip, port));
    let config = NodeConfig::new(at(10000).into(), [at(10000), at(443)].concat(), [7; 32]);
    let mut node = Node::new(config, now);
    let sdp = Client::new(0, Setup::new(), now).offer();
    let request = MediaRequest::Offer { peer: peer(0), generation: 1, sdp };
    node.handle_input(now, Input::Request(request));

    let answer = loop {
        match node.poll_output() {
            Output::Event(MediaEvent::Answer { sdp, .. }) => break sdp,
            Output::Timeout(_) => panic!("no answer"),
            _ => {}
        }
    };
    let priorities = |transport: &str, port: &str| -> Vec<u32> {
        let candidates = answer.lines().filter(|line| line.starts_with("a=candidate:"));
        candidates
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .filter(|parts| parts[2] == transport && parts[5] == port)
            .map(|parts| parts[3].parse().unwrap())
            .collect()
    };
    let ways = [("udp", "10000"), ("tcp", "10000"), ("tcp", "443")].map(|(t, p)| priorities(t, p));
    for way in &ways {
        assert_eq!(way.len(), 2, "an address of each family: {answer}");
    }
    for (better, worse) in [(0, 1), (1, 2)] {
        assert!(ways[better].iter().min() > ways[worse].iter().max(), "{answer}");
    }
    assert!(answer.contains("192.0.2.1 443 typ host tcptype passive"), "{answer}");
}

/// Whoever asks whether the node is there, as `conclave doctor` does.
#[test]
fn a_stranger_who_asks_is_told_where_it_is_seen_but_not_for_ever() {
    let mut world = World::new();
    let stranger = "203.0.113.9:5000".parse().unwrap();
    let request =
        [&[0, 1, 0, 24, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12], &[0x80, 0x22, 0, 20], &[b'x'; 20]]
            .concat();
    let ask = |world: &mut World, transport| {
        let (source, destination) = (stranger, node_address());
        let bytes = &request;
        world.nodes[0].handle_input(
            world.now,
            Input::Datagram { arrived: world.now, transport, source, destination, bytes },
        );
        match world.nodes[0].poll_output() {
            Output::Transmit(answer) => Some(answer),
            Output::Event(_) | Output::Relay { .. } | Output::Timeout(_) => None,
        }
    };

    for transport in [Transport::Udp, Transport::Tcp] {
        let answer = ask(&mut world, transport).unwrap();
        assert_eq!((answer.transport, answer.source), (transport, node_address()));
        assert_eq!(answer.destination, stranger);
        assert_eq!(answer.bytes[..2], [1, 1]);
        assert!(answer.bytes.len() <= request.len());
    }
    let more = (0..1000).filter(|_| ask(&mut world, Transport::Udp).is_some()).count();
    assert!((1..1000).contains(&more), "{more} at once");
    assert_eq!(world.stats().drops.stranger, 1000 - more as u64);
}
