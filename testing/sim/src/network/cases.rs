//! Each bad network, and what is measured on it.
//!
//! Where a figure says *in time*, a frame has 200 ms more than the network takes of itself: what a
//! receiver's buffer holds back of speech before it disturbs (ITU-T G.114 has 400 ms for all).

use std::time::Duration;

use conclave_model::Bitrate;
use conclave_model::TrackSource::{Camera, Microphone};

use super::Figure;
use crate::device::{DeviceId, DeviceSetup, Move};
use crate::encoder::CameraSetup;
use crate::link::LinkSetup;
use crate::world::World;

/// What a receiver may hold back.
const BUFFER: Duration = Duration::from_millis(200);

/// A pause in speech that tears words apart.
const SILENCE: Duration = Duration::from_millis(200);

/// A picture that stands still for longer is noticed by everybody.
const FREEZE: Duration = Duration::from_secs(1);

/// A line with a round trip of 40 ms.
const LINE: LinkSetup = LinkSetup { delay: Duration::from_millis(20), ..LinkSetup::GOOD };

/// What a device without a camera is.
const VOICE: DeviceSetup = DeviceSetup { camera: None, up: LINE, down: LINE, ..DeviceSetup::USUAL };

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A call of two on a good network, and it has settled. The first one is heard, and seen if it has
/// a camera, by the second.
fn call(seed: u64, ada: DeviceSetup, ben: DeviceSetup) -> (World, DeviceId, DeviceId) {
    let mut world = World::seeded(seed);
    let (ada, ben) = (world.add(ada), world.add(ben));
    let sources = if world.has_camera(ada) { &[Microphone, Camera][..] } else { &[Microphone] };
    world.run_until(secs(12), "together", |world| {
        sources.iter().all(|source| world.observed(ben, ada, *source).frames > 5)
            && world.observed(ada, ben, Microphone).frames > 5
    });
    // Round trips are known by then.
    world.run(secs(3));
    (world, ada, ben)
}

/// Which ways lose packets: up from the speaker, down to the listener, and those back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lossy {
    up: bool,
    down: bool,
    back: bool,
    /// The least share of sound that must be there in time, and the same with what Opus repairs. Of
    /// 1500 frames, each share is some tenths of a percent more or less from seed to seed; the floors
    /// are three to five below what is usual.
    floors: [f64; 2],
}

pub(super) const UP: Lossy = Lossy { up: true, down: false, back: false, floors: [95.0, 99.0] };
pub(super) const DOWN: Lossy = Lossy { up: false, down: true, back: false, floors: [95.0, 99.0] };
pub(super) const BOTH: Lossy = Lossy { up: true, down: true, back: true, floors: [82.0, 93.0] };

pub(super) fn loss(seed: u64, lossy: Lossy) -> Vec<Figure> {
    let (mut world, ada, ben) = call(seed, VOICE, VOICE);
    let line = |loses: bool| LinkSetup { loss: if loses { 0.3 } else { 0.0 }, ..LINE };
    let Lossy { up, down, back, floors: [floor, repaired] } = lossy;
    world.change_links(ada, line(up), line(back));
    world.change_links(ben, line(back), line(down));

    world.restart_counts();
    world.run(secs(30));
    let until = world.now();
    world.run(secs(1));

    let sound = world.deliveries(ben, ada, Microphone, until);
    let limit = LINE.delay * 2 + BUFFER;
    vec![
        Figure::share("sound in time", sound.within(limit), floor),
        Figure::share("… or in the next frame's copy", sound.within_or_in_next(limit), repaired),
        Figure::time("longest silence", sound.longest_silence(limit), SILENCE),
    ]
}

pub(super) fn picture_loss(seed: u64) -> Vec<Figure> {
    let (mut world, ada, ben) = call(seed, DeviceSetup::USUAL, VOICE);
    let lossy = LinkSetup { loss: 0.05, ..LINE };
    world.change_links(ben, lossy, lossy);

    world.restart_counts();
    world.run(secs(20));
    let until = world.now();
    world.run(secs(1));

    let limit = LinkSetup::GOOD.delay + LINE.delay + BUFFER;
    let picture = world.deliveries(ben, ada, Camera, until);
    let seen = world.observed(ben, ada, Camera);
    let sound = world.deliveries(ben, ada, Microphone, until);
    vec![
        Figure::share("pictures in time, whole", picture.within(limit), 99.5),
        Figure::time("longest freeze", seen.longest_gap, FREEZE / 2),
        Figure::share("sound in time", sound.within(limit), 99.5),
    ]
}

pub(super) fn jitter(seed: u64) -> Vec<Figure> {
    let (mut world, ada, ben) = call(seed, DeviceSetup::USUAL, VOICE);
    let spread = Duration::from_millis(100);
    let uneven =
        LinkSetup { delay: LinkSetup::GOOD.delay + spread, jitter: spread, ..LinkSetup::GOOD };
    world.change_links(ben, uneven, uneven);

    world.restart_counts();
    world.run(secs(20));
    let until = world.now();
    world.run(secs(1));

    // The last of the packets takes so long.
    let limit = LinkSetup::GOOD.delay * 2 + spread * 2 + BUFFER;
    let sound = world.deliveries(ben, ada, Microphone, until);
    let picture = world.deliveries(ben, ada, Camera, until);
    let seen = world.observed(ben, ada, Camera);
    vec![
        Figure::share("sound in time", sound.within(limit), 99.0),
        Figure::time("longest silence", sound.longest_silence(limit), SILENCE),
        Figure::share("pictures in time, whole", picture.within(limit), 85.0),
        Figure::time("longest freeze", seen.longest_gap, FREEZE * 2),
    ]
}

/// What browsers send of somebody who sits and talks: below what they are allowed.
const CALM: CameraSetup =
    CameraSetup { fps: 30, layers: [Bitrate::kbps(90), Bitrate::kbps(350), Bitrate::kbps(1200)] };

/// A viewer whose line is wide enough for a full picture.
fn viewer_of(seed: u64, camera: CameraSetup, down: LinkSetup) -> (World, DeviceId, DeviceId) {
    let ada = DeviceSetup { camera: Some(camera), ..DeviceSetup::USUAL };
    let ben = DeviceSetup { down, ..VOICE };
    let (mut world, ada, ben) = call(seed, ada, ben);
    full_picture(&mut world, ada, ben);
    world.run(secs(3));
    (world, ada, ben)
}

const WIDE: LinkSetup = LinkSetup::GOOD.with_rate(Bitrate::kbps(2000));

fn full_picture(world: &mut World, ada: DeviceId, ben: DeviceId) -> Duration {
    world.restart_counts();
    world.run_at_most(secs(60), |world| {
        let picture = world.observed(ben, ada, Camera);
        picture.width == 1280 && picture.frames > 0
    })
}

pub(super) fn squeeze(seed: u64) -> Vec<Figure> {
    let (mut world, ada, ben) = viewer_of(seed, CALM, WIDE);
    // Each seed has the line change at another moment.
    world.run(Duration::from_millis(7) * (seed * 59 % 100) as u32);

    world.restart_counts();
    world.change_links(ben, LINE, LinkSetup::GOOD.with_rate(Bitrate::kbps(200)));
    let down = world.run_at_most(secs(20), |world| world.observed(ben, ada, Camera).width == 320);
    world.run(secs(20) - down);
    let until = world.now();
    let narrow = world.observed(ben, ada, Camera);
    world.change_links(ben, LINE, WIDE);
    world.run(secs(1));
    let sound = world.deliveries(ben, ada, Microphone, until);
    let up = secs(1) + full_picture(&mut world, ada, ben);

    // The line's own queue holds 300 ms.
    let limit = LinkSetup::GOOD.delay * 2 + Duration::from_millis(300) + BUFFER;
    vec![
        Figure::time("until a smaller picture is there", down, secs(3)),
        Figure::time("longest freeze while narrow", narrow.longest_gap, FREEZE),
        Figure::share("sound in time while narrow", sound.within(limit), 95.0),
        Figure::time("until the full picture is back", up, secs(15)),
    ]
}

pub(super) fn sound_only(seed: u64) -> Vec<Figure> {
    let wide = LinkSetup::GOOD.with_rate(Bitrate::kbps(3000));
    let (mut world, ada, ben) = viewer_of(seed, CameraSetup::HD, wide);
    // At any moment between two probes. At the first seed's, what limited the estimate once stayed what
    // was known of it, and nothing was probed any more.
    world.run(Duration::from_millis(7) * (seed * 59 % 100) as u32);

    world.change_links(ben, LINE, LinkSetup::GOOD.with_rate(Bitrate::kbps(160)));
    world.run(secs(5));
    world.restart_counts();
    world.run(secs(25));
    let until = world.now();
    world.change_links(ben, LINE, wide);
    world.run(secs(1));
    let sound = world.deliveries(ben, ada, Microphone, until);
    let up = secs(1) + full_picture(&mut world, ada, ben);

    let limit = LinkSetup::GOOD.delay * 2 + Duration::from_millis(300) + BUFFER;
    vec![
        Figure::share("sound in time, 5 s after it became narrow", sound.within(limit), 89.0),
        Figure::time("until the full picture is back", up, secs(30)),
        Figure::count("new media sessions", world.report(ben).generations - 1, 0),
    ]
}

pub(super) fn blackout(seed: u64) -> Vec<Figure> {
    let (mut world, ada, ben) = call(seed, DeviceSetup::USUAL, VOICE);
    world.run(Duration::from_millis(170) * (seed % 10) as u32);
    world.cut(ben);
    world.run(secs(3));
    world.change_links(ben, LINE, LINE);

    world.restart_counts();
    let start = world.now();
    let mut back = |by, of, source| {
        world.run_at_most(secs(20), |world| world.observed(by, of, source).frames > 1);
        world.now() - start
    };
    let heard = back(ada, ben, Microphone);
    let hears = back(ben, ada, Microphone);
    let sees = back(ben, ada, Camera);
    vec![
        Figure::time("until they are heard again", heard, FREEZE),
        Figure::time("until they hear again", hears, FREEZE),
        Figure::time("until they see again", sees, secs(2)),
        Figure::count("new media sessions", world.report(ben).generations - 1, 0),
    ]
}

pub(super) fn moves(seed: u64, to: Move) -> Vec<Figure> {
    let (mut world, ada, ben) = call(seed, DeviceSetup::USUAL, VOICE);
    // At any moment between two of its checks.
    world.run(Duration::from_millis(310) * (seed % 10) as u32);

    world.restart_counts();
    world.move_device(ben, to);
    world.run(secs(12));

    let most = Duration::from_millis(1500);
    vec![
        Figure::time("not heard", world.observed(ada, ben, Microphone).longest_gap, most),
        Figure::time("hears nothing", world.observed(ben, ada, Microphone).longest_gap, most),
        Figure::time("sees nothing new", world.observed(ben, ada, Camera).longest_gap, most),
        Figure::count("new media sessions", world.report(ben).generations - 1, 0),
    ]
}

pub(super) fn silent_layer(seed: u64) -> Vec<Figure> {
    let (mut world, ada, ben) = call(seed, DeviceSetup::USUAL, VOICE);
    full_picture(&mut world, ada, ben);
    world.run(secs(3) + Duration::from_millis(70) * (seed % 10) as u32);

    world.restart_counts();
    world.encode_layers(ada, 2);
    world.run(secs(5));
    let seen = world.observed(ben, ada, Camera);
    world.encode_layers(ada, 3);
    let up = full_picture(&mut world, ada, ben);
    vec![
        Figure::time("longest freeze", seen.longest_gap, FREEZE / 2),
        Figure::time("until the full picture is back", up, secs(2)),
    ]
}
