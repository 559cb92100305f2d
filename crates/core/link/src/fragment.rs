use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_model::MeetingId;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::host::HostSeed;
use crate::policy::PolicyDigest;

/// The link to a meeting: where it is, which it is, and the secret that lets a person in.
///
/// Its text is `https://host[:port]/m/<meeting id>#1.<secret>.<policy digest>`, the last three in
/// unpadded base64url. A host link ends in `.<host seed>`: whoever opens it is a host. The part
/// from `#` on never reaches a server. It has no `Display`: the text is for the person who shares
/// it ([`expose`](Self::expose)), never for logs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MeetingLink {
    /// The server.
    pub origin: Origin,
    /// The meeting.
    pub meeting: MeetingId,
    /// What everything secret about the meeting is derived from.
    pub secret: LinkSecret,
    /// Which policy the meeting was created with.
    pub policy_digest: PolicyDigest,
    /// What makes a host of whoever holds the link. Guests' links have none.
    pub host: Option<HostSeed>,
}

impl MeetingLink {
    /// The version of the fragment's format that this build reads and writes.
    pub const VERSION: &str = "1";

    /// The link as text.
    pub fn expose(&self) -> String {
        let host = self.host.as_ref().map(|seed| URL_SAFE_NO_PAD.encode(seed.as_bytes()));
        format!(
            "{}/m/{}#{}.{}.{}{}{}",
            self.origin,
            self.meeting.expose(),
            Self::VERSION,
            URL_SAFE_NO_PAD.encode(self.secret.as_bytes()),
            self.policy_digest.to_text(),
            if host.is_some() { "." } else { "" },
            host.unwrap_or_default(),
        )
    }

    /// The link for guests: without what makes a host.
    #[must_use]
    pub fn for_guests(&self) -> Self {
        Self { host: None, ..self.clone() }
    }
}

impl FromStr for MeetingLink {
    type Err = LinkError;

    /// Parses a link. White space around it is dropped: links are pasted.
    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        let (address, fragment) = text.split_once('#').map_or((text, None), |(a, f)| (a, Some(f)));
        let authority_at = address.find("://").map_or(0, |at| at + "://".len());
        let path_at = address
            .get(authority_at..)
            .and_then(|rest| rest.find('/'))
            .map_or(address.len(), |at| authority_at + at);
        let (origin, path) = address.split_at_checked(path_at).ok_or(LinkError::Path)?;
        let origin = origin.parse().map_err(LinkError::Origin)?;
        let fragment = fragment.ok_or(LinkError::NoFragment)?;
        let meeting = path.strip_prefix("/m/").ok_or(LinkError::Path)?;
        let meeting = meeting.parse().map_err(|_| LinkError::Meeting)?;

        let (version, rest) = fragment.split_once('.').ok_or(LinkError::Fragment)?;
        if version != Self::VERSION {
            return Err(LinkError::Version);
        }
        let (secret, rest) = rest.split_once('.').ok_or(LinkError::Fragment)?;
        let (digest, host) = rest.split_once('.').map_or((rest, None), |(d, h)| (d, Some(h)));
        let secret = decode(secret).map(LinkSecret).ok_or(LinkError::Secret)?;
        let digest = decode(digest).map(PolicyDigest::from_bytes);
        let policy_digest = digest.ok_or(LinkError::PolicyDigest)?;
        let seed = |text| decode(text).map(HostSeed::from_bytes).ok_or(LinkError::HostSeed);
        Ok(Self { origin, meeting, secret, policy_digest, host: host.map(seed).transpose()? })
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// 256 random bits, made by the client that creates the meeting and known to link holders alone.
///
/// Erased when dropped; its `Debug` says nothing; compared in constant time.
#[derive(Clone)]
pub struct LinkSecret([u8; 32]);

impl LinkSecret {
    /// Makes a secret of 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for key derivation and the link's text.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(..)")
    }
}

impl Drop for LinkSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Eq for LinkSecret {}

impl PartialEq for LinkSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A server's origin: `https`, a host, and a port unless it is 443.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    host: String,
    port: u16,
}

impl Origin {
    /// The port where none is written.
    pub const DEFAULT_PORT: u16 = 443;

    /// The host: a name in lower case, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `host`, or `host:port` unless the port is 443, as in a URL or a `Host` header.
    pub fn authority(&self) -> String {
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Self::DEFAULT_PORT => host,
            port => format!("{host}:{port}"),
        }
    }

    /// Whether the host is this machine itself, where no certificate authority is needed.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || self.host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Parses `https://host[:port]`, and nothing after it.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, authority) = text.split_once("://").ok_or(OriginError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(OriginError::Scheme);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (ip, rest) = bracketed.split_once(']').ok_or(OriginError::Host)?;
                let ip: Ipv6Addr = ip.parse().map_err(|_| OriginError::Host)?;
                (ip.to_string(), rest)
            }
            None => {
                let colon = authority.find(':').unwrap_or(authority.len());
                let (host, rest) = authority.split_at_checked(colon).ok_or(OriginError::Host)?;
                (host_name(host)?, rest)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => parse_port(digits)?,
            None if port.is_empty() => Self::DEFAULT_PORT,
            None => return Err(OriginError::Host),
        };
        Ok(Self { host, port })
    }
}

/// A name in ASCII (internationalised ones in their `xn--` form), or an IPv4 address.
fn host_name(text: &str) -> Result<String, OriginError> {
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if text.len() > 253 || !text.split('.').all(label_fits) {
        return Err(OriginError::Host);
    }
    Ok(text.to_ascii_lowercase())
}

fn parse_port(digits: &str) -> Result<u16, OriginError> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OriginError::Port);
    }
    digits.parse().ok().filter(|&port| port != 0).ok_or(OriginError::Port)
}

/// Which part of a link is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// The fragment has not the parts version, secret and policy digest.
    #[error("the part after '#' is incomplete: was the link copied in full?")]
    Fragment,
    /// The host seed is not 43 characters of base64url.
    #[error("the last part of the link (what makes a host) is damaged")]
    HostSeed,
    /// The meeting id is not 22 characters of base64url.
    #[error("the meeting id in the link is damaged")]
    Meeting,
    /// There is no fragment, so no secret.
    #[error("the link has no part after '#', which holds its secret: was it copied in full?")]
    NoFragment,
    /// The origin is not `https://host[:port]`.
    #[error("the server's address in the link is wrong: {0}")]
    Origin(OriginError),
    /// The path is not `/m/<meeting id>`.
    #[error("this address is not that of a meeting (https://host/m/...)")]
    Path,
    /// The policy digest is not 22 characters of base64url.
    #[error("the policy digest in the link is damaged")]
    PolicyDigest,
    /// The secret is not 43 characters of base64url.
    #[error("the secret in the link is damaged")]
    Secret,
    /// The fragment is of a version that this build does not know.
    #[error("the link is of a newer kind than this program knows")]
    Version,
}

/// Which part of an origin is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OriginError {
    /// The host is neither a name in ASCII nor an IP address.
    #[error("the host is neither a name nor an IP address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// It does not start with `https://`.
    #[error("it does not start with https://")]
    Scheme,
}
