//! RFC 9420: a passive client's vectors, and a group as a server sees it.

use openmls::group::{MlsGroupJoinConfig, ProposalStore, StagedWelcome};
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{
    HpkePrivateKey, KeyPackage, KeyPackageBundle, MlsMessageBodyIn, MlsMessageIn,
    OpenMlsProvider as _, ProcessedMessageContent, PublicGroup, RatchetTreeIn,
};
use openmls::schedule::psk::PreSharedKeyId;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::storage::StorageProvider as _;
use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{bytes, hex, said};

#[derive(Deserialize)]
struct Vector {
    external_psks: Vec<ExternalPsk>,
    key_package: String,
    encryption_priv: String,
    init_priv: String,
    welcome: String,
    ratchet_tree: Option<String>,
}

#[derive(Deserialize)]
struct ExternalPsk {
    psk_id: String,
    psk: String,
}

pub(crate) fn welcome_authenticator(vector: &str) -> Result<String, String> {
    let vector: Vector = serde_json::from_str(vector).map_err(said)?;
    let provider = OpenMlsRustCrypto::default();
    store_keys(&provider, &vector)?;
    let MlsMessageBodyIn::Welcome(welcome) = message(&bytes(&vector.welcome)?)? else {
        return Err("no Welcome".to_owned());
    };
    let config = MlsGroupJoinConfig::default();
    let builder = StagedWelcome::build_from_welcome(&provider, &config, welcome).map_err(said)?;
    let builder = builder.skip_lifetime_validation();
    let builder = match vector.ratchet_tree {
        Some(tree) => builder.with_ratchet_tree(self::tree(&bytes(&tree)?)?),
        None => builder,
    };
    let group = builder.build().map_err(said)?.into_group(&provider).map_err(said)?;
    Ok(hex(group.epoch_authenticator().as_slice()))
}

/// The library lets private keys in by its storage format only.
fn store_keys(provider: &OpenMlsRustCrypto, vector: &Vector) -> Result<(), String> {
    let MlsMessageBodyIn::KeyPackage(package) = message(&bytes(&vector.key_package)?)? else {
        return Err("no key package".to_owned());
    };
    // The vectors' key packages have long expired; the library verifies no expired one.
    let package: KeyPackage =
        serde_json::from_value(serde_json::to_value(package).map_err(said)?).map_err(said)?;
    let id = package.hash_ref(provider.crypto()).map_err(said)?;
    let private = |text: &str| bytes(text).map(HpkePrivateKey::from);
    let bundle = json!({
        "key_package": package,
        "private_init_key": private(&vector.init_priv)?,
        "private_encryption_key": { "key": private(&vector.encryption_priv)? },
    });
    let bundle: KeyPackageBundle = serde_json::from_str(&bundle.to_string()).map_err(said)?;
    provider.storage().write_key_package(&id, &bundle).map_err(said)?;
    for ExternalPsk { psk_id, psk } in &vector.external_psks {
        let id = PreSharedKeyId::external(bytes(psk_id)?, Vec::new());
        id.store(provider, &bytes(psk)?).map_err(said)?;
    }
    Ok(())
}

fn message(bytes: &[u8]) -> Result<MlsMessageBodyIn, String> {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes).map(MlsMessageIn::extract).map_err(said)
}

fn tree(bytes: &[u8]) -> Result<RatchetTreeIn, String> {
    RatchetTreeIn::tls_deserialize_exact_bytes(bytes).map_err(said)
}

/// A group as a server sees it: whatever is valid takes effect.
#[wasm_bindgen]
#[derive(Debug)]
pub struct PublicTree {
    group: PublicGroup,
    provider: OpenMlsRustCrypto,
}

#[wasm_bindgen]
impl PublicTree {
    /// The group as it was founded.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    #[wasm_bindgen(constructor)]
    pub fn new(group_info: &[u8], tree: &[u8]) -> Result<Self, String> {
        let provider = OpenMlsRustCrypto::default();
        let MlsMessageBodyIn::GroupInfo(info) = message(group_info)? else {
            return Err("no group info".to_owned());
        };
        let (crypto, storage) = (provider.crypto(), provider.storage());
        let tree = self::tree(tree)?;
        let (group, _) =
            PublicGroup::from_external(crypto, storage, tree, info, ProposalStore::new())
                .map_err(said)?;
        Ok(Self { group, provider })
    }

    /// The epoch.
    pub fn epoch(&self) -> f64 {
        u32::try_from(self.group.group_context().epoch().as_u64()).unwrap_or(u32::MAX).into()
    }

    /// Takes a commit in.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn commit(&mut self, commit: &[u8]) -> Result<(), String> {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(commit).map_err(said)?;
        let message = message.try_into_protocol_message().map_err(said)?;
        let processed =
            self.group.process_message(self.provider.crypto(), message).map_err(said)?;
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err("no commit".to_owned());
        };
        self.group.merge_commit(self.provider.storage(), *staged).map_err(said)
    }

    /// The ratchet tree.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn tree(&self) -> Result<Vec<u8>, String> {
        self.group.export_ratchet_tree().tls_serialize_detached().map_err(said)
    }
}
