//! The link as its users see it.

mod link;
mod seal;
#[expect(dead_code, reason = "its `main` is for `cargo run --example vectors`")]
#[path = "../../examples/vectors.rs"]
mod vectors;
