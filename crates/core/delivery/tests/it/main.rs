//! The delivery service with members of real groups.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds something else than it expects shall fail"
)]

mod at_rest;
mod evil;
mod flows;
mod fuzz;
mod world;
