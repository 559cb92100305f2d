use std::cmp::Reverse;

use conclave_model::{Bitrate, PublicationId, TrackSource};
use smallvec::SmallVec;

use crate::layer::{LayerId, LayerState, LiveLayers, PixelSize};

/// One of something for each picture that a subscriber shows: mostly a few.
pub type PerPicture<T> = SmallVec<[T; 8]>;

/// How much a publication matters to one subscriber; the greater one comes first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Rank(u16);

impl Rank {
    /// The rank of a publication in a tile of this priority, the greater the more important.
    /// Screens come before cameras of the same priority.
    pub const fn new(priority: u8, source: TrackSource) -> Self {
        let screen = matches!(source, TrackSource::Screen | TrackSource::ScreenAudio);
        Self(priority as u16 * 2 + screen as u16)
    }
}

/// A video publication that a subscriber shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Demand {
    /// Which.
    pub publication: PublicationId,
    /// How much it matters. Among equals, the one named first comes first.
    pub rank: Rank,
    /// The size of its tile.
    pub tile: PixelSize,
    /// The layers that are sent at present, lowest first.
    pub layers: LiveLayers,
    /// The layer chosen last time.
    pub current: Option<LayerId>,
}

/// What to forward of a publication.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Allocation {
    /// Which.
    pub publication: PublicationId,
    /// The layer to forward; `None` pauses it.
    pub target: Option<LayerId>,
}

/// Fits what a subscriber shows into `budget`; the answer has the order of `demands`.
///
/// 1. In the order of rank, each publication gets its lowest layer. The first one gets it even
///    if it does not fit: a call shows at least one picture.
/// 2. In the order of rank, publications get better layers, those of the same rank in turn. None
///    gets a layer larger than its tile needs.
///
/// What fits is kept. What is more than the subscriber has at present needs headroom as well, so
/// that an estimate that breathes does not switch back and forth. A layer that is not sent is
/// never chosen.
pub fn allocate(budget: Bitrate, demands: &[Demand]) -> PerPicture<Allocation> {
    let mut plans: PerPicture<Plan<'_>> = demands.iter().map(Plan::new).collect();
    let mut order: PerPicture<usize> = (0..plans.len()).collect();
    order.sort_by_key(|&i| demands.get(i).map(|demand| Reverse(demand.rank)));

    let mut used = Bitrate::ZERO;
    let mut first = true;
    for &i in &order {
        let Some(plan) = plans.get_mut(i) else { continue };
        let Some(step) = plan.next_step() else { continue };
        if first || step.fits(used, budget) {
            used = used + step.more;
            plan.chosen = Some(step.option);
        }
        first = false;
    }

    for group in order.chunk_by(|&a, &b| rank_of(demands, a) == rank_of(demands, b)) {
        upgrade(&mut plans, group, &mut used, budget);
    }

    let allocation = |plan: &Plan<'_>| Allocation {
        publication: plan.demand.publication,
        target: plan.chosen.and_then(|i| plan.options.get(i)).map(|layer| layer.layer),
    };
    plans.iter().map(allocation).collect()
}

fn rank_of(demands: &[Demand], i: usize) -> Option<Rank> {
    demands.get(i).map(|demand| demand.rank)
}

/// Takes the plans of `group` in turn, one step each, until nothing more fits.
fn upgrade(plans: &mut [Plan<'_>], group: &[usize], used: &mut Bitrate, budget: Bitrate) {
    let mut grows = true;
    while grows {
        grows = false;
        for &i in group {
            let Some(plan) = plans.get_mut(i).filter(|plan| plan.is_open()) else { continue };
            match plan.next_step().filter(|step| step.fits(*used, budget)) {
                Some(step) => {
                    *used = *used + step.more - step.less;
                    plan.chosen = Some(step.option);
                    grows = true;
                }
                None => plan.is_settled = true,
            }
        }
    }
}

/// The layers one publication may get, and the one it has so far.
struct Plan<'a> {
    demand: &'a Demand,
    /// The layers that its tile can use, lowest first.
    options: &'a [LayerState],
    chosen: Option<usize>,
    /// Nothing better fits.
    is_settled: bool,
}

impl<'a> Plan<'a> {
    fn new(demand: &'a Demand) -> Self {
        Self { demand, options: usable(demand), chosen: None, is_settled: false }
    }

    /// Whether it is shown and may get a better layer.
    const fn is_open(&self) -> bool {
        self.chosen.is_some() && !self.is_settled
    }

    /// What it would take to get the next better layer.
    fn next_step(&self) -> Option<Step> {
        let option = self.chosen.map_or(0, |i| i + 1);
        let layer = self.options.get(option)?;
        let less = self.chosen.and_then(|i| self.options.get(i)).map(|layer| layer.bitrate);
        Some(Step {
            option,
            more: layer.bitrate,
            less: less.unwrap_or_default(),
            is_upgrade: self.demand.current.is_none_or(|current| layer.layer > current),
        })
    }
}

/// A better layer for one publication.
struct Step {
    option: usize,
    more: Bitrate,
    less: Bitrate,
    /// The subscriber does not have it at present.
    is_upgrade: bool,
}

impl Step {
    fn fits(&self, used: Bitrate, budget: Bitrate) -> bool {
        let total = (used + self.more - self.less).as_bps();
        let needed = if self.is_upgrade { with_headroom(total) } else { total };
        needed <= budget.as_bps()
    }
}

/// An upgrade must leave 15 %: estimates and encoders breathe by about ten.
const fn with_headroom(bps: u64) -> u64 {
    bps.saturating_add(bps / 100 * 15)
}

/// What the best layers that their tiles can use take together, in bits per second.
pub fn best_rate(demands: &[Demand]) -> u64 {
    let best = demands.iter().filter_map(|demand| usable(demand).last());
    best.map(|layer| layer.bitrate.as_bps()).sum()
}

/// The layers that the tile can use, lowest first.
fn usable(demand: &Demand) -> &[LayerState] {
    demand.layers.get(..needed(&demand.layers, demand.tile)).unwrap_or_default()
}

/// How many of a publication's layers, lowest first, a tile can use: all up to the first one that
/// fills it. `sizes` has one entry a layer, sent or not, with the size of its pictures if that is
/// known.
pub fn layers_needed(sizes: &[Option<PixelSize>], tile: PixelSize) -> u8 {
    let layers: LiveLayers = (0..)
        .map(LayerId)
        .zip(sizes)
        .map(|(layer, &size)| LayerState { layer, bitrate: Bitrate::ZERO, size })
        .collect();
    u8::try_from(needed(&layers, tile)).unwrap_or(u8::MAX)
}

/// The same of layers in their order.
fn needed(layers: &[LayerState], tile: PixelSize) -> usize {
    layers
        .iter()
        .position(|layer| suffices(size_of(layer, layers), tile))
        .map_or(layers.len(), |i| i + 1)
}

/// A picture may be enlarged by up to 1.3 on each side before the next layer is worth its bits.
fn suffices(picture: PixelSize, tile: PixelSize) -> bool {
    u64::from(tile.area()) * 100 <= u64::from(picture.area()) * 169
}

/// The size of a layer's pictures. If the publisher has not told, it is taken to be half or twice
/// that of the next layer, as browsers send them, or else 320x180 at the lowest.
fn size_of(layer: &LayerState, all: &[LayerState]) -> PixelSize {
    if let Some(size) = layer.size {
        return size;
    }
    let known = all.iter().filter_map(|other| Some((other.layer, other.size?)));
    let nearest = known.min_by_key(|(other, _)| other.0.abs_diff(layer.layer.0));
    let (from, size) = nearest.unwrap_or((LayerId(0), PixelSize { width: 320, height: 180 }));
    let distance = u32::from(from.0.abs_diff(layer.layer.0)).min(15);
    let scale = |side: u16| {
        if layer.layer > from {
            u16::try_from(u32::from(side) << distance).unwrap_or(u16::MAX)
        } else {
            side >> distance
        }
    };
    PixelSize { width: scale(size.width), height: scale(size.height) }
}

#[cfg(test)]
mod tests;
