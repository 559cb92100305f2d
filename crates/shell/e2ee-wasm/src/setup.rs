//! What a session begins with, as text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_commit_rules::CredentialId;
use conclave_e2ee::Setup;
use conclave_link::{LinkKeys, LinkSecret, PolicyDigest, Profile};
use conclave_model::MeetingId;
use serde::Deserialize;
use zeroize::Zeroize as _;

/// What the page knows of link, meeting and person.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SetupText {
    meeting: MeetingId,
    /// Base64url of 32 bytes.
    secret: String,
    constitution: String,
    /// Base64url of 16 bytes.
    digest: String,
    name: String,
    holds_host_key: bool,
    /// Base64url of 16 bytes. One that cannot be read is as good as none: it only cleans up.
    previous: Option<String>,
}

impl SetupText {
    /// `None` if secret or digest is not of its form.
    pub(crate) fn read(mut self, seed: [u8; 32]) -> Option<Setup> {
        let secret = bytes(&self.secret).map(LinkSecret::from_bytes);
        self.secret.zeroize();
        Some(Setup {
            constitution: self.constitution,
            digest: PolicyDigest::from_bytes(bytes(&self.digest)?),
            keys: LinkKeys::derive(&secret?, &self.meeting),
            meeting: self.meeting,
            profile: Profile::new(&self.name),
            holds_host_key: self.holds_host_key,
            previous: self.previous.as_deref().and_then(credential),
            seed,
        })
    }
}

/// A credential in its text form.
pub(crate) fn credential(text: &str) -> Option<CredentialId> {
    bytes(text).map(CredentialId)
}

/// So many bytes of unpadded base64url.
pub(crate) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Unpadded base64url.
pub(crate) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
