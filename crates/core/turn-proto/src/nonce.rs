use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::credential::Mac;

/// How long a nonce holds (RFC 8489 section 9.2).
const VALID_FOR: Duration = Duration::from_secs(3600);

/// Bytes of the digest in a nonce: it is guessed once in 2^64 times, and then gains nothing
/// without a credential.
const DIGEST: usize = 8;

/// Makes nonces, and knows its own again without remembering any: each names its time and carries
/// a digest of that and of the client's address.
#[derive(Debug)]
pub(crate) struct Nonces {
    mac: Mac,
    epoch: Instant,
}

impl Nonces {
    pub(crate) fn new(seed: &[u8; 32], epoch: Instant) -> Self {
        Self { mac: Mac::new(seed), epoch }
    }

    pub(crate) fn make(&self, now: Instant, client: SocketAddr) -> String {
        self.at(self.seconds(now), client)
    }

    pub(crate) fn holds(&self, now: Instant, client: SocketAddr, nonce: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let Some(made) = bytes.first_chunk::<4>().map(|made| u32::from_be_bytes(*made)) else {
            return false;
        };
        let age = self.seconds(now).checked_sub(made);
        age.is_some_and(|age| u64::from(age) < VALID_FOR.as_secs())
            && self.at(made, client) == nonce
    }

    fn at(&self, made: u32, client: SocketAddr) -> String {
        let digest =
            self.mac.digest(&[b"nonce", &made.to_be_bytes(), client.to_string().as_bytes()]);
        let mut bytes = made.to_be_bytes().to_vec();
        bytes.extend(digest.iter().take(DIGEST));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.epoch).as_secs()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_holds_for_an_hour_for_the_client_that_it_was_made_for() {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
        let start = Instant::now();
        let nonces = Nonces::new(&[1; 32], start);
        let client = SocketAddr::from(([192, 0, 2, 1], 5000));
        let other = SocketAddr::from(([192, 0, 2, 1], 5001));
        let now = start + Duration::from_secs(100);
        let nonce = nonces.make(now, client);

        assert!(nonces.holds(now, client, &nonce));
        assert!(nonces.holds(now + VALID_FOR - Duration::from_secs(1), client, &nonce));
        assert!(!nonces.holds(now + VALID_FOR, client, &nonce), "too old");
        assert!(!nonces.holds(start, client, &nonce), "not yet made");
        assert!(!nonces.holds(now, other, &nonce), "another's");
        assert!(!Nonces::new(&[2; 32], start).holds(now, client, &nonce), "another server's");
        for garbage in ["", "AAAA", "AAAAAAAAAAAAAAAA", "not base64!", &nonce[1..]] {
            assert!(!nonces.holds(now, client, garbage), "{garbage}");
        }
    }
}
