//! A sealed frame that came from the media node.

use std::time::Duration;

use conclave_frame::{BaseKey, Codec, Epoch, Expected, Leaf, Opener, Source, Track};

/// Frames that are not authentic are not opened, whatever edits them; an authentic one opens once,
/// and all that before it does not keep it from opening.
///
/// The first byte says the codec, the rest is a frame; edited into a true one, too.
pub(crate) fn target(data: &[u8]) {
    let Some((&first, frame)) = data.split_first() else { return };
    let (codec, source) = match first % 3 {
        0 => (Codec::Opus, Source::Microphone),
        1 => (Codec::Vp8, Source::Camera),
        _ => (Codec::Vp9, Source::Screen),
    };
    let leaf = Leaf::try_from(2).expect("a small index");
    let key = || BaseKey::new([first; 32].into(), Epoch(3));
    let (mut sealer, _) = key().split(leaf);
    let (_, keys) = key().split(Leaf::try_from(1).expect("a small index"));
    let mut opener = Opener::new();
    opener.install(Duration::ZERO, keys).expect("the first epoch");
    let expected = Expected { leaf, source, codec };
    let mut open = |sealed: &[u8]| opener.open(Duration::ZERO, expected, sealed);

    drop(open(frame).expect_err("nobody sealed it").to_string());
    let Ok(sealed) = sealer.seal(Track::single(source), codec, frame) else { return };
    let mut edited = sealed.clone();
    for (byte, edit) in edited.iter_mut().rev().zip(frame) {
        *byte ^= edit;
    }
    if edited != sealed {
        drop(open(&edited).expect_err("somebody edited it").to_string());
    }
    assert_eq!(open(&sealed).expect("it is authentic").frame, frame);
    open(&sealed).expect_err("it came a second time");
}
