use std::time::Duration;

use conclave_model::Bitrate;
use conclave_model::TrackSource::{Camera, Microphone};
use conclave_sim::{DeviceSetup, LinkSetup, Observed, World, loss};

use crate::{all_meet, secs};

#[test]
fn speech_and_pictures_survive_five_percent_loss_at_a_hundred_milliseconds() {
    let figures = loss(secs(30));
    eprint_figures(&figures.to_string());

    assert!(figures.audio.longest_hole <= Duration::from_millis(200), "{figures}");
    // A tenth is lost on two lines, and sound is not sent twice.
    assert!(figures.audio.frames * 100 >= figures.audio_sent * 85, "{figures}");
    assert!(figures.video.frames * 100 >= figures.video_sent * 60, "{figures}");
    assert!(figures.video.longest_gap <= secs(4), "{figures}");
}

#[expect(clippy::print_stderr, reason = "figures to look at, with --nocapture")]
fn eprint_figures(figures: &str) {
    eprintln!("{figures}");
}

#[test]
fn mixed_up_packets_do_not_stop_the_picture() {
    let mut world = World::new();
    let unruly =
        DeviceSetup { up: LinkSetup::UNRULY, down: LinkSetup::UNRULY, ..DeviceSetup::USUAL };
    let (ada, ben) = (world.add(unruly), world.add(unruly));
    world.run(secs(10));

    world.restart_counts();
    world.run(secs(20));

    let sound = world.observed(ada, ben, Microphone);
    assert!(sound.frames >= 950 && sound.longest_hole <= Duration::from_millis(200), "{sound:?}");
    let picture = world.observed(ada, ben, Camera);
    assert!(picture.frames >= 500 && picture.longest_gap <= secs(2), "{picture:?}");
}

/// How many bits a second a picture took.
fn rate(observed: &Observed, span: Duration) -> u64 {
    observed.bytes * 8 / span.as_secs()
}

#[test]
fn a_narrow_line_gets_a_smaller_picture_and_nobody_else_does() {
    let mut world = World::new();
    let wide = LinkSetup::GOOD.with_rate(Bitrate::kbps(3000));
    let narrow = LinkSetup::GOOD.with_rate(Bitrate::kbps(400));
    let ada = world.add(DeviceSetup { down: wide, ..DeviceSetup::USUAL });
    let ben = world.add(DeviceSetup::USUAL);
    let carla = world.add(DeviceSetup { camera: None, ..DeviceSetup::USUAL });
    world.run_until(secs(30), "a full picture on a wide line", |world| {
        world.observed(ada, ben, Camera).width == 1280
            && world.observed(carla, ben, Camera).width == 1280
    });

    world.change_links(ada, LinkSetup::GOOD, narrow);
    world.restart_counts();
    let down = world.run_until(secs(8), "a picture that fits", |world| {
        world.observed(ada, ben, Camera).width == 320
    });
    world.run(secs(4));
    world.restart_counts();
    world.run(secs(20));
    let squeezed = world.observed(ada, ben, Camera);
    assert!(squeezed.longest_gap <= secs(1), "{squeezed:?}");
    assert!(squeezed.layer_switches <= 2, "it flaps: {squeezed:?}");
    assert!(rate(&squeezed, secs(20)) <= 400_000, "{squeezed:?}");
    let sound = world.observed(ada, ben, Microphone);
    assert!(sound.longest_hole <= Duration::from_millis(400), "{sound:?}");
    let unaffected = world.observed(carla, ben, Camera);
    assert_eq!((unaffected.width, unaffected.layer_switches), (1280, 0), "{unaffected:?}");
    assert!(unaffected.frames >= 580, "600 sent: {unaffected:?}");

    world.change_links(ada, LinkSetup::GOOD, wide);
    let up = world.run_until(secs(30), "a full picture again", |world| {
        world.observed(ada, ben, Camera).width == 1280
    });
    eprint_figures(&format!("down after {down:?}, up after {up:?}, squeezed: {squeezed:?}"));
    world.restart_counts();
    world.run(secs(10));
    let recovered = world.observed(ada, ben, Camera);
    assert!(recovered.frames >= 250, "{recovered:?}");
}

#[test]
fn a_publisher_on_a_bad_line_is_seen_by_all() {
    let mut world = World::new();
    let lossy = LinkSetup { loss: 0.03, ..LinkSetup::GOOD };
    let bad = world.add(DeviceSetup { up: lossy, ..DeviceSetup::USUAL });
    let viewers = [(); 3].map(|()| world.add(DeviceSetup { camera: None, ..DeviceSetup::USUAL }));
    world.run(secs(5));

    world.restart_counts();
    world.run(secs(20));

    for viewer in viewers {
        let picture = world.observed(viewer, bad, Camera);
        assert!(picture.frames >= 550, "600 sent: {picture:?}");
        assert!(picture.longest_gap <= secs(1), "{picture:?}");
    }
}

#[test]
fn a_dead_line_comes_back_to_life() {
    let mut world = World::new();
    let people = [(); 2].map(|()| world.add(DeviceSetup::USUAL));
    world.run_until(secs(5), "together", |world| all_meet(world, &people));

    world.cut(people[0]);
    world.run(secs(2));
    world.change_links(people[0], LinkSetup::GOOD, LinkSetup::GOOD);
    world.restart_counts();

    let took = world.run_until(secs(5), "together again", |world| all_meet(world, &people));
    assert!(took <= secs(3), "{took:?}");
    assert_eq!(world.report(people[0]).generations, 1, "two seconds need no new session");
}
