use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use conclave_call_proto::media::{MediaEvent, PeerId};
use conclave_model::{CallId, PublicationId};
use str0m::{Candidate, RtcConfig};

use crate::burst::Outbox;
use crate::config::NodeConfig;
use crate::demux::Demux;
use crate::relay::{NodeNumber, Relay};
use crate::stats::NodeStats;

/// What all calls of a node share: how sessions are made, whose datagrams are whose, what goes
/// out, and who wants to be woken.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    pub(crate) rtc_config: RtcConfig,
    /// What the node's addresses are in every session's answer.
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) demux: Demux,
    pub(crate) outbox: Outbox,
    pub(crate) events: VecDeque<MediaEvent>,
    /// For other nodes.
    pub(crate) relays: VecDeque<(NodeNumber, Relay)>,
    pub(crate) stats: NodeStats,
    /// Publications with packets that are not yet in their slots.
    pub(crate) arrived: Vec<Turn>,
    /// How many packets are to be put into slots, each slot counted, since all were last done.
    pub(crate) pending_forwards: usize,
    /// The one of them whose slots are being filled.
    pub(crate) filling: Option<Turn>,
    /// Sessions with a burst that is not yet sent.
    pub(crate) unsent: Vec<PeerId>,
    /// Sessions with something written to them that waits for its turn.
    pub(crate) unflushed: BTreeSet<PeerId>,
    pub(crate) timers: BTreeSet<(Instant, Timer)>,
    /// From when moments are counted at which timers that can wait are due together.
    start: Instant,
    /// Counts the random numbers drawn from the seed.
    draws: u64,
}

/// Who wants to be woken.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Timer {
    Assign(CallId),
    Call(CallId),
    /// Reports wait to be read.
    Reports,
    Session(PeerId),
}

/// A publication with packets, and which of its slots is next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) call: CallId,
    pub(crate) publication: PublicationId,
    pub(crate) outlet: usize,
}

impl Turn {
    pub(crate) const fn new(call: CallId, publication: PublicationId) -> Self {
        Self { call, publication, outlet: 0 }
    }
}

/// What is due after more than this can wait for a moment together with others.
const SOON: Duration = Duration::from_millis(25);

/// How far apart such moments are. Waking a thread takes longer than most of what it is woken for.
const TOGETHER: Duration = Duration::from_millis(10);

impl Shared {
    pub(crate) fn new(
        config: NodeConfig,
        rtc_config: RtcConfig,
        candidates: Vec<Candidate>,
        now: Instant,
    ) -> Self {
        Self {
            config,
            rtc_config,
            candidates,
            demux: Demux::default(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            relays: VecDeque::new(),
            stats: NodeStats::default(),
            arrived: Vec::new(),
            pending_forwards: 0,
            filling: None,
            unsent: Vec::new(),
            unflushed: BTreeSet::new(),
            timers: BTreeSet::new(),
            start: now,
            draws: 0,
        }
    }

    /// When to be woken for what is due `at` some time: just then if that is soon, as where packets are
    /// paced; else together with others.
    pub(crate) fn wake_at(&self, now: Instant, at: Instant) -> Instant {
        if at <= now + SOON { at } else { self.together(at) }
    }

    /// The first moment from `at` on at which all are woken that can wait for it.
    pub(crate) fn together(&self, at: Instant) -> Instant {
        let since_start = at.saturating_duration_since(self.start).as_nanos();
        let missing = since_start.next_multiple_of(TOGETHER.as_nanos()) - since_start;
        at + Duration::from_nanos(missing as u64)
    }

    /// A number that differs from draw to draw: where an outgoing stream starts counting. It
    /// need not be unguessable.
    pub(crate) fn draw(&mut self) -> u64 {
        self.draws += 1;
        let word =
            |i: usize| self.config.seed.chunks_exact(8).nth(i).and_then(|c| c.try_into().ok());
        let mut x = self.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for i in 0..4 {
            // The finalizer of SplitMix64.
            x ^= word(i).map_or(0, u64::from_le_bytes);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^= x >> 31;
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_wait_is_due_together_and_what_is_soon_on_its_own() {
        #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
        let now = Instant::now();
        let config = NodeConfig::new(Vec::new(), Vec::new(), [0; 32]);
        let rtc_config = RtcConfig::default();
        let shared = Shared::new(config, rtc_config, Vec::new(), now);
        let after = |millis: u64| now + Duration::from_millis(millis);

        assert_eq!(shared.wake_at(now, after(25)), after(25));
        assert_eq!(shared.wake_at(now, after(26)), after(30));
        assert_eq!(shared.wake_at(now, after(30)), after(30));
        assert_eq!(shared.wake_at(after(3), after(33)), after(40));
        let just_late = after(30) + Duration::from_nanos(1);
        assert_eq!(shared.wake_at(now, just_late), after(40));
    }
}
