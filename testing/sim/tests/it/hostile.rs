use std::net::SocketAddr;
use std::time::Duration;

use conclave_model::TrackSource::{Camera, Microphone};
use conclave_sim::{DeviceSetup, World};

use crate::{all_meet, secs};

/// Bytes that look like each kind of datagram, from a small generator.
fn garbage(round: u64) -> Vec<u8> {
    let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    let len = usize::from(byte()) * 5;
    let mut bytes: Vec<u8> = (0..len).map(|_| byte()).collect();
    // STUN, DTLS, RTP, RTCP, or anything (RFC 7983).
    let head: &[u8] = match round % 5 {
        0 => &[0, 1, 0, 20, 0x21, 0x12, 0xa4, 0x42],
        1 => &[22, 254, 253, 0],
        2 => &[0x90, 96],
        3 => &[0x80, 201],
        _ => &[],
    };
    bytes.splice(..head.len().min(len), head.iter().copied());
    bytes
}

#[test]
fn garbage_changes_nothing_for_anybody() {
    let mut world = World::new();
    let people = [(); 2].map(|()| world.add(DeviceSetup::USUAL));
    world.run_until(secs(5), "together", |world| all_meet(world, &people));
    let [ada, ben] = people;
    let stranger: SocketAddr = "192.0.2.66:6666".parse().unwrap();

    world.restart_counts();
    for round in 0..5000 {
        let bytes = garbage(round);
        if round % 2 == 0 {
            world.throw(stranger, &bytes);
        } else {
            world.throw_as(ada, &bytes);
        }
        world.run(Duration::from_millis(2));
    }

    let sound = world.observed(ada, ben, Microphone);
    assert!(sound.frames >= 495 && sound.longest_hole <= secs(1) / 20, "{sound:?}");
    for (a, b) in [(ada, ben), (ben, ada)] {
        let picture = world.observed(a, b, Camera);
        assert!(picture.frames >= 290, "300 sent: {picture:?}");
        assert!(picture.undecodable == 0 && picture.layer_switches == 0, "{picture:?}");
    }
    let stats = world.node_stats();
    assert_eq!((stats.sessions_failed, stats.peers), (0, 2));
    assert!(stats.drops.garbage + stats.drops.stranger >= 2500, "{stats:?}");
    assert_eq!(world.report(ada).generations, 1);
}
