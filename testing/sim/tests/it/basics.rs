use conclave_model::TrackSource::{Camera, Microphone};
use conclave_sim::{DeviceSetup, LinkSetup, World};
use conclave_wire::ServerMessage;

use crate::{all_meet, meets, secs};

#[test]
fn three_participants_see_and_hear_each_other() {
    let mut world = World::new();
    let people = [(); 3].map(|()| world.add(DeviceSetup::USUAL));
    world.run_until(secs(5), "all together", |world| all_meet(world, &people));

    world.restart_counts();
    world.run(secs(10));

    for a in people {
        for b in people.into_iter().filter(|&b| b != a) {
            let sound = world.observed(a, b, Microphone);
            assert!(sound.frames >= 495, "500 sent: {sound:?}");
            let picture = world.observed(a, b, Camera);
            assert!(picture.frames >= 290, "300 sent: {picture:?}");
            assert!(picture.undecodable == 0, "{picture:?}");
            assert!(picture.longest_gap <= secs(1) / 5, "{picture:?}");
        }
    }
}

#[test]
fn who_joins_late_is_met_within_two_seconds() {
    let mut world = World::new();
    let ada = world.add(DeviceSetup::USUAL);
    let ben = world.add(DeviceSetup::USUAL);
    world.run(secs(10));

    let carla = world.add(DeviceSetup::USUAL);

    world.run_until(secs(2), "all together", |world| all_meet(world, &[ada, ben, carla]));
}

#[test]
fn who_leaves_and_comes_back_uses_the_same_slots() {
    let mut world = World::new();
    let ada = world.add(DeviceSetup { video_slots: 1, audio_slots: 1, ..DeviceSetup::USUAL });
    for round in 0..4 {
        let guest = world.add(DeviceSetup::USUAL);
        world.run_until(secs(5), "there", |world| meets(world, ada, guest));
        world.run(secs(2));
        assert_eq!(world.report(ada).generations, 1, "nothing is negotiated again");
        assert!(world.observed(ada, guest, Camera).undecodable <= 3, "round {round}");

        world.leave(guest);
        world.run_until(secs(2), "gone", |world| world.report(ada).others == 0);
    }
    let stats = world.node_stats();
    assert_eq!((stats.peers, stats.publications), (1, 2), "what left is forgotten");
}

#[test]
fn who_vanishes_is_told_gone_and_others_go_on() {
    let mut world = World::new();
    let people = [(); 3].map(|()| world.add(DeviceSetup::USUAL));
    world.run_until(secs(5), "all together", |world| all_meet(world, &people));
    let [ada, ben, carla] = people;

    world.cut(carla);
    world.restart_counts();
    world.run(secs(20));

    let sound = world.observed(ada, ben, Microphone);
    assert!(sound.longest_hole <= secs(1) / 10, "{sound:?}");
    assert!(world.observed(ada, ben, Camera).longest_gap <= secs(1));

    world.change_links(carla, LinkSetup::GOOD, LinkSetup::GOOD);
    world.restart_counts();
    world.run_until(secs(20), "together again", |world| all_meet(world, &people));
}

#[test]
fn the_featured_speaker_changes_with_the_conversation() {
    let mut world = World::new();
    let people = [(); 4].map(|()| world.add(DeviceSetup::USUAL));
    for person in people {
        world.speak(person, false);
    }
    world.run(secs(5));
    assert_eq!(world.featured(people[3]), None, "nobody has said a word");

    for speaker in [0, 2, 1] {
        world.speak(people[speaker], true);
        let id = world.participant(people[speaker]);
        let took = world.run_until(secs(3), "featured", |world| world.featured(people[3]) == id);
        assert!(took >= secs(1) / 4, "a cough is not enough: {took:?}");
        world.run(secs(5));
        world.speak(people[speaker], false);
        world.run(secs(5));
        assert_eq!(world.featured(people[3]), id, "stays while nobody else speaks");
    }

    let changes = world
        .heard(people[3])
        .iter()
        .filter_map(|message| match message {
            ServerMessage::Speakers { active, .. } => Some(*active),
            ServerMessage::Admitted { .. }
            | ServerMessage::Answer { .. }
            | ServerMessage::Demand { .. }
            | ServerMessage::Error { .. }
            | ServerMessage::Group { .. }
            | ServerMessage::Joined { .. }
            | ServerMessage::Pong
            | ServerMessage::Quality { .. }
            | ServerMessage::Roster { .. }
            | ServerMessage::Slots { .. }
            | ServerMessage::Welcome { .. } => None,
        })
        .collect::<Vec<_>>();
    assert!(changes.len() <= 12, "told too often: {changes:?}");
}
