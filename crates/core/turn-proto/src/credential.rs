use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use stun_types::attribute::MessageIntegritySha256;
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, ShortTermCredentials,
};

/// How long a credential holds: longer than nearly all calls, because a media session may be made
/// anew at any time. What is allocated with it lives on.
const VALID_FOR: Duration = Duration::from_secs(12 * 3600);

/// Bytes of a user name's second half.
const TAG: usize = 12;

/// The longest user name that is looked at. Ours are shorter.
const MAX_USERNAME: usize = 64;

/// What a client shows to be relayed for.
#[derive(Clone, Eq, PartialEq)]
pub struct Credential {
    /// `expiry:tag`. It says nothing of whose it is but to the issuer.
    pub username: String,
    /// What goes with it.
    pub password: String,
}

impl Credential {
    /// The key that messages are protected with (RFC 8489 section 9.2.2).
    pub(crate) fn key(&self, realm: &str) -> IntegrityKey {
        let Self { username, password } = self.clone();
        LongTermKeyCredentials::new(username, password, realm.to_owned())
            .make_key(IntegrityAlgorithm::Sha1)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// Makes credentials, and knows its own again without remembering any: the password follows from
/// the user name and a secret, as in the "REST API for access to TURN services".
///
/// The time in a user name is a clock's that does not jump: credentials are for the process that
/// made them.
#[derive(Clone, Debug)]
pub struct Issuer {
    mac: Mac,
    epoch: Instant,
    epoch_unix_s: u64,
}

impl Issuer {
    /// Creates one with a fresh `secret`, at `now`, which is so many seconds since 1970.
    pub fn new(secret: &[u8; 32], now: Instant, now_unix_s: u64) -> Self {
        Self { mac: Mac::new(secret), epoch: now, epoch_unix_s: now_unix_s }
    }

    /// Makes a credential for one holder. Holders that are told apart by `holder` have quotas of
    /// their own.
    pub fn issue(&self, now: Instant, holder: &[u8]) -> Credential {
        let expiry = self.unix_s(now) + VALID_FOR.as_secs();
        let digest = self.mac.digest(&[b"holder", &expiry.to_be_bytes(), holder]);
        let tag = URL_SAFE_NO_PAD.encode(digest.get(..TAG).unwrap_or_default());
        self.complete(format!("{expiry}:{tag}"))
    }

    /// The credential with this user name, if it is one that still holds. Whether the client has
    /// the password is to be seen.
    pub(crate) fn find(&self, now: Instant, username: &str) -> Option<Credential> {
        if username.len() > MAX_USERNAME {
            return None;
        }
        let expiry: u64 = username.split_once(':')?.0.parse().ok()?;
        (expiry > self.unix_s(now)).then(|| self.complete(username.to_owned()))
    }

    fn complete(&self, username: String) -> Credential {
        let password = STANDARD.encode(self.mac.digest(&[b"password", username.as_bytes()]));
        Credential { username, password }
    }

    fn unix_s(&self, now: Instant) -> u64 {
        self.epoch_unix_s + now.saturating_duration_since(self.epoch).as_secs()
    }
}

/// HMAC-SHA-256 under one key.
#[derive(Clone)]
pub(crate) struct Mac {
    key: IntegrityKey,
}

impl Mac {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self { key: ShortTermCredentials::new(STANDARD.encode(secret)).make_key() }
    }

    /// Of several parts. Each but the last must have a length that its first part settles.
    pub(crate) fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        // It fails for a key of another algorithm; this one has none.
        MessageIntegritySha256::compute(parts, &self.key).unwrap_or_default()
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
        Instant::now()
    }

    #[test]
    fn a_credential_holds_for_its_time_with_its_issuer_alone() {
        let now = start();
        let issuer = Issuer::new(&[1; 32], now, 1_800_000_000);
        let credential = issuer.issue(now, b"c1p1");

        assert_eq!(credential.username.split(':').next(), Some("1800043200"));
        assert_eq!(issuer.find(now, &credential.username), Some(credential.clone()));
        let late = now + VALID_FOR;
        assert!(issuer.find(late - Duration::from_secs(1), &credential.username).is_some());
        assert_eq!(issuer.find(late, &credential.username), None);

        let other = Issuer::new(&[2; 32], now, 1_800_000_000);
        let theirs = other.find(now, &credential.username).unwrap();
        assert_ne!(theirs.password, credential.password);
        assert_ne!(theirs.password, STANDARD.encode([0; 32]), "the digest is one");
    }

    #[test]
    fn holders_are_told_apart_and_not_named() {
        let now = start();
        let issuer = Issuer::new(&[1; 32], now, 0);
        let [a, b] = [b"holder a", b"holder b"].map(|holder| issuer.issue(now, holder));

        assert_ne!(a.username, b.username);
        assert_eq!(issuer.issue(now, b"holder a"), a);
        assert!(!a.username.contains("holder"));
        assert!(!format!("{a:?}{issuer:?}").contains(&a.password));
    }

    #[test]
    fn a_name_that_is_none_of_ours_finds_nothing() {
        let now = start();
        let issuer = Issuer::new(&[1; 32], now, 1_800_000_000);
        let long = format!("{}:x", "9".repeat(70));
        for name in ["", ":", "x:y", "12", "1800000000:x", "-1:x", long.as_str()] {
            assert_eq!(issuer.find(now, name), None, "{name}");
        }
    }
}
