//! RFC 9420's vectors of a passive client, of the suites that the library's provider has without
//! drafts: from a key package, a Welcome and a tree to the epoch authenticator.

use openmls::group::{MlsGroupJoinConfig, StagedWelcome};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    HpkePrivateKey, KeyPackage, KeyPackageBundle, MlsMessageBodyIn, MlsMessageIn,
    OpenMlsProvider as _, RatchetTreeIn,
};
use openmls::schedule::psk::PreSharedKeyId;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::storage::StorageProvider as _;
use serde::Deserialize;
use serde_json::json;

const VECTORS: &str = include_str!("../vectors/passive-client-welcome.json");

#[derive(Deserialize)]
struct Vector {
    cipher_suite: u16,
    external_psks: Vec<ExternalPsk>,
    key_package: String,
    encryption_priv: String,
    init_priv: String,
    welcome: String,
    ratchet_tree: Option<String>,
    initial_epoch_authenticator: String,
}

#[derive(Deserialize)]
struct ExternalPsk {
    psk_id: String,
    psk: String,
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn message(text: &str) -> MlsMessageBodyIn {
    MlsMessageIn::tls_deserialize_exact_bytes(&hex(text)).unwrap().extract()
}

/// The library lets private keys in by its storage format only.
fn store_keys(provider: &OpenMlsRustCrypto, vector: &Vector) {
    let MlsMessageBodyIn::KeyPackage(package) = message(&vector.key_package) else { panic!() };
    // The vectors' key packages have long expired; the library verifies no expired one.
    let package: KeyPackage =
        serde_json::from_value(serde_json::to_value(package).unwrap()).unwrap();
    let id = package.hash_ref(provider.crypto()).unwrap();
    let private = |text: &str| HpkePrivateKey::from(hex(text));
    let bundle = json!({
        "key_package": package,
        "private_init_key": private(&vector.init_priv),
        "private_encryption_key": { "key": private(&vector.encryption_priv) },
    });
    let bundle: KeyPackageBundle = serde_json::from_str(&bundle.to_string()).unwrap();
    provider.storage().write_key_package(&id, &bundle).unwrap();
    for ExternalPsk { psk_id, psk } in &vector.external_psks {
        let id = PreSharedKeyId::external(hex(psk_id), Vec::new());
        id.store(provider, &hex(psk)).unwrap();
    }
}

#[test]
fn a_welcome_leads_to_the_epoch_of_rfc_9420() {
    let vectors: Vec<Vector> = serde_json::from_str(VECTORS).unwrap();
    for (number, vector) in vectors.iter().enumerate() {
        let provider = OpenMlsRustCrypto::default();
        store_keys(&provider, vector);
        let MlsMessageBodyIn::Welcome(welcome) = message(&vector.welcome) else { panic!() };
        let config = MlsGroupJoinConfig::default();
        let tree = vector.ratchet_tree.as_deref().map(hex);
        let tree = tree.map(|tree| RatchetTreeIn::tls_deserialize_exact_bytes(&tree).unwrap());
        let builder = StagedWelcome::build_from_welcome(&provider, &config, welcome).unwrap();
        let builder = builder.skip_lifetime_validation();
        let builder = match tree {
            Some(tree) => builder.with_ratchet_tree(tree),
            None => builder,
        };
        let staged = builder.build().unwrap();
        let group = staged.into_group(&provider).unwrap();
        assert_eq!(
            group.epoch_authenticator().as_slice(),
            hex(&vector.initial_epoch_authenticator),
            "vector {number} of suite {}",
            vector.cipher_suite,
        );
    }
}
