use std::fmt;

use conclave_call_proto::NodeKey;
use conclave_commit_rules::{Constitution, Jurisdiction};
use conclave_delivery::ProposalKey;
use conclave_mls_view::suite_of;
use conclave_model::MeetingId;
use conclave_store::{ServerKey, Store, StoreError};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

/// What this server is to its meetings: the keys that it signs with, and where its media nodes are.
///
/// It signs what a media node says of itself, and whom the server proposes to remove from a group.
/// Neither key opens anything.
#[derive(Clone)]
pub struct Identity {
    node: SigningKey,
    proposals: SigningKey,
    jurisdiction: Option<Jurisdiction>,
}

impl Identity {
    /// Reads the server's keys, which are made at its first start.
    ///
    /// # Errors
    ///
    /// The store failed, or the operating system has no random bytes to give.
    pub async fn load(
        store: &dyn Store,
        jurisdiction: Option<Jurisdiction>,
    ) -> Result<Self, IdentityError> {
        Ok(Self {
            node: find_key(store, ServerKey::Node).await?,
            proposals: find_key(store, ServerKey::Proposals).await?,
            jurisdiction,
        })
    }

    /// The key that constitutions name.
    pub(crate) fn node_key(&self) -> [u8; 32] {
        self.node.verifying_key().to_bytes()
    }

    /// Where the media nodes are, if the operator has said.
    pub(crate) fn jurisdiction(&self) -> Option<String> {
        self.jurisdiction.map(String::from)
    }

    /// What signs a call's answers.
    pub(crate) fn node_signer(&self) -> NodeKey {
        let key = self.node.clone();
        NodeKey::new(self.jurisdiction(), move |bytes| key.sign(bytes).to_bytes())
    }

    /// What signs a call's proposals.
    pub(crate) fn proposal_signer(&self) -> ProposalKey {
        let key = self.proposals.clone();
        let public = key.verifying_key().to_bytes();
        ProposalKey::new(public, move |bytes| key.sign(bytes).to_bytes())
    }

    /// Whether a new meeting's policy is one that this server can keep to; if not, why.
    pub(crate) fn check_policy(&self, policy: &str, meeting: MeetingId) -> Result<(), String> {
        let constitution =
            Constitution::parse(policy.as_bytes()).map_err(|error| error.to_string())?;
        if &constitution.meeting != meeting.as_bytes() {
            return Err("the policy is another meeting's".to_owned());
        }
        if suite_of(&constitution).is_none() {
            return Err("the policy names a cipher suite that is not in use here".to_owned());
        }
        if constitution.node_key != self.node_key() {
            return Err("the policy names another server's media nodes".to_owned());
        }
        let allowed = &constitution.jurisdictions;
        let is_allowed = |country| allowed.contains(&country);
        if !allowed.is_empty() && !self.jurisdiction.is_some_and(is_allowed) {
            return Err("the policy keeps media out of where this server is".to_owned());
        }
        Ok(())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("jurisdiction", &self.jurisdiction).finish_non_exhaustive()
    }
}

/// Why the server has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The operating system has no random bytes to give.
    #[error("the operating system gives no random bytes")]
    Random(#[source] getrandom::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn find_key(store: &dyn Store, key: ServerKey) -> Result<SigningKey, IdentityError> {
    let mut fresh = Zeroizing::new([0; 32]);
    getrandom::fill(fresh.as_mut_slice()).map_err(IdentityError::Random)?;
    let seed = store.server_key(key, fresh).await?;
    Ok(SigningKey::from_bytes(&seed))
}
