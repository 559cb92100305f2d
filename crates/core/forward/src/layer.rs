use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_model::Bitrate;
use smallvec::SmallVec;

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

/// Layers of one publication: browsers send three.
pub type LiveLayers = SmallVec<[LayerState; 4]>;

/// Knows which layers of one publication are sent, and how much they take.
///
/// A publisher drops and revives layers as it likes (uplink, CPU, a small source), and tells
/// nobody. A layer counts as dead once other layers of the publication have gone on without it for
/// several of its own intervals: silence alone proves nothing, since a still screen sends no frame
/// at all.
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
    /// the packet tells. `now` must not go backwards between calls. Returns whether other layers
    /// are live than before.
    pub fn record(
        &mut self,
        now: Instant,
        layer: LayerId,
        bytes: usize,
        size: Option<PixelSize>,
    ) -> bool {
        let mut died = false;
        for (&id, other) in &mut self.layers {
            if id != layer {
                let was_live = other.live();
                other.outlived_at(now);
                died |= was_live && !other.live();
            }
        }
        let revives = !self.is_live(layer);
        self.layers.entry(layer).or_insert_with(|| Layer::new(now)).record(now, bytes, size);
        revives || died
    }

    /// The layers that are sent, lowest first.
    pub fn live(&self, now: Instant) -> LiveLayers {
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

/// A layer is dead at the latest when the others went on for this long without it.
const LATEST_DEATH: Duration = Duration::from_secs(1);

/// It is dead at the earliest when they did for this long: longer than networks delay one layer's
/// packets alone, which are sent in turns with the others', and short enough that another layer's
/// key frame is there before anybody takes the picture for a frozen one.
const EARLIEST_DEATH: Duration = Duration::from_millis(180);

/// In between, it is dead when they did for so many times its own longest interval of late but one.
/// Encoders drop single frames of one layer, and networks bring packets late, but hardly two in a row.
const DEATH_INTERVALS: u32 = 3;

/// Signs of life of other layers that it takes as well, evenly spaced. Packets closer together are
/// one sign, not several: a slow screen share sends its layers in bursts, and a burst must not
/// outvote the layer that comes last.
const DEATH_SIGNS: u32 = 4;

/// How long a layer's longest intervals are remembered, at least.
const INTERVAL_SPAN: Duration = Duration::from_secs(2);

/// Packets that follow one another faster are of one frame, and show no interval.
const LEAST_INTERVAL: Duration = Duration::from_millis(5);

/// Intervals after which a layer is old enough to tell how long they are.
const INTERVALS_KNOWN: u32 = 10;

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
    /// When its last packet came.
    last: Instant,
    intervals: Intervals,
    outlived: Option<Outlived>,
    size: Option<PixelSize>,
}

/// The two longest intervals between frames of a layer, in the present span and in the one before.
#[derive(Debug)]
struct Intervals {
    span_began: Instant,
    longest: TwoLongest,
    longest_before: TwoLongest,
    /// How many there were, up to [`INTERVALS_KNOWN`].
    known: u32,
}

/// The longest first.
#[derive(Clone, Copy, Debug, Default)]
struct TwoLongest(Duration, Duration);

impl TwoLongest {
    fn note(&mut self, interval: Duration) {
        if interval > self.0 {
            *self = Self(interval, self.0);
        } else {
            self.1 = self.1.max(interval);
        }
    }
}

impl Intervals {
    fn new(now: Instant) -> Self {
        let (longest, longest_before) = (TwoLongest::default(), TwoLongest::default());
        Self { span_began: now, longest, longest_before, known: 0 }
    }

    fn note(&mut self, now: Instant, interval: Duration) {
        if interval < LEAST_INTERVAL {
            return;
        }
        self.known = (self.known + 1).min(INTERVALS_KNOWN);
        self.longest.note(interval);
        if now.saturating_duration_since(self.span_began) >= INTERVAL_SPAN {
            self.longest_before = std::mem::take(&mut self.longest);
            self.span_began = now;
        }
    }

    /// The longest of late but one, since a single lost frame makes one that says nothing. `None`
    /// of a layer that is too young to tell.
    fn longest_but_one(&self) -> Option<Duration> {
        let mut all = self.longest_before;
        all.note(self.longest.0);
        all.note(self.longest.1);
        (self.known == INTERVALS_KNOWN).then_some(all.1)
    }
}

/// Other layers went on since this one was last heard of.
#[derive(Debug)]
struct Outlived {
    first: Instant,
    last: Instant,
    signs: u32,
}

impl Layer {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            steps: [0; STEPS],
            last_step: 0,
            last: now,
            intervals: Intervals::new(now),
            outlived: None,
            size: None,
        }
    }

    fn record(&mut self, now: Instant, bytes: usize, size: Option<PixelSize>) {
        if !self.live() {
            let size = self.size;
            *self = Self { size, ..Self::new(now) };
        }
        self.outlived = None;
        self.size = size.or(self.size);
        self.intervals.note(now, now.saturating_duration_since(self.last));
        self.last = now;

        let step = self.step(now);
        let skipped = step.saturating_sub(self.last_step).min(STEPS as u64);
        for i in 0..skipped {
            *self.slot_mut(step - i) = 0;
        }
        self.last_step = self.last_step.max(step);
        *self.slot_mut(step) += bytes as u64;
    }

    fn outlived_at(&mut self, now: Instant) {
        let spacing = self.patience() / DEATH_SIGNS;
        let outlived = self.outlived.get_or_insert(Outlived { first: now, last: now, signs: 1 });
        if now.saturating_duration_since(outlived.last) >= spacing {
            outlived.last = now;
            outlived.signs += 1;
        }
    }

    fn live(&self) -> bool {
        self.outlived.as_ref().is_none_or(|outlived| {
            outlived.signs < DEATH_SIGNS
                || outlived.last.duration_since(outlived.first) < self.patience()
        })
    }

    /// For how long the others go on without a layer that lives.
    fn patience(&self) -> Duration {
        self.intervals.longest_but_one().map_or(LATEST_DEATH, |longest| {
            (longest * DEATH_INTERVALS).clamp(EARLIEST_DEATH, LATEST_DEATH)
        })
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
