use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use conclave_commit_rules::{
    Constitution, CredentialId, LeafIdentity, MAX_LIFETIME, Succession, host_statement,
    resume_statement, succession_statement,
};
use conclave_link::LinkPsk;
use conclave_mls_view::{CONSTITUTION, IDENTITY, ORDER, SUCCESSION, link_psk_id, suite_of};
use openmls::group::{MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY};
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CredentialType, CredentialWithKey, Extension,
    ExtensionType, Extensions, KeyPackage, LeafNode, Lifetime, OpenMlsCrypto as _,
    OpenMlsProvider as _, PreSharedKeyProposal, ProtocolVersion, SignatureScheme, UnknownExtension,
};
use openmls::schedule::psk::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_basic_credential::SignatureKeyPair;
use openmls_traits::signatures::{Signer, SignerError};

use crate::key_store::Provider;

/// How far back a key package is valid, for clocks that differ.
const LIFETIME_MARGIN: Duration = Duration::from_secs(3600);

/// Application messages are padded to a multiple of this, so that their length says little.
const PADDING: usize = 256;

/// How many old epochs' application messages can still be read.
const PAST_EPOCHS: usize = 3;

/// One device's one stay in a meeting: its keys, before it is in the group.
///
/// Its signature key is made anew for each stay and never leaves it.
pub struct Device {
    pub(crate) provider: Provider,
    pub(crate) signer: StayKey,
    pub(crate) credential: CredentialId,
    pub(crate) constitution: Constitution,
    pub(crate) suite: Ciphersuite,
    identity: LeafIdentity,
    succession: Option<Succession>,
}

/// The signature key of one stay.
#[derive(Clone)]
pub(crate) struct StayKey(Arc<SignatureKeyPair>);

impl StayKey {
    pub(crate) fn public(&self) -> &[u8] {
        self.0.public()
    }
}

impl Signer for StayKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.0.sign(payload)
    }

    fn signature_scheme(&self) -> SignatureScheme {
        self.0.signature_scheme()
    }
}

/// What is left of a stay that is over without its device's doing: enough to say of the next one
/// that it is the same device's, and for nothing else.
#[derive(Clone)]
pub struct Former {
    credential: CredentialId,
    signer: StayKey,
}

#[cfg(test)]
impl Former {
    /// A lie: one device's credential and another's key.
    pub(crate) fn of(credential: CredentialId, signer: &Device) -> Self {
        Self { credential, signer: signer.signer.clone() }
    }
}

impl fmt::Debug for Former {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Former(..)")
    }
}

impl Device {
    /// Makes the keys of a stay.
    ///
    /// The credential is 16 fresh random bytes; `sealed_identity` is opaque here; the constitution
    /// is the one whose digest the link has.
    ///
    /// # Errors
    ///
    /// The constitution names a cipher suite that meetings do not use: there is no other to fall
    /// back to.
    pub fn new(
        constitution: Constitution,
        link: &LinkPsk,
        credential: CredentialId,
        sealed_identity: Vec<u8>,
    ) -> Result<Self, DeviceError> {
        let suite = suite_of(&constitution).ok_or(DeviceError::Suite)?;
        let provider = Provider::default();
        provider.crypto().supports(suite).map_err(|_| DeviceError::Suite)?;
        let signer =
            SignatureKeyPair::new(SignatureScheme::ED25519).map_err(|_| DeviceError::Keys)?;
        let signer = StayKey(Arc::new(signer));
        PreSharedKeyId::external(link_psk_id(&constitution), Vec::new())
            .store(&provider, link.as_bytes())
            .map_err(|_| DeviceError::Keys)?;
        if sealed_identity.len() > LeafIdentity::MAX_SEALED_LEN {
            return Err(DeviceError::IdentityTooLong);
        }
        let identity = LeafIdentity { host_proof: None, sealed: sealed_identity };
        Ok(Self { provider, signer, credential, constitution, suite, identity, succession: None })
    }

    /// What the host key must sign to make this device a host's. The key itself stays where it is.
    pub fn host_statement(&self) -> Vec<u8> {
        host_statement(&self.constitution.meeting, &self.credential, self.signer.public())
    }

    /// Makes this device a host's.
    ///
    /// # Errors
    ///
    /// The signature is not the host key's over [`host_statement`](Self::host_statement).
    pub fn prove_host(&mut self, signature: [u8; 64]) -> Result<(), HostProofError> {
        let statement = self.host_statement();
        self.provider
            .crypto()
            .verify_signature(
                SignatureScheme::ED25519,
                &statement,
                &self.constitution.host_key,
                &signature,
            )
            .map_err(|_| HostProofError)?;
        self.identity.host_proof = Some(signature);
        Ok(())
    }

    /// Whether it is a host's.
    pub const fn is_host(&self) -> bool {
        self.identity.host_proof.is_some()
    }

    /// Its credential.
    pub const fn credential(&self) -> CredentialId {
        self.credential
    }

    /// Signs the one statement, besides those of the group, that the leaf's key is for: that this
    /// device is back on another connection. Nothing if the library failed.
    pub fn sign_resume(&self, challenge: &[u8; 32]) -> Option<Vec<u8>> {
        self.signer.sign(&resume_statement(challenge)).ok()
    }

    /// What to keep of this stay, to say of the next one that it is this device's.
    pub fn former(&self) -> Former {
        Former { credential: self.credential, signer: self.signer.clone() }
    }

    /// Says in the key package that the device was here before: who let it in once need not be asked
    /// again.
    ///
    /// # Errors
    ///
    /// The library failed.
    pub fn succeed(&mut self, former: &Former) -> Result<(), DeviceError> {
        let Former { credential, signer } = former;
        let meeting = &self.constitution.meeting;
        let statement =
            succession_statement(meeting, credential, &self.credential, self.signer.public());
        let signature = signer.sign(&statement).map_err(|_| DeviceError::Keys)?;
        let signature = signature.try_into().map_err(|_| DeviceError::Keys)?;
        self.succession = Some(Succession { former: *credential, signature });
        Ok(())
    }

    /// The key package of a knock, valid for less than [`MAX_LIFETIME`] (RFC 9420 section 10).
    ///
    /// # Errors
    ///
    /// The library failed.
    pub fn key_package(&self, now_unix_s: u64) -> Result<Vec<u8>, DeviceError> {
        self.key_package_of(self.suite, self.lifetime(now_unix_s))
    }

    pub(crate) fn key_package_of(
        &self,
        suite: Ciphersuite,
        lifetime: Lifetime,
    ) -> Result<Vec<u8>, DeviceError> {
        let mut builder = KeyPackage::builder();
        if let Some(succession) = &self.succession {
            let succession = UnknownExtension(succession.encode());
            let extensions = Extensions::single(Extension::Unknown(SUCCESSION, succession));
            builder = builder.key_package_extensions(extensions.map_err(|_| DeviceError::Keys)?);
        }
        let bundle = builder
            .key_package_lifetime(lifetime)
            .leaf_node_capabilities(self.capabilities())
            .leaf_node_extensions(self.leaf_extensions().ok_or(DeviceError::Keys)?)
            .build(suite, &self.provider, &self.signer, self.credential_with_key())
            .map_err(|_| DeviceError::Keys)?;
        bundle.key_package().tls_serialize_detached().map_err(|_| DeviceError::Keys)
    }

    pub(crate) fn lifetime(&self, now_unix_s: u64) -> Lifetime {
        let margin = LIFETIME_MARGIN.as_secs();
        Lifetime::init(
            now_unix_s.saturating_sub(margin),
            now_unix_s.saturating_add(MAX_LIFETIME.as_secs() - margin),
        )
    }

    pub(crate) fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.credential.0.to_vec()).into(),
            signature_key: self.signer.public().into(),
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        // What a key package has, its owner must be able to read (RFC 9420 section 7.2).
        let succession = self.succession.as_ref().map(|_| SUCCESSION);
        let ours: Vec<_> = [CONSTITUTION, IDENTITY, ORDER]
            .into_iter()
            .chain(succession)
            .map(ExtensionType::Unknown)
            .collect();
        Capabilities::new(
            Some(&[ProtocolVersion::Mls10]),
            Some(&[self.suite]),
            Some(&ours),
            Some(&[]),
            Some(&[CredentialType::Basic]),
        )
    }

    pub(crate) fn leaf_extensions(&self) -> Option<Extensions<LeafNode>> {
        let identity = UnknownExtension(self.identity.encode());
        Extensions::single(Extension::Unknown(IDENTITY, identity)).ok()
    }

    /// A proposal to mix the link's secret in, with a nonce of its own (RFC 9420 section 8.4).
    pub(crate) fn link_proposal(&self) -> Option<PreSharedKeyProposal> {
        let psk = Psk::External(ExternalPsk::new(link_psk_id(&self.constitution)));
        let id = PreSharedKeyId::new(self.suite, self.provider.rand(), psk).ok()?;
        Some(PreSharedKeyProposal::new(id))
    }
}

pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(PAST_EPOCHS)
        .use_ratchet_tree_extension(false)
        .build()
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Device(..)")
    }
}

/// Why a device's keys were not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeviceError {
    /// The sealed identity is too long.
    #[error("the identity is too long")]
    IdentityTooLong,
    /// The library failed.
    #[error("the keys cannot be made")]
    Keys,
    /// The meeting's cipher suite is not one that meetings use.
    #[error("the meeting uses a cipher suite that this program does not know")]
    Suite,
}

/// The signature is not the host key's over this device's statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the host key did not sign for this device")]
pub struct HostProofError;
