//! Calls of several people over networks good and bad, in virtual time.

mod basics;
mod crowd;
mod group;
mod hostile;
mod matrix;
mod network;
mod reconnect;

use std::time::Duration;

use conclave_model::TrackSource::{Camera, Microphone};
use conclave_sim::{DeviceId, World};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Whether each sees and hears each other one at the moment.
fn all_meet(world: &World, devices: &[DeviceId]) -> bool {
    devices.iter().all(|&a| devices.iter().all(|&b| a == b || meets(world, a, b)))
}

/// Whether `a` has lately got sound and pictures of `b`.
fn meets(world: &World, a: DeviceId, b: DeviceId) -> bool {
    [Microphone, Camera].iter().all(|&source| world.observed(a, b, source).frames > 5)
}
