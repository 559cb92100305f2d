//! What changes of layer and requests for key frames cost.

use std::time::Duration;

use conclave_model::PublicationId;
use conclave_model::TrackSource::Camera;
use conclave_sim::{DeviceSetup, LinkSetup, Viewport, World};
use conclave_wire::{TilePriority, Want};

use crate::{eprint_figures, secs};

fn tile(publication: PublicationId, width: u16) -> Vec<Want> {
    vec![Want { publication, width, height: width / 16 * 9, priority: TilePriority::Tile }]
}

#[test]
fn a_change_of_layer_loses_no_frame() {
    let mut world = World::new();
    let nothing = Viewport { tiles: 0, width: 1, height: 1 };
    let (ben, ada) = (
        world.add(DeviceSetup::USUAL),
        world.add(DeviceSetup { camera: None, viewport: nothing, ..DeviceSetup::USUAL }),
    );
    world.run_until(secs(10), "both there", |world| {
        let connected = [ada, ben].map(|device| world.report(device).media_connected_ms);
        connected.iter().all(Option::is_some) && world.publication(ada, ben, Camera).is_some()
    });
    let camera = world.publication(ada, ben, Camera).expect("just seen");
    world.view(ada, tile(camera, 1280));
    world.run_until(secs(10), "a large picture", |world| {
        world.observed(ada, ben, Camera).width == 1280
    });
    world.run(secs(3));

    world.restart_counts();
    let begun = world.now();
    let widths = [320, 640, 1280, 640, 320, 1280];
    for width in widths {
        world.view(ada, tile(camera, width));
        let took = world.run_until(secs(1), "a picture of that size", |world| {
            world.observed(ada, ben, Camera).width == width
        });
        assert!(took <= Duration::from_millis(300), "{width}: {took:?}");
        world.run(secs(1));
    }

    let seen = world.observed(ada, ben, Camera);
    let sent = (world.now() - begun).as_millis() * 30 / 1000;
    // A layer is entered in the middle of a frame's time: it may show one picture twice.
    let most = sent + 1 + widths.len() as u128;
    assert!((sent - 1..=most).contains(&u128::from(seen.frames)), "{sent} sent: {seen:?}");
    assert_eq!((seen.layer_switches, seen.undecodable), (widths.len() as u64, 0), "{seen:?}");
    assert!(seen.longest_gap <= Duration::from_millis(50), "{seen:?}");
    let report = world.report(ada);
    let received = report.received.iter().find(|received| received.publication == camera);
    assert_eq!(received.map(|received| received.lost_packets), Some(0));
    assert_eq!(world.report(ben).generations, 1);
}

#[test]
fn a_storm_of_requests_becomes_few_key_frames() {
    let mut world = World::new();
    let ben = world.add(DeviceSetup { microphone: false, ..DeviceSetup::USUAL });
    let awful = LinkSetup { loss: 0.25, ..LinkSetup::GOOD };
    let viewers: Vec<_> = [320, 640, 1280, 320, 640, 1280, 320, 640, 1280]
        .map(|width| {
            world.add(DeviceSetup {
                microphone: false,
                camera: None,
                video_slots: 1,
                viewport: Viewport { tiles: 1, width, height: width / 16 * 9 },
                down: awful,
                ..DeviceSetup::USUAL
            })
        })
        .into();
    let span = secs(15);
    world.run(span);

    let broken: u64 = viewers.iter().map(|&v| world.observed(v, ben, Camera).undecodable).sum();
    let (asked, wanted) =
        (world.report(ben).published.keyframe_requests, world.keyframes_wanted(ben));
    eprint_figures(&format!("{broken} frames broken, {asked} requests, {wanted} key frames"));
    assert!(broken >= 500, "this is no storm: {broken}");
    assert!(asked > wanted, "nothing was held back: {asked} requests, {wanted} key frames");
    assert!(u128::from(wanted) <= span.as_millis() / 300, "{wanted} key frames");
}
