//! What a member does that is not to the rules, alone and with the server's help.

use conclave_commit_rules::{Mute, Order, Refusal, Role};
use conclave_e2ee::{Command, NotSealed, Say, State};
use conclave_mls::Stop;
use conclave_wire::{GroupNews, GroupRequest, MlsBytes, ServerMessage};

use crate::evil::{Mallory, Parts};
use crate::scenarios::scenarios;
use crate::world::{World, good_lifetime};

scenarios! {
    "I4": add_without_the_links_secret, add_with_another_secret, guest_lets_someone_in,
        admitter_lets_someone_into_a_locked_meeting, add_without_a_knock;
    "I3": guest_removes_the_host, guest_unlocks_the_meeting, guest_makes_itself_co_host,
        co_host_rewrites_the_constitution, credential_swapped_in_a_commit,
        name_swapped_in_a_commit, muted_member_writes_all_the_same,
        message_under_a_name_of_the_servers_choice;
    "I9": commit_that_only_members_see_to_be_wrong, commit_spam, empty_commits,
        garbage_as_commits, oversized_message;
}

/// A host, a guest, and Mallory as the third.
fn with_mallory(role: Role) -> (World, Mallory, usize) {
    let mut world = World::meeting(1);
    let mut mallory = Mallory::new(&world.constitution, 200, true);
    let index = world.join_mallory(&mallory);
    world.let_in(index, &mut mallory);
    world.run(3);
    if role != Role::Guest {
        world.appoint(index, &mut mallory, role);
    }
    world.assert_agree();
    (world, mallory, index)
}

/// Refused by the server; and where the server helps, by the victim's device, which stops.
#[track_caller]
fn assert_refused(mut world: World, index: usize, parts: &Parts, refusal: Refusal) {
    let epoch = world.clients[0].session.epoch();
    world.upload(index, parts);
    world.run(2);
    assert_eq!(world.clients[0].session.epoch(), epoch, "the honest server orders no such commit");
    let refused = world.clients[index].received.iter().any(|message| {
        matches!(message, ServerMessage::Group { news: GroupNews::Rejected { .. } })
    });
    assert!(refused);
    assert_eq!(*world.state(1), State::InGroup);

    world.tell_group(1, GroupNews::Commit { commit: MlsBytes::new(parts.commit.clone()) });
    world.run(1);
    assert_eq!(*world.state(1), State::Refused(Stop::Refused(refusal)));
    assert_eq!(world.clients[1].session.epoch(), epoch);
    assert_eq!(world.seal(1), Err(NotSealed::Stopped));
}

/// Someone whom Mallory would let in, at the door, with the key package that the server saw.
fn friend_at_the_door(world: &mut World) -> Vec<u8> {
    world.admits = false;
    let friend = Mallory::new(&world.constitution, 201, true);
    world.join_mallory(&friend);
    world.run(1);
    let told = world.clients[0].received.iter().rev().find_map(|message| match message {
        ServerMessage::Group { news: GroupNews::Knock { key_package, .. } } => {
            Some(key_package.as_bytes().to_vec())
        }
        _ => None,
    });
    told.unwrap()
}

fn add_without_the_links_secret() {
    let (mut world, mut mallory, index) = with_mallory(Role::Admitter);
    let package = friend_at_the_door(&mut world);
    let parts = mallory.commit(&[package], Vec::new(), None);
    assert_refused(world, index, &parts, Refusal::NoLinkSecret);
}

fn add_with_another_secret() {
    let (mut world, mut mallory, index) = with_mallory(Role::Admitter);
    let package = friend_at_the_door(&mut world);
    let id = b"another".to_vec();
    openmls::schedule::psk::PreSharedKeyId::external(id.clone(), Vec::new())
        .store(&mallory.provider, &[1; 32])
        .unwrap();
    let psk = mallory.psk(Some(id));
    let parts = mallory.commit(&[package], vec![psk], None);
    let epoch = world.clients[0].session.epoch();
    world.upload(index, &parts);
    world.run(2);
    assert_eq!(world.clients[0].session.epoch(), epoch);
    // A victim that the server shows it all the same does not know that secret, so it cannot even
    // look inside: it stops and says so.
    world.tell_group(1, GroupNews::Commit { commit: MlsBytes::new(parts.commit) });
    world.run(1);
    assert!(matches!(world.state(1), State::Stranded { .. } | State::Refused(_)));
    assert_eq!(world.clients[1].session.epoch(), epoch);
    assert_eq!(world.seal(1), Err(NotSealed::Stopped));
}

fn guest_lets_someone_in() {
    let (mut world, mut mallory, index) = with_mallory(Role::Guest);
    let package = friend_at_the_door(&mut world);
    let psk = mallory.psk(None);
    let parts = mallory.commit(&[package], vec![psk], None);
    assert_refused(world, index, &parts, Refusal::NotAdmitter);
}

fn admitter_lets_someone_into_a_locked_meeting() {
    let (mut world, mut mallory, index) = with_mallory(Role::Admitter);
    let package = friend_at_the_door(&mut world);
    world.command(0, Command::Lock(true));
    world.run(2);
    world.keep_up(index, &mut mallory);
    let psk = mallory.psk(None);
    let parts = mallory.commit(&[package], vec![psk], None);
    assert_refused(world, index, &parts, Refusal::Locked);
}

/// An admitter adds a device that never knocked: the server has nobody to give the Welcome to.
fn add_without_a_knock() {
    let (mut world, mut mallory, index) = with_mallory(Role::Admitter);
    let friend = Mallory::new(&world.constitution, 201, true);
    let package = friend.key_package(None, good_lifetime());
    let psk = mallory.psk(None);
    let parts = mallory.commit(&[package], vec![psk], None);
    let epoch = world.clients[0].session.epoch();
    world.upload(index, &parts);
    world.run(2);
    assert_eq!(world.clients[0].session.epoch(), epoch);
    world.assert_agree();
}

fn guest_removes_the_host() {
    let (world, mut mallory, index) = with_mallory(Role::Guest);
    let parts = mallory.remove(world.leaf(0));
    assert_refused(world, index, &parts, Refusal::NotRemover);
}

fn guest_unlocks_the_meeting() {
    let (mut world, mut mallory, index) = with_mallory(Role::Guest);
    world.command(0, Command::Lock(true));
    world.run(2);
    world.keep_up(index, &mut mallory);
    let constitution = world.constitution.clone();
    let context = mallory.context(&constitution, &Order::default());
    let parts = mallory.commit(&[], Vec::new(), Some(context));
    assert_refused(world, index, &parts, Refusal::NotHost);
}

fn guest_makes_itself_co_host() {
    let (world, mut mallory, index) = with_mallory(Role::Guest);
    let mut order = world.clients[0].session.order().unwrap().clone();
    order.appoint(mallory.credential, Role::CoHost);
    let constitution = world.constitution.clone();
    let context = mallory.context(&constitution, &order);
    let parts = mallory.commit(&[], Vec::new(), Some(context));
    assert_refused(world, index, &parts, Refusal::NotHost);
}

fn co_host_rewrites_the_constitution() {
    let (world, mut mallory, index) = with_mallory(Role::CoHost);
    let mut constitution = world.constitution.clone();
    constitution.mode = conclave_commit_rules::Mode::OpenLink;
    let order = world.clients[0].session.order().unwrap().clone();
    let context = mallory.context(&constitution, &order);
    let parts = mallory.commit(&[], Vec::new(), Some(context));
    assert_refused(world, index, &parts, Refusal::Context);
}

fn credential_swapped_in_a_commit() {
    let (world, mut mallory, index) = with_mallory(Role::Guest);
    let parts = mallory.become_another(true);
    assert_refused(world, index, &parts, Refusal::IdentityChanged);
}

fn name_swapped_in_a_commit() {
    let (world, mut mallory, index) = with_mallory(Role::Guest);
    let parts = mallory.become_another(false);
    assert_refused(world, index, &parts, Refusal::IdentityChanged);
}

fn muted_member_writes_all_the_same() {
    let (mut world, mut mallory, index) = with_mallory(Role::Guest);
    world.command(0, Command::Mute(Mute::Chat(mallory.credential), true));
    world.run(2);
    world.keep_up(index, &mut mallory);
    let heard = world.heard(1);
    let body = br#"{"n":1,"body":{"type":"say","body":{"kind":"chat","what":"spam"}}}"#;
    let message = mallory.say(body);
    world.request(index, GroupRequest::App { message: MlsBytes::new(message) });
    world.run(2);
    assert_eq!(world.heard(1), heard, "nobody shows it");
    // Allowed again, the same words arrive: it was the mute that kept them out.
    world.command(0, Command::Mute(Mute::Chat(mallory.credential), false));
    world.run(2);
    world.keep_up(index, &mut mallory);
    let body = br#"{"n":2,"body":{"type":"say","body":{"kind":"chat","what":"spam"}}}"#;
    let message = mallory.say(body);
    world.request(index, GroupRequest::App { message: MlsBytes::new(message) });
    world.run(2);
    assert_eq!(world.heard(1), heard + 1);
}

/// Names come from leaves: there is no message by which the server could give one.
fn message_under_a_name_of_the_servers_choice() {
    let mut world = World::meeting(2);
    let before = world.names(1);
    world.evil = Some(Box::new(|_, message| match message {
        ServerMessage::Admitted { mut admitted } => {
            admitted.others.iter_mut().for_each(|other| other.leaf ^= 1);
            vec![ServerMessage::Admitted { admitted }]
        }
        ServerMessage::Roster { mut present, left } => {
            present.iter_mut().for_each(|other| other.leaf ^= 1);
            vec![ServerMessage::Roster { present, left }]
        }
        other => vec![other],
    }));
    let newcomer = world.join(false);
    world.run(4);
    world.command(2, Command::Say(Say::Chat("it is I".to_owned())));
    world.run(2);
    let own = world.names(2).get(&world.leaf(2)).cloned();
    let said = world.clients[1].events.iter().rev().find_map(|event| match event {
        conclave_e2ee::Event::Said(said) => Some(said.name.clone()),
        _ => None,
    });
    assert_eq!(said, own);
    let after = world.names(1);
    assert!(before.iter().all(|(leaf, name)| after.get(leaf) == Some(name)));
    assert_eq!(world.names(newcomer), after);
}

fn commit_that_only_members_see_to_be_wrong() {
    let (mut world, mut mallory, index) = with_mallory(Role::Guest);
    let parts = mallory.broken();
    world.upload(index, &parts);
    world.run(12);
    // Void, or followed by nobody: in any case the group goes on, without Mallory.
    world.assert_agree();
    for victim in [0, 1] {
        assert_eq!(*world.state(victim), State::InGroup, "{victim}");
        assert_eq!(world.names(victim).len(), 2, "the committer is out");
        assert!(world.seal(victim).is_ok());
    }
}

fn commit_spam() {
    let (mut world, mut mallory, index) = with_mallory(Role::Guest);
    let newcomer = world.join(false);
    // A thousand a second, while someone is to be let in.
    for _ in 0..20 {
        let parts = mallory.commit(&[], Vec::new(), None);
        for _ in 0..50 {
            world.upload(index, &parts);
        }
        world.step(50);
        world.keep_up(index, &mut mallory);
    }
    world.run(4);
    assert_eq!(*world.state(newcomer), State::InGroup);
    world.assert_agree();
}

fn empty_commits() {
    let (mut world, mut mallory, index) = with_mallory(Role::Guest);
    let first = mallory.commit(&[], Vec::new(), None);
    world.upload(index, &first);
    world.run(2);
    let epoch = world.clients[0].session.epoch();
    // Mallory's own commit is not merged by Mallory: it made it and stays behind. Another from the
    // same leaf is refused by the clock of the server.
    world.upload(index, &first);
    world.run(2);
    assert_eq!(world.clients[0].session.epoch(), epoch);
    world.assert_agree();
}

fn garbage_as_commits() {
    let (mut world, mut mallory, index) = with_mallory(Role::Guest);
    let good = mallory.commit(&[], Vec::new(), None);
    for cut in [0, 1, 7, good.commit.len() / 2, good.commit.len() - 1] {
        let commit = good.commit[..cut].to_vec();
        let parts = Parts { commit: commit.clone(), ..good.clone() };
        world.upload(index, &parts);
        world.tell_group(1, GroupNews::Commit { commit: MlsBytes::new(commit.clone()) });
        world.tell_group(1, GroupNews::App { message: MlsBytes::new(commit.clone()) });
        world.tell_group(1, GroupNews::Proposal { proposal: MlsBytes::new(commit) });
    }
    world.run(3);
    world.assert_agree();
    assert_eq!(world.names(0).len(), 3);
    // The guest may have to ask for what it could not read; it is not split from the others.
    world.input(1, conclave_e2ee::Input::Connected);
    world.run(3);
    world.assert_agree();
    assert_eq!(*world.state(1), State::InGroup);
}

fn oversized_message() {
    let (mut world, mut mallory, index) = with_mallory(Role::Guest);
    let message = mallory.say(&vec![b'x'; conclave_delivery::MAX_APP_LEN + 1]);
    let before = world.clients[1].received.len();
    world.request(index, GroupRequest::App { message: MlsBytes::new(message) });
    world.step(200);
    let got = world.clients[1].received[before..].iter().any(|message| {
        matches!(message, ServerMessage::Group { news: GroupNews::App { message } }
            if message.as_bytes().len() > conclave_delivery::MAX_APP_LEN)
    });
    assert!(!got);
    world.assert_agree();
}
