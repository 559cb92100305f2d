use std::time::Duration;

use conclave_commit_rules::Mode;
use conclave_delivery::{
    CommitHash, CommitRefusal, DeliveryService, ENTER_WITHIN, FoundRefusal, Input, NACK_WINDOW,
    Output, RequestRefusal, Snapshot, ToDevice, VANISH_AFTER,
};
use conclave_mls::Group;
use conclave_model::ParticipantId;

use crate::world::{HOST, KeyPair, World, guest, key_package_of, proposal_key, unix_now};

const TWO: ParticipantId = ParticipantId(2);
const THREE: ParticipantId = ParticipantId(3);
const FOUR: ParticipantId = ParticipantId(4);
const FIVE: ParticipantId = ParticipantId(5);

#[test]
fn a_host_founds_and_admits_and_all_are_at_their_leaves() {
    let mut world = World::new(Mode::Lobby);
    let members = world.meeting(3);
    assert_eq!(world.service.epoch(), Some(1));
    assert_eq!(
        world.open.iter().map(|(w, l)| (w.0, *l)).collect::<Vec<_>>(),
        [(1, 0), (2, 1), (3, 2), (4, 3)]
    );
    assert!(world.persisted >= 2);
    for member in &members {
        assert_eq!(member.fork_mark(), members[0].fork_mark());
    }
}

#[test]
fn whoever_waits_in_the_lobby_is_sent_nothing_and_gets_no_media_and_no_tree() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    world.knock(FIVE);
    let outgoing = members[1].update(unix_now()).unwrap();
    world.submit(TWO, &outgoing);
    members[1].confirm().unwrap();
    let message = members[1].send(b"hello").unwrap();
    world.give(Input::App { from: TWO, message });
    world.give(Input::Leave { who: THREE });
    assert_eq!(world.take(FIVE), []);
    world.give(Input::FetchGroup { from: FIVE });
    world.give(Input::LogSince { from: FIVE, epoch: 0 });
    world.give(Input::Ready { from: FIVE, epoch: 1 });
    let refused = |why| ToDevice::Refused { why };
    assert_eq!(world.take(FIVE), [refused(RequestRefusal::NotAllowed), ToDevice::KnockAgain]);
    assert!(!world.open.contains_key(&FIVE));
}

#[test]
fn a_knock_is_told_to_admitters_only_and_withdrawn_with_its_socket() {
    let mut world = World::new(Mode::Lobby);
    world.meeting(2);
    world.knock(FIVE);
    assert_eq!(world.take(TWO), []);
    assert!(matches!(world.take(HOST)[..], [ToDevice::Knock { from: FIVE, .. }]));
    world.give(Input::Disconnected { who: FIVE });
    assert_eq!(world.take(HOST), [ToDevice::KnockGone { from: FIVE }]);
    world.knock(FIVE);
    world.take(HOST);
    world.give(Input::Deny { from: TWO, knocker: FIVE });
    assert_eq!(world.take(FIVE), []);
    world.give(Input::Deny { from: HOST, knocker: FIVE });
    assert_eq!(world.take(FIVE), [ToDevice::Denied]);
}

#[test]
fn the_first_commit_of_an_epoch_wins_and_the_second_is_told() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    let (one, other) =
        (members[1].update(unix_now()).unwrap(), members[2].update(unix_now()).unwrap());
    world.submit(THREE, &other);
    world.submit(TWO, &one);
    let received = world.take(TWO);
    let [ToDevice::Commit { .. }, ToDevice::Rejected { epoch: 1, why: CommitRefusal::Epoch }] =
        &received[..]
    else {
        panic!("{received:?}")
    };
    members[1].discard();
    let ToDevice::Commit { commit, .. } = &received[0] else { panic!() };
    members[1].receive(unix_now(), commit, guest).unwrap();
    world.sync(THREE, &mut members[2]);
    world.sync(HOST, &mut members[0]);
    assert!(members.iter().all(|member| member.fork_mark() == members[0].fork_mark()));
}

#[test]
fn a_member_that_commits_all_the_time_does_not_keep_an_add_from_coming_through() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    let newcomer = world.knock(FIVE);
    let knock = key_package_of(&world.take(HOST)[0]);
    let spam = members[1].update(unix_now()).unwrap();
    world.submit(TWO, &spam);
    for _ in 0..1000 {
        world.pass(Duration::from_millis(1));
        world.submit(TWO, &spam);
    }
    let received = world.take(TWO);
    let is_kept_back =
        |m: &&ToDevice| matches!(m, ToDevice::Rejected { why: CommitRefusal::TooSoon, .. });
    assert!(received.iter().filter(is_kept_back).count() > 980);
    world.sync(HOST, &mut members[0]);
    let verified = members[0].verify(&knock, guest).unwrap();
    let outgoing = members[0].admit(unix_now(), vec![verified]).unwrap();
    world.submit(HOST, &outgoing);
    world.enter(FIVE, newcomer);
}

#[test]
fn a_device_that_knocks_all_the_time_is_not_told_to_admitters_each_time() {
    let mut world = World::new(Mode::Lobby);
    world.meeting(1);
    world.connect(FIVE);
    for _ in 0..100 {
        let key_package = world.device().key_package(unix_now()).unwrap();
        world.give(Input::Knock { from: FIVE, key_package });
    }
    let told = world.take(HOST);
    assert!(told.iter().filter(|m| matches!(m, ToDevice::Knock { .. })).count() < 10);
    assert!(world.take(FIVE).contains(&ToDevice::Refused { why: RequestRefusal::TooOften }));
}

#[test]
fn adds_follow_each_other_no_more_quickly_than_the_group_can_bear() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    let newcomer = world.knock(FIVE);
    let knock = key_package_of(&world.take(HOST)[0]);
    let verified = members[0].verify(&knock, guest).unwrap();
    let outgoing = members[0].admit(unix_now(), vec![verified]).unwrap();
    world.submit(HOST, &outgoing);
    let why = CommitRefusal::TooSoon;
    assert_eq!(world.take(HOST), [ToDevice::Rejected { epoch: 1, why }]);
    world.pass(Duration::from_secs(1));
    world.submit(HOST, &outgoing);
    world.enter(FIVE, newcomer);
}

#[test]
fn a_newcomer_that_cannot_open_its_welcome_and_one_that_never_says_so_come_in_anew() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    world.knock(FIVE);
    world.knock(FOUR);
    let knocks: Vec<_> = world.take(HOST).iter().map(key_package_of).collect();
    let verified = knocks.iter().map(|k| members[0].verify(k, guest).unwrap()).collect();
    let outgoing = members[0].admit(unix_now(), verified).unwrap();
    world.pass(Duration::from_secs(1));
    world.submit(HOST, &outgoing);
    assert!(world.open.contains_key(&FIVE) && world.open.contains_key(&FOUR));
    world.give(Input::Nack { from: FIVE, commit: CommitHash([0; 32]) });
    assert!(world.take(FIVE).contains(&ToDevice::KnockAgain));
    assert!(!world.open.contains_key(&FIVE));
    assert!(world.open.contains_key(&FOUR));
    world.pass(ENTER_WITHIN);
    assert!(world.take(FOUR).contains(&ToDevice::KnockAgain));
    assert!(!world.open.contains_key(&FOUR));
}

#[test]
fn all_are_told_once_when_all_who_are_there_have_an_epochs_keys() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    assert_eq!(world.all_ready, [(HOST, 0)].into());
    world.give(Input::Ready { from: HOST, epoch: 1 });
    assert_eq!(world.all_ready, [(HOST, 1), (TWO, 1), (THREE, 1)].into());
    let outgoing = members[1].update(unix_now()).unwrap();
    world.submit(TWO, &outgoing);
    world.sync(HOST, &mut members[0]);
    world.sync(TWO, &mut members[1]);
    assert_eq!(world.all_ready[&HOST], 1, "one is missing");
    world.give(Input::Disconnected { who: THREE });
    assert_eq!(world.all_ready[&HOST], 2);
}

#[test]
fn whoever_is_at_the_door_knows_whether_there_is_a_group_and_an_admitter() {
    let mut world = World::new(Mode::Lobby);
    world.connect(FIVE);
    assert_eq!(world.meetings[&FIVE], (false, false));
    world.meeting(1);
    assert_eq!(world.meetings[&FIVE], (true, true));
    world.give(Input::Disconnected { who: HOST });
    assert_eq!(world.meetings[&FIVE], (true, false));
    assert_eq!(world.meetings.get(&TWO), Some(&(true, true)), "members are not told");
    world.give(Input::Leave { who: TWO });
    world.pass(VANISH_AFTER);
    assert_eq!(world.meetings[&FIVE], (false, false));
}

#[test]
fn a_second_group_is_refused() {
    let mut world = World::new(Mode::Lobby);
    world.meeting(1);
    let device = world.host_device();
    let order = Default::default();
    let group = Group::found(device, &order, world.server, [2; 16], unix_now()).unwrap();
    world.connect(FIVE);
    let (group_info, tree) = (group.group_info().unwrap(), group.tree().unwrap());
    world.give(Input::Found { from: FIVE, group_info, tree });
    assert_eq!(world.take(FIVE), [ToDevice::FoundRefused { why: FoundRefusal::Exists }]);
}

#[test]
fn messages_are_passed_on_in_one_order_to_members_only() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    for text in [b"one", b"two"] {
        let message = members[1].send(text).unwrap();
        world.give(Input::App { from: TWO, message });
    }
    let received = world.take(HOST);
    assert!(matches!(received[..], [ToDevice::App { .. }, ToDevice::App { .. }]));
    assert_eq!(world.take(THREE), received);
    assert_eq!(world.take(TWO), []);
    world.give(Input::App { from: TWO, message: b"in the clear".to_vec() });
    let why = RequestRefusal::Malformed;
    assert_eq!(world.take(TWO), [ToDevice::Refused { why }]);
}

#[test]
fn whoever_vanishes_is_proposed_for_removal_cut_and_removed() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(3);
    world.give(Input::Disconnected { who: FOUR });
    world.pass(VANISH_AFTER / 2);
    assert!(world.open.contains_key(&FOUR), "it may come back");
    world.pass(VANISH_AFTER / 2);
    assert!(!world.open.contains_key(&FOUR));
    let received = world.take(HOST);
    let [ToDevice::Proposal { proposal }] = &received[..] else { panic!("{received:?}") };
    members[0].receive(unix_now(), proposal, guest).unwrap();
    let outgoing = members[0].commit_pending(unix_now()).unwrap();
    world.submit(HOST, &outgoing);
    members.pop();
    world.sync_all(&mut members);
    assert_eq!(members[2].members().unwrap().len(), 3);
    assert!(members.iter().all(|member| member.fork_mark() == members[0].fork_mark()));
    world.pass(Duration::from_secs(60));
    assert!(world.inbox.is_empty(), "nothing is left to do: {:?}", world.inbox);
}

#[test]
fn a_commit_that_all_refuse_is_void_and_its_committer_goes() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(3);
    let outgoing = members[3].update(unix_now()).unwrap();
    world.submit(FOUR, &outgoing);
    assert_eq!(world.service.epoch(), Some(2));
    world.inbox.clear();
    let commit = CommitHash::of(&outgoing.commit);
    for from in [HOST, TWO, THREE] {
        world.give(Input::Nack { from, commit });
    }
    assert_eq!(world.service.epoch(), Some(1));
    assert!(!world.open.contains_key(&FOUR));
    let received = world.take(HOST);
    let [ToDevice::Voided { epoch: 1 }, ToDevice::Proposal { proposal }] = &received[..] else {
        panic!("{received:?}")
    };
    assert!(world.take(FOUR).contains(&ToDevice::KnockAgain), "it alone is in another epoch");
    // The others never left the epoch: the removal is valid in it, and so is its commit.
    members[0].receive(unix_now(), proposal, guest).unwrap();
    let outgoing = members[0].commit_pending(unix_now()).unwrap();
    world.submit(HOST, &outgoing);
    members.pop();
    world.sync_all(&mut members);
    assert_eq!(members[1].members().unwrap().len(), 3);
    assert_eq!(members[1].fork_mark(), members[2].fork_mark());
}

#[test]
fn who_alone_cannot_process_a_commit_comes_in_anew_and_the_others_go_on() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(3);
    let outgoing = members[0].update(unix_now()).unwrap();
    world.submit(HOST, &outgoing);
    let commit = CommitHash::of(&outgoing.commit);
    world.take(FOUR);
    world.give(Input::Nack { from: FOUR, commit });
    for who in [1, 2, 3] {
        world.sync(ParticipantId(who), &mut members[usize::try_from(who).unwrap() - 1]);
    }
    assert_eq!(world.service.epoch(), Some(2));
    assert_eq!(world.take(FOUR), [ToDevice::KnockAgain]);
    assert!(world.open.contains_key(&HOST), "one refusal removes no host");

    world.pass(Duration::from_secs(1));
    // It knocks with a new device; one commit removes the old leaf and adds the new one.
    let device = world.device();
    let key_package = device.key_package(unix_now()).unwrap();
    world.give(Input::Knock { from: FOUR, key_package });
    let received = world.inbox.get(&HOST).unwrap().clone();
    let knock = received.iter().find(|m| matches!(m, ToDevice::Knock { .. })).unwrap();
    let knock = key_package_of(knock);
    world.sync(HOST, &mut members[0]);
    let verified = members[0].verify(&knock, guest).unwrap();
    let outgoing = members[0].admit(unix_now(), vec![verified]).unwrap();
    world.submit(HOST, &outgoing);
    members[3] = world.enter(FOUR, device);
    members[..3].iter_mut().zip(1..).for_each(|(m, who)| world.sync(ParticipantId(who), m));
    assert_eq!(members[3].members().unwrap().len(), 4);
    assert!(members.iter().all(|member| member.fork_mark() == members[0].fork_mark()));
    assert!(world.open.contains_key(&FOUR));
}

#[test]
fn a_commit_that_only_some_refuse_within_the_time_is_not_undone() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(3);
    let outgoing = members[3].update(unix_now()).unwrap();
    world.submit(FOUR, &outgoing);
    let commit = CommitHash::of(&outgoing.commit);
    world.give(Input::Nack { from: HOST, commit });
    world.give(Input::Nack { from: TWO, commit });
    world.pass(NACK_WINDOW);
    assert_eq!(world.service.epoch(), Some(2));
    assert!(world.take(HOST).contains(&ToDevice::KnockAgain));
    assert!(!world.open.contains_key(&FOUR), "most could not follow: the committer goes too");
    assert!(world.open.contains_key(&THREE));
}

#[test]
fn a_member_that_was_away_resumes_with_its_leafs_key_and_catches_up_from_the_log() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(3);
    world.give(Input::Disconnected { who: THREE });
    world.give(Input::Leave { who: FOUR });
    members.pop();
    world.sync(HOST, &mut members[0]);
    let outgoing = members[0].commit_pending(unix_now()).unwrap();
    world.submit(HOST, &outgoing);
    world.sync(HOST, &mut members[0]);
    world.sync(TWO, &mut members[1]);
    let outgoing = members[1].update(unix_now()).unwrap();
    world.submit(TWO, &outgoing);
    world.sync(HOST, &mut members[0]);
    world.sync(TWO, &mut members[1]);
    assert_eq!(world.take(THREE), []);

    let resume = Input::Resume { who: THREE, challenge: [5; 32], signature: vec![0; 64] };
    world.give(resume);
    assert_eq!(world.take(THREE), [ToDevice::Refused { why: RequestRefusal::NotMember }]);
    let snapshot = world.service.snapshot().unwrap();
    assert_eq!(format!("{snapshot:?}"), "Snapshot(..)");

    // Its leaf's key is the device's own; the log is what the test is about.
    let bytes = snapshot.to_bytes().unwrap();
    let again = Snapshot::from_bytes(&bytes).unwrap();
    assert_eq!(again, snapshot);
    let restore = |key| {
        DeliveryService::restore(world.constitution.clone(), key, &again, world.now, unix_now())
    };
    assert_eq!(restore(world.proposal_key()).unwrap().epoch(), Some(3));
    let other = KeyPair::new(openmls::prelude::SignatureScheme::ED25519).unwrap();
    assert!(restore(proposal_key(other)).is_err(), "members would take no removal of it");

    world.give(Input::LogSince { from: TWO, epoch: 1 });
    let received = world.take(TWO);
    let [ToDevice::Log { messages }] = &received[..] else { panic!("{received:?}") };
    for message in messages {
        members[2].receive(unix_now(), message, guest).unwrap();
    }
    assert_eq!(members[2].fork_mark(), members[0].fork_mark());
    world.give(Input::LogSince { from: TWO, epoch: 9 });
    assert_eq!(world.take(TWO), [ToDevice::KnockAgain]);
}

#[test]
fn a_host_comes_back_by_an_external_commit_into_a_lobby() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    let device = world.host_device();
    world.connect(FIVE);
    let key_package = device.key_package(unix_now()).unwrap();
    world.give(Input::Knock { from: FIVE, key_package });
    world.give(Input::FetchGroup { from: FIVE });
    let received = world.take(FIVE);
    let [ToDevice::Group { group_info, tree, .. }] = &received[..] else { panic!("{received:?}") };
    let rejoining = Group::rejoin(device, group_info, tree).unwrap();
    let outgoing = rejoining.outgoing().clone();
    world.submit(FIVE, &outgoing);
    assert!(matches!(world.take(FIVE)[..], [ToDevice::Accepted { epoch: 1 }]));
    let back = rejoining.confirm();
    world.sync(TWO, &mut members[1]);
    assert_eq!(back.fork_mark(), members[1].fork_mark());
    assert_eq!(world.open.get(&FIVE), Some(&2));
}

#[test]
fn a_member_that_confirms_an_epoch_costs_no_list_of_all_the_others() {
    let mut world = World::new(Mode::Lobby);
    world.meeting(3);
    let World { service, now, .. } = &mut world;

    let info = allocation_counter::measure(|| {
        service.handle_input(*now, Input::Ready { from: THREE, epoch: 1 });
        assert!(matches!(service.poll_output(), Output::Timeout(_)));
    });

    assert_eq!(info.count_total, 0);
}
