//! Control plane of one call, and the requests and events of the media plane.
//!
//! [`Call`] decides who is in, what each one publishes and what each one is told; it is sans-IO.
//! Who is a member, the group's delivery service says, which it owns: a device stands at the door
//! until its leaf is in the public tree. [`media`] is the boundary between signalling (`api`) and
//! the media node (`sfu`): neither imports the other, the application connects their queues.

mod call;
mod input;
mod node;
mod output;
mod participant;
mod relay;
mod roster;
mod session;

pub mod media;

pub use call::{Call, CallConfig};
pub use input::Input;
pub use node::NodeKey;
pub use output::Output;
pub use relay::RelayAccess;
pub use session::{ConnectionId, ResumeProof, ResumeToken, SessionRecord};
