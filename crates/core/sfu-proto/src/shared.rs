use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

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

impl Shared {
    pub(crate) fn new(
        config: NodeConfig,
        rtc_config: RtcConfig,
        candidates: Vec<Candidate>,
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
            draws: 0,
        }
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
