use std::cell::RefCell;

use openmls_traits::public_storage::PublicStorageProvider;
use openmls_traits::storage::{CURRENT_VERSION, traits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::encoding::{self, Bytes};

/// The public state of one group, as the library writes it. A clone copies none of its parts.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Stored {
    tree: Option<Bytes>,
    context: Option<Bytes>,
    transcript_hash: Option<Bytes>,
    confirmation_tag: Option<Bytes>,
    /// Reference and proposal.
    proposals: Vec<(Bytes, Bytes)>,
}

/// Where the library keeps one group's public state. There is no place in it for a secret.
#[derive(Default)]
pub(crate) struct PublicStorage(RefCell<Stored>);

impl PublicStorage {
    pub(crate) const fn new(stored: Stored) -> Self {
        Self(RefCell::new(stored))
    }

    pub(crate) fn stored(&self) -> Stored {
        self.0.borrow().clone()
    }

    fn write<T: Serialize>(
        &self,
        value: &T,
        place: impl FnOnce(&mut Stored) -> &mut Option<Bytes>,
    ) -> Result<(), postcard::Error> {
        *place(&mut self.0.borrow_mut()) = Some(write(value)?);
        Ok(())
    }
}

fn write<T: Serialize>(value: &T) -> Result<Bytes, postcard::Error> {
    Ok(Bytes(encoding::write(value)?.into()))
}

fn read<T: DeserializeOwned>(part: Option<&Bytes>) -> Result<Option<T>, postcard::Error> {
    part.map(|Bytes(part)| encoding::read(part)).transpose()
}

impl PublicStorageProvider<CURRENT_VERSION> for PublicStorage {
    type PublicError = postcard::Error;

    fn write_tree<G: traits::GroupId<CURRENT_VERSION>, T: traits::TreeSync<CURRENT_VERSION>>(
        &self,
        _: &G,
        tree: &T,
    ) -> Result<(), Self::PublicError> {
        self.write(tree, |stored| &mut stored.tree)
    }

    fn write_interim_transcript_hash<
        G: traits::GroupId<CURRENT_VERSION>,
        H: traits::InterimTranscriptHash<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        hash: &H,
    ) -> Result<(), Self::PublicError> {
        self.write(hash, |stored| &mut stored.transcript_hash)
    }

    fn write_context<
        G: traits::GroupId<CURRENT_VERSION>,
        C: traits::GroupContext<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        context: &C,
    ) -> Result<(), Self::PublicError> {
        self.write(context, |stored| &mut stored.context)
    }

    fn write_confirmation_tag<
        G: traits::GroupId<CURRENT_VERSION>,
        T: traits::ConfirmationTag<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        tag: &T,
    ) -> Result<(), Self::PublicError> {
        self.write(tag, |stored| &mut stored.confirmation_tag)
    }

    fn queue_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        P: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        reference: &R,
        proposal: &P,
    ) -> Result<(), Self::PublicError> {
        let entry = (write(reference)?, write(proposal)?);
        self.0.borrow_mut().proposals.push(entry);
        Ok(())
    }

    fn queued_proposals<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        P: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<Vec<(R, P)>, Self::PublicError> {
        let stored = self.0.borrow();
        let parse = |(Bytes(reference), Bytes(proposal)): &(Bytes, Bytes)| {
            Ok((encoding::read(reference)?, encoding::read(proposal)?))
        };
        stored.proposals.iter().map(parse).collect()
    }

    fn tree<G: traits::GroupId<CURRENT_VERSION>, T: traits::TreeSync<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<Option<T>, Self::PublicError> {
        read(self.0.borrow().tree.as_ref())
    }

    fn group_context<
        G: traits::GroupId<CURRENT_VERSION>,
        C: traits::GroupContext<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<Option<C>, Self::PublicError> {
        read(self.0.borrow().context.as_ref())
    }

    fn interim_transcript_hash<
        G: traits::GroupId<CURRENT_VERSION>,
        H: traits::InterimTranscriptHash<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<Option<H>, Self::PublicError> {
        read(self.0.borrow().transcript_hash.as_ref())
    }

    fn confirmation_tag<
        G: traits::GroupId<CURRENT_VERSION>,
        T: traits::ConfirmationTag<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<Option<T>, Self::PublicError> {
        read(self.0.borrow().confirmation_tag.as_ref())
    }

    fn delete_tree<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<(), Self::PublicError> {
        self.0.borrow_mut().tree = None;
        Ok(())
    }

    fn delete_confirmation_tag<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<(), Self::PublicError> {
        self.0.borrow_mut().confirmation_tag = None;
        Ok(())
    }

    fn delete_context<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<(), Self::PublicError> {
        self.0.borrow_mut().context = None;
        Ok(())
    }

    fn delete_interim_transcript_hash<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<(), Self::PublicError> {
        self.0.borrow_mut().transcript_hash = None;
        Ok(())
    }

    fn remove_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        reference: &R,
    ) -> Result<(), Self::PublicError> {
        let reference = write(reference)?;
        self.0.borrow_mut().proposals.retain(|(other, _)| *other != reference);
        Ok(())
    }

    fn clear_proposal_queue<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<(), Self::PublicError> {
        self.0.borrow_mut().proposals.clear();
        Ok(())
    }
}
