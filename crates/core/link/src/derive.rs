use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_model::MeetingId;
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize as _;

use crate::fragment::{LinkSecret, MeetingLink};

/// What is derived from a link's secret: HKDF-SHA-256 (RFC 5869) with the meeting id's bytes as
/// salt and one info string for each key, 32 bytes each.
#[derive(Clone, Debug)]
pub struct LinkKeys {
    /// What a link holder shows the server.
    pub token: LinkToken,
    /// What title and names are sealed under.
    pub meta: MetaKey,
    /// What a joiner proves knowledge of to the group's members.
    pub psk: LinkPsk,
}

impl LinkKeys {
    /// Derives the keys of a link.
    pub fn of(link: &MeetingLink) -> Self {
        Self::derive(&link.secret, &link.meeting)
    }

    /// Derives the keys of a meeting that has no link yet.
    pub fn derive(secret: &LinkSecret, meeting: &MeetingId) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(meeting.as_bytes()), secret.as_bytes());
        let expand = |info: &[u8]| {
            let mut key = [0; 32];
            hkdf.expand(info, &mut key).expect("HKDF-SHA-256 gives up to 8160 bytes");
            key
        };
        Self {
            token: LinkToken(expand(b"conclave/1 token")),
            meta: MetaKey(expand(b"conclave/1 meta")),
            psk: LinkPsk(expand(b"conclave/1 psk")),
        }
    }
}

/// Proof of holding the link, shown to the server, which knows only its hash.
#[derive(Clone)]
pub struct LinkToken([u8; 32]);

impl LinkToken {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 43 characters of unpadded base64url that the wire carries, never for logs.
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the server stores: SHA-256 of the token's bytes, in unpadded base64url.
    pub fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0))
    }
}

/// The AES-256-GCM key that seals what link holders may read and the server may not.
#[derive(Clone)]
pub struct MetaKey([u8; 32]);

impl MetaKey {
    /// Wraps the 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The pre-shared key that a joiner and the group's members have in common (RFC 9420 section 8.4).
#[derive(Clone)]
pub struct LinkPsk([u8; 32]);

impl LinkPsk {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken(..)")
    }
}

impl fmt::Debug for MetaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetaKey(..)")
    }
}

impl fmt::Debug for LinkPsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkPsk(..)")
    }
}

impl Drop for LinkToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for MetaKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for LinkPsk {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
