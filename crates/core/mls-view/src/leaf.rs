use conclave_commit_rules::{
    Constitution, CredentialId, IdentityCheck, KeyPackageView, LeafIdentity, LeafView,
    host_statement,
};
use openmls::prelude::{
    BasicCredential, CredentialType, ExtensionType, KeyPackage, LeafNode, OpenMlsCrypto,
    SignatureScheme,
};

use crate::context::{CONSTITUTION, IDENTITY, ORDER};

/// Reads a leaf, and verifies the host proof if it has one.
///
/// # Errors
///
/// The leaf is not one of a meeting's member.
pub fn leaf_view(
    constitution: &Constitution,
    crypto: &impl OpenMlsCrypto,
    leaf: &LeafNode,
) -> Result<LeafView, LeafError> {
    let credential = BasicCredential::try_from(leaf.credential().clone())
        .ok()
        .and_then(|credential| credential.identity().try_into().ok())
        .map(CredentialId)
        .ok_or(LeafError::Credential)?;
    let signature_key = leaf.signature_key().as_slice().to_vec();
    let identity = leaf.extensions().unknown(IDENTITY).ok_or(LeafError::Identity)?.0.clone();
    let parsed = LeafIdentity::parse(&identity).ok_or(LeafError::Identity)?;
    let host_proven = match parsed.host_proof {
        None => false,
        Some(proof) => {
            let statement = host_statement(&constitution.meeting, &credential, &signature_key);
            let scheme = SignatureScheme::ED25519;
            crypto
                .verify_signature(scheme, &statement, &constitution.host_key, &proof)
                .map_err(|_| LeafError::HostProof)?;
            true
        }
    };
    Ok(LeafView { credential, signature_key, identity, host_proven })
}

/// Reads a key package whose signatures were verified.
///
/// # Errors
///
/// Its leaf is not one of a meeting's member.
pub fn key_package_view(
    constitution: &Constitution,
    crypto: &impl OpenMlsCrypto,
    package: &KeyPackage,
    identity: impl FnOnce(&LeafView) -> IdentityCheck,
) -> Result<KeyPackageView, LeafError> {
    let leaf = leaf_view(constitution, crypto, package.leaf_node())?;
    let capabilities = package.leaf_node().capabilities();
    let capable = [CONSTITUTION, IDENTITY, ORDER]
        .map(ExtensionType::Unknown)
        .iter()
        .all(|extension| capabilities.extensions().contains(extension))
        && capabilities.credentials().contains(&CredentialType::Basic);
    Ok(KeyPackageView {
        identity: identity(&leaf),
        leaf,
        suite: u16::from(package.ciphersuite()),
        not_before_unix_s: package.life_time().not_before(),
        not_after_unix_s: package.life_time().not_after(),
        capable,
    })
}

/// Why a leaf is not one of a meeting's member.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LeafError {
    /// The credential is not 16 bytes.
    #[error("a leaf's credential is not one of a meeting")]
    Credential,
    /// The host proof is wrong.
    #[error("a leaf claims to be a host's and is not")]
    HostProof,
    /// The identity is missing or malformed.
    #[error("a leaf has no identity")]
    Identity,
}
