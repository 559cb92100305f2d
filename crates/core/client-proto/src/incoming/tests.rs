use super::*;

const WRONG_LEAF: Unopened = Unopened::Dropped(Dropped::Frame(OpenError::WrongLeaf));
const FORGED: Unopened = Unopened::Dropped(Dropped::Frame(OpenError::Forged));

fn arrival(mid: &str, at: Instant, frame: u8) -> Arrival {
    Arrival {
        mid: Mid::new(mid).unwrap(),
        codec: Codec::Opus,
        at,
        sealed: Arc::from([frame]),
        lost_packets: 0,
        contiguous: true,
    }
}

#[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start at")]
fn start() -> Instant {
    Instant::now()
}

fn opened(fates: &[Fate]) -> Vec<u8> {
    let frame = |fate: &Fate| match fate {
        Fate::Opened(_, frame) => frame.first().copied(),
        Fate::Dropped(_) => None,
    };
    fates.iter().filter_map(frame).collect()
}

#[test]
fn a_frame_that_is_quicker_than_the_news_waits_for_it_and_the_order_stays() {
    let (mut incoming, now) = (Incoming::default(), start());
    for number in 0..3 {
        incoming.take(arrival("a", now + Duration::from_millis(number), number as u8));
        let at = now + Duration::from_millis(number);
        assert!(incoming.poll(at, |_| Err(WRONG_LEAF)).is_empty());
    }
    assert_eq!(incoming.deadline(), Some(now + HOLD));

    let news = now + HOLD - Duration::from_millis(1);
    let fates = incoming.poll(news, |arrival| Ok(arrival.sealed.to_vec()));
    assert_eq!(opened(&fates), [0, 1, 2]);
    assert_eq!((incoming.opened(), incoming.deadline()), (3, None));
    assert!(incoming.dropped().is_empty());
}

#[test]
fn after_one_that_waited_in_vain_none_waits_until_one_opens() {
    let (mut incoming, now) = (Incoming::default(), start());
    incoming.take(arrival("a", now, 0));
    incoming.take(arrival("b", now, 0));
    assert!(incoming.poll(now, |_| Err(Unopened::Unassigned)).is_empty());
    assert_eq!(incoming.poll(now + HOLD, |_| Err(Unopened::Unassigned)).len(), 2);

    let later = now + HOLD;
    incoming.take(arrival("a", later, 1));
    let fates = incoming.poll(later, |_| Err(WRONG_LEAF));
    assert!(matches!(fates[..], [Fate::Dropped(_)]), "{fates:?}");

    incoming.take(arrival("a", later, 2));
    assert_eq!(opened(&incoming.poll(later, |a| Ok(a.sealed.to_vec()))), [2]);
    incoming.take(arrival("a", later, 3));
    assert!(incoming.poll(later, |_| Err(WRONG_LEAF)).is_empty(), "it waits again");
    let dropped = incoming.dropped();
    assert_eq!((dropped["unassigned"], dropped["wrongLeaf"]), (2, 1));
}

#[test]
fn what_no_news_can_explain_is_dropped_at_once() {
    let (mut incoming, now) = (Incoming::default(), start());
    incoming.take(arrival("a", now, 0));
    assert_eq!(incoming.poll(now, |_| Err(FORGED)).len(), 1);
    incoming.take(arrival("a", now, 1));
    assert!(incoming.poll(now, |_| Err(WRONG_LEAF)).is_empty(), "a forger stops nobody's waiting");
}

#[test]
fn no_more_wait_than_there_is_room_for() {
    let (mut incoming, now) = (Incoming::default(), start());
    for _ in 0..=MAX_HELD {
        incoming.take(arrival("a", now, 0));
    }
    assert_eq!(incoming.poll(now, |_| Err(WRONG_LEAF)).len(), 1);
}
