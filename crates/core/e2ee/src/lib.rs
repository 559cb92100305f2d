//! A member's session: the meeting's group and its media keys as one state machine.
//!
//! A [`Session`] knocks, founds, comes back; keeps the group in step with the others, judges every
//! commit, and lets people in; seals and opens media; and says truthfully where it stands. It runs
//! in a browser's worker and in native participants. The server is told what it must order and
//! relay, and believed nothing.

mod admission;
mod epoch;
mod input;
mod liveness;
mod output;
mod roster;
mod session;
mod shield;
mod signal;
mod talk;
mod verify;

pub use admission::KnockView;
pub use epoch::{Dropped, NotSealed};
pub use input::{Command, FromServer, Input, KnockId, Now};
pub use output::{End, Event, Fork, NotDone, Output, Said, State, Suspension, ToServer, Warning};
pub use roster::{Person, Proof};
pub use session::{Session, Setup};
pub use shield::{Basis, Gap, Shield, ShieldLevel};
pub use signal::NotNews;
pub use talk::{MAX_CHAT_LEN, Reaction, Say};
pub use verify::{ConstitutionFault, Failure};
