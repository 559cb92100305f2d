use conclave_commit_rules::{
    Constitution, CredentialId, IdentityCheck, KeyPackageView, LeafView, Succession,
    succession_statement,
};
use conclave_mls_view::{LeafError, SUCCESSION, key_package_view};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{KeyPackage, KeyPackageIn, OpenMlsCrypto, ProtocolVersion, SignatureScheme};

/// A key package that was verified: signatures, protocol, lifetime by the system's clock, host
/// proof, and the identity by whoever can open it. Only such a one can be added.
///
/// The meeting's rules on it (suite, lifetime, capabilities) are applied with the commit.
#[derive(Clone, Debug)]
pub struct VerifiedKeyPackage {
    pub(crate) package: KeyPackage,
    view: KeyPackageView,
}

impl VerifiedKeyPackage {
    /// Verifies what someone knocked with.
    ///
    /// # Errors
    ///
    /// It is not to be shown as a knock at all.
    pub(crate) fn verify(
        constitution: &Constitution,
        crypto: &impl OpenMlsCrypto,
        bytes: &[u8],
        identity: impl FnOnce(&LeafView) -> IdentityCheck,
    ) -> Result<Self, KeyPackageError> {
        let package = KeyPackageIn::tls_deserialize_exact_bytes(bytes)
            .map_err(|_| KeyPackageError::Malformed)?
            .validate(crypto, ProtocolVersion::Mls10)
            .map_err(|_| KeyPackageError::Invalid)?;
        let view = key_package_view(constitution, crypto, &package, identity)
            .map_err(KeyPackageError::Leaf)?;
        if view.identity == IdentityCheck::Failed {
            return Err(KeyPackageError::Identity);
        }
        Ok(Self { package, view })
    }

    /// The stay before that it says was the same device's: not proved by this.
    pub fn former(&self) -> Option<CredentialId> {
        self.succession().map(|succession| succession.former)
    }

    fn succession(&self) -> Option<Succession> {
        Succession::parse(&self.package.extensions().unknown(SUCCESSION)?.0)
    }

    /// Whether the owner of a leaf's signature key says that this is the same device's.
    pub(crate) fn succeeds(
        &self,
        constitution: &Constitution,
        crypto: &impl OpenMlsCrypto,
        former_key: &[u8],
    ) -> bool {
        let Some(Succession { former, signature }) = self.succession() else { return false };
        let LeafView { credential, signature_key, .. } = &self.view.leaf;
        let statement =
            succession_statement(&constitution.meeting, &former, credential, signature_key);
        let scheme = SignatureScheme::ED25519;
        crypto.verify_signature(scheme, &statement, former_key, &signature).is_ok()
    }

    /// What it says.
    pub const fn view(&self) -> &KeyPackageView {
        &self.view
    }
}

/// Why a key package is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyPackageError {
    /// The identity cannot be opened or verified.
    #[error("the identity is broken")]
    Identity,
    /// A signature or the lifetime is wrong.
    #[error("the key package is not valid")]
    Invalid,
    /// The leaf is not one of a meeting's member.
    #[error(transparent)]
    Leaf(LeafError),
    /// The bytes are no key package.
    #[error("the key package is malformed")]
    Malformed,
}
