//! Tokio driver of a native participant.
//!
//! It owns what [`conclave_client_proto`] may not touch: the clock, the UDP sockets, the signalling
//! socket and TLS. It decides nothing.

mod drive;
mod endpoint;
mod http;
mod line;
mod probe;
mod socket;
mod tls;
mod turn;
mod udp;

pub use drive::{Drive, DriveError, Told};
pub use endpoint::{ConnectError, Endpoint};
pub use http::HttpError;
pub use line::SignalLine;
pub use probe::ProbeError;
pub use tls::{Trust, TrustError};
pub use udp::bind_addresses;
