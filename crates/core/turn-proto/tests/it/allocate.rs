use std::time::Duration;

use conclave_turn_proto::{Credential, Input, Output};

use crate::world::{
    ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, Caller, FAMILY, LIFETIME, REFRESH, TRANSPORT, UDP,
    World, at, node, read,
};

#[test]
fn who_shows_no_credential_is_asked_for_one_in_few_bytes() {
    let mut world = World::new();
    let mut caller = Caller::at(at("192.0.2.1:5000"));

    let request = caller.request(ALLOCATE, &[UDP]);
    let replies = caller.say(&mut world, &request);

    assert_eq!(replies.len(), 1);
    assert_eq!(read(&replies[0]), Err(401));
    let on_the_wire = |bytes: &[u8]| bytes.len() + 28;
    assert!(on_the_wire(&replies[0]) < 2 * on_the_wire(&request));
    assert_eq!((world.stats().allocations, world.stats().unauthorized), (0, 1));
}

#[test]
fn a_holder_gets_a_relayed_address_for_ten_minutes() {
    let mut world = World::new();
    let mut caller = Caller::at(at("192.0.2.1:5000"));
    caller.log_in(&mut world, "a");

    let answer = caller.ask(&mut world, ALLOCATE, &[UDP, (LIFETIME, &[0, 0, 0xff, 0xff])]).unwrap();

    let relayed = answer.relayed.unwrap();
    assert_eq!(answer.lifetime, Some(600), "never more");
    assert_eq!(relayed.ip(), node().ip());
    assert_ne!(relayed.port(), node().port());
    assert!(world.server.relays(relayed));

    world.pass(Duration::from_secs(599));
    assert_eq!(caller.ask(&mut world, REFRESH, &[]).unwrap().lifetime, Some(600));
    world.pass(Duration::from_secs(599));
    world.input(Input::Timeout);
    assert!(world.server.relays(relayed), "refreshed");
    world.pass(Duration::from_secs(1));
    world.input(Input::Timeout);
    assert!(!world.server.relays(relayed));
    assert_eq!(world.stats().allocations, 0);
}

#[test]
fn the_server_says_when_it_wants_to_be_called() {
    let mut world = World::new();
    world.allocated("a", 5000);

    let Output::Timeout(at) = world.server.poll_output() else { panic!("something to do") };

    assert_eq!(at, Some(world.now + Duration::from_secs(600)));
}

#[test]
fn a_lifetime_of_zero_ends_it_and_another_may_follow() {
    let mut world = World::new();
    let (mut caller, relayed) = world.allocated("a", 5000);

    assert_eq!(caller.ask(&mut world, REFRESH, &[(LIFETIME, &[0; 4])]).unwrap().lifetime, Some(0));

    assert!(!world.server.relays(relayed));
    assert_eq!(caller.ask(&mut world, REFRESH, &[]), Err(437));
    assert!(caller.ask(&mut world, ALLOCATE, &[UDP]).is_ok());
}

#[test]
fn the_same_request_gets_the_same_answer_and_another_one_none() {
    let mut world = World::new();
    let mut caller = Caller::at(at("192.0.2.1:5000"));
    caller.log_in(&mut world, "a");
    let request = caller.request(ALLOCATE, &[UDP]);

    let first = read(&caller.say(&mut world, &request)[0]).unwrap();
    let again = read(&caller.say(&mut world, &request)[0]).unwrap();

    assert_eq!(first, again);
    assert_eq!(caller.ask(&mut world, ALLOCATE, &[UDP]), Err(437));
    assert_eq!(world.stats().allocated, 1);
}

#[test]
fn what_cannot_be_relayed_is_refused() {
    let mut world = World::new();
    let mut caller = Caller::at(at("192.0.2.1:5000"));
    caller.log_in(&mut world, "a");

    let even_port = (0x18, &[0x80][..]);
    for (attributes, code) in [
        (&[][..], 400),
        (&[(TRANSPORT, &[6, 0, 0, 0][..])], 442),
        (&[UDP, (FAMILY, &[3, 0, 0, 0])], 440),
        (&[UDP, even_port], 420),
    ] {
        assert_eq!(caller.ask(&mut world, ALLOCATE, attributes), Err(code), "{attributes:?}");
    }
    assert_eq!(caller.ask(&mut world, 0x0a, &[]), Err(400), "no relaying of TCP");
    for method in [REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
        assert_eq!(caller.ask(&mut world, method, &[]), Err(437), "nothing is allocated");
    }
}

#[test]
fn the_family_is_the_one_asked_for_or_the_one_there_is() {
    let mut world = World::new();
    let mut caller = Caller::at(at("192.0.2.1:5000"));
    caller.log_in(&mut world, "a");
    let v6 = caller.ask(&mut world, ALLOCATE, &[UDP, (FAMILY, &[2, 0, 0, 0])]).unwrap();
    assert!(v6.relayed.unwrap().is_ipv6());

    let mut world = World::with(Default::default(), vec![at("[2001:db8::5]:10000")]);
    let mut caller = Caller::at(at("[2001:db8::9]:5000"));
    caller.log_in(&mut world, "a");
    assert_eq!(caller.ask(&mut world, ALLOCATE, &[UDP, (FAMILY, &[1, 0, 0, 0])]), Err(440));
    assert!(caller.ask(&mut world, ALLOCATE, &[UDP]).unwrap().relayed.unwrap().is_ipv6());
}

#[test]
fn a_forged_credential_gets_nothing() {
    let mut world = World::new();
    let credential = world.credential("a");
    let forged = [
        Credential { password: "guessed".to_owned(), ..credential.clone() },
        Credential { username: "9999999999:AAAAAAAAAAAAAAAA".to_owned(), ..credential.clone() },
        Credential { username: "1700000000:AAAAAAAAAAAAAAAA".to_owned(), ..credential.clone() },
        Credential { username: "nobody".to_owned(), ..credential },
    ];
    for (at, credential) in (5000..).zip(forged) {
        let mut caller = Caller::at(([192, 0, 2, 1], at).into());
        caller.log_in_as(&mut world, &credential);
        assert_eq!(caller.ask(&mut world, ALLOCATE, &[UDP]), Err(401), "{}", credential.username);
    }
    assert_eq!(world.stats().allocated, 0);
}

#[test]
fn an_expired_credential_gets_nothing_new_and_keeps_what_it_has() {
    let mut world = World::new();
    let credential = world.credential("a");
    let (mut caller, _) = world.allocated("a", 5000);
    for _ in 0..(12 * 3600 / 300) {
        world.pass(Duration::from_secs(300));
        // The nonce ends now and then, and the refusal brings another.
        if caller.ask(&mut world, REFRESH, &[]) == Err(438) {
            caller.login = None;
            caller.log_in_as(&mut world, &credential);
            assert!(caller.ask(&mut world, REFRESH, &[]).is_ok());
        }
    }

    assert!(caller.ask(&mut world, REFRESH, &[]).is_ok());
    let mut late = Caller::at(at("192.0.2.1:5001"));
    late.log_in_as(&mut world, &credential);
    assert_eq!(late.ask(&mut world, ALLOCATE, &[UDP]), Err(401));
}

#[test]
fn a_nonce_is_for_one_client_and_for_an_hour() {
    let mut world = World::new();
    let mut caller = Caller::at(at("192.0.2.1:5000"));
    caller.log_in(&mut world, "a");
    let mut thief = Caller { login: caller.login.take(), ..Caller::at(at("192.0.2.66:5000")) };
    assert_eq!(thief.ask(&mut world, ALLOCATE, &[UDP]), Err(438));

    caller.log_in(&mut world, "a");
    world.pass(Duration::from_secs(3600));
    assert_eq!(caller.ask(&mut world, ALLOCATE, &[UDP]), Err(438));
}

#[test]
fn an_allocation_is_its_holders_alone() {
    let mut world = World::new();
    let (mut caller, relayed) = world.allocated("a", 5000);

    caller.login = None;
    caller.log_in(&mut world, "b");

    assert_eq!(caller.ask(&mut world, REFRESH, &[(LIFETIME, &[0; 4])]), Err(441));
    assert!(world.server.relays(relayed));
}
