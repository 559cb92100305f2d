//! Datagrams from anybody.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use conclave_call_proto::media::MediaEvent;
use conclave_sfu_proto::{NodeStats, Transport};

use crate::node::Rig;

/// An offer that a browser of ours could make.
const OFFER: &str = include_str!("../corpus/offer/chromium.sdp");

/// The bytes are datagrams, each behind a byte that says from where and how it comes and two that
/// say its length. The node has a peer that waits for its first one. [`STAND_IN`] in a datagram
/// stands for that peer's ICE user name, as an attacker on the path would know it.
pub(crate) fn target(data: &[u8]) {
    let _ = run(data);
}

fn run(data: &[u8]) -> NodeStats {
    let mut rig = Rig::new();
    rig.offer(1, 1, OFFER);
    let ufrag = rig.events.iter().find_map(server_ufrag).expect("an offer is answered");

    let mut rest = data;
    while let Some((&[from, high, low], after)) = rest.split_first_chunk::<3>() {
        let len = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (datagram, after) = after.split_at(len);
        rest = after;
        let transport = if from & 1 == 0 { Transport::Udp } else { Transport::Tcp };
        let source = SocketAddr::from((Ipv4Addr::new(10, 0, 0, from / 64), 4000));
        rig.datagram(transport, source, &fill_in(datagram, &ufrag));
        rig.run(Duration::from_millis(u64::from(from & 0x3e)));
    }
    let stats = rig.node.stats();
    assert_eq!(stats.peers, 1, "a stranger has made a peer, or ended one");
    stats
}

fn server_ufrag(event: &MediaEvent) -> Option<String> {
    let MediaEvent::Answer { sdp, .. } = event else { return None };
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).map(str::to_owned)
}

/// As long as the names that str0m makes, so that the lengths around it are right.
const STAND_IN: &[u8] = b"UFRAGUFRAGUFRAGU";

/// Puts the user name in place of its stand-in.
fn fill_in(datagram: &[u8], ufrag: &str) -> Vec<u8> {
    let mut filled = datagram.to_vec();
    if let Some(at) = datagram.windows(STAND_IN.len()).position(|window| window == STAND_IN) {
        filled.splice(at..at + STAND_IN.len(), ufrag.bytes());
    }
    filled
}

/// A target that reaches nothing finds nothing.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_get_as_far_as_a_stranger_can() {
        let stats = run(include_bytes!("../corpus/datagram/stun-binding"));
        assert_eq!(stats.drops.forged, 1, "the password is wrong, the name is right: {stats:?}");
        let stats = run(include_bytes!("../corpus/datagram/rtp-one-byte"));
        assert_eq!(stats.drops.stranger, 1, "{stats:?}");
        let stats = run(include_bytes!("../corpus/datagram/stun-echo"));
        assert_eq!((stats.datagrams_out, stats.drops.garbage), (1, 1), "{stats:?}");
    }
}
