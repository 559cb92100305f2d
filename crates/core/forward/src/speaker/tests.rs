use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::origin;

/// A typical level of speech and of what noise suppression leaves of a room, in -dBov.
const SPEECH: u8 = 26;
const ROOM: u8 = 62;

/// Some sources that each send a packet every 20 ms.
struct Meeting {
    start: Instant,
    now: Instant,
    detector: SpeakerDetector<u32>,
    /// How often who speaks changed.
    changes: usize,
}

impl Meeting {
    fn of(sources: u32) -> Self {
        let now = origin();
        let mut detector = SpeakerDetector::new();
        (0..sources).for_each(|source| detector.add(now, source));
        Self { start: now, now, detector, changes: 0 }
    }

    /// For `ms`, each source has the level that `level` tells for the packet's time.
    fn run(&mut self, ms: u64, sources: u32, level: impl Fn(u32, Duration) -> u8) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            for source in 0..sources {
                let level = level(source, self.now - self.start);
                self.detector.record(self.now, source, level, Some(true));
            }
            self.now += Duration::from_millis(20);
            self.changes += usize::from(self.detector.update(self.now));
        }
    }

    /// Nobody sends anything for `ms`.
    fn silence(&mut self, ms: u64) {
        self.run(ms, 0, |_, _| SILENCE);
    }

    fn active(&self) -> Option<u32> {
        self.detector.speakers().active
    }

    fn speaking(&self) -> &[u32] {
        &self.detector.speakers().speaking
    }

    fn loudest(&mut self, n: usize) -> BTreeSet<u32> {
        self.detector.loudest(self.now, n).iter().copied().collect()
    }
}

fn only(speaker: u32) -> impl Fn(u32, Duration) -> u8 {
    move |source, _| if source == speaker { SPEECH } else { ROOM }
}

#[test]
fn who_speaks_is_noticed_within_a_quarter_of_a_second_and_featured_soon_after() {
    let mut meeting = Meeting::of(3);
    meeting.run(1000, 3, |_, _| ROOM);
    assert_eq!((meeting.active(), meeting.speaking()), (None, [].as_slice()));

    meeting.run(240, 3, only(1));
    assert_eq!(meeting.speaking(), [1]);

    meeting.run(400, 3, only(1));
    assert_eq!(meeting.active(), Some(1));
}

#[test]
fn the_featured_one_stays_while_nobody_else_speaks() {
    let mut meeting = Meeting::of(3);
    meeting.run(1000, 3, only(2));
    meeting.silence(60_000);

    assert_eq!((meeting.active(), meeting.speaking()), (Some(2), [].as_slice()));
}

#[test]
fn the_featured_one_changes_with_the_conversation() {
    let mut meeting = Meeting::of(2);
    meeting.run(3000, 2, only(0));
    meeting.run(3000, 2, only(1));
    assert_eq!(meeting.active(), Some(1));
    meeting.run(3000, 2, only(0));
    assert_eq!(meeting.active(), Some(0));
}

#[test]
fn a_cough_or_a_click_features_nobody() {
    let mut meeting = Meeting::of(2);
    meeting.run(3000, 2, only(0));
    let click = |source, _| if source == 1 { 10 } else { ROOM };
    meeting.run(20, 2, click);
    meeting.run(2000, 2, |_, _| ROOM);
    assert_eq!(meeting.active(), Some(0));
    assert!(meeting.speaking().is_empty());
}

#[test]
fn words_with_pauses_are_one_utterance() {
    let mut meeting = Meeting::of(2);
    let words = |source, at: Duration| {
        if source == 0 && at.as_millis() % 700 < 350 { SPEECH } else { ROOM }
    };
    meeting.run(1400, 2, words);
    let before = meeting.changes;
    meeting.run(20_000, 2, words);
    assert_eq!(meeting.changes, before, "who speaks flaps between words");
}

#[test]
fn an_interjection_does_not_take_the_floor_but_talking_over_does() {
    let mut meeting = Meeting::of(2);
    let both = |source, _| if source == 1 { SPEECH - 12 } else { SPEECH };
    meeting.run(3000, 2, only(0));
    meeting.run(800, 2, both);
    meeting.run(2000, 2, only(0));
    assert_eq!(meeting.active(), Some(0));

    meeting.run(2500, 2, both);
    assert_eq!(meeting.active(), Some(1));
    assert_eq!(meeting.speaking(), [1, 0]);
}

#[test]
fn who_is_equally_loud_keeps_the_order() {
    let mut meeting = Meeting::of(3);
    let wobble = |source: u32, at: Duration| {
        let wave = (at.as_millis() / 60 + u128::from(source)) % 3;
        SPEECH + u8::try_from(wave).unwrap_or_default() * 2
    };
    meeting.run(2000, 3, wobble);
    let before = meeting.changes;
    meeting.run(10_000, 3, wobble);
    assert_eq!(meeting.changes, before);
}

#[test]
fn a_packet_flagged_as_no_voice_is_silence() {
    let mut detector = SpeakerDetector::new();
    let mut now = origin();
    for _ in 0..100 {
        detector.record(now, 7, 5, Some(false));
        now += Duration::from_millis(20);
        detector.update(now);
    }
    assert_eq!(detector.speakers().speaking, []);
}

#[test]
fn a_new_speaker_gets_a_place_at_the_expense_of_the_silent() {
    let mut meeting = Meeting::of(10);
    meeting.run(2000, 10, |_, _| ROOM);
    let places = meeting.loudest(3);
    meeting.silence(2000);
    assert_eq!(meeting.loudest(3), places, "nobody speaks, nobody moves");

    meeting.run(240, 10, only(9));
    assert!(meeting.loudest(3).contains(&9));
}

#[test]
fn who_paused_for_a_breath_keeps_the_place() {
    let mut meeting = Meeting::of(10);
    for speaker in [4, 5, 6] {
        meeting.run(1200, 10, only(speaker));
        meeting.loudest(3);
    }
    assert_eq!(meeting.loudest(3), BTreeSet::from([4, 5, 6]));

    meeting.run(700, 10, only(7));
    assert!(meeting.loudest(3).contains(&6), "it spoke less than a second ago");
}

#[test]
fn noise_does_not_keep_the_only_speaker_from_being_heard() {
    let mut meeting = Meeting::of(5);
    let noisy = |source, _| if source < 3 { 42 } else { ROOM };
    meeting.run(3000, 5, noisy);
    assert_eq!(meeting.loudest(3), BTreeSet::from([0, 1, 2]));

    let with_speaker = |source, at| if source == 4 { SPEECH } else { noisy(source, at) };
    for _ in 0..15 {
        meeting.run(100, 5, with_speaker);
        meeting.loudest(3);
    }
    assert!(meeting.loudest(3).contains(&4));
}

#[test]
fn who_leaves_is_forgotten_at_once() {
    let mut meeting = Meeting::of(2);
    meeting.run(1000, 2, only(1));
    meeting.loudest(2);

    meeting.detector.remove(1);

    assert_eq!((meeting.active(), meeting.speaking()), (None, [].as_slice()));
    assert_eq!(meeting.loudest(2), BTreeSet::from([0]));
}

proptest! {
    /// However the room hums below the level of speech, nobody speaks, and places do not move.
    #[test]
    fn noise_changes_nothing(levels in prop::collection::vec(50..=127u8, 50..300)) {
        let mut meeting = Meeting::of(6);
        let mut places = None;
        for (i, level) in levels.into_iter().enumerate() {
            let loud = u32::try_from(i % 6).unwrap();
            meeting.run(20, 6, |source, _| if source == loud { level } else { ROOM });
            let now = meeting.loudest(3);
            prop_assert_eq!(&now, places.get_or_insert_with(|| now.clone()));
        }
        prop_assert_eq!(meeting.changes, 0);
    }

    /// Whatever is heard: never more places than there are, none left empty, none given up
    /// within a second of getting it, and who speaks is somebody who is there.
    #[test]
    fn places_are_few_full_and_kept(
        script in prop::collection::vec((prop::collection::vec(0..=127u8, 6), 1..40u64), 1..60),
        n in 0..5usize,
    ) {
        let mut meeting = Meeting::of(6);
        let mut placed_at = [None; 6];
        for (levels, ticks) in script {
            for _ in 0..ticks {
                meeting.run(20, 6, |source, _| levels[source as usize]);
                let places = meeting.loudest(n);
                prop_assert_eq!(places.len(), n.min(6));
                for (source, placed_at) in (0..).zip(&mut placed_at) {
                    if places.contains(&source) {
                        placed_at.get_or_insert(meeting.now);
                    } else if let Some(at) = placed_at.take() {
                        prop_assert!(meeting.now - at >= HOLD, "a place lasted too short");
                    }
                }
                let speaking: BTreeSet<_> = meeting.speaking().iter().copied().collect();
                prop_assert_eq!(speaking.len(), meeting.speaking().len());
                prop_assert!(speaking.iter().chain(&meeting.active()).all(|s| *s < 6));
            }
        }
    }
}
