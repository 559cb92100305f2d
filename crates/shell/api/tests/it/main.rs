//! Tests of the API: over the router, and over real sockets.

mod client;
mod http;
mod server;
mod signalling;
