//! What tests of the key worker call in WebAssembly: published vectors, a group from outside, and a
//! member of it without the session around.
//!
//! Compiled as the worker's module is, from the same crates: a cipher or a parser that goes wrong on
//! this target alone fails here. It is part of no bundle.

mod member;
mod mls;
mod sframe;

use conclave_commit_rules::Constitution;
use wasm_bindgen::prelude::wasm_bindgen;

pub use member::{MlsDevice, MlsMember};
pub use mls::PublicTree;

/// The one text of a constitution; nothing if `text` is none.
#[wasm_bindgen]
pub fn constitution(text: &str) -> Option<String> {
    Constitution::parse(text.as_bytes()).ok()?.encode().ok()
}

/// The epoch authenticator, in hex, to which a vector of a passive client leads (RFC 9420).
///
/// # Errors
///
/// What failed.
#[wasm_bindgen(js_name = welcomeAuthenticator)]
pub fn welcome_authenticator(vector: &str) -> Result<String, String> {
    mls::welcome_authenticator(vector)
}

/// Reads and writes the headers and frames of RFC 9605's file of vectors; how many they were. The
/// whole file, for its numbers are larger than JavaScript's.
///
/// # Errors
///
/// What differs.
#[wasm_bindgen(js_name = sframeVectors)]
pub fn sframe_vectors(file: &str) -> Result<u32, String> {
    sframe::check(file)
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect::<Option<_>>()
        .ok_or_else(|| "not hex".to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn said(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
