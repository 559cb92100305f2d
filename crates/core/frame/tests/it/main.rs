//! Tests of the crate from outside.

mod frames;
mod vectors;
