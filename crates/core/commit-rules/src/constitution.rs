use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// `MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519`: hybrid post-quantum, the default.
pub const SUITE_DEFAULT: u16 = 0x004e;

/// What a meeting was founded on: extension 0xF0A1 of the group's context, never changed.
///
/// Its digest is in the link, so nobody who serves it can edit it. Its text is JSON in exactly one
/// form: the fields in this order, without white space.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Constitution {
    /// The version of this format.
    pub version: u16,
    /// The meeting's id.
    #[serde(with = "crate::bytes")]
    pub meeting: [u8; 16],
    /// The MLS cipher suite (RFC 9420 section 17.1): no other is ever agreed on.
    pub suite: u16,
    /// How people come in.
    pub mode: Mode,
    /// Whether a group may be founded without a host.
    pub join_before_host: bool,
    /// The Ed25519 key of which a host proves knowledge.
    #[serde(with = "crate::bytes")]
    pub host_key: [u8; 32],
    /// Who vouches for identities.
    pub issuers: Vec<Issuer>,
    /// Whether people come in whom no issuer vouches for.
    pub guests: bool,
    /// The Ed25519 key that signs the statements of media nodes.
    #[serde(with = "crate::bytes")]
    pub node_key: [u8; 32],
    /// Where media nodes may be; anywhere if empty.
    pub jurisdictions: Vec<Jurisdiction>,
    /// Whether recorders, telephones and other machines that can hear may come in.
    pub gateways: bool,
    /// Whether the server is told how loud someone is.
    pub voice_level: bool,
    /// How confidential the meeting is at least.
    pub classification: Classification,
    /// The most leaves that the group may have.
    pub max_members: u16,
}

impl Constitution {
    /// The version that this build reads and writes.
    pub const VERSION: u16 = 2;

    /// The longest text that is read.
    pub const MAX_LEN: usize = 8 << 10;

    /// The one text of it.
    ///
    /// # Errors
    ///
    /// A value is out of its bounds.
    pub fn encode(&self) -> Result<String, PolicyError> {
        self.verify()?;
        encode(self, Self::MAX_LEN)
    }

    /// Reads it from foreign bytes.
    ///
    /// # Errors
    ///
    /// It is anything but the one text of a constitution of this version.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let parsed: Self = parse(bytes, Self::MAX_LEN)?;
        parsed.verify()?;
        Ok(parsed)
    }

    fn verify(&self) -> Result<(), PolicyError> {
        if self.version != Self::VERSION {
            return Err(PolicyError::Version);
        }
        // A key id of SFrame has 12 bits for the leaf.
        let members_fit = (1..=4096).contains(&self.max_members);
        let lists_fit = self.issuers.len() <= 64 && self.jurisdictions.len() <= 64;
        if members_fit && lists_fit { Ok(()) } else { Err(PolicyError::Bounds) }
    }
}

/// How people come in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// An admitter lets each person in.
    Lobby,
    /// Whoever holds the link comes in.
    OpenLink,
    /// Those whom an issuer vouches for come in; others wait for an admitter.
    VerifiedAuto,
}

/// An authority that vouches for identities: the SHA-256 of its public key info.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Issuer(#[serde(with = "crate::bytes")] pub [u8; 32]);

/// A country: the two capital letters of ISO 3166-1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Jurisdiction([u8; 2]);

impl TryFrom<String> for Jurisdiction {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, PolicyError> {
        match <[u8; 2]>::try_from(text.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            Ok(_) | Err(_) => Err(PolicyError::Bounds),
        }
    }
}

impl From<Jurisdiction> for String {
    fn from(Jurisdiction(letters): Jurisdiction) -> Self {
        letters.into_iter().map(char::from).collect()
    }
}

/// How confidential a meeting is. It is only ever raised.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Classification {
    /// No label.
    #[default]
    Open,
    /// For the organisation.
    Internal,
    /// For those who need it.
    Confidential,
    /// As much protection as there is.
    Secret,
}

pub(crate) fn encode<T: Serialize>(value: &T, max_len: usize) -> Result<String, PolicyError> {
    let text = serde_json::to_string(value).map_err(|_| PolicyError::Format)?;
    if text.len() <= max_len { Ok(text) } else { Err(PolicyError::TooLong) }
}

/// Parses JSON in its one form: what encodes to other bytes is refused, so that two texts never
/// mean the same.
pub(crate) fn parse<T: DeserializeOwned + Serialize>(
    bytes: &[u8],
    max_len: usize,
) -> Result<T, PolicyError> {
    if bytes.len() > max_len {
        return Err(PolicyError::TooLong);
    }
    let parsed: T = serde_json::from_slice(bytes).map_err(|_| PolicyError::Format)?;
    if encode(&parsed, max_len)?.as_bytes() == bytes { Ok(parsed) } else { Err(PolicyError::Form) }
}

/// Why a policy is not read or written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// A value is out of its bounds, or a list is out of order.
    #[error("the policy has a value out of bounds")]
    Bounds,
    /// It is not in the one form that its content has.
    #[error("the policy is not in its canonical form")]
    Form,
    /// It is not JSON with exactly the known fields.
    #[error("the policy is malformed")]
    Format,
    /// It is longer than any policy.
    #[error("the policy is too long")]
    TooLong,
    /// It is of another version.
    #[error("the policy is of an unknown version")]
    Version,
}
