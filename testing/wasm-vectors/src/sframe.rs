//! RFC 9605, appendix C.

use serde::Deserialize;
use sframe::CipherSuite;
use sframe::frame::{EncryptedFrameView, MediaFrameView, SingleUseCounter};
use sframe::header::SframeHeader;
use sframe::key::{DecryptionKey, EncryptionKey};

use crate::{bytes, said};

#[derive(Deserialize)]
struct HeaderVector {
    kid: u64,
    ctr: u64,
    encoded: String,
}

#[derive(Deserialize)]
struct FrameVector {
    cipher_suite: u16,
    kid: u64,
    ctr: u64,
    base_key: String,
    metadata: String,
    pt: String,
    ct: String,
}

pub(crate) fn check_header(vector: &str) -> Result<(), String> {
    let HeaderVector { kid, ctr, encoded } = serde_json::from_str(vector).map_err(said)?;
    let encoded = bytes(&encoded)?;
    let header = SframeHeader::deserialize(&encoded).map_err(said)?;
    same("fields", (header.key_id(), header.counter()), (kid, ctr))?;
    same("bytes", Vec::from(&SframeHeader::new(kid, ctr)), encoded)
}

pub(crate) fn check_frame(vector: &str) -> Result<(), String> {
    let FrameVector { cipher_suite, kid, ctr, base_key, metadata, pt, ct } =
        serde_json::from_str(vector).map_err(said)?;
    let suite = match cipher_suite {
        4 => CipherSuite::AesGcm128Sha256,
        5 => CipherSuite::AesGcm256Sha512,
        other => return Err(format!("suite {other} is not used")),
    };
    let (base_key, metadata) = (bytes(&base_key)?, bytes(&metadata)?);
    let (pt, ct) = (bytes(&pt)?, bytes(&ct)?);

    let key = EncryptionKey::derive_from(suite, kid, &base_key).map_err(said)?;
    let mut counter = SingleUseCounter::new(ctr);
    let frame = MediaFrameView::try_with_meta_data(&mut counter, &pt, &metadata).map_err(said)?;
    let mut sealed = Vec::new();
    frame.encrypt_into(&key, &mut sealed).map_err(said)?;
    same("sealed", sealed, [metadata.as_slice(), &ct].concat())?;

    let key = DecryptionKey::derive_from(suite, kid, &base_key).map_err(said)?;
    let frame = EncryptedFrameView::try_with_meta_data(&ct, &metadata).map_err(said)?;
    let mut opened = Vec::new();
    frame.decrypt_into(&key, &mut opened).map_err(said)?;
    same("opened", opened, [metadata.as_slice(), &pt].concat())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got:?} instead of {wanted:?}")) }
}
