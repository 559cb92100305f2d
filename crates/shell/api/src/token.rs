use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_call_proto::ResumeToken;
use conclave_model::TokenHash;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Parses a digest from unpadded base64url.
pub(crate) fn parse_hash(text: &str) -> Option<TokenHash> {
    parse_32(text).map(TokenHash::from_bytes)
}

/// Digests a bearer token: SHA-256 of its 32 bytes. `None` if the text is no token.
pub(crate) fn hash_token(text: &str) -> Option<TokenHash> {
    parse_32(text).map(hash)
}

/// Compares in a time that does not depend on where the two differ.
pub(crate) fn same(a: &TokenHash, b: &TokenHash) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// Makes a new resume token.
///
/// # Errors
///
/// The operating system has no random bytes to give.
pub(crate) fn new_resume_token() -> Result<ResumeToken, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(ResumeToken::new(URL_SAFE_NO_PAD.encode(bytes), hash(bytes)))
}

/// Draws what a member signs to take its session up: 32 bytes of this socket alone.
///
/// # Errors
///
/// The operating system has no random bytes to give.
pub(crate) fn new_challenge() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Unpadded base64url.
pub(crate) fn encode(bytes: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn parse_32(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn hash(bytes: [u8; 32]) -> TokenHash {
    TokenHash::from_bytes(Sha256::digest(bytes).into())
}
