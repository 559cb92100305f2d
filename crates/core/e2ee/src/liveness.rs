use std::collections::BTreeMap;
use std::time::Duration;

use conclave_commit_rules::CredentialId;

use crate::roster::Roster;

/// How often those who must show that they live do so.
const DUTY_INTERVAL: Duration = Duration::from_secs(10);

/// After how many missed heartbeats there is a warning.
const WARN_AFTER: u32 = 3;

/// After how many sending stops.
const STOP_AFTER: u32 = 10;

/// How many epochs' marks are kept, for heartbeats that come late.
const MARKS: usize = 5;

/// Who was heard when.
#[derive(Default)]
pub(crate) struct Liveness {
    heard: BTreeMap<u32, (CredentialId, Duration)>,
    last_own: Option<Duration>,
    /// Transcript hash and number of members of the last epochs.
    marks: BTreeMap<u64, (Vec<u8>, u32)>,
}

/// How long it has been silent.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Silence {
    None,
    Warn,
    Stop,
}

impl Liveness {
    /// A new epoch: who is new counts as heard.
    pub(crate) fn enter(&mut self, now: Duration, roster: &Roster, mark: (u64, Vec<u8>)) {
        self.heard.retain(|leaf, (credential, _)| {
            roster.people().get(leaf).is_some_and(|person| person.credential == *credential)
        });
        for (leaf, person) in roster.people() {
            self.heard.entry(*leaf).or_insert((person.credential, now));
        }
        let members = u32::try_from(roster.len()).unwrap_or(u32::MAX);
        self.marks.insert(mark.0, (mark.1, members));
        while self.marks.len() > MARKS {
            self.marks.pop_first();
        }
    }

    pub(crate) fn hear(&mut self, now: Duration, leaf: u32) {
        if let Some((_, at)) = self.heard.get_mut(&leaf) {
            *at = now;
        }
    }

    /// What this device knows of an epoch, if it is not too long ago.
    pub(crate) fn mark(&self, epoch: u64) -> Option<&(Vec<u8>, u32)> {
        self.marks.get(&epoch)
    }

    /// When this device's next heartbeat is due.
    pub(crate) fn own_due(&self, roster: &Roster, own: u32) -> Duration {
        let interval = if on_duty(roster).contains(&own) { DUTY_INTERVAL } else { others(roster) };
        self.last_own.map_or(Duration::ZERO, |last| last + interval)
    }

    pub(crate) fn sent(&mut self, now: Duration) {
        self.last_own = Some(now);
    }

    /// Whether a member was heard lately, for duties that pass on.
    pub(crate) fn is_live(&self, now: Duration, roster: &Roster, leaf: u32) -> bool {
        let interval = if on_duty(roster).contains(&leaf) { DUTY_INTERVAL } else { others(roster) };
        let since = self.heard.get(&leaf).map(|(_, at)| now.saturating_sub(*at));
        since.is_some_and(|since| since < interval * (WARN_AFTER + 1))
    }

    /// How many others were heard lately.
    pub(crate) fn live_others(&self, now: Duration, roster: &Roster, own: u32) -> usize {
        let others = roster.people().keys().filter(|leaf| **leaf != own);
        others.filter(|leaf| self.is_live(now, roster, **leaf)).count()
    }

    /// How long those were silent who must not be, and when that is worse.
    pub(crate) fn silence(
        &self,
        now: Duration,
        roster: &Roster,
        own: u32,
    ) -> (Silence, Option<Duration>) {
        let duty: Vec<_> = on_duty(roster).into_iter().filter(|leaf| *leaf != own).collect();
        // Who is alone on duty listens to all others.
        let (watched, interval) = if duty.is_empty() {
            let all = roster.people().keys().copied().filter(|leaf| *leaf != own);
            (all.collect(), others(roster))
        } else {
            (duty, DUTY_INTERVAL)
        };
        let last = watched.iter().filter_map(|leaf| self.heard.get(leaf)).map(|(_, at)| *at).max();
        let Some(last) = last else { return (Silence::None, None) };
        let (warn, stop) = (last + interval * WARN_AFTER, last + interval * STOP_AFTER);
        if now >= stop {
            (Silence::Stop, None)
        } else if now >= warn {
            (Silence::Warn, Some(stop))
        } else {
            (Silence::None, Some(warn))
        }
    }
}

/// Who must show that they live: those who may admit, or where there is none, the lowest leaf.
fn on_duty(roster: &Roster) -> Vec<u32> {
    let admitters: Vec<_> = roster.admitters().collect();
    if admitters.is_empty() {
        roster.people().keys().next().copied().into_iter().collect()
    } else {
        admitters
    }
}

/// How often the others show that they live.
fn others(roster: &Roster) -> Duration {
    let members = u32::try_from(roster.len()).unwrap_or(u32::MAX);
    DUTY_INTERVAL.max(Duration::from_secs(u64::from(members) / 10))
}
