//! A TURN server in virtual time, with clients that follow the rules and such that do not.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that finds something else than it expects shall fail; virtual time needs some \
              instant to start"
)]

mod allocate;
mod client;
mod hostile;
mod peers;
mod quotas;
mod world;
