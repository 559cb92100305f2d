//! Publications in VP8 and VP9, in one call and one slot.

use std::time::Duration;

use conclave_model::TrackSource;

use crate::client::{Setup, Vp9};
use crate::continuity::assert_continuous;
use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);
const CAMERA: TrackSource = TrackSource::Camera;

fn setup(vp9: Vp9) -> Setup {
    Setup { vp9, ..Setup::new() }
}

#[test]
fn each_publication_is_forwarded_in_the_codec_that_it_comes_in() {
    let mut world = World::new();
    let (a, b) = (world.join(setup(Vp9::Sent)), world.join(setup(Vp9::Taken)));
    let since = world.now;
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.view(b, &[(a, CAMERA, 320, 180)]);
    world.run(2 * SECOND);

    for (me, other, vp9) in [(a, b, false), (b, a, true)] {
        let video = world.clients[me].video_from(other, since);
        assert!(video.len() > 40, "client {me} got {} packets", video.len());
        assert!(video.iter().all(|packet| packet.vp9 == vp9), "client {me}");
        assert!(video[0].keyframe);
        assert_continuous(&video);
    }
}

#[test]
fn a_slot_goes_on_without_a_seam_from_one_codec_to_the_other_and_back() {
    for descriptor in [false, true] {
        let sender = |vp9| Setup { descriptor, ..setup(vp9) };
        let mut world = World::new();
        let (a, b) = (world.join(sender(Vp9::Sent)), world.join(sender(Vp9::Taken)));
        let viewer = Setup { video_slots: 1, descriptor, ..setup(Vp9::Taken) };
        let c = world.join(viewer);
        let since = world.now;
        for shown in [a, b, a] {
            let from = world.now;
            world.view(c, &[(shown, CAMERA, 320, 180)]);
            world.until("the picture comes", |w| !w.clients[c].video_from(shown, from).is_empty());
            world.run(SECOND);
        }

        let all: Vec<_> = world.clients[c]
            .received
            .iter()
            .filter(|packet| packet.at >= since && packet.picture_id.is_some())
            .collect();
        assert!(all.iter().all(|packet| packet.vp9 == (packet.from == a)));
        assert_continuous(&all);
        for pair in all.windows(2) {
            assert!(pair[0].from == pair[1].from || pair[1].keyframe, "a key frame comes first");
        }
    }
}

#[test]
fn the_layer_of_a_picture_in_vp9_follows_the_size_of_the_tile() {
    for descriptor in [false, true] {
        let both = |vp9| Setup { descriptor, ..setup(vp9) };
        let mut world = World::new();
        let (a, b) = (world.join(both(Vp9::Taken)), world.join(both(Vp9::Sent)));
        let since = world.now;
        for (width, height, layer) in [(200, 120, 0), (1280, 720, 2), (200, 120, 0)] {
            world.view(a, &[(b, CAMERA, width, height)]);
            let asked = world.now;
            world.until("the layer comes", |w| {
                w.clients[a].video_from(b, asked).last().is_some_and(|r| r.layer == layer)
            });
        }

        let video = world.clients[a].video_from(b, since);
        assert!(video.iter().all(|packet| packet.vp9));
        assert_continuous(&video);
        for pair in video.windows(2) {
            let entered = pair[0].layer != pair[1].layer;
            assert!(!entered || pair[1].keyframe, "a layer is entered by a key frame");
        }
    }
}

#[test]
fn who_does_not_take_vp9_gets_nothing_of_it_and_asks_for_nothing() {
    let mut world = World::new();
    let (a, b) = (world.join(setup(Vp9::Sent)), world.join(setup(Vp9::Unknown)));
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.view(b, &[(a, CAMERA, 320, 180)]);
    world.run(3 * SECOND);

    let since = world.now;
    assert!(world.clients[b].video_from(a, world.now - 3 * SECOND).is_empty());
    assert!(world.stats().drops.other_codec > 0, "{:?}", world.stats().drops);
    assert_eq!(world.stats().drops.malformed, 0);
    let asked = world.clients[a].asked.clone();
    world.run(3 * SECOND);
    assert_eq!(world.clients[a].asked, asked, "no key frame would help");
    assert!(!world.clients[b].audio_from(a, since).is_empty(), "sound is not concerned");
    assert!(!world.clients[a].video_from(b, since).is_empty(), "nor is the other way");
    // And nobody else looks: it need not be encoded.
    world.until("nothing is to be encoded", |w| w.clients[a].demanded.values().next() == Some(&0));
}
