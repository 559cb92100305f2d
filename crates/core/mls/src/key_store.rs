//! What OpenMLS reads again of what it writes: private keys and pre-shared secrets.
//!
//! The library writes a group's whole state at every change, so that a program can load it after
//! its end. A stay never is loaded (a device that reloads is a new leaf), and writing it would cost
//! more than the group's cryptography: hundreds of kilobytes of tree at each commit of a hundred
//! members, the ratchets at each message. It would also keep a second copy of secrets that the
//! library has already deleted. So only what it asks for during a stay is kept here.

use std::cell::RefCell;
use std::collections::HashMap;

use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The library's cryptography, and one stay's keys.
#[derive(Default)]
pub(crate) struct Provider {
    crypto: RustCrypto,
    keys: KeyStore,
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = KeyStore;

    fn storage(&self) -> &KeyStore {
        &self.keys
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

/// One stay's keys. A group cannot be loaded from it.
#[derive(Default)]
pub(crate) struct KeyStore {
    psks: Shelf,
    key_packages: Shelf,
    leaf_keys: Shelf,
    path_keys: Shelf,
}

/// Values of one kind, each as JSON, overwritten when it goes.
#[derive(Default)]
struct Shelf(RefCell<HashMap<Vec<u8>, Zeroizing<Vec<u8>>>>);

impl Shelf {
    fn put(&self, key: impl Serialize, value: impl Serialize) -> Result<(), serde_json::Error> {
        let value = Zeroizing::new(serde_json::to_vec(&value)?);
        self.0.borrow_mut().insert(serde_json::to_vec(&key)?, value);
        Ok(())
    }

    fn get<T: DeserializeOwned>(
        &self,
        key: impl Serialize,
    ) -> Result<Option<T>, serde_json::Error> {
        let key = serde_json::to_vec(&key)?;
        self.0.borrow().get(&key).map(|value| serde_json::from_slice(value)).transpose()
    }

    fn remove(&self, key: impl Serialize) -> Result<(), serde_json::Error> {
        self.0.borrow_mut().remove(&serde_json::to_vec(&key)?);
        Ok(())
    }
}

/// Writes and deletions of what is not kept.
macro_rules! not_kept {
    ($($name:ident<$($kind:ident),+>($($argument:ty),+);)+) => {$(
        fn $name<$($kind: traits::$kind<CURRENT_VERSION>),+>(
            &self,
            $(_: $argument),+
        ) -> Result<(), Self::Error> {
            Ok(())
        }
    )+};
}

/// Reads of what is not kept: there is none.
macro_rules! never_there {
    ($($name:ident<$($kind:ident),+>($argument:ty) -> $answer:ty;)+) => {$(
        fn $name<$($kind: traits::$kind<CURRENT_VERSION>),+>(
            &self,
            _: $argument,
        ) -> Result<$answer, Self::Error> {
            Ok(Default::default())
        }
    )+};
}

impl StorageProvider<CURRENT_VERSION> for KeyStore {
    type Error = serde_json::Error;

    fn write_psk<I: traits::PskId<CURRENT_VERSION>, P: traits::PskBundle<CURRENT_VERSION>>(
        &self,
        id: &I,
        psk: &P,
    ) -> Result<(), Self::Error> {
        self.psks.put(id, psk)
    }

    fn psk<P: traits::PskBundle<CURRENT_VERSION>, I: traits::PskId<CURRENT_VERSION>>(
        &self,
        id: &I,
    ) -> Result<Option<P>, Self::Error> {
        self.psks.get(id)
    }

    fn delete_psk<I: traits::PskId<CURRENT_VERSION>>(&self, id: &I) -> Result<(), Self::Error> {
        self.psks.remove(id)
    }

    fn write_key_package<
        R: traits::HashReference<CURRENT_VERSION>,
        K: traits::KeyPackage<CURRENT_VERSION>,
    >(
        &self,
        reference: &R,
        key_package: &K,
    ) -> Result<(), Self::Error> {
        self.key_packages.put(reference, key_package)
    }

    fn key_package<
        R: traits::HashReference<CURRENT_VERSION>,
        K: traits::KeyPackage<CURRENT_VERSION>,
    >(
        &self,
        reference: &R,
    ) -> Result<Option<K>, Self::Error> {
        self.key_packages.get(reference)
    }

    fn delete_key_package<R: traits::HashReference<CURRENT_VERSION>>(
        &self,
        reference: &R,
    ) -> Result<(), Self::Error> {
        self.key_packages.remove(reference)
    }

    fn write_encryption_key_pair<
        E: traits::EncryptionKey<CURRENT_VERSION>,
        K: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        public: &E,
        pair: &K,
    ) -> Result<(), Self::Error> {
        self.leaf_keys.put(public, pair)
    }

    fn encryption_key_pair<
        K: traits::HpkeKeyPair<CURRENT_VERSION>,
        E: traits::EncryptionKey<CURRENT_VERSION>,
    >(
        &self,
        public: &E,
    ) -> Result<Option<K>, Self::Error> {
        self.leaf_keys.get(public)
    }

    fn delete_encryption_key_pair<E: traits::EncryptionKey<CURRENT_VERSION>>(
        &self,
        public: &E,
    ) -> Result<(), Self::Error> {
        self.leaf_keys.remove(public)
    }

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        K: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
        pairs: &[K],
    ) -> Result<(), Self::Error> {
        self.path_keys.put((group, epoch, leaf), pairs)
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        K: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<Vec<K>, Self::Error> {
        Ok(self.path_keys.get((group, epoch, leaf))?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<(), Self::Error> {
        self.path_keys.remove((group, epoch, leaf))
    }

    not_kept! {
        write_mls_join_config<GroupId, MlsGroupJoinConfig>(&GroupId, &MlsGroupJoinConfig);
        append_own_leaf_node<GroupId, LeafNode>(&GroupId, &LeafNode);
        queue_proposal<GroupId, ProposalRef, QueuedProposal>(&GroupId, &ProposalRef, &QueuedProposal);
        write_tree<GroupId, TreeSync>(&GroupId, &TreeSync);
        write_interim_transcript_hash<GroupId, InterimTranscriptHash>(&GroupId, &InterimTranscriptHash);
        write_context<GroupId, GroupContext>(&GroupId, &GroupContext);
        write_confirmation_tag<GroupId, ConfirmationTag>(&GroupId, &ConfirmationTag);
        write_group_state<GroupState, GroupId>(&GroupId, &GroupState);
        write_message_secrets<GroupId, MessageSecrets>(&GroupId, &MessageSecrets);
        write_resumption_psk_store<GroupId, ResumptionPskStore>(&GroupId, &ResumptionPskStore);
        write_own_leaf_index<GroupId, LeafNodeIndex>(&GroupId, &LeafNodeIndex);
        write_group_epoch_secrets<GroupId, GroupEpochSecrets>(&GroupId, &GroupEpochSecrets);
        write_signature_key_pair<SignaturePublicKey, SignatureKeyPair>(&SignaturePublicKey, &SignatureKeyPair);
        remove_proposal<GroupId, ProposalRef>(&GroupId, &ProposalRef);
        clear_proposal_queue<GroupId, ProposalRef>(&GroupId);
        delete_own_leaf_nodes<GroupId>(&GroupId);
        delete_group_config<GroupId>(&GroupId);
        delete_tree<GroupId>(&GroupId);
        delete_confirmation_tag<GroupId>(&GroupId);
        delete_group_state<GroupId>(&GroupId);
        delete_context<GroupId>(&GroupId);
        delete_interim_transcript_hash<GroupId>(&GroupId);
        delete_message_secrets<GroupId>(&GroupId);
        delete_all_resumption_psk_secrets<GroupId>(&GroupId);
        delete_own_leaf_index<GroupId>(&GroupId);
        delete_group_epoch_secrets<GroupId>(&GroupId);
        delete_signature_key_pair<SignaturePublicKey>(&SignaturePublicKey);
    }

    never_there! {
        mls_group_join_config<GroupId, MlsGroupJoinConfig>(&GroupId) -> Option<MlsGroupJoinConfig>;
        own_leaf_nodes<GroupId, LeafNode>(&GroupId) -> Vec<LeafNode>;
        queued_proposal_refs<GroupId, ProposalRef>(&GroupId) -> Vec<ProposalRef>;
        queued_proposals<GroupId, ProposalRef, QueuedProposal>(&GroupId) -> Vec<(ProposalRef, QueuedProposal)>;
        tree<GroupId, TreeSync>(&GroupId) -> Option<TreeSync>;
        group_context<GroupId, GroupContext>(&GroupId) -> Option<GroupContext>;
        interim_transcript_hash<GroupId, InterimTranscriptHash>(&GroupId) -> Option<InterimTranscriptHash>;
        confirmation_tag<GroupId, ConfirmationTag>(&GroupId) -> Option<ConfirmationTag>;
        group_state<GroupState, GroupId>(&GroupId) -> Option<GroupState>;
        message_secrets<GroupId, MessageSecrets>(&GroupId) -> Option<MessageSecrets>;
        resumption_psk_store<GroupId, ResumptionPskStore>(&GroupId) -> Option<ResumptionPskStore>;
        own_leaf_index<GroupId, LeafNodeIndex>(&GroupId) -> Option<LeafNodeIndex>;
        group_epoch_secrets<GroupId, GroupEpochSecrets>(&GroupId) -> Option<GroupEpochSecrets>;
        signature_key_pair<SignaturePublicKey, SignatureKeyPair>(&SignaturePublicKey) -> Option<SignatureKeyPair>;
    }
}
