use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use conclave_commit_rules::{
    Accepted, Constitution, CredentialId, GroupView, IdentityCheck, LeafView, UpdateClock, check,
};
use conclave_mls_view::{
    ViewError, commit_view, group_view, is_server_removal, key_package_view, read_context, suite_of,
};
use openmls::group::{GroupId, QueuedProposal, StagedCommit};
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, ContentType, ExternalProposal, ExternalSender, KeyPackageIn, LeafNodeIndex,
    MlsMessageBodyIn, MlsMessageIn, OpenMlsCrypto as _, ProcessedMessageContent, ProposalStore,
    ProtocolMessage, ProtocolVersion, PublicGroup, RatchetTreeIn, Sender, SenderExtensionIndex,
    SignatureScheme, Verifiable as _, group_info::VerifiableGroupInfo,
};
use openmls_rust_crypto::RustCrypto;

use crate::guard;
use crate::key::ProposalKey;
use crate::limits::MAX_PAST_EPOCHS;
use crate::refusal::{CommitRefusal, FoundRefusal};
use crate::storage::{PublicStorage, Stored};

/// One group as it looks from outside: tree, context and what is proposed.
///
/// Here foreign bytes meet the library, so here its panics end: who reads is told that the bytes
/// are malformed, and who changes the group that nothing was changed.
pub(crate) struct PublicState {
    group: PublicGroup,
    storage: PublicStorage,
    crypto: RustCrypto,
    /// A change failed half-way, and no state can be read that the group could go on from.
    lost: bool,
}

/// A commit that keeps to the rules, not yet in effect.
pub(crate) struct Judged {
    staged: StagedCommit,
    /// The committer's leaf; nothing in an external commit.
    pub(crate) committer: Option<u32>,
    pub(crate) accepted: Accepted,
    /// The key packages that it adds, by reference.
    pub(crate) added: BTreeMap<PackageRef, CredentialId>,
    /// Whether it does nothing but renew the committer's path.
    pub(crate) is_update: bool,
}

/// The reference of a key package (RFC 9420 section 5.2).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct PackageRef(Vec<u8>);

impl PackageRef {
    pub(crate) fn new(reference: &[u8]) -> Self {
        Self(reference.to_vec())
    }
}

/// What a key package says, its signatures verified.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) reference: PackageRef,
    pub(crate) leaf: LeafView,
}

impl PublicState {
    /// Begins to follow a group that was just founded.
    pub(crate) fn found(
        constitution: &Constitution,
        server: &ProposalKey,
        group_info: &[u8],
        tree: &[u8],
    ) -> Result<Self, FoundRefusal> {
        guard::call(|| Self::read_founded(constitution, server, group_info, tree))
            .unwrap_or(Err(FoundRefusal::Malformed))
    }

    fn read_founded(
        constitution: &Constitution,
        server: &ProposalKey,
        group_info: &[u8],
        tree: &[u8],
    ) -> Result<Self, FoundRefusal> {
        let crypto = RustCrypto::default();
        let info = parse_group_info(group_info).ok_or(FoundRefusal::Malformed)?;
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(tree)
            .map_err(|_| FoundRefusal::Malformed)?;
        if Some(info.ciphersuite()) != suite_of(constitution) {
            return Err(FoundRefusal::OtherMeeting);
        }
        let storage = PublicStorage::default();
        let (group, _) =
            PublicGroup::from_external(&crypto, &storage, tree, info, ProposalStore::new())
                .map_err(|_| FoundRefusal::Invalid)?;
        let state = Self { group, storage, crypto, lost: false };

        let context = state.group.group_context();
        let (founded_on, _) = read_context(context.extensions())
            .map_err(|e| FoundRefusal::View(ViewError::Context(e)))?;
        let id = context.group_id().as_slice();
        let is_ours = state.is_proposer(server);
        let for_meeting = id.starts_with(&constitution.meeting) && id.len() == GROUP_ID_LEN;
        if founded_on != *constitution || !for_meeting || !is_ours {
            return Err(FoundRefusal::OtherMeeting);
        }
        let view = state.view(0, BTreeMap::new()).map_err(FoundRefusal::View)?;
        let alone = view.leaves.len() == 1 && context.epoch().as_u64() == 0;
        let founder = view.leaves.get(&0).filter(|_| alone).ok_or(FoundRefusal::Invalid)?;
        if !founder.host_proven && !constitution.join_before_host {
            return Err(FoundRefusal::NotHost);
        }
        Ok(state)
    }

    /// Goes on from what was stored.
    pub(crate) fn load(group_id: &[u8], stored: Stored) -> Option<Self> {
        let storage = PublicStorage::new(stored);
        let id = GroupId::from_slice(group_id);
        let group = guard::call(|| PublicGroup::load(&storage, &id)).ok()?.ok()??;
        let is_same = group.group_id().as_slice() == group_id;
        is_same.then(|| Self { group, storage, crypto: RustCrypto::default(), lost: false })
    }

    pub(crate) fn stored(&self) -> Stored {
        self.storage.stored()
    }

    pub(crate) fn group_id(&self) -> &[u8] {
        self.group.group_id().as_slice()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.group.group_context().epoch().as_u64()
    }

    /// Whether the group takes removals that are proposed with a key.
    pub(crate) fn is_proposer(&self, server: &ProposalKey) -> bool {
        let servers = self.group.group_context().extensions().external_senders();
        let credential = BasicCredential::new(b"server".to_vec()).into();
        let ours = ExternalSender::new(server.public().as_slice().into(), credential);
        servers.and_then(|senders| senders.first()) == Some(&ours)
    }

    /// Notes that the group cannot go on.
    pub(crate) const fn give_up(&mut self) {
        self.lost = true;
    }

    /// Whether the group cannot go on. What it says then is not to be used.
    pub(crate) const fn is_lost(&self) -> bool {
        self.lost
    }

    pub(crate) fn tree(&self) -> Option<Vec<u8>> {
        guard::call(|| self.group.export_ratchet_tree().tls_serialize_detached().ok()).ok()?
    }

    fn proposals(&self) -> Vec<QueuedProposal> {
        let queued = self.group.queued_proposals(&self.storage).unwrap_or_default();
        queued.into_iter().map(|(_, proposal)| proposal).collect()
    }

    pub(crate) fn view(
        &self,
        now_unix_s: u64,
        updates: BTreeMap<u32, u64>,
    ) -> Result<GroupView, ViewError> {
        let clock = UpdateClock::Measured(updates);
        group_view(&self.group, self.proposals().iter(), &self.crypto, now_unix_s, clock)
    }

    /// The leaves whose removal is proposed in this epoch.
    pub(crate) fn proposed_removals(&self) -> BTreeSet<u32> {
        self.proposals().iter().filter_map(is_server_removal).collect()
    }

    /// Checks a commit by the library and by the rules, as far as one can who is no member.
    pub(crate) fn judge(&self, bytes: &[u8], view: &GroupView) -> Result<Judged, CommitRefusal> {
        guard::call(|| self.read_commit(bytes, view)).unwrap_or(Err(CommitRefusal::Malformed))
    }

    fn read_commit(&self, bytes: &[u8], view: &GroupView) -> Result<Judged, CommitRefusal> {
        let message = parse_protocol_message(bytes).ok_or(CommitRefusal::Malformed)?;
        let ProtocolMessage::PublicMessage(public) = &message else {
            return Err(CommitRefusal::Malformed);
        };
        if message.content_type() != ContentType::Commit {
            return Err(CommitRefusal::Malformed);
        }
        if public.group_id() != self.group.group_id() {
            return Err(CommitRefusal::OtherGroup);
        }
        if public.epoch() != self.group.group_context().epoch() {
            return Err(CommitRefusal::Epoch);
        }
        let processed = self
            .group
            .process_message(&self.crypto, message)
            .map_err(|_| CommitRefusal::Invalid)?;
        let sender = processed.sender().clone();
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err(CommitRefusal::Malformed);
        };
        let context = self.group.group_context().extensions();
        let commit = commit_view(view, context, &self.crypto, &sender, &staged, hidden)
            .map_err(CommitRefusal::View)?;
        let accepted = check(view, &commit).map_err(CommitRefusal::Rule)?;
        let added = staged
            .add_proposals()
            .map(|add| self.reference(add.add_proposal().key_package()))
            .zip(accepted.added.iter().map(|entry| entry.credential))
            .map(|(reference, credential)| Some((reference?, credential)))
            .collect::<Option<BTreeMap<_, _>>>()
            .filter(|added| added.len() == accepted.added.len())
            .ok_or(CommitRefusal::Invalid)?;
        let committer = match sender {
            Sender::Member(leaf) => Some(leaf.u32()),
            Sender::NewMemberCommit | Sender::NewMemberProposal | Sender::External(_) => None,
        };
        let is_update = commit.is_update();
        Ok(Judged { staged: *staged, committer, accepted, added, is_update })
    }

    /// Whether a description is of the group as it will be after a commit, signed by its committer.
    pub(crate) fn describes(&self, group_info: &[u8], judged: &Judged) -> bool {
        guard::call(|| self.is_described(group_info, judged)).unwrap_or(false)
    }

    fn is_described(&self, group_info: &[u8], judged: &Judged) -> bool {
        let Some(info) = parse_group_info(group_info) else { return false };
        let leaf = match judged.committer {
            Some(index) => judged
                .staged
                .update_path_leaf_node()
                .or_else(|| self.group.leaf(LeafNodeIndex::new(index))),
            None => judged.staged.update_path_leaf_node(),
        };
        let Some(leaf) = leaf else { return false };
        let key = leaf
            .signature_key()
            .clone()
            .into_signature_public_key_enriched(self.group.ciphersuite().signature_algorithm());
        info.group_context() == judged.staged.group_context()
            && info.verify_no_out(&self.crypto, &key).is_ok()
    }

    /// Puts a commit into effect.
    pub(crate) fn merge(&mut self, judged: Judged) -> Option<Accepted> {
        let Judged { staged, accepted, .. } = judged;
        self.change(|group, storage| group.merge_commit(storage, staged).ok())?;
        Some(accepted)
    }

    /// Proposes to remove a leaf, as the group's external sender.
    pub(crate) fn propose_removal(&mut self, leaf: u32, key: &ProposalKey) -> Option<Vec<u8>> {
        let (bytes, queued) = guard::call(|| self.make_removal(leaf, key)).ok()??;
        self.change(|group, storage| group.add_proposal(storage, queued).ok())?;
        Some(bytes)
    }

    fn make_removal(&self, leaf: u32, key: &ProposalKey) -> Option<(Vec<u8>, QueuedProposal)> {
        #[expect(clippy::disallowed_types, reason = "it names the type of an error only")]
        type Provider = openmls_rust_crypto::OpenMlsRustCrypto;
        let message = ExternalProposal::new_remove::<Provider>(
            LeafNodeIndex::new(leaf),
            self.group.group_id().clone(),
            self.group.group_context().epoch(),
            key,
            SenderExtensionIndex::new(0),
        );
        let bytes = message.ok()?.to_bytes().ok()?;
        // Members take it in the same way: what they would drop is not sent.
        let message = parse_protocol_message(&bytes)?;
        let processed = self.group.process_message(&self.crypto, message).ok()?;
        let ProcessedMessageContent::ProposalMessage(queued) = processed.into_content() else {
            return None;
        };
        Some((bytes, *queued))
    }

    /// Changes the group. A change that fails or panics half-way has changed nothing: the group is
    /// read anew from what was stored before. If that fails too, the group [is
    /// lost](Self::is_lost).
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut PublicGroup, &PublicStorage) -> Option<T>,
    ) -> Option<T> {
        let before = self.stored();
        let changed = guard::call(|| change(&mut self.group, &self.storage)).ok().flatten();
        if changed.is_none() {
            match Self::load(self.group_id(), before) {
                Some(state) => *self = state,
                None => self.give_up(),
            }
        }
        changed
    }

    /// The epoch of a member's encrypted message that members can still read.
    pub(crate) fn message_epoch(&self, bytes: &[u8]) -> Option<u64> {
        let message = guard::call(|| parse_protocol_message(bytes)).ok()??;
        let ProtocolMessage::PrivateMessage(private) = message else { return None };
        let (sent_in, now) = (private.epoch().as_u64(), self.epoch());
        let is_current = private.content_type() == ContentType::Application
            && private.group_id() == self.group.group_id()
            && now.checked_sub(sent_in).is_some_and(|age| age <= MAX_PAST_EPOCHS);
        is_current.then_some(sent_in)
    }

    fn reference(&self, package: &openmls::prelude::KeyPackage) -> Option<PackageRef> {
        package.hash_ref(&self.crypto).ok().map(|found| PackageRef::new(found.as_slice()))
    }

    /// Verifies a signature of a leaf.
    pub(crate) fn verify_leaf(&self, leaf: u32, statement: &[u8], signature: &[u8]) -> bool {
        let scheme = SignatureScheme::ED25519;
        self.group.leaf(LeafNodeIndex::new(leaf)).is_some_and(|leaf| {
            let key = leaf.signature_key().as_slice();
            let verify = || self.crypto.verify_signature(scheme, statement, key, signature);
            guard::call(verify).is_ok_and(|verified| verified.is_ok())
        })
    }
}

impl fmt::Debug for PublicState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicState").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// Meeting and nonce.
const GROUP_ID_LEN: usize = 32;

/// The server cannot open an identity.
fn hidden(_: &LeafView) -> IdentityCheck {
    IdentityCheck::Hidden
}

/// The epoch that a commit says it was made in.
pub(crate) fn commit_epoch(bytes: &[u8]) -> Option<u64> {
    let message = guard::call(|| parse_protocol_message(bytes)).ok()??;
    Some(message.epoch().as_u64())
}

fn parse_protocol_message(bytes: &[u8]) -> Option<ProtocolMessage> {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes).ok()?.try_into_protocol_message().ok()
}

fn parse_group_info(bytes: &[u8]) -> Option<VerifiableGroupInfo> {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).ok()?.extract();
    if let MlsMessageBodyIn::GroupInfo(info) = message { Some(info) } else { None }
}

/// Reads what someone knocks with, without a group: signatures, lifetime, suite, host proof.
pub(crate) fn read_package(constitution: &Constitution, bytes: &[u8]) -> Option<Package> {
    guard::call(|| verify_package(constitution, bytes)).ok()?
}

fn verify_package(constitution: &Constitution, bytes: &[u8]) -> Option<Package> {
    let crypto = RustCrypto::default();
    let package = KeyPackageIn::tls_deserialize_exact_bytes(bytes)
        .ok()?
        .validate(&crypto, ProtocolVersion::Mls10)
        .ok()?;
    let view = key_package_view(constitution, &crypto, &package, hidden).ok()?;
    if view.suite != constitution.suite || !view.capable {
        return None;
    }
    let reference = PackageRef::new(package.hash_ref(&crypto).ok()?.as_slice());
    Some(Package { reference, leaf: view.leaf })
}

/// Whose leaf has a credential.
pub(crate) fn leaf_of(view: &GroupView, credential: &CredentialId) -> Option<u32> {
    view.leaves.iter().find(|(_, leaf)| leaf.credential == *credential).map(|(index, _)| *index)
}

#[cfg(test)]
mod tests;
