use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use conclave_model::{BlobError, SealedBlob};
use serde::{Deserialize, Serialize};

use crate::derive::MetaKey;
use crate::text::{clean_name, clean_title};

/// Bytes of a nonce. Each must be random: the key lives as long as its meeting and is shared.
pub const NONCE_LEN: usize = 12;

/// Bound into each blob, so that the server cannot pass a title off as a profile.
const TITLE_AAD: &[u8] = b"conclave/1 title";
const PROFILE_AAD: &[u8] = b"conclave/1 profile";

/// What the others in a call see of a person.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Profile {
    name: String,
}

impl Profile {
    /// Makes a profile of a name, which is [cleaned](clean_name).
    pub fn new(name: &str) -> Self {
        Self { name: clean_name(name) }
    }

    /// The display name: at most [`MAX_NAME_CHARS`](crate::MAX_NAME_CHARS), may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A blob is `nonce || ciphertext || tag` of AES-256-GCM (RFC 5116 section 5.2).
impl MetaKey {
    /// Seals a meeting's title, [cleaned](clean_title), under 12 fresh random bytes.
    ///
    /// # Errors
    ///
    /// [`SealError`] if it does not fit a blob.
    pub fn seal_title(&self, nonce: [u8; NONCE_LEN], title: &str) -> Result<SealedBlob, SealError> {
        self.seal(nonce, TITLE_AAD, clean_title(title).as_bytes())
    }

    /// Opens a meeting's title; what comes out is [cleaned](clean_title).
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is wrong with the blob.
    pub fn open_title(&self, blob: &SealedBlob) -> Result<String, OpenError> {
        let title = String::from_utf8(self.open(TITLE_AAD, blob)?);
        title.map(|title| clean_title(&title)).map_err(|_| OpenError::Content)
    }

    /// Seals a person's profile under 12 fresh random bytes.
    ///
    /// # Errors
    ///
    /// [`SealError`] if it does not fit a blob.
    pub fn seal_profile(
        &self,
        nonce: [u8; NONCE_LEN],
        profile: &Profile,
    ) -> Result<SealedBlob, SealError> {
        let json = serde_json::to_vec(profile).map_err(|_| SealError)?;
        self.seal(nonce, PROFILE_AAD, &json)
    }

    /// Opens a person's profile; the name that comes out is [cleaned](clean_name). Members that
    /// this build does not know are dropped.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is wrong with the blob.
    pub fn open_profile(&self, blob: &SealedBlob) -> Result<Profile, OpenError> {
        let json = self.open(PROFILE_AAD, blob)?;
        let profile: Profile = serde_json::from_slice(&json).map_err(|_| OpenError::Content)?;
        Ok(Profile::new(&profile.name))
    }

    fn seal(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<SealedBlob, SealError> {
        let sealed = Aes256Gcm::new(self.as_bytes().into())
            .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad })
            .map_err(|_| SealError)?;
        let mut blob = nonce.to_vec();
        blob.extend(sealed);
        SealedBlob::new(blob).map_err(|error| match error {
            BlobError::NotBase64 | BlobError::TooLong { .. } => SealError,
        })
    }

    fn open(&self, aad: &[u8], blob: &SealedBlob) -> Result<Vec<u8>, OpenError> {
        let (nonce, sealed) =
            blob.as_bytes().split_first_chunk::<NONCE_LEN>().ok_or(OpenError::Truncated)?;
        Aes256Gcm::new(self.as_bytes().into())
            .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad })
            .map_err(|_| OpenError::Authentication)
    }
}

/// The text is too long for a sealed blob.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("more than {} bytes when sealed", SealedBlob::MAX_LEN)]
pub struct SealError;

/// Why a blob does not open.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// It was damaged, forged, sealed under another link, or sealed as something else.
    #[error("failed authentication")]
    Authentication,
    /// It opens, but what its author sealed is not of the form expected.
    #[error("sealed content is not of the form expected")]
    Content,
    /// It ends before its nonce does.
    #[error("truncated")]
    Truncated,
}
