//! Changes that everybody is to learn of, and how long that takes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use conclave_model::ParticipantId;
use conclave_wire::{ClientMessage, GroupRequest};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::members::{Members, What};

/// What changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Kind {
    /// A member switches its microphone on, just when all confirm that they have new keys: as they do
    /// whenever somebody has come or gone.
    Confirmation,
    /// A member puts its hand up or down: an encrypted message, passed on as it comes.
    Hand,
    /// A member switches its microphone on or off: news of the roster, which are collected for a moment.
    Microphone,
}

/// What came of many changes of one kind.
#[derive(Debug)]
pub(super) struct Told {
    /// From each change until the last of the others had heard of it.
    pub(super) all: Vec<Duration>,
    /// Messages that the members got.
    pub(super) deliveries: u64,
    /// How long it all took.
    pub(super) took: Duration,
}

/// How long the last of the news may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A change that not all have heard of.
struct Pending {
    began: Instant,
    missing: usize,
}

/// Changes under way.
struct Watch {
    pending: BTreeMap<u64, Pending>,
    /// How many messages each member has heard: they come in one order to all.
    messages: Vec<u64>,
    told: Told,
}

/// Makes a change every so often, not quite evenly, and waits until everybody has heard of each.
/// There is a change for each of `hands`, or as many of microphones. The group is in the `epoch`.
pub(super) async fn make(
    members: &mut Members,
    kind: Kind,
    hands: &[GroupRequest],
    per_second: f64,
    epoch: u64,
) -> anyhow::Result<Told> {
    let told = Told { all: Vec::new(), deliveries: 0, took: Duration::ZERO };
    let mut watch = Watch { pending: BTreeMap::new(), messages: vec![0; members.len()], told };
    let began = Instant::now();
    let mut due = began;
    let mut left = hands.iter().enumerate();
    let mut next = left.next();
    loop {
        let patience = Instant::now() + PATIENCE;
        tokio::select! {
            heard = members.hear() => {
                let heard = heard?;
                watch.note(heard.member, heard.at.into(), &heard.what);
            }
            () = sleep_until(due), if next.is_some() => {
                let Some((number, hand)) = next else { continue };
                let gap = Duration::from_secs_f64(2.0 * unevenness(number) / per_second);
                due = Instant::now() + gap;
                next = left.next();
                if kind == Kind::Confirmation {
                    for member in 0..members.len() {
                        let request = GroupRequest::Ready { epoch };
                        members.say(member, ClientMessage::Group { request })?;
                    }
                }
                watch.begin(members, kind, number, hand)?;
            }
            () = sleep_until(patience) => {
                let pending = watch.pending.len();
                anyhow::bail!("the news of {pending} changes did not reach everybody");
            }
        }
        if next.is_none() && watch.pending.is_empty() {
            watch.told.took = began.elapsed();
            return Ok(watch.told);
        }
    }
}

impl Watch {
    /// Makes a change.
    fn begin(
        &mut self,
        members: &mut Members,
        kind: Kind,
        number: usize,
        hand: &GroupRequest,
    ) -> anyhow::Result<()> {
        let missing = members.len() - 1;
        let pending = Pending { began: Instant::now(), missing };
        match kind {
            Kind::Hand => {
                self.pending.insert(number as u64, pending);
                members.say(0, ClientMessage::Group { request: hand.clone() })
            }
            Kind::Confirmation | Kind::Microphone => {
                // Another one each time, as far as there are enough.
                let member = (number + 1) % members.len();
                let id = members.ids.get(member).context("there is no such member")?;
                self.pending.insert(u64::from(id.0), pending);
                members.switch(member)
            }
        }
    }

    /// Takes note of what a member heard.
    fn note(&mut self, member: usize, at: Instant, what: &What) {
        match what {
            What::Back | What::Gone(_) => return,
            What::Message => {
                let Some(count) = self.messages.get_mut(member) else { return };
                let number = *count;
                *count += 1;
                self.heard(number, at);
            }
            What::Roster(changed) => {
                for ParticipantId(id) in changed {
                    self.heard(u64::from(*id), at);
                }
            }
        }
        self.told.deliveries += 1;
    }

    fn heard(&mut self, key: u64, at: Instant) {
        let Some(pending) = self.pending.get_mut(&key) else { return };
        pending.missing -= 1;
        if pending.missing == 0 {
            self.told.all.push(at.saturating_duration_since(pending.began));
            self.pending.remove(&key);
        }
    }
}

/// From 0 to 1, different from number to number, the same in each run.
fn unevenness(number: usize) -> f64 {
    // The golden ratio's multiples are spread evenly, and no two gaps in a row are alike.
    (number as f64 * 0.618_033_988_749_895).fract()
}
