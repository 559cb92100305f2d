use super::*;
use crate::origin;

const LOW: LayerId = LayerId(0);
const MIDDLE: LayerId = LayerId(1);
const HIGH: LayerId = LayerId(2);

fn live(tracker: &LayerTracker, now: Instant) -> Vec<LayerId> {
    tracker.live(now).into_iter().map(|layer| layer.layer).collect()
}

/// Sends `layers` at 30 frames a second, 1000 bytes each, for `span`; returns when it ended.
fn send(tracker: &mut LayerTracker, from: Instant, span: Duration, layers: &[LayerId]) -> Instant {
    let mut now = from;
    while now < from + span {
        for &layer in layers {
            tracker.record(now, layer, 1000, None);
        }
        now += Duration::from_micros(33_333);
    }
    now
}

#[test]
fn a_young_layer_that_others_go_on_without_is_dead_after_a_second() {
    let mut tracker = LayerTracker::new();
    let start = origin();
    let now = send(&mut tracker, start, Duration::from_millis(200), &[LOW, MIDDLE, HIGH]);

    let now = send(&mut tracker, now, Duration::from_millis(800), &[LOW, MIDDLE]);
    assert_eq!(live(&tracker, now), [LOW, MIDDLE, HIGH], "too soon to tell");

    let now = send(&mut tracker, now, Duration::from_millis(700), &[LOW, MIDDLE]);
    assert_eq!(live(&tracker, now), [LOW, MIDDLE]);

    let now = send(&mut tracker, now, Duration::from_millis(50), &[LOW, MIDDLE, HIGH]);
    assert_eq!(live(&tracker, now), [LOW, MIDDLE, HIGH], "it is back");
}

#[test]
fn a_layer_that_came_steadily_is_missed_soon() {
    let mut tracker = LayerTracker::new();
    let now = send(&mut tracker, origin(), Duration::from_secs(5), &[LOW, MIDDLE, HIGH]);

    let now = send(&mut tracker, now, Duration::from_millis(150), &[LOW, MIDDLE]);
    assert_eq!(live(&tracker, now), [LOW, MIDDLE, HIGH], "too soon to tell");

    let now = send(&mut tracker, now, Duration::from_millis(120), &[LOW, MIDDLE]);
    assert_eq!(live(&tracker, now), [LOW, MIDDLE]);
}

#[test]
fn a_lost_frame_does_not_make_a_layer_be_missed_later() {
    let mut tracker = LayerTracker::new();
    let now = send(&mut tracker, origin(), Duration::from_secs(3), &[LOW, HIGH]);
    let now = send(&mut tracker, now, Duration::from_millis(130), &[LOW]);
    let now = send(&mut tracker, now, Duration::from_secs(1), &[LOW, HIGH]);
    assert_eq!(live(&tracker, now), [LOW, HIGH]);

    let now = send(&mut tracker, now, Duration::from_millis(280), &[LOW]);
    assert_eq!(live(&tracker, now), [LOW]);
}

#[test]
fn a_layer_that_comes_at_long_intervals_is_missed_later() {
    let mut tracker = LayerTracker::new();
    let mut now = origin();
    // An encoder that drops seven of eight frames of its largest layer.
    for _ in 0..20 {
        now = send(&mut tracker, now, Duration::from_micros(33_333), &[LOW, HIGH]);
        now = send(&mut tracker, now, Duration::from_micros(233_331), &[LOW]);
        assert!(tracker.is_live(HIGH));
    }

    let now = send(&mut tracker, now, Duration::from_millis(300), &[LOW]);
    assert!(tracker.is_live(HIGH), "twice its interval");
    let now = send(&mut tracker, now, Duration::from_millis(700), &[LOW]);
    assert!(!tracker.is_live(HIGH), "four times, at {now:?}");
}

#[test]
fn it_tells_when_other_layers_are_live_than_before() {
    let mut tracker = LayerTracker::new();
    let mut now = origin();
    assert!(tracker.record(now, LOW, 1000, None));
    assert!(tracker.record(now, HIGH, 1000, None));
    assert!(!tracker.record(now, LOW, 1000, None));

    let mut told = 0;
    for _ in 0..60 {
        now += Duration::from_micros(33_333);
        told += u32::from(tracker.record(now, LOW, 1000, None));
    }
    assert_eq!(told, 1, "the other one died");
    assert!(tracker.record(now, HIGH, 1000, None), "it is back");
}

#[test]
fn silence_of_all_layers_kills_none() {
    let mut tracker = LayerTracker::new();
    let now = send(&mut tracker, origin(), Duration::from_secs(1), &[LOW, HIGH]);

    assert_eq!(live(&tracker, now + Duration::from_secs(600)), [LOW, HIGH]);
}

#[test]
fn a_still_screen_keeps_its_layers_however_slowly_they_come() {
    let mut tracker = LayerTracker::new();
    let mut now = origin();
    for _ in 0..50 {
        for packet in 0..4u64 {
            let at = now + Duration::from_millis(packet * 40);
            tracker.record(at, LOW, 1000, None);
            tracker.record(at + Duration::from_millis(20), HIGH, 1000, None);
        }
        // The low layer's burst ends after the high one's.
        tracker.record(now + Duration::from_millis(200), LOW, 1000, None);
        assert!(tracker.is_live(HIGH) && tracker.is_live(LOW));
        now += Duration::from_secs(5);
    }
}

#[test]
fn the_rate_follows_within_two_seconds() {
    let mut tracker = LayerTracker::new();
    let now = send(&mut tracker, origin(), Duration::from_secs(3), &[LOW]);
    let rate = tracker.live(now).first().unwrap().bitrate.as_bps();
    assert!((228_000..=252_000).contains(&rate), "30 x 8000 bit/s, not {rate}");

    let silent = tracker.live(now + Duration::from_secs(3)).first().unwrap().bitrate;
    assert_eq!(silent, Bitrate::ZERO);
}

#[test]
fn the_rate_is_known_soon_after_the_start() {
    let mut tracker = LayerTracker::new();
    let now = send(&mut tracker, origin(), Duration::from_millis(600), &[LOW]);

    let rate = tracker.live(now).first().unwrap().bitrate.as_bps();
    assert!((210_000..=270_000).contains(&rate), "30 x 8000 bit/s, not {rate}");
}

#[test]
fn the_size_is_kept_until_the_publisher_tells_another() {
    let mut tracker = LayerTracker::new();
    let (now, size) = (origin(), PixelSize { width: 1280, height: 720 });
    tracker.record(now, HIGH, 100, Some(size));
    tracker.record(now, HIGH, 100, None);
    assert_eq!(tracker.live(now).first().unwrap().size, Some(size));

    let smaller = PixelSize { width: 960, height: 540 };
    tracker.record(now, HIGH, 100, Some(smaller));
    assert_eq!(tracker.live(now).first().unwrap().size, Some(smaller));
}
