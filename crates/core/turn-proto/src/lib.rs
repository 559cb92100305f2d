//! TURN (RFC 8656) as state machines: a server that relays to the media node alone, and a client.
//!
//! A [`Server`] takes what clients send over UDP, TCP and TLS. A relayed address is a number that
//! stands for a client: no socket is ever bound to it. What a client sends to a peer comes out as
//! [`Output::Relay`], to be given to the media node as if it came from that address; what the node
//! sends there goes in as [`Input::FromPeer`]. Peers are the node's own addresses and nothing else,
//! so the server cannot be made to reach anything that is not reachable anyway.
//!
//! Credentials are an [`Issuer`]'s: made from a secret that lives as long as the process, good for
//! some hours, and nowhere stored. [`Client`] is the other side, for native participants.

mod allocation;
mod client;
mod credential;
mod framing;
mod io;
mod limits;
mod message;
mod nonce;
mod opening;
mod random;
mod refusal;
mod server;
mod stats;
mod throttle;

pub use client::{Client, ClientEvent, ClientInput, ClientOutput, TurnFailure};
pub use credential::{Credential, Issuer};
pub use framing::{FrameError, Framer};
pub use io::{ClientId, Input, Output};
pub use limits::{Limits, ServerConfig};
pub use message::{binding_request, mapped_address};
pub use opening::speaks_turn;
pub use server::Server;
pub use stats::Stats;
