//! Whole calls: what people do, and what breaks, with the service that browsers will talk to.

use std::time::Duration;

use conclave_commit_rules::{Mode, Mute, Role};
use conclave_delivery::{CommitHash, Gate, Input as Ask, Output as Answer, ToDevice};
use conclave_e2ee::{
    Command, Dropped, End, Failure, NotSealed, Reaction, Say, State, Suspension, ToServer, Warning,
};
use conclave_frame::{Codec, Expected, Leaf, Source, Track};
use conclave_model::TrackSource;

use crate::service::Call;

#[test]
fn guests_wait_for_the_host_who_founds_the_group_and_lets_them_in() {
    let mut call = Call::new(Mode::Lobby, false, 1);
    let guests = [call.join(false), call.join(false)];
    call.run(5);
    for guest in guests {
        assert_eq!(*call.state(guest), State::WaitingForHost);
    }
    call.join(true);
    call.run(5);
    call.assert_agree(3);
}

#[test]
fn where_nobody_needs_a_host_the_first_founds_and_the_next_come_in_alone_at_once() {
    let mut call = Call::new(Mode::OpenLink, true, 2);
    let first = call.join(false);
    call.run(1);
    assert!(call.is_in(first));
    let second = call.join(false);
    call.run(1);
    assert!(call.is_in(second), "with no admitter there is nobody to wait for");
    call.join(false);
    call.join(false);
    call.run(5);
    call.assert_agree(4);
    // A host who comes takes over.
    let host = call.join(true);
    call.run(5);
    call.assert_agree(5);
    let leaf = call.session(host).own_leaf().unwrap();
    assert_eq!(call.session(first).roster().unwrap()[&leaf].role, Role::Host);
}

#[test]
fn at_an_open_meeting_an_admitter_lets_people_in_and_they_come_alone_if_it_does_not() {
    let mut call = Call::new(Mode::OpenLink, false, 3);
    let host = call.join(true);
    call.run(2);
    let guest = call.join(false);
    call.run(2);
    assert!(call.is_in(guest));
    assert_eq!(call.service.epoch(), Some(1), "by an Add");
    // The host's commits are lost.
    call.spoil = Some(Box::new(move |from, message| {
        let is_lost = from == host && matches!(message, ToServer::Commit(_));
        (!is_lost).then_some(message)
    }));
    let other = call.join(false);
    call.run_for(Duration::from_millis(2500));
    assert_eq!(*call.state(other), State::Knocking);
    call.run(3);
    assert!(call.is_in(other));
    call.spoil = None;
    call.run(15);
    call.assert_agree(3);
}

#[test]
fn whoever_is_turned_away_is_told_and_may_knock_again() {
    let mut call = Call::lobby(1);
    call.auto_admit = false;
    let guest = call.join(false);
    call.run(1);
    let knocks = call.session(0).knocks();
    assert_eq!(knocks.len(), 1);
    assert_eq!(knocks[0].id.0, u64::from(call.devices[guest].who.0));
    call.command(0, Command::Deny(knocks[0].id));
    call.run(1);
    assert_eq!(*call.state(guest), State::Failed(Failure::Denied));
    assert!(call.session(0).knocks().is_empty());
    call.command(guest, Command::Rejoin);
    call.run(1);
    let knock = call.session(0).knocks()[0].id;
    call.command(0, Command::Admit(knock));
    call.run(3);
    call.assert_agree(3);
}

#[test]
fn whoever_leaves_is_cut_at_once_and_removed_by_a_member() {
    let mut call = Call::lobby(3);
    let who = call.devices[2].who;
    call.command(2, Command::Leave);
    call.run_until(1, |call| !call.gates.contains_key(&who));
    assert_eq!(*call.state(2), State::Ended(End::Left));
    call.run(2);
    call.assert_agree(3);
}

#[test]
fn whoever_vanishes_is_removed_after_a_while() {
    let mut call = Call::lobby(2);
    call.lose(2);
    call.run(15);
    assert_eq!(call.members().len(), 3);
    call.run(10);
    call.assert_agree(2);
}

#[test]
fn whoever_is_kicked_is_cut_before_anybody_is_told_and_knows_it() {
    let mut call = Call::lobby(2);
    let (who, credential) = (call.devices[2].who, call.credential(2));
    call.said.clear();
    call.command(0, Command::Kick(credential));
    call.run_until(2, |call| !call.gates.contains_key(&who));
    let cut = |answer: &Answer| *answer == Answer::Gate(Gate::Close { who });
    let told =
        |answer: &Answer| matches!(answer, Answer::Send { message: ToDevice::Commit { .. }, .. });
    let cut = call.said.iter().position(cut).unwrap();
    assert!(cut < call.said.iter().position(told).unwrap());
    call.run(2);
    assert_eq!(*call.state(2), State::Removed);
    call.assert_agree(2);
    call.command(2, Command::Rejoin);
    call.run(3);
    call.assert_agree(3);
}

#[test]
fn nobody_comes_into_a_locked_meeting_until_it_is_unlocked() {
    for mode in [Mode::Lobby, Mode::OpenLink] {
        let mut call = Call::new(mode, false, 4);
        call.join(true);
        call.run(2);
        call.command(0, Command::Lock(true));
        call.run(2);
        let guest = call.join(false);
        call.run(30);
        assert_eq!(*call.state(guest), State::Knocking);
        assert!(call.session(0).order().unwrap().locked);
        call.command(0, Command::Lock(false));
        call.run(10);
        call.assert_agree(2);
    }
}

#[test]
fn a_mute_is_in_force_at_the_server_and_at_every_member() {
    let mut call = Call::lobby(2);
    let (who, credential) = (call.devices[1].who, call.credential(1));
    assert!(call.service.may_publish(who, TrackSource::Microphone));
    call.said.clear();
    call.command(0, Command::Mute(Mute::Microphone(credential), true));
    call.run(2);
    assert!(call.said.contains(&Answer::Order));
    assert!(!call.service.may_publish(who, TrackSource::Microphone));
    assert!(call.service.may_publish(who, TrackSource::Camera));
    let now = call.now();
    let track = Track::single(Source::Microphone);
    let sealed = call.session(1).seal(now, track, Codec::Opus, b"hello");
    assert_eq!(sealed, Err(NotSealed::Muted));
    let leaf = Leaf::try_from(call.session(1).own_leaf().unwrap()).unwrap();
    let expected = Expected { leaf, source: Source::Microphone, codec: Codec::Opus };
    assert_eq!(call.session(2).open(now, expected, b"any"), Err(Dropped::Muted));
    call.command(0, Command::Mute(Mute::Microphone(credential), false));
    call.run(2);
    assert!(call.service.may_publish(who, TrackSource::Microphone));
    call.assert_agree(3);
}

#[test]
fn what_someone_says_reaches_everybody_once_and_in_order() {
    let mut call = Call::lobby(2);
    let says = [
        Say::Chat("hello".to_owned()),
        Say::Hand(true),
        Say::Reaction(Reaction::Clap),
        Say::Hand(false),
    ];
    for say in says.clone() {
        call.command(1, Command::Say(say));
    }
    call.run(1);
    assert_eq!(call.heard(0), says);
    assert_eq!(call.heard(2), says);
}

#[test]
fn a_guest_who_loads_the_page_anew_is_let_in_anew_and_the_old_leaf_goes() {
    let mut call = Call::lobby(2);
    call.reload(1);
    call.run(30);
    call.assert_agree(3);
}

#[test]
fn the_last_admitter_loads_the_page_anew_comes_in_alone_and_removes_its_old_leaf() {
    let mut call = Call::lobby(2);
    let old = call.devices[0].who;
    call.reload(0);
    call.run(5);
    assert!(call.is_in(0));
    assert!(!call.gates.contains_key(&old), "before its socket is given up");
    call.assert_agree(3);
    let guest = call.join(false);
    call.run(3);
    assert!(call.is_in(guest));
}

#[test]
fn everybody_loads_the_page_anew_at_once() {
    for mode in [Mode::Lobby, Mode::OpenLink] {
        let mut call = Call::new(mode, false, 5);
        call.join(true);
        call.run(2);
        for _ in 0..4 {
            call.join(false);
        }
        call.run(8);
        call.assert_agree(5);
        for index in 0..5 {
            call.reload(index);
        }
        call.run(40);
        call.assert_agree(5);
    }
}

#[test]
fn a_meeting_that_nobody_is_left_in_is_founded_anew_by_a_host() {
    let mut call = Call::lobby(1);
    call.command(1, Command::Leave);
    call.run(2);
    call.auto_admit = false;
    let guest = call.join(false);
    call.run(1);
    assert_eq!(*call.state(guest), State::Knocking);
    let before = call.service.epoch();
    call.command(0, Command::Leave);
    call.run(1);
    assert_eq!(*call.state(guest), State::WaitingForHost);
    call.auto_admit = true;
    call.join(true);
    call.run(5);
    call.assert_agree(2);
    assert!(call.service.epoch() < before, "another group");
}

#[test]
fn who_was_away_for_a_moment_resumes_and_catches_up() {
    let mut call = Call::lobby(2);
    let before = call.session(1).epoch();
    call.lose(1);
    call.command(0, Command::Lock(true));
    call.run(2);
    call.command(0, Command::Lock(false));
    call.run(2);
    call.join(false);
    call.run(3);
    assert_eq!(call.session(1).epoch(), before);
    let who = call.devices[1].who;
    call.come_back(1);
    call.run(2);
    assert_eq!(call.devices[1].who, who, "it is who it was");
    call.assert_agree(4);
}

#[test]
fn who_stopped_knocking_while_an_admitter_was_away_does_not_keep_others_out() {
    let mut call = Call::lobby(0);
    call.auto_admit = false;
    let (gone, guest) = (call.join(false), call.join(false));
    call.run(1);
    call.auto_admit = true;
    call.lose(0);
    for knock in call.session(0).knocks() {
        call.command(0, Command::Admit(knock.id));
    }
    call.lose(gone);
    call.run(1);
    call.come_back(0);
    call.run(5);
    assert!(call.is_in(guest));
    call.assert_agree(2);
}

#[test]
fn who_was_away_too_long_comes_in_anew() {
    let mut call = Call::lobby(2);
    let (who, credential) = (call.devices[1].who, call.credential(1));
    call.lose(1);
    call.run(30);
    call.assert_agree(2);
    call.come_back(1);
    call.run(5);
    assert_ne!(call.devices[1].who, who);
    assert_ne!(call.credential(1), credential);
    call.assert_agree(3);
}

#[test]
fn a_restarted_server_goes_on_with_the_group() {
    let mut call = Call::lobby(3);
    call.command(0, Command::Lock(true));
    call.run(2);
    let before: Vec<_> = call.devices.iter().map(|device| device.who).collect();
    call.restart();
    call.run(2);
    for index in [2, 0, 3, 1] {
        call.come_back(index);
        call.run(1);
    }
    let after: Vec<_> = call.devices.iter().map(|device| device.who).collect();
    assert_eq!(before, after);
    call.run(2);
    call.assert_agree(4);
    call.command(0, Command::Lock(false));
    call.run(2);
    call.join(false);
    call.run(3);
    call.assert_agree(5);
}

#[test]
fn who_does_not_come_back_after_a_restart_is_removed() {
    let mut call = Call::lobby(3);
    call.restart();
    for index in [0, 1, 2] {
        call.come_back(index);
    }
    call.run(70);
    call.assert_agree(3);
}

#[test]
fn of_two_who_found_at_once_one_comes_into_the_others_group() {
    let mut call = Call::new(Mode::Lobby, false, 6);
    call.join(true);
    call.join(true);
    call.run(10);
    call.assert_agree(2);
}

#[test]
fn of_two_commits_at_once_both_take_effect_one_after_the_other() {
    let mut call = Call::lobby(3);
    let host = call.join(true);
    call.run(3);
    call.assert_agree(5);
    let (one, other) = (call.credential(1), call.credential(2));
    call.command(0, Command::Kick(one));
    call.command(host, Command::Kick(other));
    call.command(0, Command::Lock(true));
    call.run(5);
    call.assert_agree(3);
    assert!(call.session(host).order().unwrap().locked);
}

#[test]
fn thirty_who_come_at_once_are_let_in_by_few_commits() {
    let mut call = Call::new(Mode::Lobby, false, 7);
    call.join(true);
    call.run(2);
    for _ in 0..30 {
        call.join(false);
    }
    call.run(8);
    call.assert_agree(31);
    assert!(call.service.epoch() <= Some(6), "{:?}", call.service.epoch());
}

#[test]
fn a_commit_that_nobody_can_process_is_void_and_its_committer_comes_in_anew() {
    let mut call = Call::lobby(2);
    call.deaf.extend([1, 2]);
    call.said.clear();
    call.command(0, Command::Lock(true));
    call.run(1);
    let commit = call.said.iter().find_map(|answer| match answer {
        Answer::Send { message: ToDevice::Commit { commit }, .. } => Some(CommitHash::of(commit)),
        _ => None,
    });
    let commit = commit.unwrap();
    call.deaf.clear();
    for index in [1, 2] {
        let from = call.devices[index].who;
        call.ask(Ask::Nack { from, commit });
    }
    call.run(10);
    call.assert_agree(3);
    assert!(!call.session(1).order().unwrap().locked);
}

#[test]
fn who_alone_cannot_follow_comes_in_anew() {
    let mut call = Call::lobby(3);
    let credential = call.credential(2);
    call.deaf.insert(2);
    call.said.clear();
    call.command(0, Command::Lock(true));
    call.run(1);
    let commit = call.said.iter().find_map(|answer| match answer {
        Answer::Send { message: ToDevice::Commit { commit }, .. } => Some(CommitHash::of(commit)),
        _ => None,
    });
    call.deaf.clear();
    let from = call.devices[2].who;
    call.ask(Ask::Nack { from, commit: commit.unwrap() });
    call.command(0, Command::Lock(false));
    call.run(15);
    call.assert_agree(4);
    assert_ne!(call.credential(2), credential);
}

#[test]
fn a_welcome_that_is_lost_with_the_connection_comes_again() {
    let mut call = Call::lobby(1);
    let guest = call.join(false);
    let who = call.devices[guest].who;
    call.run_until(3, |call| call.gates.contains_key(&who));
    call.lose(guest);
    call.run(1);
    call.come_back(guest);
    call.run(2);
    assert_eq!(call.devices[guest].who, who);
    call.assert_agree(3);
}

#[test]
fn a_newcomer_who_never_says_that_it_is_in_comes_in_anew() {
    let mut call = Call::lobby(1);
    let guest = call.join(false);
    let who = call.devices[guest].who;
    call.deaf.insert(guest);
    call.run_until(3, |call| call.gates.contains_key(&who));
    call.deaf.clear();
    call.run(25);
    assert!(call.gates.contains_key(&who));
    call.run(15);
    call.assert_agree(3);
}

/// A lobby with another admitter, in which a guest was let in by a person and never entered.
fn let_in_and_never_there() -> (Call, usize) {
    let mut call = Call::lobby(1);
    call.auto_admit = false;
    let guest = call.join(false);
    call.deaf.insert(guest);
    call.run(1);
    let knock = call.session(0).knocks()[0].id;
    call.command(0, Command::Admit(knock));
    let who = call.devices[guest].who;
    call.run_until(3, |call| call.gates.contains_key(&who));
    call.deaf.clear();
    (call, guest)
}

#[test]
fn whom_a_person_let_in_comes_in_anew_without_a_second_decision() {
    let (mut call, guest) = let_in_and_never_there();
    let who = call.devices[guest].who;

    // The server gives it up, and it comes again.
    call.run_until(40, |call| !call.gates.contains_key(&who));
    call.run(10);

    assert!(call.is_in(guest));
    assert!(call.session(0).knocks().is_empty(), "nobody was asked again");
    call.assert_agree(3);
}

#[test]
fn whom_a_person_put_out_meanwhile_is_not_let_in_by_itself() {
    let (mut call, guest) = let_in_and_never_there();
    let who = call.devices[guest].who;
    call.run_until(40, |call| !call.gates.contains_key(&who));
    // Before its new knock is here.
    let newest = call.session(0).roster().unwrap().values().max_by_key(|person| person.leaf);
    let credential = newest.unwrap().credential;
    call.command(0, Command::Kick(credential));
    call.run(10);

    assert_eq!(*call.state(guest), State::Failed(Failure::Denied));
    assert!(call.session(0).knocks().is_empty(), "it was turned away");
    call.assert_agree(2);
}

#[test]
fn who_was_put_out_by_a_person_waits_for_a_person() {
    let mut call = Call::lobby(2);
    call.auto_admit = false;
    let credential = call.credential(2);
    call.command(0, Command::Kick(credential));
    call.run_until(5, |call| *call.state(2) == State::Removed);

    call.command(2, Command::Rejoin);
    call.run(10);

    assert_eq!(*call.state(2), State::Knocking);
    assert_eq!(call.session(0).knocks().len(), 1);
}

#[test]
fn a_host_who_is_silent_is_warned_of_and_then_sending_stops() {
    let mut call = Call::lobby(2);
    call.run(10);
    call.spoil = Some(Box::new(|from, message| {
        let is_lost = from == 0 && matches!(message, ToServer::App(_));
        (!is_lost).then_some(message)
    }));
    // The last heartbeat may be 10 s old.
    call.run(19);
    assert!(!call.warned(1, Warning::Silence));
    call.run(12);
    assert!(call.warned(1, Warning::Silence));
    assert_eq!(*call.state(1), State::InGroup);
    call.run(70);
    assert_eq!(*call.state(1), State::Suspended(Suspension::Silence));
    call.spoil = None;
    call.run(12);
    call.assert_agree(3);
}

#[test]
fn keys_are_renewed_every_five_minutes() {
    let mut call = Call::lobby(3);
    let first = call.service.epoch().unwrap();
    for minute in 0..30 {
        call.run(60);
        assert_eq!(call.members().len(), 4, "minute {minute}");
    }
    call.assert_agree(4);
    let epochs = call.service.epoch().unwrap() - first;
    assert!((5..=6).contains(&epochs), "{epochs}");
}

#[test]
fn whatever_happens_those_who_are_there_end_in_one_epoch_with_one_key() {
    for seed in 1..=12 {
        let mode = if seed % 2 == 0 { Mode::OpenLink } else { Mode::Lobby };
        let mut call = Call::new(mode, mode == Mode::OpenLink, seed);
        call.join(true);
        call.run(1);
        let mut gone = Vec::new();
        for _ in 0..40 {
            let count = call.devices.len();
            let index = usize::try_from(call.random()).unwrap() % count;
            let is_there = call.devices[index].is_online && !gone.contains(&index);
            match call.random() % 14 {
                0..3 if count < 8 => drop(call.join(false)),
                3 if is_there => call.reload(index),
                4 | 5 if is_there => call.lose(index),
                6 | 7 if !is_there && !gone.contains(&index) => call.come_back(index),
                8 if is_there && index != 0 => {
                    call.command(index, Command::Leave);
                    gone.push(index);
                }
                9 if is_there && index != 0 && call.is_in(index) => {
                    let credential = call.credential(index);
                    call.command(0, Command::Kick(credential));
                }
                10 => {
                    let locked = call.random().is_multiple_of(2);
                    call.command(0, Command::Lock(locked));
                }
                11 => call.command(index, Command::Say(Say::Hand(true))),
                12 if call.random().is_multiple_of(4) => {
                    call.restart();
                }
                _ => {}
            }
            let wait = Duration::from_millis(call.random() % 4000);
            call.run_for(wait);
        }
        let there: Vec<_> = (0..call.devices.len()).filter(|i| !gone.contains(i)).collect();
        for &index in &there {
            if !call.devices[index].is_online {
                call.come_back(index);
            }
        }
        call.run(5);
        call.command(0, Command::Lock(false));
        call.run(60);
        for &index in &there {
            if matches!(call.state(index), State::Removed | State::Suspended(_)) {
                call.command(index, Command::Rejoin);
            }
        }
        call.run(60);
        call.assert_agree(there.len());
    }
}
