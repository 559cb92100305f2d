//! Tests of the crate from outside.

mod examples;
mod policy;
mod properties;
mod samples;
