use proptest::prelude::*;

use super::*;
use crate::origin;

mod arbitrary;

const LOW: LayerId = LayerId(0);
const HIGH: LayerId = LayerId(2);
const RATE: u32 = 90_000;

/// A delta frame of one packet, as number `seq` of its layer.
fn delta(now: Instant, layer: LayerId, seq: u64, timestamp: u32) -> PacketIn {
    PacketIn {
        now,
        layer,
        seq,
        timestamp,
        payload_len: 1000,
        starts_keyframe: false,
        ids: None,
        frame_number: None,
    }
}

fn key(now: Instant, layer: LayerId, seq: u64, timestamp: u32) -> PacketIn {
    PacketIn { starts_keyframe: true, ..delta(now, layer, seq, timestamp) }
}

fn padding(packet: PacketIn) -> PacketIn {
    PacketIn { payload_len: 0, ..packet }
}

fn forwarded(verdict: Verdict) -> PacketOut {
    match verdict {
        Verdict::Forward(out) => out,
        Verdict::Drop(reason) => panic!("dropped: {reason:?}"),
    }
}

fn seqs(verdicts: impl IntoIterator<Item = Verdict>) -> Vec<Option<u64>> {
    let seq = |verdict| match verdict {
        Verdict::Forward(out) => Some(out.seq),
        Verdict::Drop(_) => None,
    };
    verdicts.into_iter().map(seq).collect()
}

/// A rewriter that has just forwarded the first packet of `LOW`, number 100, as number 7.
fn begun(now: Instant) -> Rewriter {
    let mut rewriter = Rewriter::new(RATE, 7);
    rewriter.set_target(Some(LOW));
    let first = forwarded(rewriter.rewrite(&key(now, LOW, 100, 5000)));
    assert_eq!((first.seq, first.switched), (7, true));
    rewriter
}

#[test]
fn nothing_is_forwarded_before_a_key_frame() {
    let now = origin();
    let mut rewriter = Rewriter::new(RATE, 7);
    assert_eq!(rewriter.rewrite(&key(now, LOW, 1, 0)), Verdict::Drop(DropReason::Paused));

    rewriter.set_target(Some(LOW));
    assert_eq!(rewriter.wants_keyframe(), Some(LOW));
    let reason = Verdict::Drop(DropReason::AwaitsKeyframe);
    assert_eq!(rewriter.rewrite(&delta(now, LOW, 2, 0)), reason);

    forwarded(rewriter.rewrite(&key(now, LOW, 3, 0)));
    assert_eq!((rewriter.current(), rewriter.wants_keyframe()), (Some(LOW), None));
}

#[test]
fn the_old_layer_goes_on_until_the_new_one_has_a_key_frame() {
    let now = origin();
    let mut rewriter = begun(now);

    rewriter.set_target(Some(HIGH));
    assert_eq!(rewriter.wants_keyframe(), Some(HIGH));
    let verdicts = [
        delta(now, LOW, 101, 8000),
        delta(now, HIGH, 900, 1),
        key(now, HIGH, 901, 2),
        delta(now, LOW, 102, 11_000),
        delta(now, HIGH, 902, 3),
    ]
    .map(|packet| rewriter.rewrite(&packet));

    assert_eq!(seqs(verdicts), [Some(8), None, Some(9), None, Some(10)]);
    assert_eq!(verdicts[3], Verdict::Drop(DropReason::OtherLayer));
    assert_eq!(rewriter.current(), Some(HIGH));
}

#[test]
fn a_change_of_mind_leaves_the_stream_alone() {
    let now = origin();
    let mut rewriter = begun(now);

    rewriter.set_target(Some(HIGH));
    rewriter.set_target(Some(LOW));
    let verdicts =
        [key(now, HIGH, 901, 2), delta(now, LOW, 101, 8000)].map(|p| rewriter.rewrite(&p));

    assert_eq!(seqs(verdicts), [None, Some(8)]);
    assert_eq!(rewriter.wants_keyframe(), None);
}

#[test]
fn whoever_was_paused_needs_a_key_frame() {
    let now = origin();
    let mut rewriter = begun(now);

    rewriter.set_target(None);
    assert_eq!(rewriter.rewrite(&delta(now, LOW, 101, 0)), Verdict::Drop(DropReason::Paused));
    rewriter.set_target(Some(LOW));
    assert_eq!(rewriter.wants_keyframe(), Some(LOW));

    let verdicts = [delta(now, LOW, 102, 1), key(now, LOW, 103, 2)].map(|p| rewriter.rewrite(&p));
    assert_eq!(seqs(verdicts), [None, Some(8)]);
}

#[test]
fn late_packets_keep_their_place_and_gaps_stay() {
    let now = origin();
    let mut rewriter = begun(now);

    let verdicts =
        [104, 102, 103, 102, 100, 99, 110].map(|seq| rewriter.rewrite(&delta(now, LOW, seq, 9000)));

    assert_eq!(seqs(verdicts), [Some(11), Some(9), Some(10), None, None, None, Some(17)]);
    assert_eq!(verdicts[3], Verdict::Drop(DropReason::Duplicate));
    assert_eq!(verdicts[4], Verdict::Drop(DropReason::Duplicate), "the first one again");
    assert_eq!(verdicts[5], Verdict::Drop(DropReason::BeforeSwitch));
}

#[test]
fn padding_leaves_no_gap() {
    let now = origin();
    let mut rewriter = begun(now);

    let verdicts = [
        padding(delta(now, LOW, 101, 9000)),
        padding(delta(now, LOW, 102, 9000)),
        delta(now, LOW, 104, 9000),
        delta(now, LOW, 103, 9000),
        padding(delta(now, LOW, 105, 9000)),
        delta(now, LOW, 106, 9000),
        padding(delta(now, LOW, 102, 9000)),
        delta(now, LOW, 107, 9000),
    ]
    .map(|packet| rewriter.rewrite(&packet));

    let expected = [None, None, Some(9), Some(8), None, Some(10), None, Some(11)];
    assert_eq!(seqs(verdicts), expected);
}

#[test]
fn padding_that_comes_late_leaves_its_gap() {
    let now = origin();
    let mut rewriter = begun(now);

    let verdicts = [
        delta(now, LOW, 102, 9000),
        padding(delta(now, LOW, 101, 9000)),
        delta(now, LOW, 103, 9000),
    ]
    .map(|packet| rewriter.rewrite(&packet));

    assert_eq!(seqs(verdicts), [Some(9), None, Some(10)], "number 8 is spent");
}

#[test]
fn a_key_frame_that_lost_its_head_is_not_switched_to() {
    let now = origin();
    let mut rewriter = begun(now);
    rewriter.set_target(Some(HIGH));

    rewriter.rewrite(&delta(now, HIGH, 902, 2));
    let late = rewriter.rewrite(&key(now, HIGH, 901, 2));

    assert_eq!(late, Verdict::Drop(DropReason::AwaitsKeyframe), "number 902 is gone");
    assert_eq!(rewriter.wants_keyframe(), Some(HIGH));
}

#[test]
fn timestamps_go_on_with_the_time_that_passed() {
    let now = origin();
    let mut rewriter = begun(now);
    rewriter.set_target(Some(HIGH));

    let at = now + Duration::from_millis(100);
    let out = forwarded(rewriter.rewrite(&key(at, HIGH, 901, 77)));
    assert_eq!(out.timestamp, 5000 + 9000);

    let next = forwarded(rewriter.rewrite(&delta(at, HIGH, 902, 77 + 3000)));
    assert_eq!(next.timestamp, 5000 + 9000 + 3000);
}

#[test]
fn timestamps_advance_even_where_no_time_passed() {
    let now = origin();
    let mut rewriter = begun(now);
    rewriter.set_target(Some(HIGH));

    let out = forwarded(rewriter.rewrite(&key(now, HIGH, 901, u32::MAX)));

    assert_eq!(out.timestamp, 5001);
}

#[test]
fn counters_of_the_payload_go_on_across_a_switch_and_wrap() {
    let now = origin();
    let ids = |picture_id, tl0_pic_idx| {
        Some(PictureIds { picture_id: Some(picture_id), tl0_pic_idx: Some(tl0_pic_idx) })
    };
    let mut rewriter = Rewriter::new(RATE, 0);
    rewriter.set_target(Some(LOW));
    let first =
        PacketIn { ids: ids(0x7fff, 255), frame_number: Some(u16::MAX), ..key(now, LOW, 1, 0) };
    assert_eq!(forwarded(rewriter.rewrite(&first)).ids, ids(0x7fff, 255));

    rewriter.set_target(Some(HIGH));
    let key = PacketIn { ids: ids(40, 9), frame_number: Some(5), ..key(now, HIGH, 1, 0) };
    let out = forwarded(rewriter.rewrite(&key));
    assert_eq!((out.ids, out.frame_number), (ids(0, 0), Some(0)));

    let next = PacketIn { ids: ids(42, 10), frame_number: Some(7), ..delta(now, HIGH, 2, 3000) };
    let out = forwarded(rewriter.rewrite(&next));
    assert_eq!((out.ids, out.frame_number), (ids(2, 1), Some(2)));
}

#[test]
fn another_publication_continues_the_same_stream() {
    let now = origin();
    let mut rewriter = begun(now);

    rewriter.restart();
    assert_eq!((rewriter.target(), rewriter.current()), (None, None));
    rewriter.set_target(Some(LOW));
    let at = now + Duration::from_secs(1);
    let verdicts = [delta(at, LOW, 3, 1), key(at, LOW, 4, 1), delta(at, LOW, 5, 3001)]
        .map(|packet| rewriter.rewrite(&packet));

    assert_eq!(seqs(verdicts), [None, Some(8), Some(9)]);
    assert_eq!(forwarded(verdicts[1]).timestamp, 5000 + RATE);
}

#[test]
fn sound_needs_no_key_frame() {
    let now = origin();
    let mut rewriter = Rewriter::new(48_000, u16::MAX).without_keyframes();
    rewriter.set_target(Some(LOW));
    assert_eq!(rewriter.wants_keyframe(), None);

    let verdicts =
        [padding(delta(now, LOW, 69, 0)), delta(now, LOW, 70, 960), delta(now, LOW, 71, 1920)]
            .map(|packet| rewriter.rewrite(&packet));

    assert_eq!(seqs(verdicts), [None, Some(65_535), Some(65_536)], "extended, not wrapped");
}

#[test]
fn a_publisher_that_begins_anew_leaves_no_gap() {
    let now = origin();
    let mut rewriter = begun(now);

    let jump = delta(now, LOW, 100 + MAX_JUMP + 1, 0);
    assert_eq!(rewriter.rewrite(&jump), Verdict::Drop(DropReason::AwaitsKeyframe));
    assert_eq!(rewriter.wants_keyframe(), Some(LOW));
    let out = forwarded(rewriter.rewrite(&key(now, LOW, 100 + MAX_JUMP + 2, 0)));
    assert_eq!(out.seq, 8);

    let back = forwarded(rewriter.rewrite(&key(now, LOW, 3, 0)));
    assert_eq!(back.seq, 9);
}

#[test]
fn what_is_too_late_to_tell_is_dropped() {
    let now = origin();
    let mut rewriter = begun(now);
    forwarded(rewriter.rewrite(&delta(now, LOW, 101 + WINDOW, 0)));

    let late = rewriter.rewrite(&delta(now, LOW, 101, 0));

    assert_eq!(late, Verdict::Drop(DropReason::TooOld));
    forwarded(rewriter.rewrite(&delta(now, LOW, 102, 0)));
}

#[test]
fn padding_of_long_ago_stays_closed() {
    let now = origin();
    let mut rewriter = begun(now);

    for (expected, seq) in (8..).zip((101..101 + 4 * WINDOW).step_by(2)) {
        rewriter.rewrite(&padding(delta(now, LOW, seq, 0)));
        let out = forwarded(rewriter.rewrite(&delta(now, LOW, seq + 1, 0)));
        assert_eq!(out.seq, expected);
    }
}

#[test]
fn a_publisher_that_begins_anew_a_little_lower_is_followed() {
    let now = origin();
    let mut rewriter = begun(now);
    forwarded(rewriter.rewrite(&delta(now, LOW, 4000, 0)));

    let seqs = 101..101 + u64::from(LEFT_BEHIND);
    for seq in seqs {
        let verdict = rewriter.rewrite(&delta(now, LOW, seq, 0));
        assert_eq!(verdict, Verdict::Drop(DropReason::TooOld));
    }

    assert_eq!(rewriter.wants_keyframe(), Some(LOW));
    let out = forwarded(rewriter.rewrite(&key(now, LOW, 200, 0)));
    assert_eq!((out.seq, out.switched), (3908, true));
}

#[test]
fn numbers_of_packets_that_were_never_sent_are_used_again_from_a_key_frame_on() {
    let now = origin();
    let mut rewriter = begun(now);
    for seq in 101..105 {
        forwarded(rewriter.rewrite(&delta(now, LOW, seq, 8000)));
    }

    rewriter.cut(Some(9));

    assert_eq!(rewriter.wants_keyframe(), Some(LOW));
    let reason = Verdict::Drop(DropReason::AwaitsKeyframe);
    assert_eq!(rewriter.rewrite(&delta(now, LOW, 105, 11_000)), reason);
    let next = forwarded(rewriter.rewrite(&key(now, LOW, 106, 14_000)));
    assert_eq!((next.seq, next.switched), (9, true));
    let after = forwarded(rewriter.rewrite(&delta(now, LOW, 107, 14_000)));
    assert_eq!(after.seq, 10);
}

#[test]
fn a_cut_where_all_was_sent_leaves_no_gap() {
    let now = origin();
    let mut rewriter = begun(now);
    rewriter.cut(None);
    assert_eq!(forwarded(rewriter.rewrite(&key(now, LOW, 101, 8000))).seq, 8);

    rewriter.cut(Some(500));
    assert_eq!(forwarded(rewriter.rewrite(&key(now, LOW, 102, 9000))).seq, 9, "not further on");
}
