use std::fmt;

use sframe::CipherSuite;
use sframe::key::{DecryptionKey, EncryptionKey};
use zeroize::Zeroizing;

use crate::kid::{Epoch, Kid, Leaf};
use crate::seal::Sealer;

/// The label under which the group exports an epoch's base key (RFC 9605 section 5.2), with an
/// empty context.
pub const BASE_KEY_LABEL: &str = "SFrame 1.0 Base Key";

/// Bytes of a base key.
pub const BASE_KEY_LEN: usize = 32;

/// `AES_256_GCM_SHA512_128` (RFC 9605 section 4.5): the full 16-byte tag.
const SUITE: CipherSuite = CipherSuite::AesGcm256Sha512;

/// What all frame keys of an epoch are derived from.
///
/// It can be neither copied nor read, and [`split`](Self::split) uses it up: one base key makes
/// one [`Sealer`], so no counter starts twice under one key. Erased when dropped.
pub struct BaseKey {
    bytes: Zeroizing<[u8; BASE_KEY_LEN]>,
    epoch: Epoch,
}

impl BaseKey {
    /// Takes what the group exported for `epoch`.
    pub const fn new(bytes: Zeroizing<[u8; BASE_KEY_LEN]>, epoch: Epoch) -> Self {
        Self { bytes, epoch }
    }

    /// The epoch.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What this device seals with, and what it opens others' frames with.
    pub fn split(self, own: Leaf) -> (Sealer, ReceiveKeys) {
        let sealing = Self { bytes: self.bytes.clone(), epoch: self.epoch };
        (Sealer::new(sealing, own), ReceiveKeys(self))
    }

    pub(crate) fn sealing(&self, kid: Kid) -> Option<EncryptionKey> {
        EncryptionKey::derive_from(SUITE, kid.to_u64(), self.bytes.as_slice()).ok()
    }

    fn opening(&self, kid: Kid) -> Option<DecryptionKey> {
        DecryptionKey::derive_from(SUITE, kid.to_u64(), self.bytes.as_slice()).ok()
    }
}

impl fmt::Debug for BaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BaseKey(..)")
    }
}

/// What the frames of an epoch are opened with.
pub struct ReceiveKeys(BaseKey);

impl ReceiveKeys {
    /// The epoch.
    pub const fn epoch(&self) -> Epoch {
        self.0.epoch()
    }

    pub(crate) fn opening(&self, kid: Kid) -> Option<DecryptionKey> {
        self.0.opening(kid)
    }
}

impl fmt::Debug for ReceiveKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiveKeys(..)")
    }
}
