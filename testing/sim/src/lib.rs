//! Whole system in virtual time.
//!
//! A [`World`] holds the control plane of a call, the media node, and any number of devices, each
//! behind links that lose, delay, reorder and throttle by a seed. Devices are members of the
//! meeting's group, as they are outside: what they send is sealed, and no picture or sound may be
//! seen on any line. Nothing reads a clock or
//! touches a socket; a minute of a call takes as long as its packets take to compute.

mod device;
mod encoder;
mod figures;
mod link;
mod meeting;
mod network;
mod watch;
mod world;

pub use device::{DeviceId, DeviceSetup, Move, Viewport};
pub use encoder::CameraSetup;
pub use figures::{LossFigures, loss};
pub use link::LinkSetup;
pub use meeting::MeetingSetup;
pub use network::{Bound, Figure, NetworkCase, NetworkReport};
pub use watch::{Deliveries, Observed};
pub use world::{Stored, World};
