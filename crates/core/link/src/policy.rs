use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// What a link says of its meeting's policy, the constitution: the first 16 bytes of the SHA-256 of its text.
///
/// A server that hands out another policy is caught by it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PolicyDigest([u8; 16]);

impl PolicyDigest {
    /// The digest of a policy, over the UTF-8 bytes of its JSON text as it was created.
    pub fn of(policy: &str) -> Self {
        let mut digest = [0; 16];
        let hash = Sha256::digest(policy.as_bytes());
        digest.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self(digest)
    }

    /// Wraps the 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 22 characters of unpadded base64url that a link carries.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}
