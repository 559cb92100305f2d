use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use conclave_commit_rules::{CredentialId, IdentityCheck, Mode, add_spacing};
use conclave_mls::VerifiedKeyPackage;

use crate::input::KnockId;
use crate::session::again::SAME_DEVICE_PAUSE;

/// How many people one commit lets in at most.
pub(crate) const BATCH: usize = 32;

/// How many knocks are kept at once: the server can send as many as it likes.
const MAX_KNOCKS: usize = 1000;

/// How many who were turned away are remembered.
const MAX_DENIED: usize = 10_000;

/// How much later each next one acts in a duty that one of several has.
pub(crate) const RANK_STEP: Duration = Duration::from_millis(500);

/// A request to come in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnockView {
    /// Its number.
    pub id: KnockId,
    /// Who.
    pub credential: CredentialId,
    /// The name that they give themselves.
    pub name: String,
    /// How sure it is who they are.
    pub identity: IdentityCheck,
    /// Whether they hold the host key.
    pub host_proven: bool,
    /// Whether a member or another who knocks has the same name.
    pub name_shared: bool,
}

/// The requests to come in.
#[derive(Default)]
pub(crate) struct Admission {
    knocks: BTreeMap<KnockId, Knock>,
    /// Whom this device wanted to let in before it lost its connection.
    before: BTreeSet<CredentialId>,
    last_add: Option<Duration>,
    /// Who was turned away or put out: they are not shown again under the same credential.
    denied: BTreeSet<CredentialId>,
}

struct Knock {
    package: VerifiedKeyPackage,
    name: String,
    /// Since when it is to be let in.
    wanted: Option<Duration>,
}

impl Admission {
    /// Keeps a verified knock. In a meeting that lets it in by itself, this device does so when its
    /// turn comes, `rank` steps on, unless another was quicker; likewise if it was let in before and
    /// comes `again`.
    pub(crate) fn knock(
        &mut self,
        now: Duration,
        id: KnockId,
        package: VerifiedKeyPackage,
        name: String,
        (mode, again): (Mode, bool),
        rank: u32,
    ) -> bool {
        let credential = package.view().leaf.credential;
        let known = self.knocks.iter().any(|(other, knock)| {
            *other != id && knock.package.view().leaf.credential == credential
        });
        if known || self.knocks.len() >= MAX_KNOCKS {
            return false;
        }
        let by_itself = match mode {
            Mode::OpenLink => true,
            Mode::VerifiedAuto => package.view().identity == IdentityCheck::Verified,
            Mode::Lobby => false,
        };
        let wanted = match (by_itself, again) {
            (true, _) => Some(now + RANK_STEP * rank),
            (false, true) => Some(now + SAME_DEVICE_PAUSE + RANK_STEP * rank),
            (false, false) => None,
        };
        let wanted = if self.before.remove(&credential) { Some(now) } else { wanted };
        self.knocks.insert(id, Knock { package, name, wanted });
        true
    }

    /// Whether there was such a knock.
    pub(crate) fn admit(&mut self, now: Duration, id: KnockId) -> bool {
        let Some(knock) = self.knocks.get_mut(&id) else { return false };
        knock.wanted = Some(knock.wanted.map_or(now, |at| at.min(now)));
        true
    }

    /// The connection is new, and the server tells of everybody anew who still knocks.
    pub(crate) fn start_over(&mut self) {
        let knocks = std::mem::take(&mut self.knocks).into_values();
        let wanted = knocks.filter(|knock| knock.wanted.is_some());
        self.before = wanted.map(|knock| knock.package.view().leaf.credential).collect();
    }

    /// Whether there was such a knock. It is not shown again.
    pub(crate) fn deny(&mut self, id: KnockId) -> bool {
        let Some(knock) = self.knocks.remove(&id) else { return false };
        self.shut_out(knock.package.view().leaf.credential);
        true
    }

    pub(crate) fn shut_out(&mut self, who: CredentialId) {
        if self.denied.len() < MAX_DENIED {
            self.denied.insert(who);
        }
    }

    pub(crate) fn is_shut_out(&self, who: &CredentialId) -> bool {
        self.denied.contains(who)
    }

    pub(crate) fn forget(&mut self, id: KnockId) -> bool {
        self.knocks.remove(&id).is_some()
    }

    /// Someone came in.
    pub(crate) fn came_in(&mut self, now: Duration, credentials: &[CredentialId]) {
        if !credentials.is_empty() {
            self.last_add = Some(now);
        }
        self.knocks.retain(|_, knock| !credentials.contains(&knock.package.view().leaf.credential));
    }

    /// When the next batch may be let in.
    pub(crate) fn due(&self, members: usize) -> Option<Duration> {
        let wanted = self.knocks.values().filter_map(|knock| knock.wanted).min()?;
        let spaced = self.last_add.map_or(wanted, |last| last + add_spacing(members));
        Some(wanted.max(spaced))
    }

    /// Whom to let in now.
    pub(crate) fn batch(&self, now: Duration) -> Vec<(KnockId, VerifiedKeyPackage)> {
        self.knocks
            .iter()
            .filter(|(_, knock)| knock.wanted.is_some_and(|at| at <= now))
            .take(BATCH)
            .map(|(id, knock)| (*id, knock.package.clone()))
            .collect()
    }

    /// What an admitter sees. `is_taken` says which names members have.
    pub(crate) fn views(&self, is_taken: impl Fn(&str) -> bool) -> Vec<KnockView> {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        self.knocks
            .iter()
            .map(|(id, knock)| {
                let view = knock.package.view();
                let shared = self
                    .knocks
                    .iter()
                    .any(|(other, knocker)| other != id && same(&knocker.name, &knock.name));
                KnockView {
                    id: *id,
                    credential: view.leaf.credential,
                    name: knock.name.clone(),
                    identity: view.identity,
                    host_proven: view.leaf.host_proven,
                    name_shared: shared || is_taken(&knock.name),
                }
            })
            .collect()
    }
}
