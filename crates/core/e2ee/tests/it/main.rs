//! Meetings in virtual time, under a delivery service that is honest, and under one that is not.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "in a test, a panic is the finding"
)]

mod calls;
mod honest;
mod hostile;
mod service;
mod world;
