use std::collections::VecDeque;
use std::time::{Duration, Instant};

use conclave_model::Bitrate;

/// Knows whether a path carries the pictures that it is given: from what waits to be sent, and from
/// how its estimated bandwidth falls.
///
/// An estimate is late just when a path has become narrow. It comes down in steps, a second or two
/// long, and what is forwarded meanwhile stands in front of all that comes behind, here and in the
/// queues of the network. So a steep fall is taken for the beginning of a deeper one, and what waits
/// is not late. Both begin with a moment in which nothing is sent, or the small picture would be lost
/// at the end of a queue full of the large one.
#[derive(Debug)]
pub struct Jam {
    waited: Duration,
    /// The estimates of late, the newest last.
    estimates: VecDeque<(Instant, Bitrate)>,
    /// When a steep fall last went on.
    fell_at: Option<Instant>,
    /// What is not sent, and until when.
    drain: Option<(Drain, Instant)>,
    stall: Option<Stall>,
}

/// What a path carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JamState {
    /// All that it is given.
    Free,
    /// Less than it is given: pictures must not become larger.
    HeldBack,
    /// Nothing for a moment, until queues are empty.
    Draining(Drain),
    /// Less and less: what does not fit gives way to the smallest pictures.
    Falling,
    /// Nothing that comes in time: no pictures.
    Stalled,
}

/// What is not sent until queues are empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drain {
    /// Pictures of any size.
    All,
    /// Pictures larger than the smallest ones.
    Larger,
}

/// Pictures came too late.
#[derive(Clone, Copy, Debug)]
struct Stall {
    until: Instant,
    /// How many there were before it, each soon after the last.
    before: u32,
}

/// A packet that has waited for so long is held back. Bursts wait for less: a key frame of four
/// times the usual size is sent within 120 ms.
const HELD_BACK: Duration = Duration::from_millis(200);

/// What has waited for so long comes too late to be seen, and all that waits behind it, where there is
/// a smaller picture.
const STALL: Duration = Duration::from_millis(800);

/// The same where there is none. A late picture is better than none; at a third of what it takes, its
/// key frame is sent within this time.
const LAST_STALL: Duration = Duration::from_millis(2500);

/// For how long nothing is sent at first: most of what queues in the network hold (300 ms), and with
/// the key frame's delay a freeze that is hardly seen.
const DRAIN: Duration = Duration::from_millis(200);

/// The first pause: enough for an estimate to find out what the path carries.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// So many stalls are not followed by a pause: what is dropped may be all it takes, and an estimate that
/// is too low for a moment holds packets back as well.
const WITHOUT_PAUSE: u32 = 3;

/// The longest one: a glimpse every few seconds is more than nothing, and who waits in front of a line
/// that has become wide again waits no longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// A stall so soon after the last one makes the pause longer.
const SOON: Duration = Duration::from_secs(10);

/// A fall below this share of what was estimated within [`FALL_SPAN`], in percent, is steep. Estimates
/// breathe by about ten.
const STEEP: u64 = 70;

/// Estimates so old are forgotten.
const FALL_SPAN: Duration = Duration::from_secs(1);

/// A steep fall has ended when the estimate has not fallen for so long: more than two of its steps.
const FALL_HOLD: Duration = Duration::from_millis(1500);

impl Jam {
    /// A path on which nothing waits.
    pub const fn new() -> Self {
        Self {
            waited: Duration::ZERO,
            estimates: VecDeque::new(),
            fell_at: None,
            drain: None,
            stall: None,
        }
    }

    /// Takes note of how long the first packet has waited that could not be sent yet, of the
    /// estimated bandwidth, and of what is sent: how much, and whether pictures could be smaller.
    /// `now` must not go backwards between calls, which should be about 100 ms apart. Returns whether
    /// what is sent should be chosen anew.
    pub fn observe(
        &mut self,
        now: Instant,
        waited: Duration,
        estimate: Bitrate,
        sent: Bitrate,
        could_be_smaller: bool,
    ) -> bool {
        let before = self.state(now);
        self.waited = waited;
        self.note_estimate(now, estimate, sent);
        let stall = if could_be_smaller { STALL } else { LAST_STALL };
        if waited >= stall && !matches!(before, JamState::Draining(_) | JamState::Stalled) {
            self.note_stall(now);
        }
        let after = self.state(now);
        after == JamState::HeldBack || after != before
    }

    fn note_estimate(&mut self, now: Instant, estimate: Bitrate, sent: Bitrate) {
        let is_old = |at: Instant| now.saturating_duration_since(at) > FALL_SPAN;
        while self.estimates.front().is_some_and(|(at, _)| is_old(*at)) {
            self.estimates.pop_front();
        }
        let highest = self.estimates.iter().map(|(_, estimate)| estimate.as_bps()).max();
        let falls = self.estimates.back().is_some_and(|(_, last)| estimate < *last);
        let is_steep = highest.is_some_and(|highest| estimate.as_bps() * 100 < highest * STEEP);
        let was_falling = self.is_falling(now);
        if falls && (was_falling || (is_steep && estimate < sent)) {
            self.fell_at = Some(now);
            if !was_falling {
                self.drain = Some((Drain::Larger, now + DRAIN));
            }
        }
        self.estimates.push_back((now, estimate));
    }

    fn note_stall(&mut self, now: Instant) {
        let recent = self.stall.filter(|stall| now < stall.until + SOON);
        let before = recent.map_or(0, |stall| stall.before + 1);
        let pause = match before.checked_sub(WITHOUT_PAUSE) {
            Some(doubled) => (FIRST_PAUSE * (1 << doubled.min(8))).min(LONGEST_PAUSE),
            None => Duration::ZERO,
        };
        self.stall = Some(Stall { until: now + pause, before });
        self.drain = Some((Drain::All, now + DRAIN));
    }

    fn is_falling(&self, now: Instant) -> bool {
        self.fell_at.is_some_and(|at| now.saturating_duration_since(at) < FALL_HOLD)
    }

    /// What the path carries.
    pub fn state(&self, now: Instant) -> JamState {
        if self.stall.is_some_and(|stall| now < stall.until) {
            JamState::Stalled
        } else if let Some((drain, _)) = self.drain.filter(|(_, until)| now < *until) {
            JamState::Draining(drain)
        } else if self.is_falling(now) {
            JamState::Falling
        } else if self.waited >= HELD_BACK {
            JamState::HeldBack
        } else {
            JamState::Free
        }
    }
}

impl Default for Jam {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin;

    const WIDE: Bitrate = Bitrate::kbps(1000);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Something waits, on a path whose estimate stays.
    fn wait(jam: &mut Jam, now: Instant, waited: Duration) -> bool {
        jam.observe(now, waited, WIDE, WIDE, true)
    }

    #[test]
    fn what_waits_for_a_moment_is_no_jam() {
        let (now, mut jam) = (origin(), Jam::new());
        assert!(!wait(&mut jam, now, ms(150)));
        assert_eq!(jam.state(now), JamState::Free);
    }

    #[test]
    fn what_waits_for_long_calls_for_less_as_long_as_it_waits() {
        let (now, mut jam) = (origin(), Jam::new());
        assert!(wait(&mut jam, now, ms(200)));
        assert!(wait(&mut jam, now + ms(100), ms(300)), "still");
        assert_eq!(jam.state(now + ms(100)), JamState::HeldBack);

        assert!(wait(&mut jam, now + ms(200), ms(0)), "it is over");
        assert_eq!(jam.state(now + ms(200)), JamState::Free);
        assert!(!wait(&mut jam, now + ms(300), ms(0)));
    }

    #[test]
    fn each_try_in_vain_is_followed_by_a_longer_pause() {
        let (mut now, mut jam) = (origin(), Jam::new());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            now += ms(1000);
            wait(&mut jam, now, STALL);
            let stalled_at = now;
            while matches!(jam.state(now), JamState::Draining(_) | JamState::Stalled) {
                now += ms(100);
                wait(&mut jam, now, ms(0));
            }
            pauses.push((now - stalled_at).as_millis());
        }
        assert_eq!(pauses, [200, 200, 200, 1000, 2000, 4000, 4000]);

        now += SOON * 2;
        wait(&mut jam, now, STALL);
        assert_eq!(jam.state(now), JamState::Draining(Drain::All), "that is long ago");
    }

    #[test]
    fn a_steep_fall_below_what_is_sent_lasts_until_the_estimate_has_not_fallen_for_a_while() {
        let (start, mut jam) = (origin(), Jam::new());
        let mut at = |time: u64, kbps: u64| {
            let now = start + ms(time);
            jam.observe(now, ms(0), Bitrate::kbps(kbps), Bitrate::kbps(800), true);
            jam.state(now)
        };
        assert_eq!(at(0, 1000), JamState::Free);
        assert_eq!(at(200, 900), JamState::Free, "it breathes");
        assert_eq!(at(400, 650), JamState::Draining(Drain::Larger));
        assert_eq!(at(600, 650), JamState::Falling);
        assert_eq!(at(1000, 640), JamState::Falling);
        assert_eq!(at(2400, 640), JamState::Falling);
        assert_eq!(at(2500, 640), JamState::Free);
    }

    #[test]
    fn the_smallest_picture_may_come_later_than_others() {
        let (now, mut jam) = (origin(), Jam::new());
        jam.observe(now, STALL, WIDE, WIDE, false);
        assert_eq!(jam.state(now), JamState::HeldBack);
        jam.observe(now, LAST_STALL, WIDE, WIDE, false);
        assert_eq!(jam.state(now), JamState::Draining(Drain::All));
    }

    #[test]
    fn a_fall_to_what_is_sent_is_none() {
        let (start, mut jam) = (origin(), Jam::new());
        jam.observe(start, ms(0), Bitrate::kbps(3000), Bitrate::kbps(800), true);
        jam.observe(start + ms(100), ms(0), Bitrate::kbps(900), Bitrate::kbps(800), true);
        assert_eq!(jam.state(start + ms(100)), JamState::Free);
    }
}
