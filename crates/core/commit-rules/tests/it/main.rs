//! Tests of the crate from outside.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod examples;
mod policy;
mod properties;
mod samples;
