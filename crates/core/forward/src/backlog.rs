use std::collections::VecDeque;
use std::time::{Duration, Instant};

use conclave_model::Bitrate;

/// Knows from the queue in front of one path whether the path carries what it is given.
///
/// An estimate of bandwidth that is told at large is an average over seconds: it is late just
/// when a path has become narrow, and what is forwarded meanwhile waits in the queue and delays
/// all that comes behind. The queue itself is not late. While its first packet has waited for
/// long, the path carries what leaves the queue, and no more.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Bytes put into the queue so far.
    written: u64,
    queue: Queue,
    samples: VecDeque<Sample>,
    narrow: Option<Narrow>,
}

/// What waits to be sent on a path.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Queue {
    /// How many bytes wait.
    pub bytes: u64,
    /// How long the first of them has waited.
    pub waited: Duration,
}

/// How many bytes had left the queue at some time.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    left: u64,
}

/// The path held packets back.
#[derive(Clone, Copy, Debug)]
struct Narrow {
    /// When it last did.
    at: Instant,
    /// What left the queue.
    rate: Bitrate,
}

/// A packet that has waited for so long is held back. Bursts wait for less: a key frame of four
/// times the usual size is sent within 120 ms.
const HELD_BACK: Duration = Duration::from_millis(200);

/// A queue whose first packet has waited for so long is not added to. What comes later than this
/// is no conversation.
const STALL: Duration = Duration::from_secs(1);

/// A queue whose first packet has waited for less than this is as good as empty: packets leave it
/// in bursts, each 40 ms.
const EMPTY: Duration = Duration::from_millis(80);

/// The rate is taken over this time at most: a path that becomes narrow does so by degrees, as
/// its estimate falls.
const SPAN: Duration = Duration::from_millis(300);

/// The rate is taken over this time at least: a narrow path sends a packet in 30 ms.
const MIN_SPAN: Duration = Duration::from_millis(90);

/// For how long the rate limits what is sent, after the path last held packets back: as long as
/// the estimate is still an average with what was before.
const HOLD: Duration = Duration::from_secs(3);

impl Backlog {
    /// Takes note that a packet of so many bytes was put into the queue.
    pub const fn write(&mut self, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
    }

    /// Takes a look at the queue. `now` must not go backwards between calls, which should be
    /// about 100 ms apart. Returns whether what is sent should be chosen anew.
    pub fn observe(&mut self, now: Instant, queue: Queue) -> bool {
        let was_empty = self.is_empty();
        self.queue = queue;
        let left = self.written.saturating_sub(queue.bytes);
        // As long as its first packet waited, the queue was never empty.
        let span = queue.waited.min(SPAN);
        let in_span = |sample: &Sample| now.saturating_duration_since(sample.at) <= span;
        while self.samples.front().is_some_and(|sample| !in_span(sample)) {
            self.samples.pop_front();
        }
        if self.is_held_back()
            && let Some(first) = self.samples.front()
            && let span = now.saturating_duration_since(first.at)
            && span >= MIN_SPAN
        {
            let bits = left.saturating_sub(first.left) * 8;
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            self.narrow = Some(Narrow { at: now, rate: Bitrate::bps(bits * 1000 / millis) });
        }
        self.samples.push_back(Sample { at: now, left });
        self.is_held_back() || self.is_empty() != was_empty
    }

    /// Whether packets have waited for so long that the path does not carry what it is given.
    pub fn is_held_back(&self) -> bool {
        self.queue.waited >= HELD_BACK
    }

    /// Whether packets have waited for so long that nothing should be added before the queue is
    /// empty.
    pub fn is_stalled(&self) -> bool {
        self.queue.waited >= STALL
    }

    /// Whether hardly anything waits.
    pub fn is_empty(&self) -> bool {
        self.queue.waited < EMPTY
    }

    /// What may be put into the queue at most, if the path has held packets back of late. What
    /// waits already is to be gone within a second, but leaves room for half of what the path
    /// carries.
    pub fn limit(&self, now: Instant) -> Option<Bitrate> {
        let narrow = self
            .narrow
            .as_ref()
            .filter(|narrow| now.saturating_duration_since(narrow.at) < HOLD)?;
        let usable = narrow.rate.as_bps() / 10 * 9;
        let waiting = if self.is_held_back() { self.queue.bytes * 8 } else { 0 };
        Some(Bitrate::bps(usable - waiting.min(usable / 2)))
    }
}

#[cfg(test)]
mod tests;
