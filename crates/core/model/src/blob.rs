use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Bytes sealed under a key that the server does not have: a title, a display name.
///
/// On the wire: unpadded base64url. The server stores and relays it, and cannot read it.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(into = "String", try_from = "String")]
#[ts(as = "String")]
pub struct SealedBlob(Vec<u8>);

impl SealedBlob {
    /// The most bytes a blob may have.
    pub const MAX_LEN: usize = 4096;

    /// Wraps sealed bytes.
    ///
    /// # Errors
    ///
    /// [`BlobError::TooLong`] above [`Self::MAX_LEN`] bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, BlobError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(BlobError::TooLong { len: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// The sealed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBlob({} bytes)", self.0.len())
    }
}

impl From<SealedBlob> for String {
    fn from(blob: SealedBlob) -> Self {
        URL_SAFE_NO_PAD.encode(blob.0)
    }
}

impl TryFrom<String> for SealedBlob {
    type Error = BlobError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| BlobError::NotBase64)?)
    }
}

/// The text is not a sealed blob.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BlobError {
    /// The text is not unpadded base64url.
    #[error("not unpadded base64url")]
    NotBase64,
    /// It has more bytes than a blob may.
    #[error("{len} bytes, but at most {} are allowed", SealedBlob::MAX_LEN)]
    TooLong {
        /// How many it has.
        len: usize,
    },
}
