//! The member's side of a meeting's group: MLS (RFC 9420) over OpenMLS.
//!
//! A [`Device`] knocks with a key package, or founds a group, or comes in by an external commit;
//! from then on it has a [`Group`]. Every commit, others' and its own, is put to the commit rules
//! before it takes effect. Nothing here is ever stored: a device that reloads is a new leaf.
//!
//! The library takes its randomness and, for lifetimes, its clock from the system (in browsers
//! with feature `wasm`); all other times are arguments.

mod commit;
mod device;
mod enter;
mod group;
mod key_package;
mod key_store;
mod receive;
mod safety;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use commit::{CommitError, Outgoing};
pub use device::{Device, DeviceError, Former, HostProofError};
pub use enter::{BrokenIdentity, FoundError, JoinError, Rejoining, ServerKey};
pub use group::{FRAME_KEY_LABEL, FRAME_KEY_LEN, ForkMark, Group, SendError};
pub use key_package::{KeyPackageError, VerifiedKeyPackage};
pub use receive::{Message, ReceiveError, Received, Stop};
pub use safety::SafetyCode;
