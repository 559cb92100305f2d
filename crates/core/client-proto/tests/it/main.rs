//! A participant against a server, in virtual time.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests may fail as loudly as tests"
)]

mod clip;
mod door;
mod hostile;
mod server;
mod world;
