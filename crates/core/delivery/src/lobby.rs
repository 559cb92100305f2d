use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use conclave_commit_rules::Mode;
use conclave_model::ParticipantId;

use crate::limits::{KNOCKS, MAX_KNOCK_LEN, MAX_KNOCKS};
use crate::message::{RequestRefusal, ToDevice};
use crate::public_group::{Package, PackageRef, read_package};
use crate::service::DeliveryService;

/// Who waits to be let in, and which admitter knows.
#[derive(Debug, Default)]
pub(crate) struct Lobby {
    knocks: BTreeMap<ParticipantId, Knock>,
    /// Whom each admitter was told of.
    told: BTreeMap<ParticipantId, BTreeSet<ParticipantId>>,
}

#[derive(Debug)]
struct Knock {
    bytes: Arc<[u8]>,
    package: Package,
}

impl Knock {
    const fn is_host(&self) -> bool {
        self.package.leaf.host_proven
    }
}

impl Lobby {
    pub(crate) fn contains(&self, who: ParticipantId) -> bool {
        self.knocks.contains_key(&who)
    }

    pub(crate) fn remove(&mut self, who: ParticipantId) -> bool {
        self.knocks.remove(&who).is_some()
    }

    /// Who knocks with a key package.
    pub(crate) fn knocker(&self, reference: &PackageRef) -> Option<ParticipantId> {
        let found = self.knocks.iter().find(|(_, knock)| knock.package.reference == *reference);
        found.map(|(who, _)| *who)
    }

    fn is_host(&self, who: ParticipantId) -> bool {
        self.knocks.get(&who).is_some_and(Knock::is_host)
    }

    /// Whether someone else stands there as the same device.
    fn is_taken(&self, who: ParticipantId, package: &Package) -> bool {
        self.knocks.iter().any(|(other, knock)| {
            let theirs = &knock.package;
            *other != who
                && (theirs.reference == package.reference
                    || theirs.leaf.credential == package.leaf.credential
                    || theirs.leaf.signature_key == package.leaf.signature_key)
        })
    }
}

impl DeliveryService {
    pub(crate) fn knock(
        &mut self,
        from: ParticipantId,
        bytes: &[u8],
    ) -> Result<(), RequestRefusal> {
        if bytes.len() > MAX_KNOCK_LEN {
            return Err(RequestRefusal::Malformed);
        }
        self.require_connected(from)?;
        if self.live_leaf(from).is_some() {
            return Err(RequestRefusal::Twice);
        }
        if self.lobby.knocks.get(&from).is_some_and(|knock| *knock.bytes == *bytes) {
            // It only makes sure.
            return Ok(());
        }
        self.keep_pace(from, KNOCKS, |paces| &mut paces.knocks)?;
        if !self.lobby.contains(from) && self.lobby.knocks.len() >= MAX_KNOCKS {
            return Err(RequestRefusal::Full);
        }
        let package = read_package(&self.constitution, bytes).ok_or(RequestRefusal::Malformed)?;
        let is_member = self.group.as_ref().is_some_and(|group| {
            let mut leaves = group.view.leaves.values();
            leaves.any(|leaf| {
                leaf.credential == package.leaf.credential
                    || leaf.signature_key == package.leaf.signature_key
            })
        });
        if is_member || self.lobby.is_taken(from, &package) {
            // Most likely it is there itself, from a connection that broke.
            self.knock_again(from);
            return Ok(());
        }
        self.withdraw(from);
        self.lobby.knocks.insert(from, Knock { bytes: bytes.into(), package });
        Ok(())
    }

    /// Someone does not wait any more.
    pub(crate) fn withdraw(&mut self, who: ParticipantId) {
        if !self.lobby.remove(who) {
            return;
        }
        let mut outs = Vec::new();
        for (admitter, told) in &mut self.lobby.told {
            if told.remove(&who) {
                outs.push(*admitter);
            }
        }
        for admitter in outs {
            if self.live_leaf(admitter).is_some() {
                self.send(admitter, ToDevice::KnockGone { from: who });
            }
        }
    }

    pub(crate) fn deny(
        &mut self,
        from: ParticipantId,
        knocker: ParticipantId,
    ) -> Result<(), RequestRefusal> {
        if !self.is_admitter(from) {
            return Err(RequestRefusal::NotAllowed);
        }
        if self.lobby.contains(knocker) {
            self.withdraw(knocker);
            self.send(knocker, ToDevice::Denied);
        }
        Ok(())
    }

    pub(crate) fn is_admitter(&self, who: ParticipantId) -> bool {
        let leaf = self.live_leaf(who);
        leaf.zip(self.group.as_ref()).is_some_and(|(leaf, group)| group.is_admitter(leaf))
    }

    /// Whether a device may see tree and description: members; and those who come in alone, which
    /// are hosts who prove it, and everybody where the link is all that it takes.
    pub(crate) fn may_fetch(&self, who: ParticipantId) -> bool {
        let Some(group) = &self.group else { return false };
        let open = self.constitution.mode == Mode::OpenLink && !group.view.order.locked;
        self.live_leaf(who).is_some() || open || self.lobby.is_host(who)
    }

    /// Tells admitters of those whom they were not told of.
    pub(crate) fn relay_knocks(&mut self) {
        if self.lobby.knocks.is_empty() {
            // Nobody was told of anybody who still waits, so nothing of that is stale either.
            return;
        }
        let admitters: BTreeSet<_> =
            self.devices.keys().copied().filter(|who| self.is_admitter(*who)).collect();
        self.lobby.told.retain(|admitter, _| admitters.contains(admitter));
        let mut outs = Vec::new();
        for admitter in admitters {
            let told = self.lobby.told.entry(admitter).or_default();
            // A host comes in alone: its knock is what lets it see the group.
            let others = self.lobby.knocks.iter().filter(|(_, knock)| !knock.is_host());
            for (who, knock) in others {
                if told.insert(*who) {
                    let key_package = Arc::clone(&knock.bytes);
                    outs.push((admitter, ToDevice::Knock { from: *who, key_package }));
                }
            }
        }
        for (to, message) in outs {
            self.send(to, message);
        }
    }

    /// An admitter on another socket starts with an empty lobby.
    pub(crate) fn forget_told(&mut self, admitter: ParticipantId) {
        self.lobby.told.remove(&admitter);
    }
}
