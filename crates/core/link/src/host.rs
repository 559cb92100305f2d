use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

/// The seed (RFC 8032 section 5.1.5) of the Ed25519 host key, made by the client that creates the
/// meeting: whoever can sign with it is a host.
///
/// Erased when dropped; its `Debug` says nothing; compared in constant time.
#[derive(Clone)]
pub struct HostSeed([u8; 32]);

impl HostSeed {
    /// Makes a seed of 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for the link's text.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public key, which the meeting's constitution names.
    pub fn public_key(&self) -> [u8; 32] {
        self.key().verifying_key().to_bytes()
    }

    /// Signs with the host key.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key().sign(message).to_bytes()
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.0)
    }
}

impl fmt::Debug for HostSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostSeed(..)")
    }
}

impl Drop for HostSeed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Eq for HostSeed {}

impl PartialEq for HostSeed {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
