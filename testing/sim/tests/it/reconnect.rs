//! Lost sockets, lost servers, and what remains of the call.

use conclave_model::TrackSource::{Camera, Microphone};
use conclave_sim::{DeviceId, DeviceSetup, LinkSetup, Stored, World};

use crate::{all_meet, secs};

fn meeting(world: &mut World) -> [DeviceId; 3] {
    let people = [(); 3].map(|()| world.add(DeviceSetup::USUAL));
    world.run_until(secs(12), "all together", |world| all_meet(world, &people));
    people
}

#[test]
fn a_lost_socket_alone_costs_no_frame() {
    let mut world = World::new();
    let [ada, ben, _] = meeting(&mut world);
    let leaf = world.report(ada).group.leaf;

    world.restart_counts();
    world.lose_socket(ada);
    world.run(secs(5));

    let report = world.report(ada);
    assert_eq!((report.resumed, report.rejoined, report.generations), (1, 0, 1), "{report:?}");
    assert_eq!((report.group.leaf, report.group.state.as_str()), (leaf, "inGroup"));
    for (a, b) in [(ada, ben), (ben, ada)] {
        assert!(world.observed(a, b, Microphone).frames >= 248, "250 sent");
        assert!(world.observed(a, b, Camera).longest_gap <= secs(1) / 10);
    }
}

#[test]
fn a_server_that_comes_back_goes_on_with_the_group_and_the_same_keys() {
    let mut world = World::new();
    let people = meeting(&mut world);
    let group = |world: &World| people.map(|person| world.report(person).group);
    let before = group(&world);

    world.restart_server(Stored::Everything);
    world.restart_counts();
    world.run_until(secs(10), "together again", |world| all_meet(world, &people));

    assert_eq!(group(&world), before, "nobody came in anew");
    for person in people {
        let report = world.report(person);
        assert_eq!((report.resumed, report.rejoined), (1, 0), "{report:?}");
        assert_eq!(report.outages_ms.len(), 1);
    }
}

#[test]
fn after_a_server_that_forgot_everything_all_meet_in_a_new_group() {
    let mut world = World::new();
    let people = meeting(&mut world);

    world.restart_server(Stored::Nothing);
    world.restart_counts();
    world.run_until(secs(30), "together again", |world| all_meet(world, &people));

    for person in people {
        assert_eq!(world.report(person).rejoined, 1);
        assert_eq!(world.report(person).group.roster.len(), 3);
    }
}

#[test]
fn who_is_away_while_another_comes_catches_up_and_hears_them() {
    let mut world = World::new();
    let [ada, ..] = meeting(&mut world);
    let dead = LinkSetup { loss: 1.0, ..LinkSetup::GOOD };
    world.change_links(ada, dead, dead);
    world.lose_socket(ada);

    let late = world.add(DeviceSetup::USUAL);
    world.run(secs(1));
    world.change_links(ada, LinkSetup::GOOD, LinkSetup::GOOD);

    world.restart_counts();
    world.run_until(secs(15), "the newcomer heard", |world| {
        world.observed(ada, late, Microphone).frames > 20
            && world.observed(late, ada, Microphone).frames > 20
    });
    assert_eq!(world.report(ada).group.roster.len(), 4);
}
