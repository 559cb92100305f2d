//! Forwarding policy: layers, allocation, rewriting, key frames, speakers, slots.
//!
//! Everything here is a small machine or a pure function: time comes in as an argument, decisions
//! go out as values. Nothing here knows of a socket, of DTLS or of signalling, so that each rule
//! can be tested with a few numbers.

mod allocate;
mod descriptor;
mod jam;
mod keyframe;
mod layer;
mod layer_demand;
mod rewrite;
mod slot;
mod speaker;
mod steady_tile;
mod vp9;

pub use allocate::{Allocation, Demand, PerPicture, Rank, allocate, best_rate, layers_needed};
pub use descriptor::{
    DescriptorError, DescriptorIn, Template, TemplateStructure, set_frame_number,
};
pub use jam::{Drain, Jam, JamState};
pub use keyframe::{Input as KeyframeInput, KeyframeThrottle, Output as KeyframeOutput};
pub use layer::{LayerId, LayerState, LayerTracker, LiveLayers, PixelSize};
pub use layer_demand::LayerDemand;
pub use rewrite::{DropReason, PacketIn, PacketOut, PictureIds, Rewriter, Verdict};
pub use slot::{SlotChange, SlotTable};
pub use speaker::{SpeakerDetector, Speakers};
pub use steady_tile::SteadyTile;
pub use vp9::{Vp9Descriptor, Vp9Error};

/// Where virtual time begins in tests.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an origin is needed; only differences count")]
fn origin() -> std::time::Instant {
    std::time::Instant::now()
}
