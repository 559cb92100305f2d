use std::fmt;
use std::sync::Arc;

use openmls::prelude::SignatureScheme;
use openmls_traits::signatures::{Signer, SignerError};

/// The key with which the server proposes removals, and nothing else. The private half stays with
/// whoever gives this; it is no secret of a group.
#[derive(Clone)]
pub struct ProposalKey {
    public: [u8; 32],
    sign: Arc<Sign>,
}

type Sign = dyn Fn(&[u8]) -> [u8; 64] + Send + Sync;

impl ProposalKey {
    /// Takes an Ed25519 key: its public half, which members have in the group's context, and what
    /// signs with the other.
    pub fn new(public: [u8; 32], sign: impl Fn(&[u8]) -> [u8; 64] + Send + Sync + 'static) -> Self {
        Self { public, sign: Arc::new(sign) }
    }

    pub(crate) const fn public(&self) -> &[u8; 32] {
        &self.public
    }
}

impl Signer for ProposalKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok((self.sign)(payload).to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl fmt::Debug for ProposalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProposalKey(..)")
    }
}
