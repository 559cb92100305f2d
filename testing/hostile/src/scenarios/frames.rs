//! What is done to media frames on their way.

use conclave_e2ee::{Command, Dropped};
use conclave_frame::{Codec, OpenError, Source};

use crate::scenarios::scenarios;
use crate::world::World;

scenarios! {
    "I3": swapped_streams, swapped_tracks;
    "I1": edited_frame, every_clear_byte_flipped, replayed_frame, reordered_frames,
        plaintext_frame, frame_of_another_codec, frame_of_a_removed_member,
        removed_member_opens_nothing_more, frame_of_an_old_epoch, frame_cut_short,
        two_equal_frames_look_different;
}

#[track_caller]
fn assert_dropped(opened: &Result<conclave_frame::Opened, Dropped>, expected: &[OpenError]) {
    let fits = matches!(opened, Err(Dropped::Frame(error)) if expected.contains(error));
    assert!(fits, "{:?}", opened.as_ref().map(|_| "opened"));
}

fn swapped_streams() {
    let mut world = World::meeting(2);
    let [host, guest] = [world.leaf(0), world.leaf(1)];
    let sealed = world.seal(1).unwrap();
    // The server says that it is the host's.
    assert_dropped(&world.open(2, host, &sealed), &[OpenError::WrongLeaf]);
    assert!(world.open(2, guest, &sealed).is_ok());
}

fn swapped_tracks() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    let frame = [&[0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1][..], &[7; 40]].concat();
    let sealed = world.seal_frame(0, Source::Camera, Codec::Vp8, &frame).unwrap();
    let as_screen = world.open_frame(1, host, Source::Screen, Codec::Vp8, &sealed);
    assert!(matches!(as_screen, Err(Dropped::Frame(_))));
    assert!(world.open_frame(1, host, Source::Camera, Codec::Vp8, &sealed).is_ok());
}

fn edited_frame() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    let sealed = world.seal(0).unwrap();
    for at in 0..sealed.len() {
        let mut edited = sealed.clone();
        edited[at] ^= 0x01;
        assert!(world.open(1, host, &edited).is_err(), "byte {at}");
    }
    assert!(world.open(1, host, &sealed).is_ok());
}

fn every_clear_byte_flipped() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    for (key_frame, clear) in [(true, 10), (false, 1)] {
        let first = if key_frame { 0x10 } else { 0x11 };
        let frame = [&[first, 0, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1][..], &[7; 40]].concat();
        let sealed = world.seal_frame(0, Source::Camera, Codec::Vp8, &frame).unwrap();
        assert_eq!(sealed[..clear], frame[..clear], "as the packetizer needs it");
        for at in 0..clear {
            for bit in 0..8 {
                let mut edited = sealed.clone();
                edited[at] ^= 1 << bit;
                let opened = world.open_frame(1, host, Source::Camera, Codec::Vp8, &edited);
                assert!(matches!(opened, Err(Dropped::Frame(_))), "byte {at}, bit {bit}");
            }
        }
        assert!(world.open_frame(1, host, Source::Camera, Codec::Vp8, &sealed).is_ok());
    }
}

fn replayed_frame() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    let sealed = world.seal(0).unwrap();
    assert!(world.open(1, host, &sealed).is_ok());
    assert_dropped(&world.open(1, host, &sealed), &[OpenError::Replayed]);
}

fn reordered_frames() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    let frames: Vec<_> = (0..8).map(|_| world.seal(0).unwrap()).collect();
    for at in [3, 1, 7, 0, 2, 6, 5, 4] {
        assert!(world.open(1, host, &frames[at]).is_ok(), "late is not lost");
    }
    for frame in &frames {
        assert_dropped(&world.open(1, host, frame), &[OpenError::Replayed, OpenError::TooLate]);
    }
}

fn plaintext_frame() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    for plain in [&b"voice of nobody in particular"[..], &[0; 64], &[0xff; 3], &[]] {
        assert!(matches!(world.open(1, host, plain), Err(Dropped::Frame(_))));
    }
}

fn frame_of_another_codec() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    let frame = [&[0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1][..], &[7; 40]].concat();
    let sealed = world.seal_frame(0, Source::Camera, Codec::Vp8, &frame).unwrap();
    let opened = world.open_frame(1, host, Source::Camera, Codec::Vp9, &sealed);
    assert!(matches!(opened, Err(Dropped::Frame(_))));
    let opened = world.open_frame(1, host, Source::Camera, Codec::Opus, &sealed);
    assert_dropped(&opened, &[OpenError::Codec]);
}

fn frame_of_a_removed_member() {
    let mut world = World::meeting(2);
    let leaf = world.leaf(2);
    let before = world.seal(2).unwrap();
    let out = world.credential(2);
    world.command(0, Command::Kick(out));
    world.run(2);
    let opened = world.open(1, leaf, &before);
    assert_dropped(&opened, &[OpenError::Revoked]);
}

fn removed_member_opens_nothing_more() {
    let mut world = World::meeting(2);
    let host = world.leaf(0);
    let out = world.credential(2);
    // The removed member's device is told nothing: it has all that it had.
    world.evil = Some(Box::new(|to, message| if to == 2 { Vec::new() } else { vec![message] }));
    world.command(0, Command::Kick(out));
    world.step(300);
    let sealed = world.seal(0).unwrap();
    assert!(world.open(1, host, &sealed).is_ok());
    assert!(world.open(2, host, &sealed).is_err());
}

fn frame_of_an_old_epoch() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    let old = world.seal(0).unwrap();
    world.command(0, Command::Lock(true));
    world.run(2);
    world.command(0, Command::Lock(false));
    world.run(14);
    assert_dropped(&world.open(1, host, &old), &[OpenError::PastEpoch]);
}

fn frame_cut_short() {
    let mut world = World::meeting(1);
    let host = world.leaf(0);
    let sealed = world.seal(0).unwrap();
    for len in 0..sealed.len() {
        assert!(world.open(1, host, &sealed[..len]).is_err(), "{len} bytes");
    }
    assert!(world.open(1, host, &sealed).is_ok());
}

fn two_equal_frames_look_different() {
    let mut world = World::meeting(1);
    let [one, two] = [world.seal(0).unwrap(), world.seal(0).unwrap()];
    let longest_common = one.iter().zip(&two).filter(|(a, b)| a == b).count();
    assert!(longest_common < one.len() / 2);
}
