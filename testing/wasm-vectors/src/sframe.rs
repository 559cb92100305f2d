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

#[derive(Deserialize)]
struct Vectors {
    header: Vec<HeaderVector>,
    sframe: Vec<FrameVector>,
}

pub(crate) fn check(file: &str) -> Result<u32, String> {
    let Vectors { header, sframe } = serde_json::from_str(file).map_err(said)?;
    let mut checked = 0;
    for vector in header {
        check_header(vector)?;
        checked += 1;
    }
    // The suites of AES-GCM; the library's build has no other.
    for vector in sframe.into_iter().filter(|vector| matches!(vector.cipher_suite, 4 | 5)) {
        check_frame(vector)?;
        checked += 1;
    }
    Ok(checked)
}

fn check_header(vector: HeaderVector) -> Result<(), String> {
    let HeaderVector { kid, ctr, encoded } = vector;
    let encoded = bytes(&encoded)?;
    let header = SframeHeader::deserialize(&encoded).map_err(said)?;
    same("fields", (header.key_id(), header.counter()), (kid, ctr))?;
    same("bytes", Vec::from(&SframeHeader::new(kid, ctr)), encoded)
}

fn check_frame(vector: FrameVector) -> Result<(), String> {
    let FrameVector { cipher_suite, kid, ctr, base_key, metadata, pt, ct } = vector;
    let suite = match cipher_suite {
        4 => CipherSuite::AesGcm128Sha256,
        _ => CipherSuite::AesGcm256Sha512,
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
