//! A native participant as a state machine.
//!
//! [`Participant`] joins a call, publishes what it is given and counts what it receives. It reads
//! no clock and touches no socket: bots, load tests and the simulator drive it.

mod clip;
mod ledger;
mod media;
mod packetize;
mod participant;
mod report;
mod signal;

pub use clip::{Clip, ClipError, Player};
pub use media::{Layer, MediaFrame, SessionError};
pub use participant::{
    Config, EndReason, Event, Input, Output, Participant, Sends, Transmit, ViewPolicy,
};
pub use report::{PublishedReport, ReceivedReport, Report};
