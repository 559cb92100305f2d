use conclave_commit_rules::{Accepted, IdentityCheck, LeafView, Refusal, check};
use conclave_mls_view::{ViewError, commit_view, is_server_removal};
use openmls::group::StagedCommit;
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    BasicCredential, MlsMessageIn, OpenMlsProvider as _, ProcessMessageError,
    ProcessedMessageContent, ProtocolMessage, QueuedProposal, Sender, ValidationError,
};

use crate::group::Group;

/// What came of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Received {
    /// A commit was accepted: a new epoch has begun.
    Committed(Accepted),
    /// A member sent a message.
    Message(Message),
    /// A commit removed this device. Its secrets are of no more use.
    Removed,
    /// The server proposed to remove a leaf; some member is to commit it.
    RemovalProposed(u32),
}

/// A message from a member, authenticated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Who sent it, as the group was in that epoch.
    pub sender: LeafView,
    /// Its leaf.
    pub leaf: u32,
    /// The epoch that it was sent in.
    pub epoch: u64,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// Why this member stopped for good (rule 9): it neither sends nor follows, and does not come back
/// by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Stop {
    /// A commit broke a rule.
    #[error("a commit broke the meeting's rules: {0}")]
    Refused(Refusal),
    /// A commit has someone in it who is not like a meeting's member.
    #[error(transparent)]
    View(ViewError),
}

impl Group {
    /// Takes in a message of the group: a commit, a proposal or a member's message.
    ///
    /// `identity` says what came of opening and verifying who comes in.
    ///
    /// # Errors
    ///
    /// The message has no effect. After [`ReceiveError::Stopped`] nothing has any more.
    pub fn receive(
        &mut self,
        now_unix_s: u64,
        bytes: &[u8],
        identity: impl FnMut(&LeafView) -> IdentityCheck,
    ) -> Result<Received, ReceiveError> {
        if let Some(stop) = self.stop {
            return Err(ReceiveError::Stopped(stop));
        }
        let message: ProtocolMessage = MlsMessageIn::tls_deserialize_exact_bytes(bytes)
            .ok()
            .and_then(|message| message.try_into_protocol_message().ok())
            .ok_or(ReceiveError::Malformed)?;
        let processed = self
            .mls
            .process_message(&self.device.provider, message)
            .map_err(|error| failure(&error))?;
        let (sender, epoch) = (processed.sender().clone(), processed.epoch().as_u64());
        let credential = processed.credential().clone();
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(message) => {
                let Sender::Member(leaf) = sender else { return Err(ReceiveError::Forged) };
                let leaf = leaf.u32();
                // An old epoch's leaf may have another owner by now.
                let owner = BasicCredential::try_from(credential).ok();
                let sender = self
                    .leaf(leaf)
                    .filter(|now| owner.is_some_and(|then| then.identity() == now.credential.0))
                    .ok_or(ReceiveError::UnknownSender)?;
                let bytes = message.into_bytes();
                Ok(Received::Message(Message { sender, leaf, epoch, bytes }))
            }
            ProcessedMessageContent::ProposalMessage(proposal) => self.note(*proposal),
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                self.judge(now_unix_s, &sender, *staged, identity)
            }
            ProcessedMessageContent::OwnPendingCommit => {
                self.confirm().map(Received::Committed).map_err(|_| ReceiveError::Forged)
            }
            ProcessedMessageContent::OwnPrivateMessage => Err(ReceiveError::Own),
            ProcessedMessageContent::ExternalJoinProposalMessage(_) => Err(ReceiveError::Proposal),
        }
    }

    /// Rule 4: of proposals on their own, only the server's removals are kept.
    fn note(&mut self, proposal: QueuedProposal) -> Result<Received, ReceiveError> {
        let target = is_server_removal(&proposal).ok_or(ReceiveError::Proposal)?;
        if self.leaf(target).is_none() {
            return Err(ReceiveError::Proposal);
        }
        self.mls
            .store_pending_proposal(self.device.provider.storage(), proposal)
            .map_err(|_| ReceiveError::Proposal)?;
        Ok(Received::RemovalProposed(target))
    }

    fn judge(
        &mut self,
        now_unix_s: u64,
        sender: &Sender,
        staged: StagedCommit,
        mut identity: impl FnMut(&LeafView) -> IdentityCheck,
    ) -> Result<Received, ReceiveError> {
        let accepted = match self.accepts(now_unix_s, sender, &staged, &mut identity) {
            Ok(accepted) => accepted,
            Err(stop) => {
                self.stop = Some(stop);
                return Err(ReceiveError::Stopped(stop));
            }
        };
        let removed = staged.self_removed();
        self.mls
            .merge_staged_commit(&self.device.provider, staged)
            .map_err(|_| ReceiveError::Forged)?;
        for entry in accepted.added.iter().chain(&accepted.joined) {
            self.identities.insert(entry.credential, entry.identity);
        }
        Ok(if removed { Received::Removed } else { Received::Committed(accepted) })
    }

    fn accepts(
        &self,
        now_unix_s: u64,
        sender: &Sender,
        staged: &StagedCommit,
        identity: impl FnMut(&LeafView) -> IdentityCheck,
    ) -> Result<Accepted, Stop> {
        let group = self.view(now_unix_s).map_err(Stop::View)?;
        let crypto = self.device.provider.crypto();
        let extensions = self.mls.extensions();
        let commit = commit_view(&group, extensions, crypto, sender, staged, identity)
            .map_err(Stop::View)?;
        check(&group, &commit).map_err(Stop::Refused)
    }
}

fn failure<E>(error: &ProcessMessageError<E>) -> ReceiveError {
    let wrong_epoch =
        matches!(error, ProcessMessageError::ValidationError(ValidationError::WrongEpoch));
    if wrong_epoch { ReceiveError::WrongEpoch } else { ReceiveError::Forged }
}

/// Why a message had no effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReceiveError {
    /// The library cannot authenticate or process it. A commit is to be answered with a NACK.
    #[error("the message is not valid")]
    Forged,
    /// The bytes are no message of a group.
    #[error("the message is malformed")]
    Malformed,
    /// This device sent it.
    #[error("the message is this device's own")]
    Own,
    /// A proposal that its sender may not make.
    #[error("the proposal is not its sender's to make")]
    Proposal,
    /// A commit was refused, now or before.
    #[error(transparent)]
    Stopped(Stop),
    /// The sender has left.
    #[error("the message is of someone who left")]
    UnknownSender,
    /// The message is of another epoch: a replay, or a commit is missing.
    #[error("the message is of another epoch")]
    WrongEpoch,
}
