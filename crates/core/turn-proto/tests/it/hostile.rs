//! Whatever comes: no panic, nothing for anybody but the node, nothing without end.

use conclave_turn_proto::{Input, Limits, Output};
use proptest::prelude::*;
use stun_types::message::MessageClass;

use crate::world::{
    ALLOCATE, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, Caller, DATA, LIFETIME, REFRESH,
    SEND, UDP, World, at, node, turn,
};

const METHODS: [u16; 8] = [1, ALLOCATE, REFRESH, SEND, 7, CREATE_PERMISSION, CHANNEL_BIND, 10];

/// Something that a client does.
#[derive(Clone, Debug)]
enum Step {
    Bytes(usize, Vec<u8>),
    Close(usize),
    FromPeer(Vec<u8>),
    LogIn(usize),
    /// A message, with one of its bytes changed.
    Message {
        caller: usize,
        class: usize,
        method: usize,
        peer: usize,
        broken: Option<(usize, u8)>,
    },
    Pass(u64),
    Stream(usize, Vec<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..80);
    let message =
        (0..4usize, 0..4usize, 0..METHODS.len(), 0..PEERS.len(), any::<Option<(usize, u8)>>());
    let message = message.prop_map(|(caller, class, method, peer, broken)| Step::Message {
        caller,
        class,
        method,
        peer,
        broken,
    });
    let step = prop_oneof![
        2 => (0..4usize, bytes()).prop_map(|(caller, bytes)| Step::Bytes(caller, bytes)),
        1 => (0..4usize).prop_map(Step::Close),
        2 => bytes().prop_map(Step::FromPeer),
        4 => (0..4usize).prop_map(Step::LogIn),
        12 => message,
        2 => (0..700u64).prop_map(Step::Pass),
        2 => (0..4usize, bytes()).prop_map(|(caller, bytes)| Step::Stream(caller, bytes)),
    ];
    prop::collection::vec(step, 1..60)
}

const PEERS: [&str; 4] =
    ["203.0.113.5:10000", "127.0.0.1:22", "[::ffff:203.0.113.5]:10000", "203.0.113.5:22"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_reaches_anybody_but_the_node_and_nothing_grows_without_end(steps in steps()) {
        let limits = Limits { allocations: 3, per_credential: 2, streams: 2, ..Limits::default() };
        let mut world = World::with(limits, vec![node()]);
        let mut callers: Vec<Caller> =
            (0..4).map(|number| Caller::at(([192, 0, 2, 1], 5000 + number).into())).collect();
        let mut relayed = node();
        for step in steps {
            let outputs = match step {
                Step::Bytes(caller, bytes) => {
                    let source = callers[caller].source;
                    world.input(Input::Datagram { source, destination: turn(), bytes: &bytes })
                }
                Step::Close(number) => world.input(Input::Closed { number: number as u64 }),
                Step::FromPeer(bytes) => {
                    world.input(Input::FromPeer { peer: node(), relayed, bytes: &bytes })
                }
                Step::LogIn(caller) => {
                    callers[caller].login = None;
                    callers[caller].log_in(&mut world, if caller < 2 { "a" } else { "b" });
                    Vec::new()
                }
                Step::Message { caller, class, method, peer, broken } => {
                    let class = [
                        MessageClass::Request,
                        MessageClass::Indication,
                        MessageClass::Success,
                        MessageClass::Error,
                    ][class];
                    let attributes: [(u16, &[u8]); 4] =
                        [UDP, (CHANNEL_NUMBER, &[0x40, 0, 0, 0]), (LIFETIME, &[0, 0, 1, 0]), (DATA, b"x")];
                    let caller = &mut callers[caller];
                    let mut bytes = caller.write(class, METHODS[method], &attributes, &[at(PEERS[peer])]);
                    if let Some((at, byte)) = broken {
                        let at = at % bytes.len();
                        bytes[at] = byte;
                    }
                    let source = caller.source;
                    world.input(Input::Datagram { source, destination: turn(), bytes: &bytes })
                }
                Step::Pass(seconds) => {
                    world.pass(std::time::Duration::from_secs(seconds));
                    world.input(Input::Timeout)
                }
                Step::Stream(number, bytes) => {
                    let (number, source) = (number as u64, callers[number].source);
                    let mut outputs = world.input(Input::Opened { number, source });
                    outputs.extend(world.input(Input::Stream { number, bytes: &bytes }));
                    outputs
                }
            };
            for output in outputs {
                if let Output::Relay { source, destination, .. } = output {
                    prop_assert_eq!(destination, node());
                    prop_assert!(world.server.relays(source));
                    relayed = source;
                }
            }
            let stats = world.stats();
            prop_assert!(stats.allocations <= 3 && stats.streams <= 2);
        }
        // Everybody goes, and nothing is left.
        world.pass(std::time::Duration::from_secs(601));
        world.input(Input::Timeout);
        prop_assert_eq!(world.stats().allocations, 0);
        prop_assert_eq!(world.server.poll_output(), Output::Timeout(None));
    }
}
