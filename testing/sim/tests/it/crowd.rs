use conclave_model::PublicationId;
use conclave_model::TrackSource::Camera;
use conclave_sim::{CameraSetup, DeviceId, DeviceSetup, Viewport, World};
use conclave_wire::{TilePriority, Want};

use crate::secs;

const TILES: usize = 9;

fn page(publications: &[PublicationId]) -> Vec<Want> {
    let want = |&publication: &PublicationId| Want {
        publication,
        width: 320,
        height: 180,
        priority: TilePriority::Tile,
    };
    publications.iter().map(want).collect()
}

/// Whether `viewer` has lately got pictures of exactly these.
fn shows(world: &World, viewer: DeviceId, people: &[DeviceId], page: &[DeviceId]) -> bool {
    people.iter().all(|&person| {
        let frames = world.observed(viewer, person, Camera).frames;
        if page.contains(&person) { frames > 5 } else { frames == 0 }
    })
}

#[test]
fn a_viewer_pages_through_twenty_people_with_nine_tiles() {
    let mut world = World::new();
    let nothing = Viewport { tiles: 0, width: 1, height: 1 };
    let quiet = DeviceSetup {
        microphone: false,
        camera: Some(CameraSetup::SMALL),
        audio_slots: 0,
        video_slots: 0,
        viewport: nothing,
        ..DeviceSetup::USUAL
    };
    let viewer = world.add(DeviceSetup {
        microphone: true,
        camera: None,
        video_slots: TILES,
        viewport: nothing,
        ..DeviceSetup::USUAL
    });
    let people: Vec<DeviceId> = (0..20).map(|_| world.add(quiet)).collect();
    let publication = |world: &World, person| world.publication(viewer, person, Camera);
    world.run_until(secs(20), "all there", |world| {
        people.iter().all(|&person| publication(world, person).is_some())
    });
    let publications: Vec<PublicationId> =
        people.iter().filter_map(|&person| publication(&world, person)).collect();
    assert_eq!(publications.len(), 20);

    for (number, start) in [0, 9, 11, 0, 9].into_iter().enumerate() {
        let shown = start..start + TILES;
        world.view(viewer, page(&publications[shown.clone()]));
        // Half a second for the request to arrive and the last frames of the former page.
        world.run(secs(1) / 2);
        world.restart_counts();
        let took = world.run_until(secs(6), "the whole page", |world| {
            shows(world, viewer, &people, &people[shown.clone()])
        });
        assert!(took <= secs(4), "page {number} took {took:?}");
    }
    assert_eq!(world.report(viewer).generations, 1, "paging negotiates nothing");

    world.view(viewer, vec![]);
    world.run(secs(1));
    world.restart_counts();
    world.run(secs(2));
    assert!(shows(&world, viewer, &people, &[]), "nothing is sent that nobody looks at");
}
