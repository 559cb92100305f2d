use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;

/// What people read to each other to know that nobody sits between them: 30 digits, 99 bits.
///
/// It is derived from the epoch authenticator (RFC 9420 section 8.7), which is the same for all
/// members of an epoch and for nobody else. It changes with each epoch: lock first, then compare.
#[derive(Clone, Eq, PartialEq)]
pub struct SafetyCode([u32; Self::GROUPS]);

impl SafetyCode {
    const GROUPS: usize = 6;

    pub(crate) fn derive(authenticator: &[u8], group: &[u8], epoch: u64) -> Self {
        let info = [b"conclave/1 safety code".as_slice(), group, &epoch.to_be_bytes()].concat();
        let mut bytes = [[0; 8]; Self::GROUPS];
        Hkdf::<Sha256>::new(None, authenticator)
            .expand(&info, bytes.as_flattened_mut())
            .expect("HKDF-SHA-256 gives up to 8160 bytes");
        // 64 bits make five digits all but equally likely.
        let digits = |bytes| u32::try_from(u64::from_be_bytes(bytes) % 100_000).unwrap_or_default();
        Self(bytes.map(digits))
    }
}

impl fmt::Display for SafetyCode {
    /// `12345 67890 …`, six groups of five digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, digits) in self.0.iter().enumerate() {
            write!(f, "{}{digits:05}", if at == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for SafetyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafetyCode(..)")
    }
}
