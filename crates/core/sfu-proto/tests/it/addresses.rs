use std::net::{IpAddr, SocketAddr};

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_sfu_proto::{Input, Node, NodeConfig, Output};

use crate::client::{Client, Setup};
use crate::world::peer;

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
