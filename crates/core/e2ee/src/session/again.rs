//! Devices that come in again without having gone: the server lost step with them.
//!
//! A stay's keys are for that stay, so such a device knocks with new ones. It shows by a signature of
//! the old leaf that it is the same, and admitters' devices let it in without asking anybody twice.

use std::collections::BTreeMap;
use std::time::Duration;

use conclave_commit_rules::CredentialId;
use conclave_mls::VerifiedKeyPackage;

use crate::session::member::Member;

/// How long a device whose removal the server proposed may come in again unasked.
const AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// How many such devices are remembered at once: the server can propose as many as there are.
const MAX_REMEMBERED: usize = 1000;

/// How long an admitter's device waits before it lets one in again: whoever put it out says so
/// first.
pub(crate) const SAME_DEVICE_PAUSE: Duration = Duration::from_millis(500);

/// Who is to go, or went, by nothing but the server's wish.
#[derive(Default)]
pub(super) struct Missed(BTreeMap<CredentialId, Stay>);

struct Stay {
    signature_key: Vec<u8>,
    name: String,
    until: Duration,
}

impl Member {
    /// The server proposes to remove a leaf.
    pub(super) fn miss(&mut self, now: Duration, leaf: u32) {
        self.missed.0.retain(|_, stay| now < stay.until);
        let Some(person) = self.roster.people().get(&leaf) else { return };
        let key = self.group.members().ok().and_then(|mut leaves| leaves.remove(&leaf));
        let Some(view) = key.filter(|_| self.missed.0.len() < MAX_REMEMBERED) else { return };
        let stay = Stay {
            signature_key: view.signature_key,
            name: person.name.clone(),
            until: now + AGAIN_WITHIN,
        };
        self.missed.0.entry(view.credential).or_insert(stay);
    }

    /// A member removes leaves by its own wish: that was a person's decision.
    pub(super) fn put_out(&mut self, leaves: &[u32]) {
        for leaf in leaves {
            if let Some(person) = self.roster.people().get(leaf) {
                self.missed.0.remove(&person.credential);
            }
        }
    }

    /// Whether whoever knocks was let in before, is missed, and is the same device under the same
    /// name.
    pub(super) fn is_missed(
        &self,
        now: Duration,
        package: &VerifiedKeyPackage,
        name: &str,
    ) -> bool {
        package.former().and_then(|former| self.missed.0.get(&former)).is_some_and(|stay| {
            now < stay.until
                && stay.name == name
                && self.group.is_same_device(package, &stay.signature_key)
        })
    }
}
