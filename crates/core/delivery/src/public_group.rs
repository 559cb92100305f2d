use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use conclave_commit_rules::{
    Accepted, Constitution, CredentialId, GroupView, IdentityCheck, LeafView, Refusal, UpdateClock,
    check,
};
use conclave_mls_view::{
    ViewError, commit_view, group_view, is_server_removal, key_package_view, read_context, suite_of,
};
use openmls::group::{GroupId, QueuedProposal, StagedCommit};
use openmls::messages::EncryptedGroupSecrets;
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, ContentType, ExternalProposal, ExternalSender, KeyPackageIn, LeafNodeIndex,
    MlsMessageBodyIn, MlsMessageIn, OpenMlsCrypto as _, ProcessedMessageContent, ProposalStore,
    ProtocolMessage, ProtocolVersion, PublicGroup, RatchetTreeIn, Sender, SenderExtensionIndex,
    SignatureScheme, Verifiable as _, group_info::VerifiableGroupInfo,
};
use openmls_rust_crypto::RustCrypto;

use crate::key::ProposalKey;
use crate::limits::MAX_PAST_EPOCHS;
use crate::storage::{PublicStorage, Stored};

/// One group as it looks from outside: tree, context and what is proposed.
pub(crate) struct PublicState {
    group: PublicGroup,
    storage: PublicStorage,
    crypto: RustCrypto,
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
        let state = Self { group, storage, crypto };

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
        let group = PublicGroup::load(&storage, &GroupId::from_slice(group_id)).ok()??;
        let is_same = group.group_id().as_slice() == group_id;
        is_same.then(|| Self { group, storage, crypto: RustCrypto::default() })
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

    pub(crate) fn tree(&self) -> Option<Vec<u8>> {
        self.group.export_ratchet_tree().tls_serialize_detached().ok()
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
        self.group.merge_commit(&self.storage, judged.staged).ok()?;
        Some(judged.accepted)
    }

    /// Proposes to remove a leaf, as the group's external sender.
    pub(crate) fn propose_removal(&mut self, leaf: u32, key: &ProposalKey) -> Option<Vec<u8>> {
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
        self.group.add_proposal(&self.storage, *queued).ok()?;
        Some(bytes)
    }

    /// The epoch of a member's encrypted message that members can still read.
    pub(crate) fn message_epoch(&self, bytes: &[u8]) -> Option<u64> {
        let ProtocolMessage::PrivateMessage(private) = parse_protocol_message(bytes)? else {
            return None;
        };
        let (sent_in, now) = (private.epoch().as_u64(), self.epoch());
        let is_current = private.content_type() == ContentType::Application
            && private.group_id() == self.group.group_id()
            && now.checked_sub(sent_in).is_some_and(|age| age <= MAX_PAST_EPOCHS);
        is_current.then_some(sent_in)
    }

    fn reference(&self, package: &openmls::prelude::KeyPackage) -> Option<PackageRef> {
        package.hash_ref(&self.crypto).ok().map(|found| PackageRef(found.as_slice().to_vec()))
    }

    /// Verifies a signature of a leaf.
    pub(crate) fn verify_leaf(&self, leaf: u32, statement: &[u8], signature: &[u8]) -> bool {
        self.group.leaf(LeafNodeIndex::new(leaf)).is_some_and(|leaf| {
            let key = leaf.signature_key().as_slice();
            let scheme = SignatureScheme::ED25519;
            self.crypto.verify_signature(scheme, statement, key, signature).is_ok()
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
    parse_protocol_message(bytes).map(|message| message.epoch().as_u64())
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
    let crypto = RustCrypto::default();
    let package = KeyPackageIn::tls_deserialize_exact_bytes(bytes)
        .ok()?
        .validate(&crypto, ProtocolVersion::Mls10)
        .ok()?;
    let view = key_package_view(constitution, &crypto, &package, hidden).ok()?;
    if view.suite != constitution.suite || !view.capable {
        return None;
    }
    let reference = PackageRef(package.hash_ref(&crypto).ok()?.as_slice().to_vec());
    Some(Package { reference, leaf: view.leaf })
}

/// A Welcome taken apart (RFC 9420 section 12.4.3.1), so that each newcomer gets its own part only.
pub(crate) struct SplitWelcome {
    /// Version, wire format and cipher suite.
    head: Vec<u8>,
    secrets: Vec<EncryptedGroupSecrets>,
    /// The encrypted description of the group.
    rest: Vec<u8>,
}

impl SplitWelcome {
    /// Reads it; nothing if it is malformed.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let MlsMessageBodyIn::Welcome(_) =
            MlsMessageIn::tls_deserialize_exact_bytes(bytes).ok()?.extract()
        else {
            return None;
        };
        let (head, body) = bytes.split_at_checked(HEAD_LEN)?;
        let (secrets, rest) = Vec::<EncryptedGroupSecrets>::tls_deserialize_bytes(body).ok()?;
        let split = Self { head: head.to_vec(), secrets, rest: rest.to_vec() };
        split.tls_serialize().is_some_and(|same| same == bytes).then_some(split)
    }

    /// For whom it is. Nothing if somebody is in it twice.
    pub(crate) fn newcomers(&self) -> Option<BTreeSet<PackageRef>> {
        let found: BTreeSet<_> = self.secrets.iter().map(reference_of).collect();
        (found.len() == self.secrets.len()).then_some(found)
    }

    /// The part of one newcomer.
    pub(crate) fn for_one(&self, newcomer: &PackageRef) -> Option<Vec<u8>> {
        let own = self.secrets.iter().filter(|one| reference_of(one) == *newcomer);
        let own = Self {
            head: self.head.clone(),
            secrets: own.cloned().collect(),
            rest: self.rest.clone(),
        };
        own.tls_serialize()
    }

    fn tls_serialize(&self) -> Option<Vec<u8>> {
        let secrets = self.secrets.tls_serialize_detached().ok()?;
        Some([self.head.as_slice(), &secrets, &self.rest].concat())
    }
}

/// Protocol version, wire format, cipher suite: two bytes each.
const HEAD_LEN: usize = 6;

fn reference_of(secrets: &EncryptedGroupSecrets) -> PackageRef {
    PackageRef(secrets.new_member().as_slice().to_vec())
}

/// Whose leaf has a credential.
pub(crate) fn leaf_of(view: &GroupView, credential: &CredentialId) -> Option<u32> {
    view.leaves.iter().find(|(_, leaf)| leaf.credential == *credential).map(|(index, _)| *index)
}

/// Why a commit does not take effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitRefusal {
    /// Another commit was first: take that in and make this one anew.
    #[error("another commit was first")]
    Epoch,
    /// The description of the group after it is missing, of another state, or not the committer's.
    #[error("the commit comes without a description of what it leads to")]
    GroupInfo,
    /// The library cannot authenticate or apply it.
    #[error("the commit is not valid")]
    Invalid,
    /// It is no commit, or too long.
    #[error("the commit is malformed")]
    Malformed,
    /// There is no group yet.
    #[error("there is no group yet")]
    NoGroup,
    /// It adds someone who does not knock (any more).
    #[error("someone was added who is not in the lobby")]
    NotKnocking,
    /// It is of another group.
    #[error("the commit is of another group")]
    OtherGroup,
    /// It breaks a rule of the meeting.
    #[error("the commit breaks the meeting's rules: {0}")]
    Rule(Refusal),
    /// Its sender is another than the one who brings it.
    #[error("the commit is another's")]
    Sender,
    /// Adds follow each other too quickly, or its sender commits too often: try again soon.
    #[error("commits follow each other too quickly")]
    TooSoon,
    /// Nobody has confirmed the committer's previous commit yet: try again soon.
    #[error("the previous commit is not confirmed yet")]
    Unconfirmed,
    /// Someone in it is not like a meeting's member.
    #[error(transparent)]
    View(ViewError),
    /// The Welcome is missing, superfluous or for others than those added.
    #[error("the Welcome is not for those whom the commit adds")]
    Welcome,
}

/// Why a group is not founded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FoundRefusal {
    /// There is one already, or this device tries too often: discard this, and knock.
    #[error("the meeting has a group already")]
    Exists,
    /// Signatures or tree are wrong, or somebody else is in it.
    #[error("the group is not valid")]
    Invalid,
    /// It cannot be read, or is too long.
    #[error("the group is malformed")]
    Malformed,
    /// The meeting waits for its host.
    #[error("the meeting waits for its host")]
    NotHost,
    /// It is of another meeting, policy, cipher suite or server.
    #[error("the group is another meeting's")]
    OtherMeeting,
    /// Its context or founder is not like a meeting's.
    #[error(transparent)]
    View(ViewError),
}
