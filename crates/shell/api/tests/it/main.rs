//! Tests of the API: over the router, and over real sockets.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may fail loudly"
)]

mod client;
mod group;
mod hindered;
mod http;
mod member;
mod server;
mod signalling;
