use std::time::Duration;

use conclave_client_proto::{Clip, ClipError, Layer, Player};
use conclave_model::TrackSource;
use proptest::prelude::*;

use crate::world::{self, TONE, picture, start};

#[test]
fn the_committed_clips_fit_what_is_published_of_them() {
    for colour in ["red", "green", "blue"] {
        let clip = picture(colour);
        assert_eq!(clip.frames(), 60, "{colour}");
        assert_eq!(clip.period(), Duration::from_nanos(66_666_666), "{colour}");
    }
    let tone = Clip::from_ivf(&[TONE]).unwrap();
    assert_eq!((tone.frames(), tone.period()), (50, Duration::from_millis(20)));
}

#[test]
fn a_player_hands_out_each_frame_in_all_layers_when_it_is_due() {
    let now = start();
    let mut player = Player::new(picture("red"), TrackSource::Camera, now);
    let frames = player.poll(now);
    let layers: Vec<_> = frames.iter().map(|frame| frame.layer).collect();
    assert_eq!(layers, Layer::ALL.map(Some));
    assert!(player.poll(now).is_empty(), "the next one is not due");
    let later = player.due_at();
    assert_eq!(player.poll(later).len(), 3);
}

#[test]
fn a_player_asked_for_a_key_frame_gives_one_next() {
    let now = start();
    let mut player = Player::new(picture("red"), TrackSource::Camera, now);
    for _ in 0..7 {
        player.poll(player.due_at());
    }
    assert!(player.clone().poll(player.due_at()).iter().all(|f| !world::is_keyframe(&f.data)));
    player.skip_to_keyframe();
    assert!(player.poll(player.due_at()).iter().all(|f| world::is_keyframe(&f.data)));
}

#[test]
fn a_player_that_was_not_asked_for_long_sends_no_burst() {
    let now = start();
    let mut player = Player::new(Clip::from_ivf(&[TONE]).unwrap(), TrackSource::Microphone, now);
    player.poll(now);
    let late = now + Duration::from_secs(10);
    let mut frames = Vec::new();
    while player.due_at() <= late {
        frames.extend(player.poll(late));
    }
    assert!(frames.len() <= 6, "{}", frames.len());
    assert!(frames.iter().all(|frame| frame.time > Duration::from_secs(9)), "time went on");
}

#[test]
fn layers_that_do_not_belong_together_are_refused() {
    let quarter = world::picture_layer("red", "q");
    assert_eq!(Clip::from_ivf(&[quarter, TONE]).unwrap_err(), ClipError::Mismatch);
    assert_eq!(Clip::from_ivf(&[]).unwrap_err(), ClipError::Empty);
    assert_eq!(Clip::from_ivf(&[&quarter[..quarter.len() - 1]]).unwrap_err(), ClipError::Truncated);
}

proptest! {
    #[test]
    fn a_damaged_clip_never_panics(at in 0_usize..2000, byte: u8) {
        let mut file = TONE.to_vec();
        let at = at % file.len();
        file[at] = byte;
        let _ = Clip::from_ivf(&[&file]);
    }
}
