use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_model::Bitrate;

/// Index of a simulcast layer, lowest bitrate first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LayerId(pub u8);

/// Width and height of a picture or of a tile, in pixels.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct PixelSize {
    /// Width.
    pub width: u16,
    /// Height.
    pub height: u16,
}

impl PixelSize {
    /// Width times height.
    pub const fn area(self) -> u32 {
        self.width as u32 * self.height as u32
    }
}

/// A layer that can be forwarded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LayerState {
    /// Which.
    pub layer: LayerId,
    /// What it has used of late.
    pub bitrate: Bitrate,
    /// The size of its pictures, if the publisher has told.
    pub size: Option<PixelSize>,
}

/// Knows which layers of one publication are sent, and how much they take.
///
/// A publisher drops and revives layers as it likes (uplink, CPU, a small source), and tells
/// nobody. A layer counts as dead once other layers of the publication have gone on for a second
/// without it: silence alone proves nothing, since a still screen sends no frame at all.
#[derive(Debug, Default)]
pub struct LayerTracker {
    layers: BTreeMap<LayerId, Layer>,
}

impl LayerTracker {
    /// Creates a tracker that knows no layer.
    pub const fn new() -> Self {
        Self { layers: BTreeMap::new() }
    }

    /// Takes note of a packet of `bytes` bytes on `layer`, and of the size of its pictures where
    /// the packet tells. `now` must not go backwards between calls.
    pub fn record(&mut self, now: Instant, layer: LayerId, bytes: usize, size: Option<PixelSize>) {
        for (&id, other) in &mut self.layers {
            if id != layer {
                other.outlived_at(now);
            }
        }
        self.layers.entry(layer).or_insert_with(|| Layer::new(now)).record(now, bytes, size);
    }

    /// The layers that are sent, lowest first.
    pub fn live(&self, now: Instant) -> Vec<LayerState> {
        self.layers
            .iter()
            .filter(|(_, layer)| layer.live())
            .map(|(&id, layer)| LayerState {
                layer: id,
                bitrate: layer.bitrate(now),
                size: layer.size,
            })
            .collect()
    }

    /// The size of the pictures of `layer`, sent or not, if the publisher has ever told.
    pub fn size(&self, layer: LayerId) -> Option<PixelSize> {
        self.layers.get(&layer)?.size
    }

    /// Whether `layer` is sent.
    pub fn is_live(&self, layer: LayerId) -> bool {
        self.layers.get(&layer).is_some_and(Layer::live)
    }
}

/// A layer is dead when the others went on for this long without it.
const DEATH: Duration = Duration::from_secs(1);

/// Packets of other layers closer together than this are one sign of life, not several. A slow
/// screen share sends its layers in bursts, and a burst must not outvote the layer that comes last.
const SIGN_SPACING: Duration = Duration::from_millis(250);

/// Signs of life of other layers that it takes, besides [`DEATH`].
const DEATH_SIGNS: u32 = 4;

/// Width of one step of the rate window.
const STEP: Duration = Duration::from_millis(100);

/// Steps of the rate window. Two seconds span the pauses and bursts of an encoder; a longer
/// window would tell the allocator of a change of layer too late.
const STEPS: usize = 20;

/// A younger layer's rate is not extrapolated from less than this.
const MIN_SPAN: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct Layer {
    since: Instant,
    steps: [u64; STEPS],
    /// The step of the last packet.
    last_step: u64,
    outlived: Option<Outlived>,
    size: Option<PixelSize>,
}

/// Other layers went on since this one was last heard of.
#[derive(Debug)]
struct Outlived {
    first: Instant,
    last: Instant,
    signs: u32,
}

impl Layer {
    const fn new(now: Instant) -> Self {
        Self { since: now, steps: [0; STEPS], last_step: 0, outlived: None, size: None }
    }

    fn record(&mut self, now: Instant, bytes: usize, size: Option<PixelSize>) {
        if !self.live() {
            let size = self.size;
            *self = Self { size, ..Self::new(now) };
        }
        self.outlived = None;
        self.size = size.or(self.size);

        let step = self.step(now);
        let skipped = step.saturating_sub(self.last_step).min(STEPS as u64);
        for i in 0..skipped {
            *self.slot_mut(step - i) = 0;
        }
        self.last_step = self.last_step.max(step);
        *self.slot_mut(step) += bytes as u64;
    }

    fn outlived_at(&mut self, now: Instant) {
        let outlived = self.outlived.get_or_insert(Outlived { first: now, last: now, signs: 1 });
        if now.saturating_duration_since(outlived.last) >= SIGN_SPACING {
            outlived.last = now;
            outlived.signs += 1;
        }
    }

    fn live(&self) -> bool {
        self.outlived
            .as_ref()
            .is_none_or(|o| o.signs < DEATH_SIGNS || o.last.duration_since(o.first) < DEATH)
    }

    fn bitrate(&self, now: Instant) -> Bitrate {
        let step = self.step(now);
        let age = step.saturating_sub(self.last_step);
        let kept = (STEPS as u64).saturating_sub(age).min(self.last_step + 1);
        let bytes: u64 = (0..kept).map(|i| self.slot(self.last_step - i)).sum();
        let span = now.saturating_duration_since(self.since).clamp(MIN_SPAN, STEP * STEPS as u32);
        Bitrate::bps(bytes * 8 * 1000 / u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    fn step(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.since);
        u64::try_from(elapsed.as_millis() / STEP.as_millis()).unwrap_or(u64::MAX)
    }

    fn slot(&self, step: u64) -> u64 {
        self.steps.get((step % STEPS as u64) as usize).copied().unwrap_or_default()
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder of the length is within it")]
    const fn slot_mut(&mut self, step: u64) -> &mut u64 {
        &mut self.steps[(step % STEPS as u64) as usize]
    }
}

#[cfg(test)]
mod tests;
