use conclave_commit_rules::{Accepted, IdentityCheck, LeafView, Order, Refusal, check};
use conclave_mls_view::{ViewError, commit_view, context_extensions};
use openmls::group::QueuedProposal;
use openmls::prelude::{KeyPackage, LeafNodeIndex, OpenMlsProvider as _, Proposal, Sender};

use crate::group::Group;
use crate::key_package::VerifiedKeyPackage;

/// A commit to send, with what belongs to it. It takes effect when the server has ordered it:
/// [`Group::confirm`], else [`Group::discard`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outgoing {
    /// The epoch that it was made in.
    pub epoch: u64,
    /// The commit, a `PublicMessage`.
    pub commit: Vec<u8>,
    /// The Welcome for those it adds.
    pub welcome: Option<Vec<u8>>,
    /// The public description of the group after it, for external commits.
    pub group_info: Vec<u8>,
}

/// What a commit of one's own shall do.
#[derive(Default)]
struct Plan {
    adds: Vec<KeyPackage>,
    removes: Vec<LeafNodeIndex>,
    order: Option<Order>,
    with_path: bool,
}

impl Group {
    /// Lets people in, without a new path: admitting costs little (RFC 9420 section 12.4). What the
    /// server proposed to remove goes with it.
    ///
    /// # Errors
    ///
    /// Nothing is to be sent, and the group is as it was.
    pub fn admit(
        &mut self,
        now_unix_s: u64,
        packages: Vec<VerifiedKeyPackage>,
    ) -> Result<Outgoing, CommitError> {
        for package in &packages {
            let view = package.view();
            self.identities.insert(view.leaf.credential, view.identity);
        }
        let adds = packages.into_iter().map(|verified| verified.package).collect();
        self.commit(now_unix_s, Plan { adds, ..Plan::default() })
    }

    /// Removes people at once, with a new path that they cannot follow.
    ///
    /// # Errors
    ///
    /// Nothing is to be sent, and the group is as it was.
    pub fn remove(&mut self, now_unix_s: u64, leaves: &[u32]) -> Result<Outgoing, CommitError> {
        let removes = leaves.iter().map(|&index| LeafNodeIndex::new(index)).collect();
        self.commit(now_unix_s, Plan { removes, ..Plan::default() })
    }

    /// Removes whom the server proposed to remove.
    ///
    /// # Errors
    ///
    /// Nothing is to be sent, and the group is as it was.
    pub fn commit_pending(&mut self, now_unix_s: u64) -> Result<Outgoing, CommitError> {
        if self.pending_removes().is_empty() {
            return Err(CommitError::Nothing);
        }
        self.commit(now_unix_s, Plan::default())
    }

    /// Commits a new path: who stole this device's state is shut out, and others' removals get
    /// cheaper.
    ///
    /// # Errors
    ///
    /// Nothing is to be sent, and the group is as it was.
    pub fn update(&mut self, now_unix_s: u64) -> Result<Outgoing, CommitError> {
        self.commit(now_unix_s, Plan { with_path: true, ..Plan::default() })
    }

    /// Changes lock, roles, mutes or classification.
    ///
    /// # Errors
    ///
    /// Nothing is to be sent, and the group is as it was.
    pub fn change_order(&mut self, now_unix_s: u64, order: Order) -> Result<Outgoing, CommitError> {
        self.commit(now_unix_s, Plan { order: Some(order), ..Plan::default() })
    }

    /// The server has ordered this device's commit: it takes effect.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn confirm(&mut self) -> Result<Accepted, CommitError> {
        let accepted = self.judge_own(None)?;
        self.mls.merge_pending_commit(&self.device.provider).map_err(|_| CommitError::Library)?;
        Ok(accepted)
    }

    /// Another commit was first, or the server refused: this device's is void.
    pub fn discard(&mut self) {
        // Fails in a state without a pending commit only.
        let _ = self.mls.clear_pending_commit(self.device.provider.storage());
    }

    fn commit(&mut self, now_unix_s: u64, plan: Plan) -> Result<Outgoing, CommitError> {
        if self.stop.is_some() {
            return Err(CommitError::Refused(Refusal::Stopped));
        }
        let outgoing = self.stage(plan)?;
        match self.judge_own(Some(now_unix_s)) {
            Ok(_) => Ok(outgoing),
            Err(error) => {
                self.discard();
                Err(error)
            }
        }
    }

    fn stage(&mut self, plan: Plan) -> Result<Outgoing, CommitError> {
        let epoch = self.epoch();
        let Plan { adds, removes, order, with_path } = plan;
        // A member's own removal says more than the server's proposal: it is a person's decision.
        let is_due = {
            let removes = removes.clone();
            move |queued: &QueuedProposal| {
                let Proposal::Remove(remove) = queued.proposal() else { return true };
                matches!(queued.sender(), Sender::Member(_)) || !removes.contains(&remove.removed())
            }
        };
        let link = self.device.link_proposal().filter(|_| !adds.is_empty());
        let extensions = order.map(|order| self.extensions_with(&order)).transpose()?;

        let (provider, signer) = (&self.device.provider, &self.device.signer);
        let builder = self
            .mls
            .commit_builder()
            .force_self_update(with_path)
            .propose_adds(adds)
            .propose_removals(removes)
            .add_proposals(link.map(|psk| Proposal::PreSharedKey(Box::new(psk))));
        let builder = match extensions {
            Some(extensions) => builder
                .propose_group_context_extensions(extensions)
                .map_err(|_| CommitError::Library)?,
            None => builder,
        };
        let bundle = builder
            .load_psks(provider.storage())
            .map_err(|_| CommitError::Library)?
            .create_group_info(true)
            .build(provider.rand(), provider.crypto(), signer, is_due)
            .map_err(|_| CommitError::Library)?
            .stage_commit(provider)
            .map_err(|_| CommitError::Library)?;
        let (commit, welcome, group_info) = bundle.into_messages();
        let bytes = |message: openmls::prelude::MlsMessageOut| {
            message.to_bytes().map_err(|_| CommitError::Library)
        };
        Ok(Outgoing {
            epoch,
            commit: bytes(commit)?,
            welcome: welcome.map(bytes).transpose()?,
            group_info: bytes(group_info.ok_or(CommitError::Library)?)?,
        })
    }

    fn extensions_with(
        &self,
        order: &Order,
    ) -> Result<openmls::prelude::Extensions<openmls::group::GroupContext>, CommitError> {
        let servers = self.mls.extensions().external_senders();
        let server = servers.and_then(|servers| servers.first()).ok_or(CommitError::Library)?;
        context_extensions(&self.device.constitution, order, server.clone())
            .map_err(|_| CommitError::Order)
    }

    /// Puts the pending commit to the rules that the others will put it to.
    fn judge_own(&self, now_unix_s: Option<u64>) -> Result<Accepted, CommitError> {
        let staged = self.mls.pending_commit().ok_or(CommitError::Nothing)?;
        // At confirmation, time has passed: what was fresh when it was made counts as fresh.
        let now_unix_s = now_unix_s.unwrap_or_else(|| oldest_end(staged));
        let group = self.view(now_unix_s).map_err(CommitError::View)?;
        let sender = Sender::Member(self.mls.own_leaf_index());
        let known = |leaf: &LeafView| {
            self.identities.get(&leaf.credential).copied().unwrap_or(IdentityCheck::Failed)
        };
        let crypto = self.device.provider.crypto();
        let extensions = self.mls.extensions();
        let commit = commit_view(&group, extensions, crypto, &sender, staged, known)
            .map_err(CommitError::View)?;
        check(&group, &commit).map_err(CommitError::Refused)
    }
}

/// The earliest time at which a key package of the commit ends.
fn oldest_end(staged: &openmls::group::StagedCommit) -> u64 {
    staged
        .add_proposals()
        .map(|add| add.add_proposal().key_package().life_time().not_after())
        .min()
        .unwrap_or_default()
}

/// Why a commit was not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitError {
    /// The library refused.
    #[error("the commit cannot be made")]
    Library,
    /// There is nothing to commit, or no commit to confirm.
    #[error("there is nothing to commit")]
    Nothing,
    /// The new order has values out of bounds.
    #[error("the meeting's order is malformed")]
    Order,
    /// The others would refuse it.
    #[error("the commit breaks the meeting's rules: {0}")]
    Refused(Refusal),
    /// Someone in it is not like a meeting's member.
    #[error(transparent)]
    View(ViewError),
}
