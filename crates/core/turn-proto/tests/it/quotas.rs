//! How much there is for whom.

use std::net::SocketAddr;
use std::time::Duration;

use conclave_turn_proto::{Input, Limits, Output};

use crate::world::{ALLOCATE, Caller, LIFETIME, REFRESH, UDP, World, at, node};

fn world(limits: Limits) -> World {
    World::with(limits, vec![node()])
}

/// What becomes of an allocation for `holder`, from this address.
fn try_from(world: &mut World, holder: &str, source: SocketAddr) -> Result<(), u16> {
    let mut caller = Caller::at(source);
    caller.log_in(world, holder);
    caller.ask(world, ALLOCATE, &[UDP]).map(|_| ())
}

#[test]
fn a_credential_has_few_allocations_and_one_that_ends_makes_room() {
    let mut world = world(Limits { per_credential: 2, ..Limits::default() });
    let (mut first, _) = world.allocated("a", 5000);
    world.allocated("a", 5001);

    assert_eq!(try_from(&mut world, "a", at("192.0.2.1:5002")), Err(486));
    assert_eq!(try_from(&mut world, "a", at("198.51.100.1:5002")), Err(486), "from elsewhere");
    assert_eq!(try_from(&mut world, "b", at("192.0.2.1:5003")), Ok(()), "another has its own");

    first.ask(&mut world, REFRESH, &[(LIFETIME, &[0; 4])]).unwrap();
    assert_eq!(try_from(&mut world, "a", at("192.0.2.1:5004")), Ok(()));
    assert_eq!(world.stats().over_quota, 2);
}

#[test]
fn a_network_has_so_many_however_many_credentials_it_shows() {
    let mut world = world(Limits { per_network: 3, ..Limits::default() });
    for (number, holder) in (1..).zip(["a", "b", "c"]) {
        let source = SocketAddr::new(format!("2001:db8::{number}").parse().unwrap(), 5000);
        assert_eq!(try_from(&mut world, holder, source), Ok(()));
    }

    assert_eq!(try_from(&mut world, "d", at("[2001:db8::4]:5000")), Err(486));
    assert_eq!(try_from(&mut world, "d", at("[2001:db8:0:1::4]:5000")), Ok(()));
}

#[test]
fn the_server_has_so_many_and_forgets_them_in_time() {
    let mut world = world(Limits { allocations: 3, ..Limits::default() });
    for port in 5000..5003 {
        world.allocated("a", port);
    }

    assert_eq!(try_from(&mut world, "a", at("192.0.2.1:5003")), Err(508));
    world.pass(Duration::from_secs(600));
    assert_eq!(try_from(&mut world, "a", at("192.0.2.1:5003")), Ok(()));
    assert_eq!(world.stats().allocations, 1);
}

#[test]
fn who_asks_too_often_without_a_credential_is_not_answered_and_holders_still_are() {
    let mut world = world(Limits { refusals: 10, ..Limits::default() });
    let (mut holder, _) = world.allocated("a", 5000);
    let mut stranger = Caller::at(at("192.0.2.1:6000"));

    let answered = (0..100)
        .filter(|_| {
            let request = stranger.request(ALLOCATE, &[UDP]);
            !stranger.say(&mut world, &request).is_empty()
        })
        .count();

    assert_eq!(answered, 9, "one went to the holder");
    assert_eq!(world.stats().silenced, 91);
    assert!(holder.ask(&mut world, REFRESH, &[]).is_ok());
    let binding = stranger.request(1, &[]);
    assert!(stranger.say(&mut world, &binding).is_empty(), "nor are bindings answered");
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let mut world = world(Limits { streams: 2, ..Limits::default() });
    let source = at("192.0.2.1:5000");
    let mut opened = |number| world.input(Input::Opened { number, source });

    assert!(opened(1).is_empty());
    assert!(opened(2).is_empty());
    assert_eq!(opened(3), [Output::Close { number: 3 }]);
}

#[test]
fn a_relayed_address_is_one_clients_alone() {
    let mut world = world(Limits { per_credential: 2000, ..Limits::default() });
    let mut seen = std::collections::BTreeSet::new();
    for port in 5000..6000 {
        assert!(seen.insert(world.allocated("a", port).1), "given twice");
        world.pass(Duration::from_millis(50));
    }
    assert!(seen.iter().all(|address| (1024..32_768).contains(&address.port())));
}
