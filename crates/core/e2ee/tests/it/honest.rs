use std::time::Duration;

use conclave_commit_rules::{Mode, Mute, Role, SUITE_DEFAULT};
use conclave_e2ee::{
    Basis, Command, Dropped, Event, Gap, NotSealed, Proof, Reaction, Say, ShieldLevel, State,
    Warning,
};
use conclave_frame::{Codec, Expected, Leaf, OpenError, Source, Track};

use crate::world::World;

const VOICE: Track = Track::single(Source::Microphone);

fn leaf(world: &World, index: usize) -> Leaf {
    let roster = world.members[index].session.roster().unwrap();
    let own = roster.values().find(|person| person.is_self).unwrap();
    Leaf::try_from(own.leaf).unwrap()
}

fn expected(world: &World, index: usize) -> Expected {
    Expected { leaf: leaf(world, index), source: Source::Microphone, codec: Codec::Opus }
}

fn seal(world: &mut World, index: usize) -> Result<Vec<u8>, NotSealed> {
    let now = world.now();
    world.members[index].session.seal(now, VOICE, Codec::Opus, b"voice")
}

fn open(world: &mut World, index: usize, expected: Expected, sealed: &[u8]) -> Result<(), Dropped> {
    let now = world.now();
    world.members[index].session.open(now, expected, sealed).map(drop)
}

/// Everybody hears everybody.
fn assert_heard(world: &mut World) {
    for from in world.joined() {
        let (sealed, expected) = (seal(world, from).unwrap(), expected(world, from));
        for to in world.joined() {
            if to != from {
                open(world, to, expected, &sealed).unwrap();
            }
        }
    }
}

#[test]
fn two_meet_and_hear_each_other() {
    let mut world = World::meeting(1);
    assert_heard(&mut world);
    let roster = world.members[1].session.roster().unwrap();
    let shown: Vec<_> = roster.values().map(|p| (p.name.as_str(), p.role, p.proof)).collect();
    assert_eq!(
        shown,
        [("person 0", Role::Host, Proof::HostKey), ("person 1", Role::Guest, Proof::LinkOnly)]
    );
}

#[test]
fn a_meeting_of_the_default_suite_is_joined_like_any_other() {
    let mut world = World::new(Mode::Lobby, 1);
    world.constitution.suite = SUITE_DEFAULT;
    world.join(true);
    world.run(1);
    world.join(false);
    world.run(3);
    world.leave(1);
    world.join(false);
    world.run(3);
    world.assert_agree();
    assert_heard(&mut world);
}

#[test]
fn an_admitter_steps_in_when_the_host_has_gone() {
    let mut world = World::meeting(2);
    let second = world.members[1].session.credential().unwrap();
    world.command(0, Command::Appoint(second, Role::Admitter));
    world.run(2);
    world.leave(0);
    world.run(2);
    world.join(false);
    world.run(4);
    world.assert_agree();
    assert_eq!(world.joined(), [1, 2, 3]);
}

#[test]
fn five_meet_and_twenty_meet() {
    for guests in [4, 19] {
        let mut world = World::meeting(guests);
        assert_heard(&mut world);
        // Twenty who come at once cost a few epochs, not twenty.
        assert!(world.epoch() <= 6, "{} epochs", world.epoch());
    }
}

#[test]
fn a_guest_who_comes_first_waits_for_the_host() {
    let mut world = World::new(Mode::Lobby, 1);
    let guest = world.join(false);
    world.run(1);
    assert_eq!(*world.state(guest), State::WaitingForHost);
    let host = world.join(true);
    world.run(4);
    world.assert_agree();
    assert_eq!(world.joined(), [guest, host]);
}

#[test]
fn whom_nobody_admits_stays_outside_and_whom_a_host_denies_is_told() {
    let mut world = World::meeting(1);
    world.auto_admit = false;
    let guest = world.join(false);
    world.run(10);
    assert_eq!(*world.state(guest), State::Knocking);
    assert!(seal(&mut world, guest).is_err());
    let Some(Event::Knocks(knocks)) = world.members[0]
        .events
        .iter()
        .rfind(|event| matches!(event, Event::Knocks(knocks) if !knocks.is_empty()))
    else {
        panic!()
    };
    let knock = knocks[0].clone();
    assert_eq!(knock.name, "person 2");
    world.command(0, Command::Deny(knock.id));
    world.run(1);
    assert!(matches!(world.state(guest), State::Failed(conclave_e2ee::Failure::Denied)));
    assert!(world.members[1].events.iter().all(|event| !matches!(event, Event::Knocks(_))));
}

#[test]
fn in_an_open_meeting_people_come_in_by_themselves_with_a_host_and_after_the_host_left() {
    let mut world = World::new(Mode::OpenLink, 1);
    world.auto_admit = false;
    world.join(true);
    world.run(1);
    world.join(false);
    world.run(3);
    world.assert_agree();
    assert_eq!(world.joined().len(), 2);
    world.leave(0);
    world.run(4);
    world.assert_agree();
    world.join(false);
    world.run(6);
    world.assert_agree();
    assert_eq!(world.joined(), [1, 2]);
}

#[test]
fn whoever_leaves_is_removed_and_opens_nothing_more() {
    let mut world = World::meeting(3);
    world.leave(3);
    world.run(3);
    world.assert_agree();
    assert_eq!(world.joined(), [0, 1, 2]);
    let (sealed, from) = (seal(&mut world, 0).unwrap(), expected(&world, 0));
    assert_eq!(open(&mut world, 1, from, &sealed), Ok(()));
    assert_eq!(open(&mut world, 3, from, &sealed), Err(Dropped::Frame(OpenError::UnknownEpoch)));
}

#[test]
fn whom_a_host_kicks_is_out_at_once_and_knows() {
    let mut world = World::meeting(2);
    let credential = world.members[2].session.credential().unwrap();
    let before = seal(&mut world, 2).unwrap();
    let from = expected(&world, 2);
    world.command(0, Command::Kick(credential));
    assert!(world.members[0].session.roster().unwrap()[&u32::from(from.leaf.index())].leaving);
    world.run(1);
    assert_eq!(*world.state(2), State::Removed);
    assert_eq!(open(&mut world, 1, from, &before), Err(Dropped::Frame(OpenError::Revoked)));
    assert_eq!(seal(&mut world, 2), Err(NotSealed::NotInGroup));
    world.assert_agree();
}

#[test]
fn a_guest_kicks_nobody_and_locks_nothing() {
    let mut world = World::meeting(2);
    let epoch = world.epoch();
    let credential = world.members[2].session.credential().unwrap();
    world.command(1, Command::Kick(credential));
    world.command(1, Command::Lock(true));
    world.run(5);
    assert_eq!(world.epoch(), epoch);
    world.assert_agree();
    let told = |event: &&Event| matches!(event, Event::NotDone(_));
    assert_eq!(world.members[1].events.iter().filter(told).count(), 2);
}

#[test]
fn a_locked_meeting_lets_nobody_in_until_it_is_open_again() {
    let mut world = World::meeting(1);
    world.command(0, Command::Lock(true));
    world.run(2);
    assert!(world.members[1].session.order().unwrap().locked);
    world.join(false);
    world.run(5);
    assert_eq!(world.joined().len(), 2);
    world.command(0, Command::Lock(false));
    world.run(5);
    world.assert_agree();
    assert_eq!(world.joined().len(), 3);
}

#[test]
fn a_guest_reloads() {
    let mut world = World::meeting(2);
    world.reload(1);
    world.run(6);
    world.assert_agree();
    assert_eq!(world.joined().len(), 3);
    assert_heard(&mut world);
}

#[test]
fn the_host_reloads_and_is_host_again() {
    let mut world = World::meeting(2);
    world.reload(0);
    world.run(6);
    world.assert_agree();
    assert_eq!(world.joined().len(), 3);
    let hosts = world.members[1].session.roster().unwrap().values();
    assert_eq!(hosts.filter(|person| person.role == Role::Host).count(), 1);
    assert_heard(&mut world);
}

#[test]
fn all_reload_at_once_and_meet_again() {
    let mut world = World::meeting(3);
    for index in 0..4 {
        world.reload(index);
    }
    world.run(15);
    world.assert_agree();
    assert_eq!(world.joined().len(), 4);
    assert_heard(&mut world);
}

#[test]
fn chat_hands_and_reactions_reach_all_and_say_who() {
    let mut world = World::meeting(2);
    for say in [Say::Chat("hello".into()), Say::Hand(true), Say::Reaction(Reaction::Clap)] {
        world.command(1, Command::Say(say.clone()));
        world.run(1);
        for reader in [0, 2] {
            let Some(Event::Said(said)) =
                world.members[reader].events.iter().rfind(|e| matches!(e, Event::Said(_)))
            else {
                panic!()
            };
            assert_eq!((&said.say, said.name.as_str()), (&say, "person 1"));
        }
    }
    world.command(1, Command::Say(Say::Chat("x".repeat(5000))));
    world.command(1, Command::Say(Say::Chat("a\u{0}b".into())));
    let told = |event: &&Event| matches!(event, Event::NotDone(_));
    assert_eq!(world.members[1].events.iter().filter(told).count(), 2);
}

#[test]
fn whom_a_host_mutes_neither_sends_nor_is_heard_or_read() {
    let mut world = World::meeting(2);
    let who = world.members[1].session.credential().unwrap();
    let before = seal(&mut world, 1).unwrap();
    world.command(0, Command::Mute(Mute::Microphone(who), true));
    world.command(0, Command::Mute(Mute::Chat(who), true));
    world.run(3);
    assert_eq!(seal(&mut world, 1), Err(NotSealed::Muted));
    let from = expected(&world, 1);
    assert_eq!(open(&mut world, 2, from, &before), Err(Dropped::Muted));
    assert_eq!(world.members[2].session.drops()[&Dropped::Muted], 1);
    world.command(1, Command::Say(Say::Chat("hello".into())));
    world.run(1);
    assert!(world.members[2].events.iter().all(|event| !matches!(event, Event::Said(_))));
    world.command(0, Command::Mute(Mute::Microphone(who), false));
    world.run(2);
    assert!(seal(&mut world, 1).is_ok());
}

#[test]
fn two_who_change_something_at_once_both_get_it_done() {
    let mut world = World::meeting(2);
    let second = world.members[1].session.credential().unwrap();
    world.command(0, Command::Appoint(second, Role::CoHost));
    world.run(2);
    let third = world.members[2].session.credential().unwrap();
    world.command(0, Command::Lock(true));
    world.command(1, Command::Appoint(third, Role::Presenter));
    world.run(5);
    world.assert_agree();
    let order = world.members[2].session.order().unwrap();
    assert!(order.locked);
    assert_eq!(order.role_of(&third), Role::Presenter);
}

#[test]
fn a_long_quiet_call_stays_in_step_and_renews_its_keys() {
    let mut world = World::meeting(2);
    let epoch = world.epoch();
    world.run(11 * 60);
    world.assert_agree();
    let renewed = world.epoch() - epoch;
    assert!((2..=3).contains(&renewed), "{renewed} new epochs in eleven minutes");
    for member in &world.members {
        let warned = member.events.iter().find(|event| matches!(event, Event::Warning(_)));
        assert_eq!(warned, None);
    }
}

#[test]
fn who_was_disconnected_catches_up_from_the_log() {
    let mut world = World::meeting(2);
    world.evil = Some(Box::new(|to, message| if to == 2 { Vec::new() } else { vec![message] }));
    world.command(0, Command::Lock(true));
    world.run(2);
    world.command(0, Command::Lock(false));
    world.run(2);
    world.evil = None;
    world.input(2, conclave_e2ee::Input::Connected);
    world.run(1);
    world.assert_agree();
}

#[test]
fn the_shield_says_what_it_is_based_on_and_what_it_does_not_cover() {
    let mut world = World::meeting(1);
    let shield = world.members[0].session.shield();
    assert_eq!(shield.level, ShieldLevel::Unverified);
    assert!(shield.based_on.contains(&Basis::Heard { heard: 1, others: 1 }));
    for gap in [Gap::ClientCode, Gap::CodeNotCompared, Gap::Unverified(1), Gap::VoiceLevel] {
        assert!(shield.not_covered.contains(&gap), "{gap:?}");
    }
    world.command(0, Command::Lock(true));
    world.run(2);
    world.command(0, Command::CodeCompared);
    assert_eq!(world.members[0].session.shield().level, ShieldLevel::Compared);
    world.command(0, Command::Lock(false));
    world.join(false);
    world.run(4);
    let shield = world.members[0].session.shield();
    assert!(shield.not_covered.contains(&Gap::CodeNotCompared), "someone came since");
}

/// Someone comes or goes each second, and whoever stays hears each other without a gap.
#[test]
fn nobody_who_stays_misses_a_frame_while_others_come_and_go() {
    let mut world = World::meeting(2);
    world.slow = Some(2);
    let mut flying: Vec<(Duration, usize, Expected, Vec<u8>)> = Vec::new();
    let end = world.now + Duration::from_secs(8);
    let (mut ticks, mut opened, mut left_at) = (0, 0, None);
    while world.now < end {
        if ticks % 20 == 10 {
            world.join(false);
        }
        if ticks % 60 == 50 {
            let last = *world.joined().last().unwrap();
            if last > 2 {
                world.leave(last);
                left_at = Some(world.now);
            }
        }
        for from in 0..3 {
            let (sealed, expected) = (seal(&mut world, from).unwrap(), expected(&world, from));
            for to in (0..3).filter(|to| *to != from) {
                let delay = Duration::from_millis(10 + world.random() % 150);
                flying.push((world.now + delay, to, expected, sealed.clone()));
            }
        }
        world.run_until(world.now + Duration::from_millis(50));
        let (arrived, still): (Vec<_>, Vec<_>) =
            flying.into_iter().partition(|(at, ..)| *at <= world.now);
        flying = still;
        let is_leaving = left_at.is_some_and(|at| world.now < at + Duration::from_millis(1300));
        for (_, to, expected, sealed) in arrived {
            match open(&mut world, to, expected, &sealed) {
                Ok(()) => opened += 1,
                // After a removal senders switch at once, and the frame was quicker than the commit.
                Err(Dropped::Frame(OpenError::UnknownEpoch)) if is_leaving => {
                    let again = world.now + Duration::from_millis(150);
                    flying.push((again, to, expected, sealed));
                }
                Err(error) => panic!("{error} at {:?}", world.now),
            }
        }
        ticks += 1;
    }
    assert!(opened > 700);
    assert!(world.epoch() > 5);
    assert!(!world.warned(1, |warning| matches!(warning, Warning::Withheld { .. })));
}

mod property {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Join,
        Kick(usize),
        Leave(usize),
        Reload(usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Join),
            1 => any::<usize>().prop_map(Step::Kick),
            2 => any::<usize>().prop_map(Step::Leave),
            1 => any::<usize>().prop_map(Step::Reload),
            2 => (100_u64..1500).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whoever_comes_and_goes_all_who_stay_agree(
            seed in any::<u64>(),
            steps in proptest::collection::vec(step(), 1..20),
        ) {
            let mut world = World::new(Mode::Lobby, seed);
            world.join(true);
            world.run(1);
            for step in steps {
                let joined = world.joined();
                let guest = |at: usize| {
                    let guests: Vec<_> = joined.iter().copied().filter(|&i| i != 0).collect();
                    (!guests.is_empty()).then(|| guests[at % guests.len()])
                };
                match step {
                    Step::Join => {
                        world.join(false);
                    }
                    Step::Kick(at) => {
                        if let Some(index) = guest(at)
                            && let Some(who) = world.members[index].session.credential()
                        {
                            world.command(0, Command::Kick(who));
                        }
                    }
                    Step::Leave(at) => {
                        if let Some(index) = guest(at) {
                            world.leave(index);
                        }
                    }
                    // The host, too.
                    Step::Reload(at) if !joined.is_empty() => {
                        world.reload(joined[at % joined.len()]);
                    }
                    Step::Reload(_) => {}
                    Step::Wait(ms) => world.run_until(world.now + Duration::from_millis(ms)),
                }
            }
            let removed: Vec<_> = (0..world.members.len())
                .filter(|index| !world.members[*index].is_online)
                .collect();
            world.run(25);
            world.assert_agree();
            prop_assert!(world.joined().contains(&0));
            assert_heard(&mut world);
            let (sealed, from) = (seal(&mut world, 0).unwrap(), expected(&world, 0));
            for index in removed {
                prop_assert!(open(&mut world, index, from, &sealed).is_err());
            }
        }
    }
}
