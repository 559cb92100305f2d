use std::fmt;
use std::time::Duration;

use conclave_model::TrackSource;

use crate::device::DeviceSetup;
use crate::link::LinkSetup;
use crate::watch::Observed;
use crate::world::World;

/// What comes through a bad line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LossFigures {
    /// How long was counted.
    pub span: Duration,
    /// The sound that one device got of another.
    pub audio: Observed,
    /// The picture that it got.
    pub video: Observed,
    /// Frames of sound sent in that time.
    pub audio_sent: u64,
    /// Pictures sent in that time, on one layer.
    pub video_sent: u64,
    /// Key frames that the node asked for in that time.
    pub keyframe_requests: u64,
}

/// Two devices, each behind lines that lose 5 % and take 100 ms, in both directions, for
/// `span` after the first ten seconds.
pub fn loss(span: Duration) -> LossFigures {
    let mut world = World::new();
    let bad = DeviceSetup { up: LinkSetup::BAD, down: LinkSetup::BAD, ..DeviceSetup::USUAL };
    let (ada, ben) = (world.add(bad), world.add(bad));
    world.run(Duration::from_secs(10));

    world.restart_counts();
    let before = world.node_stats().keyframe_requests;
    world.run(span);

    LossFigures {
        span,
        audio: world.observed(ben, ada, TrackSource::Microphone),
        video: world.observed(ben, ada, TrackSource::Camera),
        audio_sent: span.as_secs() * 50,
        video_sent: span.as_secs() * 30,
        keyframe_requests: world.node_stats().keyframe_requests - before,
    }
}

impl fmt::Display for LossFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "5 % loss, 100 ms, each way on both lines, for {:?}", self.span)?;
        writeln!(
            f,
            "sound:   {} of {} frames, longest gap {:?}, longest silence heard {:?}",
            self.audio.frames, self.audio_sent, self.audio.longest_gap, self.audio.longest_hole
        )?;
        writeln!(
            f,
            "picture: {} of {} frames ({} undecodable), longest gap {:?}, width {}, {} switches",
            self.video.frames,
            self.video_sent,
            self.video.undecodable,
            self.video.longest_gap,
            self.video.width,
            self.video.layer_switches
        )?;
        write!(f, "key frames asked for: {}", self.keyframe_requests)
    }
}
