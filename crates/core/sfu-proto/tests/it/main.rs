//! Real str0m clients against a node, in virtual time.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds something else than it expects shall fail"
)]

mod addresses;
mod calls;
mod client;
mod codecs;
mod continuity;
mod hostile;
mod log;
mod numbers;
mod spread;
mod world;
