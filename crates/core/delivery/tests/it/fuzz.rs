use conclave_commit_rules::Mode;
use conclave_delivery::{CommitHash, DeliveryService, Input, Output};
use conclave_model::ParticipantId;
use proptest::prelude::*;

use crate::world::{HOST, World, unix_now};

/// Bytes that are nearly right: a cut, and a flipped bit.
fn spoil(bytes: &[u8], at: usize, flip: u8, cut: bool) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = at % bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= flip;
    }
    if cut {
        bytes.truncate(at);
    }
    bytes
}

fn drain(service: &mut DeliveryService) {
    for _ in 0..1000 {
        if matches!(service.poll_output(), Output::Timeout(_)) {
            return;
        }
    }
    panic!("it never comes to rest");
}

#[test]
fn no_bytes_and_no_order_of_inputs_break_the_service() {
    let mut world = World::new(Mode::OpenLink);
    let mut members = world.meeting(2);
    let outgoing = members[1].update(unix_now()).unwrap();
    members[1].discard();
    let message = members[2].send(b"hello").unwrap();
    let stranger = world.device();
    let seeds = [
        outgoing.commit.clone(),
        outgoing.group_info,
        message,
        stranger.key_package(unix_now()).unwrap(),
        members[0].tree().unwrap(),
        Vec::new(),
    ];
    let (service, now) = (std::cell::RefCell::new(world.service), std::cell::Cell::new(world.now));
    let step =
        (0..13_u8, 0..6_u32, 0..6_usize, 0..6_usize, any::<usize>(), any::<u8>(), any::<bool>());
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&step, |(kind, who, a, b, at, flip, cut)| {
        let from = ParticipantId(who);
        let (one, other) = (spoil(&seeds[a], at, flip, cut), spoil(&seeds[b], at, flip, !cut));
        let input = match kind {
            0 => Input::App { from, message: one },
            1 => Input::Commit {
                from,
                commit: one,
                welcome: cut.then_some(other),
                group_info: seeds[1].clone(),
            },
            2 => Input::Connected { who: from },
            3 => Input::Deny { from, knocker: ParticipantId(u32::from(flip)) },
            4 if who > 2 => Input::Disconnected { who: from },
            5 => Input::FetchGroup { from },
            6 => Input::Found { from, group_info: one, tree: other },
            7 => Input::Knock { from, key_package: one },
            8 if who > 2 => Input::Leave { who: from },
            9 => Input::LogSince { from, epoch: u64::from(flip) },
            10 => Input::Nack { from, commit: CommitHash([flip; 32]) },
            11 => Input::Ready { from, epoch: u64::from(flip) },
            12 => Input::Resume { who: from, challenge: [0; 32], signature: one },
            _ => Input::Timeout,
        };
        let later = now.get() + std::time::Duration::from_millis(u64::from(flip));
        now.set(later);
        let mut service = service.borrow_mut();
        service.handle_input(later, input);
        drain(&mut service);
        Ok(())
    });
    result.unwrap();
    // It is still in order for those who were.
    let mut service = service.into_inner();
    assert!(service.epoch().is_some());
    service.handle_input(now.get(), Input::FetchGroup { from: HOST });
    assert!(matches!(service.poll_output(), Output::Send { to: HOST, .. }));
}
