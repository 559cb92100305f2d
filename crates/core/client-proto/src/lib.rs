//! A native participant as a state machine.
//!
//! [`Participant`] comes into a meeting's group, publishes what it is given, sealed, and opens and
//! counts what it receives. It reads no clock and touches no socket: bots, load tests and the
//! simulator drive it.

mod clip;
mod codec;
mod config;
mod incoming;
mod io;
mod ledger;
mod media;
mod member;
mod packetize;
mod participant;
mod picture;
mod report;
mod signal;

pub use conclave_e2ee::{Command, Say, State};

pub use clip::{Clip, ClipError, Player};
pub use config::{Config, Sends, ViewPolicy};
pub use io::{EndReason, Event, Input, Output, Transmit};
pub use media::{Layer, MediaFrame, SessionError};
pub use participant::Participant;
pub use report::{GroupReport, PublishedReport, ReceivedReport, Report};
