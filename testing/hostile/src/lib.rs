//! The evil server and the evil member: one scenario for each attack, against the real client.
//!
//! The victims are the member sessions that browsers and native participants run; the server is the
//! real control plane of a call, with something evil between it and them, or in its place. Each
//! scenario asserts what the victim sees and that nothing was gained.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "in a test, a panic is the finding"
)]

mod evil;
mod proposal;
mod scenarios;
mod world;

pub use scenarios::{SCENARIOS, Scenario};
