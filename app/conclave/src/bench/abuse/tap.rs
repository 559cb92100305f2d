//! The keys that an attacker's own session seals with: str0m does not say what its peer would never
//! do, so the attacker seals that itself.
//!
//! str0m takes its ciphers from a provider. This one makes the usual ones, and remembers the key of
//! each that something is sealed with, and the salt, which follows from what it was sealed with.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use str0m::crypto::{
    AeadAes256GcmCipher, CryptoError, CryptoProvider, SrtpProvider, SupportedAeadAes128Gcm,
    SupportedAeadAes256Gcm, SupportedAes128CmSha1_80, from_feature_flags,
};

/// A session key and its salt (RFC 3711 section 4.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    key: [u8; 32],
    salt: [u8; 12],
}

/// What a session has sealed with so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tap {
    rtp: Arc<Mutex<Option<Keys>>>,
    rtcp: Arc<Mutex<Option<Keys>>>,
}

/// Seals what is sent, as `AEAD_AES_256_GCM` (RFC 7714), which our ends prefer.
pub(super) struct Sealer {
    key: LessSafeKey,
    salt: [u8; 12],
    /// The next SRTCP index.
    index: u32,
}

/// RTP's fixed header, in bytes.
pub(super) const RTP_HEADER: usize = 12;

/// What of RTCP is not encrypted, in bytes.
const RTCP_HEADER: usize = 8;

/// Beside an SRTCP index: what follows it is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Far above what str0m itself has used by then.
const FIRST_INDEX: u32 = 1 << 20;

impl Tap {
    /// A provider for one session, whose keys are then here.
    pub(super) fn provider(&self) -> CryptoProvider {
        let usual = from_feature_flags();
        // str0m wants it for ever. A measurement has a few attackers, and then it ends.
        let tapped: &'static Tapped =
            Box::leak(Box::new(Tapped { usual: usual.srtp_provider, tap: self.clone() }));
        CryptoProvider { srtp_provider: tapped, ..usual }
    }

    /// Seals RTP as the session does, if it has sealed some.
    pub(super) fn rtp(&self) -> Option<Sealer> {
        Sealer::new(take(&self.rtp)?)
    }

    /// Seals RTCP as the session does, if it has sealed some.
    pub(super) fn rtcp(&self) -> Option<Sealer> {
        Sealer::new(take(&self.rtcp)?)
    }

    /// Something is sealed with a key. What is not encrypted tells what it is, and the salt.
    fn note(&self, key: [u8; 32], nonce: &[u8; 12], open: &[u8]) {
        let is_rtcp = open.get(1).is_some_and(|kind| (192..=223).contains(kind));
        let at = if is_rtcp { &self.rtcp } else { &self.rtp };
        let mut known = at.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some() {
            return;
        }
        let plain = if is_rtcp { rtcp_nonce(open) } else { rtp_nonce(open) };
        *known = plain.map(|plain| Keys { key, salt: xor(plain, nonce) });
    }
}

fn take(keys: &Mutex<Option<Keys>>) -> Option<Keys> {
    *keys.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sealer {
    fn new(Keys { key, salt }: Keys) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).ok()?);
        Some(Self { key, salt, index: FIRST_INDEX })
    }

    /// Seals a packet of RTP whose header is so many bytes. No sequence number may have rolled
    /// over yet. What is too short stays as it is.
    pub(super) fn seal_rtp(&self, packet: &mut Vec<u8>, header: usize) {
        if let Some(nonce) = rtp_nonce(packet) {
            self.seal(packet, header, nonce, None);
        }
    }

    /// Seals a compound of RTCP. What is too short stays as it is.
    pub(super) fn seal_rtcp(&mut self, packet: &mut Vec<u8>) {
        let index = (ENCRYPTED | self.index).to_be_bytes();
        self.index += 1;
        let open = packet.get(..RTCP_HEADER).map(|head| [head, &index].concat());
        if let Some(open) = open
            && let Some(nonce) = rtcp_nonce(&open)
        {
            self.seal(packet, RTCP_HEADER, nonce, Some(&open));
            packet.extend(index);
        }
    }

    /// Encrypts what is behind the header. What is authenticated beside it is the header, unless
    /// it is told.
    fn seal(&self, packet: &mut Vec<u8>, header: usize, plain: [u8; 12], open: Option<&[u8]>) {
        let Some((head, body)) = packet.split_at_mut_checked(header) else { return };
        let nonce = Nonce::assume_unique_for_key(xor(plain, &self.salt));
        let open = Aad::from(open.unwrap_or(head));
        if let Ok(tag) = self.key.seal_in_place_separate_tag(nonce, open, body) {
            packet.extend_from_slice(tag.as_ref());
        }
    }
}

/// RFC 7714 section 8.1 before the salt, while no number has rolled over.
fn rtp_nonce(header: &[u8]) -> Option<[u8; 12]> {
    let [_, _, n0, n1, _, _, _, _, s0, s1, s2, s3] = *header.first_chunk::<RTP_HEADER>()?;
    Some([0, 0, s0, s1, s2, s3, 0, 0, 0, 0, n0, n1])
}

/// RFC 7714 section 9.1 before the salt; of the header and the index behind it.
fn rtcp_nonce(open: &[u8]) -> Option<[u8; 12]> {
    let [_, _, _, _, s0, s1, s2, s3, i0, i1, i2, i3] = *open.first_chunk::<12>()?;
    Some([0, 0, s0, s1, s2, s3, 0, 0, i0 & 0x7f, i1, i2, i3])
}

fn xor(mut one: [u8; 12], other: &[u8; 12]) -> [u8; 12] {
    one.iter_mut().zip(other).for_each(|(a, b)| *a ^= b);
    one
}

/// The usual ciphers, and who wants to know their keys.
#[derive(Debug)]
struct Tapped {
    usual: &'static dyn SrtpProvider,
    tap: Tap,
}

#[derive(Debug)]
struct TappedCipher {
    usual: Box<dyn AeadAes256GcmCipher>,
    key: [u8; 32],
    tap: Tap,
}

impl SrtpProvider for Tapped {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        self.usual.aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        self.usual.aead_aes_128_gcm()
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        Box::leak(Box::new(Self { usual: self.usual, tap: self.tap.clone() }))
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        self.usual.srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        self.usual.srtp_aes_256_ecb_round(key, input, output);
    }
}

impl SupportedAeadAes256Gcm for Tapped {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        let usual = self.usual.aead_aes_256_gcm().create_cipher(key, encrypt);
        Box::new(TappedCipher { usual, key, tap: self.tap.clone() })
    }
}

impl AeadAes256GcmCipher for TappedCipher {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.tap.note(self.key, iv, aad);
        self.usual.encrypt(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.usual.decrypt(iv, aads, input, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What str0m would seal with this key and nonce.
    fn sealed_by_str0m(tap: &Tap, nonce: [u8; 12], open: &[u8], body: &[u8]) -> Vec<u8> {
        let provider = tap.provider().srtp_provider.aead_aes_256_gcm();
        let mut sealed = vec![0; body.len() + 16];
        let mut cipher = provider.create_cipher([7; 32], true);
        cipher.encrypt(&nonce, open, body, &mut sealed).unwrap();
        sealed
    }

    #[test]
    fn who_has_seen_one_packet_sealed_seals_the_next_one_alike() {
        let (tap, salt) = (Tap::default(), [5; 12]);
        let header = |number: u8| [0x80, 96, 0, number, 0, 0, 0, 9, 1, 2, 3, 4];
        let nonce = |number| xor(rtp_nonce(&header(number)).unwrap(), &salt);
        assert!(tap.rtp().is_none());
        sealed_by_str0m(&tap, nonce(1), &header(1), b"one");

        let mut packet = [&header(2)[..], b"two"].concat();
        tap.rtp().unwrap().seal_rtp(&mut packet, RTP_HEADER);

        let expected = sealed_by_str0m(&tap, nonce(2), &header(2), b"two");
        assert_eq!(packet[RTP_HEADER..], expected);
        assert!(tap.rtcp().is_none(), "reports have a key of their own");
    }

    #[test]
    fn reports_are_sealed_with_their_index_behind_them() {
        let (tap, salt) = (Tap::default(), [5; 12]);
        let open = |index: u32| {
            [&[0x80, 201, 0, 1, 1, 2, 3, 4][..], &(ENCRYPTED | index).to_be_bytes()].concat()
        };
        let nonce = |index| xor(rtcp_nonce(&open(index)).unwrap(), &salt);
        sealed_by_str0m(&tap, nonce(3), &open(3), b"a report");

        let mut packet = [&open(0)[..RTCP_HEADER], b"another"].concat();
        tap.rtcp().unwrap().seal_rtcp(&mut packet);

        let sealed = sealed_by_str0m(&tap, nonce(FIRST_INDEX), &open(FIRST_INDEX), b"another");
        assert_eq!(packet[RTCP_HEADER..packet.len() - 4], sealed);
        assert_eq!(packet[packet.len() - 4..], (ENCRYPTED | FIRST_INDEX).to_be_bytes());
    }
}
