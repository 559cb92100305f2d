//! Tests of the binary: real processes on free ports.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod bench;
mod doctor;
mod process;
mod serve;
