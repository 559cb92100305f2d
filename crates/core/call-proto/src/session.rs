use std::fmt;

use conclave_model::{ParticipantId, TokenHash};

/// One socket of one client, as the shell numbers them. Never reused in a process.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionId(pub u64);

/// A fresh resume token and its digest, made by the shell of 32 random bytes.
///
/// The text goes to the client and nowhere else; the server keeps the digest.
#[derive(Clone, Eq, PartialEq)]
pub struct ResumeToken {
    text: String,
    hash: TokenHash,
}

impl ResumeToken {
    /// Pairs a token's text with its digest.
    pub const fn new(text: String, hash: TokenHash) -> Self {
        Self { text, hash }
    }

    /// The text, for the client's eyes.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// The digest.
    pub(crate) const fn hash(&self) -> TokenHash {
        self.hash
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken(..)")
    }
}

/// What a client shows to take a session up again.
#[derive(Clone, Eq, PartialEq)]
pub struct ResumeProof {
    /// Digest of the resume token that it presents.
    pub token: TokenHash,
    /// What the shell asked it to sign: fresh random bytes of this connection.
    pub challenge: [u8; 32],
    /// Its leaf's signature over [`resume_statement`](conclave_delivery::resume_statement).
    pub signature: Vec<u8>,
}

impl fmt::Debug for ResumeProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeProof(..)")
    }
}

/// What survives a restart of one session: who it is, and what proves it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionRecord {
    /// Who.
    pub participant: ParticipantId,
    /// Digest of the token that was handed out last.
    pub token: TokenHash,
    /// Digest of the token that the client proved to hold last. It stays valid beside `token`:
    /// a socket may die before the answer with the new one arrives.
    pub proven: Option<TokenHash>,
}

impl SessionRecord {
    /// Whether `hash` takes this session up.
    pub(crate) fn accepts(&self, hash: TokenHash) -> bool {
        self.token == hash || self.proven == Some(hash)
    }

    /// The session after it was taken up with `presented`, and `fresh` was handed out.
    pub(crate) const fn rotated(self, presented: TokenHash, fresh: TokenHash) -> Self {
        Self { participant: self.participant, token: fresh, proven: Some(presented) }
    }
}
