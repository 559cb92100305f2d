use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_e2ee::Dropped;
use conclave_frame::{Codec, OpenError};
use conclave_model::Mid;

/// How long a frame may wait for the news that explains it: whose frames its slot carries from here
/// on, or the commit that brings its epoch.
const HOLD: Duration = Duration::from_millis(250);

/// How many frames of one slot may wait: more than a quarter of a second of voice.
const MAX_HELD: usize = 64;

/// A whole frame that came in, still sealed.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) mid: Mid,
    pub(crate) codec: Codec,
    pub(crate) at: Instant,
    pub(crate) sealed: Arc<[u8]>,
    /// Packets that are missing before it.
    pub(crate) lost_packets: u64,
    /// Whether nothing is missing between it and the frame before, as its codec counts.
    pub(crate) contiguous: bool,
}

/// Why a frame that came in is not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unopened {
    Dropped(Dropped),
    /// Nobody has said what its slot carries, or whose that is.
    Unassigned,
}

/// Frames on their way to be opened: media may overtake the news on what a slot carries.
///
/// A frame that cannot be opened yet waits, and those of its slot behind it are tried in order.
/// After one that waited in vain, none waits any more until one opens again: so who sends nonsense
/// costs little.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    slots: BTreeMap<Mid, Waiting>,
    opened: u64,
    dropped: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    held: VecDeque<Arrival>,
    waited_in_vain: bool,
}

/// What became of a frame.
#[derive(Debug)]
pub(crate) enum Fate {
    Dropped(Mid),
    Opened(Arrival, Vec<u8>),
}

impl Incoming {
    pub(crate) fn take(&mut self, arrival: Arrival) {
        self.slots.entry(arrival.mid).or_default().held.push_back(arrival);
    }

    /// Forgets what waits: its media session is gone.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Tries all that wait, and returns those that need wait no longer, in their slots' order.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        mut open: impl FnMut(&Arrival) -> Result<Vec<u8>, Unopened>,
    ) -> Vec<Fate> {
        let mut fates = Vec::new();
        for (&mid, waiting) in &mut self.slots {
            for arrival in std::mem::take(&mut waiting.held) {
                match open(&arrival) {
                    Ok(frame) => {
                        self.opened += 1;
                        waiting.waited_in_vain = false;
                        fates.push(Fate::Opened(arrival, frame));
                    }
                    Err(reason) if waiting.may_hold(now, &arrival, reason) => {
                        waiting.held.push_back(arrival);
                    }
                    Err(reason) => {
                        waiting.waited_in_vain |= reason.may_pass();
                        *self.dropped.entry(reason.name()).or_default() += 1;
                        fates.push(Fate::Dropped(mid));
                    }
                }
            }
        }
        fates
    }

    /// When the first one has waited long enough.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let firsts = self.slots.values().filter_map(|waiting| waiting.held.front());
        firsts.map(|arrival| arrival.at + HOLD).min()
    }

    pub(crate) const fn opened(&self) -> u64 {
        self.opened
    }

    pub(crate) fn dropped(&self) -> BTreeMap<String, u64> {
        self.dropped.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
    }
}

impl Waiting {
    fn may_hold(&self, now: Instant, arrival: &Arrival, reason: Unopened) -> bool {
        let in_time = now < arrival.at + HOLD && self.held.len() < MAX_HELD;
        reason.may_pass() && in_time && !self.waited_in_vain
    }
}

impl Unopened {
    /// Whether news that is under way may explain it.
    const fn may_pass(self) -> bool {
        match self {
            Self::Unassigned => true,
            Self::Dropped(Dropped::Frame(error)) => matches!(
                error,
                OpenError::UnknownEpoch | OpenError::WrongLeaf | OpenError::WrongTrack
            ),
            Self::Dropped(Dropped::Muted | Dropped::NotInGroup) => false,
        }
    }

    /// What reports call it.
    const fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "unassigned",
            Self::Dropped(Dropped::Muted) => "muted",
            Self::Dropped(Dropped::NotInGroup) => "notInGroup",
            Self::Dropped(Dropped::Frame(error)) => match error {
                OpenError::Codec => "codec",
                OpenError::Forged => "forged",
                OpenError::Header => "header",
                OpenError::PastEpoch => "pastEpoch",
                OpenError::Replayed => "replayed",
                OpenError::Revoked => "revoked",
                OpenError::TooLate => "tooLate",
                OpenError::TooLong => "tooLong",
                OpenError::TooShort => "tooShort",
                OpenError::UnknownEpoch => "unknownEpoch",
                OpenError::WrongLeaf => "wrongLeaf",
                OpenError::WrongTrack => "wrongTrack",
            },
        }
    }
}

#[cfg(test)]
mod tests;
