//! HTTP API, WebSocket signalling and the web client's files.
//!
//! [`router`] serves all three. [`Calls`] owns the running calls: one task a call, each driving
//! one [`conclave_call_proto::Call`]. The media plane is reached by a queue of requests; this
//! crate knows nothing of sockets that carry media.

mod assets;
mod call_task;
mod calls;
mod group_keeper;
mod headers;
mod identity;
mod keeper;
mod limit;
mod openapi;
mod outgoing;
mod problem;
mod rest;
mod router;
mod signal;
mod token;

pub use calls::{Calls, CallsConfig};
pub use identity::{Identity, IdentityError};
pub use openapi::openapi;
pub use router::{ApiConfig, Patience, router};
