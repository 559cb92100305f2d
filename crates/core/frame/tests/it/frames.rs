use std::time::Duration;

use conclave_frame::{
    BaseKey, Codec, Epoch, Expected, InstallError, Kid, Layer, Leaf, MAX_EPOCHS, MAX_FRAME_LEN,
    MAX_OVERHEAD, OLD_EPOCH_LIFE, OpenError, Opener, REPLAY_WINDOW, SealError, Sealer, Source,
    Track,
};
use proptest::collection::vec;
use proptest::prelude::*;
use zeroize::Zeroizing;

const VOICE: Track = Track::single(Source::Microphone);
const FACE: Track = Track::single(Source::Camera);

fn leaf(index: u32) -> Leaf {
    Leaf::try_from(index).unwrap()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What the group exports for an epoch, the same for all its members.
fn base(epoch: u64) -> BaseKey {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&epoch.to_be_bytes());
    BaseKey::new(Zeroizing::new(bytes), Epoch(epoch))
}

fn sealer(epoch: u64, index: u32) -> Sealer {
    base(epoch).split(leaf(index)).0
}

fn opener(epochs: impl IntoIterator<Item = u64>) -> Opener {
    let mut opener = Opener::new();
    for epoch in epochs {
        opener.install(Duration::ZERO, base(epoch).split(leaf(0)).1).unwrap();
    }
    opener
}

fn expected(index: u32, source: Source, codec: Codec) -> Expected {
    Expected { leaf: leaf(index), source, codec }
}

const fn voice_of_seven() -> (u32, Source, Codec) {
    (7, Source::Microphone, Codec::Opus)
}

fn open(opener: &mut Opener, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let (index, source, codec) = voice_of_seven();
    opener.open(Duration::ZERO, expected(index, source, codec), sealed).map(|o| o.frame)
}

fn seal(sealer: &mut Sealer, text: &[u8]) -> Vec<u8> {
    sealer.seal(VOICE, Codec::Opus, text).unwrap()
}

fn codec() -> impl Strategy<Value = (Codec, Track)> {
    (prop_oneof![Just(Codec::Opus), Just(Codec::Vp8), Just(Codec::Vp9)], 0..2_usize, 0..4_u8)
        .prop_map(|(codec, source, layer)| {
            let sources: Vec<_> = Source::ALL.into_iter().filter(|s| codec.suits(*s)).collect();
            (codec, Track { source: sources[source], layer: Layer::try_from(layer).unwrap() })
        })
}

proptest! {
    #[test]
    fn every_frame_opens_to_itself((codec, track) in codec(), frame in vec(any::<u8>(), 10..300)) {
        let sealed = sealer(9, 7).seal(track, codec, &frame).unwrap();

        let opened = opener([9])
            .open(Duration::ZERO, expected(7, track.source, codec), &sealed)
            .unwrap();

        prop_assert_eq!(&opened.frame, &frame);
        prop_assert_eq!(opened.kid, Kid { track, leaf: leaf(7), epoch: 9 });
        prop_assert!(sealed.len() <= frame.len() + MAX_OVERHEAD);
        let clear = codec.clear_len(&frame).unwrap();
        prop_assert_eq!(&sealed[..clear], &frame[..clear]);
    }

    #[test]
    fn a_frame_with_any_bit_flipped_is_not_opened(
        (codec, track) in codec(),
        frame in vec(any::<u8>(), 10..40),
    ) {
        let sealed = sealer(9, 7).seal(track, codec, &frame).unwrap();
        let mut opener = opener([9]);
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let opened = opener.open(Duration::ZERO, expected(7, track.source, codec), &forged);
            prop_assert!(opened.is_err(), "bit {} of {:?}", bit, codec);
        }
        let intact = opener.open(Duration::ZERO, expected(7, track.source, codec), &sealed);
        prop_assert!(intact.is_ok(), "and no forgery used its counter up");
    }

    #[test]
    fn a_frame_cut_or_lengthened_is_not_opened(
        (codec, track) in codec(),
        frame in vec(any::<u8>(), 10..40),
        more in vec(any::<u8>(), 1..9),
    ) {
        let sealed = sealer(9, 7).seal(track, codec, &frame).unwrap();
        let mut opener = opener([9]);
        let slot = expected(7, track.source, codec);
        for len in 0..sealed.len() {
            prop_assert!(opener.open(Duration::ZERO, slot, &sealed[..len]).is_err());
        }
        prop_assert!(opener.open(Duration::ZERO, slot, &[sealed, more].concat()).is_err());
    }

    #[test]
    fn no_bytes_make_an_opener_panic(bytes in vec(any::<u8>(), 0..80), (codec, track) in codec()) {
        let mut opener = opener([9]);
        prop_assert!(opener.open(secs(1), expected(7, track.source, codec), &bytes).is_err());
    }

    #[test]
    fn a_key_id_and_its_number_are_one_to_one(number in 0..=0x00ff_ffff_u64) {
        let kid = Kid::try_from(number).unwrap();
        prop_assert_eq!(kid.to_u64(), number);
    }

    #[test]
    fn numbers_beyond_24_bits_are_no_key_id(number in 0x0100_0000..=u64::MAX) {
        prop_assert!(Kid::try_from(number).is_err());
    }

    #[test]
    fn frames_within_the_window_open_in_any_order_and_once(order in Just((0..REPLAY_WINDOW).collect::<Vec<_>>()).prop_shuffle()) {
        let mut sealer = sealer(9, 7);
        let sealed: Vec<_> = (0..REPLAY_WINDOW).map(|_| seal(&mut sealer, b"voice")).collect();
        let mut opener = opener([9]);
        for &at in &order {
            prop_assert_eq!(open(&mut opener, &sealed[at]), Ok(b"voice".to_vec()));
        }
        for &at in &order {
            prop_assert_eq!(open(&mut opener, &sealed[at]), Err(OpenError::Replayed));
        }
    }
}

#[test]
fn key_ids_of_all_tracks_leaves_and_epochs_differ() {
    let mut seen = vec![false; 1 << 24];
    for source in Source::ALL {
        for layer in 0..4 {
            let track = Track { source, layer: Layer::try_from(layer).unwrap() };
            for index in 0..=Leaf::MAX {
                for epoch in 0..=u8::MAX {
                    let kid = Kid { track, leaf: leaf(index), epoch }.to_u64();
                    let seen = &mut seen[usize::try_from(kid).unwrap()];
                    assert!(!*seen);
                    *seen = true;
                }
            }
        }
    }
    assert!(seen.into_iter().all(|seen| seen));
    assert!(Leaf::try_from(Leaf::MAX + 1).is_err());
}

#[test]
fn the_same_frame_is_sealed_differently_on_each_track_leaf_and_epoch() {
    let frame = [0x5a; 40];
    let mut sealed = vec![
        sealer(1, 1).seal(FACE, Codec::Vp9, &frame).unwrap(),
        sealer(1, 2).seal(FACE, Codec::Vp9, &frame).unwrap(),
        sealer(2, 1).seal(FACE, Codec::Vp9, &frame).unwrap(),
        sealer(1, 1).seal(Track::single(Source::Screen), Codec::Vp9, &frame).unwrap(),
    ];
    let bodies: std::collections::BTreeSet<_> =
        sealed.drain(..).map(|frame| frame[frame.len() - 56..].to_vec()).collect();
    assert_eq!(bodies.len(), 4);
}

#[test]
fn a_frame_far_behind_the_newest_is_refused() {
    let mut sealer = sealer(9, 7);
    let late = seal(&mut sealer, b"late");
    let mut opener = opener([9]);
    for _ in 0..REPLAY_WINDOW {
        let sealed = seal(&mut sealer, b"voice");
        open(&mut opener, &sealed).unwrap();
    }
    assert_eq!(open(&mut opener, &late), Err(OpenError::TooLate));
}

#[test]
fn a_slot_opens_its_publishers_frames_only() {
    let sealed = sealer(9, 7).seal(FACE, Codec::Vp9, b"a face").unwrap();
    let mut opener = opener([9]);
    let mut open = |index, source, codec| {
        opener.open(Duration::ZERO, expected(index, source, codec), &sealed).map(|o| o.frame)
    };
    assert_eq!(open(8, Source::Camera, Codec::Vp9), Err(OpenError::WrongLeaf));
    assert_eq!(open(7, Source::Screen, Codec::Vp9), Err(OpenError::WrongTrack));
    assert_eq!(open(7, Source::Camera, Codec::Vp8), Err(OpenError::Header), "another codec");
    assert_eq!(open(7, Source::Camera, Codec::Opus), Err(OpenError::Codec));
    assert_eq!(open(7, Source::Camera, Codec::Vp9), Ok(b"a face".to_vec()));
}

#[test]
fn a_codec_that_reads_the_same_prefix_is_authenticated_too() {
    // VP9 and Opus both leave nothing clear, so only the authenticated data tells them apart.
    let sealed = sealer(9, 7).seal(FACE, Codec::Vp8, &[1, 2, 3, 4]).unwrap();
    let mut opener = opener([9]);
    let mut forged = sealed;
    forged.remove(0);
    let opened = opener.open(secs(0), expected(7, Source::Camera, Codec::Vp9), &forged);
    assert_eq!(opened, Err(OpenError::Forged));
}

#[test]
fn a_vp8_frame_keeps_what_packetizers_read_and_no_more() {
    let key = [[0x10; 10].as_slice(), b"secret picture"].concat();
    let delta = [[0x11; 1].as_slice(), b"secret picture"].concat();
    for (frame, clear) in [(key, 10), (delta, 1)] {
        let sealed = sealer(9, 7).seal(FACE, Codec::Vp8, &frame).unwrap();
        assert_eq!(sealed[..clear], frame[..clear]);
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
    }
}

#[test]
fn a_codec_without_a_name_cannot_be_sealed() {
    assert_eq!(Codec::from_media_type("video/vp8"), Some(Codec::Vp8));
    for text in ["video/AV1", "video/H264", "audio/red", "", "VP8"] {
        assert_eq!(Codec::from_media_type(text), None, "{text}");
    }
}

#[test]
fn frames_too_short_too_long_or_of_the_wrong_kind_are_not_sealed() {
    let mut sealer = sealer(1, 1);
    assert_eq!(sealer.seal(FACE, Codec::Vp8, &[]), Err(SealError::TooShort));
    assert_eq!(sealer.seal(FACE, Codec::Vp8, &[0; 9]), Err(SealError::TooShort));
    assert_eq!(sealer.seal(FACE, Codec::Opus, b"voice"), Err(SealError::Codec));
    assert_eq!(sealer.seal(VOICE, Codec::Vp8, &[1; 9]), Err(SealError::Codec));
    let long = vec![0; MAX_FRAME_LEN + 1];
    assert_eq!(sealer.seal(FACE, Codec::Vp9, &long), Err(SealError::TooLong));
}

#[test]
fn an_old_epoch_is_opened_for_ten_seconds_and_then_no_more() {
    let (mut old, mut new) = (sealer(1, 7), sealer(2, 7));
    let mut opener = opener([1]);
    assert_eq!(opener.poll_timeout(), None, "the current epoch does not end by itself");
    opener.install(secs(100), base(2).split(leaf(0)).1).unwrap();
    assert_eq!(opener.poll_timeout(), Some(secs(100) + OLD_EPOCH_LIFE));

    let slot = expected(7, Source::Microphone, Codec::Opus);
    let mut open = |now, sealed: &[u8]| opener.open(now, slot, sealed).map(|_| ());
    let just_before = secs(110) - Duration::from_millis(1);
    assert_eq!(open(just_before, &seal(&mut old, b"a")), Ok(()));
    assert_eq!(open(secs(110), &seal(&mut old, b"b")), Err(OpenError::PastEpoch));
    assert_eq!(open(secs(110), &seal(&mut new, b"c")), Ok(()));
}

#[test]
fn the_timer_alone_erases_old_keys() {
    let mut opener = opener([1, 2]);
    opener.handle_timeout(OLD_EPOCH_LIFE);
    assert_eq!(opener.poll_timeout(), None);
    // Time that runs backwards does not bring them back.
    let mut old = sealer(1, 7);
    assert_eq!(open(&mut opener, &seal(&mut old, b"a")), Err(OpenError::PastEpoch));
}

#[test]
fn a_frame_from_before_one_came_is_told_from_one_that_is_ahead() {
    // Its key id has 8 bits of the epoch: at 258 they begin anew.
    for first in [9, 258] {
        let mut opener = opener([first]);
        let mut why = |epoch| open(&mut opener, &seal(&mut sealer(epoch, 7), b"a"));
        for past in [first - 1, first - 5] {
            assert_eq!(why(past), Err(OpenError::PastEpoch), "no key for it will come");
        }
        for ahead in [first + 1, first + 100] {
            assert_eq!(why(ahead), Err(OpenError::UnknownEpoch), "its key may be on its way");
        }
    }
    let nothing = open(&mut Opener::new(), &seal(&mut sealer(1, 7), b"a"));
    assert_eq!(nothing, Err(OpenError::UnknownEpoch));
}

#[test]
fn at_most_four_epochs_are_held() {
    let mut opener = opener(1..=5);
    let opens =
        |opener: &mut Opener, epoch| open(opener, &seal(&mut sealer(epoch, 7), b"a")).is_ok();
    assert!(!opens(&mut opener, 1));
    assert_eq!((2..=5).filter(|&epoch| opens(&mut opener, epoch)).count(), MAX_EPOCHS);
    assert!(!opens(&mut opener, 6), "nor one that has not begun");
}

#[test]
fn epochs_are_entered_in_order_and_once() {
    let mut opener = opener([5]);
    for epoch in [4, 5] {
        let keys = base(epoch).split(leaf(0)).1;
        assert_eq!(opener.install(Duration::ZERO, keys), Err(InstallError));
    }
    assert_eq!(opener.epoch(), Some(Epoch(5)));
}

#[test]
fn epochs_that_look_alike_in_a_key_id_are_never_held_together() {
    let mut opener = opener([1, 257]);
    assert_eq!(open(&mut opener, &seal(&mut sealer(1, 7), b"a")), Err(OpenError::Forged));
    assert!(open(&mut opener, &seal(&mut sealer(257, 7), b"a")).is_ok());
}

#[test]
fn what_a_removed_device_sealed_is_not_opened_any_more_but_others_old_frames_are() {
    let (mut removed, mut stayer) = (sealer(1, 7), sealer(1, 8));
    let mut opener = opener([1, 2]);
    opener.revoke(leaf(7));
    let of = |index| expected(index, Source::Microphone, Codec::Opus);
    let mut open =
        |index, sealed: &[u8]| opener.open(Duration::ZERO, of(index), sealed).map(|_| ());
    assert_eq!(open(7, &seal(&mut removed, b"a")), Err(OpenError::Revoked));
    assert_eq!(open(8, &seal(&mut stayer, b"a")), Ok(()));
    // The leaf's next owner is another device.
    assert_eq!(open(7, &seal(&mut sealer(2, 7), b"a")), Ok(()));
}

#[test]
fn a_forged_frame_does_not_move_the_replay_window() {
    let mut sender = sealer(9, 7);
    let first = seal(&mut sender, b"first");
    let mut far = first.clone();
    for _ in 0..REPLAY_WINDOW + 10 {
        far = seal(&mut sender, b"far");
    }
    let mut opener = opener([9]);
    *far.last_mut().unwrap() ^= 1;
    assert_eq!(open(&mut opener, &far), Err(OpenError::Forged));
    assert!(open(&mut opener, &first).is_ok());
}

#[test]
fn a_header_in_a_longer_encoding_is_refused() {
    // KID 0x000709, counter 0: the counter in a byte of its own instead of the configuration byte.
    let sealed = seal(&mut sealer(9, 7), b"voice");
    let (header, rest) = sealed.split_at(3);
    assert_eq!(header, [0x90, 0x07, 0x09], "X, two bytes of key id, counter 0");
    let longer = [&[0x98, 0x07, 0x09, 0x00], rest].concat();
    assert_eq!(open(&mut opener([9]), &longer), Err(OpenError::Header));
    let padded_kid = [&[0xa0, 0x00, 0x07, 0x09], rest].concat();
    assert_eq!(open(&mut opener([9]), &padded_kid), Err(OpenError::Header));
}

#[test]
fn keys_say_nothing_when_printed() {
    let (sealer, keys) = base(1).split(leaf(1));
    let mut opener = Opener::new();
    let printed = format!("{:?} {:?} {:?}", base(1), sealer, keys);
    assert_eq!(printed, "BaseKey(..) Sealer(..) ReceiveKeys(..)");
    opener.install(Duration::ZERO, keys).unwrap();
    assert_eq!(format!("{opener:?}"), "Opener { epoch: Some(Epoch(1)), .. }");
}

#[test]
fn base_keys_are_erased_when_dropped() {
    // `Zeroizing` erases; this holds the crate to keeping its keys in it.
    fn erases<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    erases(&Zeroizing::new([0_u8; 32]));
    assert!(std::mem::needs_drop::<BaseKey>());
    assert!(std::mem::needs_drop::<conclave_frame::ReceiveKeys>());
    assert!(std::mem::needs_drop::<Sealer>());
}
