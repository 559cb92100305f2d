//! Control plane of one call, and the requests and events of the media plane.
//!
//! [`Call`] decides who is in, what each one publishes and what each one is told; it is sans-IO.
//! [`media`] is the boundary between signalling (`api`) and the media node (`sfu`): neither
//! imports the other, the application connects their queues.

mod call;
mod input;
mod output;
mod participant;
mod roster;
mod session;

pub mod media;

pub use call::{Call, CallConfig};
pub use input::Input;
pub use output::Output;
pub use session::{ConnectionId, ResumeToken, SessionRecord};
