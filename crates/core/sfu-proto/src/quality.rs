use std::time::{Duration, Instant};

use conclave_model::{Bitrate, ConnectionQuality};
use str0m::stats::PeerStats;

/// Judges how well a peer's media gets through, from loss, round-trip time and estimated
/// bandwidth.
///
/// A better judgement must hold for a while before it is told; a worse one is told at the next
/// report.
#[derive(Debug)]
pub(crate) struct QualityMeter {
    told: Option<ConnectionQuality>,
    told_at: Option<Instant>,
    /// A better judgement, and since when it holds.
    better: Option<(ConnectionQuality, Instant)>,
    /// When the path last lost much or held packets back for long.
    congested_at: Option<Instant>,
}

/// Two reports are at least this far apart.
const MIN_SPACING: Duration = Duration::from_secs(2);

/// A better judgement is told after it has held for this long.
const PATIENCE: Duration = Duration::from_secs(6);

/// A path that lost much counts as congested for this long: a picture that was stopped for it is
/// not sent again after each report.
const CONGESTION_HOLD: Duration = Duration::from_secs(10);

/// More loss than this breaks up speech.
const MUCH_LOSS: f32 = 0.08;

/// A longer round trip than this breaks a conversation.
const LONG_ROUND_TRIP: Duration = Duration::from_millis(700);

impl QualityMeter {
    pub(crate) const fn new() -> Self {
        Self { told: None, told_at: None, better: None, congested_at: None }
    }

    /// Takes a report; returns the quality if others should be told.
    pub(crate) fn handle_stats(
        &mut self,
        now: Instant,
        stats: &PeerStats,
        starved: bool,
    ) -> Option<ConnectionQuality> {
        let loss = |fraction: Option<f32>| fraction.unwrap_or_default().clamp(0.0, 1.0);
        let loss = loss(stats.egress_loss_fraction).max(loss(stats.ingress_loss_fraction));
        let estimate = stats.bwe_tx.map(|estimate| Bitrate::bps(estimate.as_u64()));
        let rtt = stats.rtt.unwrap_or_default();
        self.note_congestion(now, stats.egress_loss_fraction.unwrap_or_default(), rtt);
        self.judge(now, assess(loss, rtt, estimate, starved))
    }

    /// Whether the path to the peer shows, by loss or delay, that it carries too much. The
    /// bandwidth estimate alone proves little where little is sent.
    pub(crate) fn is_congested(&self, now: Instant) -> bool {
        self.congested_at.is_some_and(|at| now.saturating_duration_since(at) < CONGESTION_HOLD)
    }

    /// Pictures had to wait before they could be sent.
    pub(crate) const fn note_held_back(&mut self, now: Instant) {
        self.congested_at = Some(now);
    }

    fn note_congestion(&mut self, now: Instant, loss: f32, rtt: Duration) {
        if loss > MUCH_LOSS || rtt > LONG_ROUND_TRIP {
            self.congested_at = Some(now);
        }
    }

    /// The session is gone.
    pub(crate) fn lose(&mut self, now: Instant) -> Option<ConnectionQuality> {
        self.better = None;
        (self.told != Some(ConnectionQuality::Lost))
            .then(|| self.tell(now, ConnectionQuality::Lost))
    }

    fn judge(&mut self, now: Instant, quality: ConnectionQuality) -> Option<ConnectionQuality> {
        let told = match self.told {
            Some(told) if told != ConnectionQuality::Lost => told,
            Some(_) | None => return Some(self.tell(now, quality)),
        };
        if quality == told {
            self.better = None;
            return None;
        }
        let spaced = self.told_at.is_none_or(|at| now.saturating_duration_since(at) >= MIN_SPACING);
        if quality < told {
            self.better = None;
            return spaced.then(|| self.tell(now, quality));
        }
        let since = match self.better {
            Some((better, since)) if better <= quality => since,
            Some(_) | None => now,
        };
        self.better = Some((quality, since));
        let held = now.saturating_duration_since(since) >= PATIENCE;
        (spaced && held).then(|| self.tell(now, quality))
    }

    const fn tell(&mut self, now: Instant, quality: ConnectionQuality) -> ConnectionQuality {
        self.told = Some(quality);
        self.told_at = Some(now);
        self.better = None;
        quality
    }
}

/// Speech survives 2 % of loss unnoticed and 8 % with effort; a conversation bears 300 ms of
/// round trip, and breaks at 700. Below 80 kbit/s hardly more than sound gets through.
fn assess(loss: f32, rtt: Duration, estimate: Option<Bitrate>, starved: bool) -> ConnectionQuality {
    let below = |bar: Bitrate| estimate.is_some_and(|estimate| estimate < bar);
    if loss > MUCH_LOSS || rtt > LONG_ROUND_TRIP || below(Bitrate::kbps(80)) {
        ConnectionQuality::Poor
    } else if loss > 0.02 || rtt > Duration::from_millis(300) || starved {
        ConnectionQuality::Fair
    } else {
        ConnectionQuality::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        Instant::now()
    }

    #[test]
    fn a_worse_quality_is_told_soon_and_a_better_one_after_it_has_held() {
        let (start, mut meter) = (origin(), QualityMeter::new());
        let at = |s: u64| start + Duration::from_secs(s);
        assert_eq!(meter.judge(at(0), ConnectionQuality::Good), Some(ConnectionQuality::Good));
        assert_eq!(meter.judge(at(1), ConnectionQuality::Poor), None, "too soon after the last");
        assert_eq!(meter.judge(at(2), ConnectionQuality::Poor), Some(ConnectionQuality::Poor));
        assert_eq!(meter.judge(at(4), ConnectionQuality::Good), None);
        assert_eq!(meter.judge(at(8), ConnectionQuality::Good), None);
        assert_eq!(meter.judge(at(10), ConnectionQuality::Good), Some(ConnectionQuality::Good));
    }

    #[test]
    fn a_path_that_lost_much_or_took_long_counts_as_congested_for_a_while() {
        let (start, mut meter) = (origin(), QualityMeter::new());
        let at = |s: u64| start + Duration::from_secs(s);
        meter.note_congestion(at(0), 0.07, Duration::from_millis(300));
        assert!(!meter.is_congested(at(0)));
        meter.note_congestion(at(1), 0.1, Duration::ZERO);
        assert!(meter.is_congested(at(10)));
        assert!(!meter.is_congested(at(11)));
        meter.note_congestion(at(20), 0.0, Duration::from_secs(1));
        assert!(meter.is_congested(at(20)));
    }

    #[test]
    fn one_bad_report_starts_the_wait_for_a_better_quality_anew() {
        let (start, mut meter) = (origin(), QualityMeter::new());
        let at = |s: u64| start + Duration::from_secs(s);
        meter.judge(at(0), ConnectionQuality::Poor);
        meter.judge(at(2), ConnectionQuality::Good);
        meter.judge(at(6), ConnectionQuality::Poor);
        assert_eq!(meter.judge(at(8), ConnectionQuality::Good), None);
        assert_eq!(meter.judge(at(12), ConnectionQuality::Good), None);
        assert_eq!(meter.judge(at(14), ConnectionQuality::Good), Some(ConnectionQuality::Good));
    }

    #[test]
    fn a_lost_peer_that_comes_back_is_judged_at_once() {
        let (start, mut meter) = (origin(), QualityMeter::new());
        meter.judge(start, ConnectionQuality::Good);
        assert_eq!(meter.lose(start), Some(ConnectionQuality::Lost));
        assert_eq!(meter.lose(start), None, "told once");
        assert_eq!(meter.judge(start, ConnectionQuality::Good), Some(ConnectionQuality::Good));
    }
}
