use std::collections::BTreeSet;

use conclave_commit_rules::{
    CommitSender, CommitView, ContextView, GroupView, IdentityCheck, LeafView, ProposalKind,
    ProposalSender, ProposalView, PskView, UpdateClock,
};
use openmls::group::{GroupContext, QueuedProposal, StagedCommit};
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{
    Extensions, OpenMlsCrypto, PreSharedKeyProposal, Proposal, ProposalOrRefType, PublicGroup,
    Sender, SenderExtensionIndex,
};
use openmls::schedule::psk::{PreSharedKeyId, Psk};

use crate::context::{ContextError, link_psk_id, read_context};
use crate::leaf::{LeafError, key_package_view, leaf_view};

/// Reads a group before a commit.
///
/// # Errors
///
/// The group is not one of a meeting.
pub fn group_view<'a>(
    group: &PublicGroup,
    pending: impl Iterator<Item = &'a QueuedProposal>,
    crypto: &impl OpenMlsCrypto,
    now_unix_s: u64,
    updates: UpdateClock,
) -> Result<GroupView, ViewError> {
    let (constitution, order) =
        read_context(group.group_context().extensions()).map_err(ViewError::Context)?;
    let leaves = group
        .members()
        .filter_map(|member| Some((member.index.u32(), group.leaf(member.index)?)))
        .map(|(index, leaf)| Ok((index, leaf_view(&constitution, crypto, leaf)?)))
        .collect::<Result<_, LeafError>>()
        .map_err(ViewError::Leaf)?;
    let pending_removes: BTreeSet<_> = pending.filter_map(is_server_removal).collect();
    let link_psk = link_psk_id(&constitution);
    Ok(GroupView {
        constitution,
        order,
        leaves,
        pending_removes,
        link_psk,
        now_unix_s,
        updates,
        stopped: false,
    })
}

/// The leaf that a proposal of the server asks to remove.
pub fn is_server_removal(queued: &QueuedProposal) -> Option<u32> {
    match (queued.sender(), queued.proposal()) {
        (Sender::External(index), Proposal::Remove(remove))
            if *index == SenderExtensionIndex::new(0) =>
        {
            Some(remove.removed().u32())
        }
        _ => None,
    }
}

/// Reads a commit that OpenMLS has staged.
///
/// # Errors
///
/// Someone in it is not like a meeting's member.
pub fn commit_view(
    group: &GroupView,
    context: &Extensions<GroupContext>,
    crypto: &impl OpenMlsCrypto,
    sender: &Sender,
    staged: &StagedCommit,
    mut identity: impl FnMut(&LeafView) -> IdentityCheck,
) -> Result<CommitView, ViewError> {
    let constitution = &group.constitution;
    let path = staged
        .update_path_leaf_node()
        .map(|leaf| leaf_view(constitution, crypto, leaf))
        .transpose()
        .map_err(ViewError::Leaf)?;
    let proposals = staged
        .queued_proposals()
        .map(|queued| {
            let kind = match queued.proposal() {
                Proposal::Add(add) => {
                    let view =
                        key_package_view(constitution, crypto, add.key_package(), &mut identity)
                            .map_err(ViewError::Leaf)?;
                    ProposalKind::Add(Box::new(view))
                }
                Proposal::Update(update) => {
                    let view = leaf_view(constitution, crypto, update.leaf_node())
                        .map_err(ViewError::Leaf)?;
                    ProposalKind::Update(Box::new(view))
                }
                Proposal::Remove(remove) => ProposalKind::Remove(remove.removed().u32()),
                Proposal::PreSharedKey(psk) => ProposalKind::PreSharedKey(psk_view(psk)?),
                Proposal::ExternalInit(_) => ProposalKind::ExternalInit,
                Proposal::GroupContextExtensions(new) => ProposalKind::GroupContextExtensions(
                    Box::new(context_view(group, context, new.extensions())),
                ),
                Proposal::SelfRemove => ProposalKind::SelfRemove,
                other @ (Proposal::ReInit(_) | Proposal::Custom(_)) => {
                    ProposalKind::Other(other.proposal_type().into())
                }
            };
            Ok(ProposalView { sender: proposal_sender(sender, queued), kind })
        })
        .collect::<Result<_, ViewError>>()?;
    let sender = match sender {
        Sender::Member(index) => CommitSender::Member(index.u32()),
        Sender::NewMemberCommit => {
            let joiner = path.as_ref().ok_or(ViewError::Sender)?;
            CommitSender::External(identity(joiner))
        }
        Sender::External(_) | Sender::NewMemberProposal => return Err(ViewError::Sender),
    };
    Ok(CommitView { sender, proposals, path })
}

fn proposal_sender(committer: &Sender, queued: &QueuedProposal) -> ProposalSender {
    let by_value = matches!(queued.proposal_or_ref_type(), ProposalOrRefType::Proposal);
    if by_value && queued.sender() == committer {
        return ProposalSender::Committer;
    }
    match queued.sender() {
        Sender::Member(index) => ProposalSender::Member(index.u32()),
        Sender::External(index) if *index == SenderExtensionIndex::new(0) => {
            ProposalSender::Server(0)
        }
        // Only the first external sender is the server's; which other one it is matters to nobody.
        Sender::External(_) => ProposalSender::Server(u32::MAX),
        Sender::NewMemberCommit | Sender::NewMemberProposal => ProposalSender::NewMember,
    }
}

/// The library gives the id away in serialized form only (RFC 9420 section 12.1.4).
fn psk_view(proposal: &PreSharedKeyProposal) -> Result<PskView, ViewError> {
    let bytes = proposal.tls_serialize_detached().map_err(|_| ViewError::Psk)?;
    let id = PreSharedKeyId::tls_deserialize_exact_bytes(&bytes).map_err(|_| ViewError::Psk)?;
    Ok(match id.psk() {
        Psk::External(external) => PskView::External(external.psk_id().to_vec()),
        Psk::Resumption(_) => PskView::Resumption,
    })
}

fn context_view(
    group: &GroupView,
    old: &Extensions<GroupContext>,
    new: &Extensions<GroupContext>,
) -> ContextView {
    let Ok((constitution, order)) = read_context(new) else {
        return ContextView { order: None, rest_unchanged: false };
    };
    let rest_unchanged = constitution == group.constitution
        && new.external_senders() == old.external_senders()
        && new.required_capabilities() == old.required_capabilities();
    ContextView { order: Some(order), rest_unchanged }
}

/// Why a group or commit cannot be judged. It counts as refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ViewError {
    /// The group's context.
    #[error(transparent)]
    Context(ContextError),
    /// A leaf.
    #[error(transparent)]
    Leaf(LeafError),
    /// A pre-shared key's id.
    #[error("a proposal names no pre-shared key")]
    Psk,
    /// The commit is of no member and of nobody who joins.
    #[error("the commit is of nobody who may commit")]
    Sender,
}
