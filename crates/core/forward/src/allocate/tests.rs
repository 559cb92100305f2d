use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const LOW: LayerId = LayerId(0);
const MIDDLE: LayerId = LayerId(1);
const HIGH: LayerId = LayerId(2);

/// The three layers that a browser makes of a 720p camera.
fn camera_layers() -> LiveLayers {
    let layer = |id, kbps, width, height| LayerState {
        layer: LayerId(id),
        bitrate: Bitrate::kbps(kbps),
        size: Some(PixelSize { width, height }),
    };
    [layer(0, 150, 320, 180), layer(1, 500, 640, 360), layer(2, 1700, 1280, 720)]
        .into_iter()
        .collect()
}

fn demand(id: u32, priority: u8, width: u16, height: u16) -> Demand {
    Demand {
        publication: PublicationId(id),
        rank: Rank::new(priority, TrackSource::Camera),
        tile: PixelSize { width, height },
        layers: camera_layers(),
        current: None,
    }
}

fn targets(kbps: u64, demands: &[Demand]) -> Vec<Option<LayerId>> {
    allocate(Bitrate::kbps(kbps), demands).iter().map(|a| a.target).collect()
}

#[test]
fn everyone_gets_the_lowest_layer_before_anyone_gets_more() {
    let demands = [demand(1, 2, 1280, 720), demand(2, 1, 640, 360), demand(3, 1, 640, 360)];

    assert_eq!(targets(520, &demands), [Some(LOW), Some(LOW), Some(LOW)]);
    assert_eq!(targets(1000, &demands), [Some(MIDDLE), Some(LOW), Some(LOW)]);
    assert_eq!(targets(9000, &demands), [Some(HIGH), Some(MIDDLE), Some(MIDDLE)]);
}

#[test]
fn the_least_important_are_paused_first() {
    let demands = [demand(1, 0, 320, 180), demand(2, 2, 320, 180), demand(3, 1, 320, 180)];

    assert_eq!(targets(400, &demands), [None, Some(LOW), Some(LOW)]);
}

#[test]
fn a_screen_comes_before_a_camera_of_the_same_priority() {
    let mut demands = [demand(1, 1, 320, 180), demand(2, 1, 320, 180)];
    demands[1].rank = Rank::new(1, TrackSource::Screen);

    assert_eq!(targets(200, &demands), [None, Some(LOW)]);
}

#[test]
fn the_most_important_picture_is_sent_even_over_budget() {
    let demands = [demand(1, 1, 320, 180), demand(2, 2, 320, 180)];

    assert_eq!(targets(10, &demands), [None, Some(LOW)]);
}

#[test]
fn no_layer_is_larger_than_the_tile_needs() {
    let cases = [
        ("a thumbnail", (160, 90), LOW),
        ("exactly the low layer", (320, 180), LOW),
        ("enlarged by a quarter", (400, 225), LOW),
        ("enlarged by half", (480, 270), MIDDLE),
        ("a quarter of a large screen", (1280, 720), HIGH),
        ("more than there is", (3840, 2160), HIGH),
        ("a tile turned upright", (180, 320), LOW),
    ];
    for (name, (width, height), expected) in cases {
        assert_eq!(targets(50_000, &[demand(1, 1, width, height)]), [Some(expected)], "{name}");
    }
}

#[test]
fn layers_of_unknown_size_are_taken_for_halves_and_doubles() {
    let mut wanted = demand(1, 1, 640, 360);
    for layer in &mut wanted.layers {
        layer.size = None;
    }
    assert_eq!(targets(50_000, &[wanted.clone()]), [Some(MIDDLE)], "320x180 at the lowest");

    wanted.layers[2].size = Some(PixelSize { width: 2560, height: 1440 });
    assert_eq!(targets(50_000, &[wanted]), [Some(LOW)], "a quarter of 2560x1440 at the lowest");
}

#[test]
fn a_dead_layer_is_never_chosen() {
    let mut wanted = demand(1, 1, 1280, 720);
    wanted.current = Some(HIGH);
    wanted.layers.pop();

    assert_eq!(targets(50_000, &[wanted.clone()]), [Some(MIDDLE)]);
    wanted.layers.clear();
    assert_eq!(targets(50_000, &[wanted]), [None]);
}

#[test]
fn an_upgrade_needs_headroom_and_keeping_does_not() {
    let mut wanted = demand(1, 1, 1280, 720);
    wanted.current = Some(MIDDLE);
    assert_eq!(targets(1800, &[wanted.clone()]), [Some(MIDDLE)], "1700 fits without headroom");
    assert_eq!(targets(1960, &[wanted.clone()]), [Some(HIGH)]);

    wanted.current = Some(HIGH);
    assert_eq!(targets(1705, &[wanted.clone()]), [Some(HIGH)]);
    assert_eq!(targets(1695, &[wanted]), [Some(MIDDLE)], "a downgrade does not wait");
}

#[test]
fn tiles_of_the_same_rank_are_upgraded_in_turn() {
    let demands = [demand(1, 1, 1280, 720), demand(2, 1, 1280, 720)];

    assert_eq!(targets(2000, &demands), [Some(MIDDLE), Some(MIDDLE)]);
    assert_eq!(targets(2600, &demands), [Some(HIGH), Some(MIDDLE)]);
}

/// A demand with any layers, rank, tile and history.
fn any_demand() -> impl Strategy<Value = Demand> {
    let layers = prop::collection::btree_map(0..3u8, 20..3000u64, 0..4).prop_map(|layers| {
        let mut least = 0;
        let state = |(id, kbps): (u8, u64)| {
            least += kbps;
            LayerState { layer: LayerId(id), bitrate: Bitrate::kbps(least), size: None }
        };
        layers.into_iter().map(state).collect()
    });
    let current = prop::option::of((0..3u8).prop_map(LayerId));
    (0..4u8, 1..2000u16, layers, current).prop_map(|(priority, width, layers, current)| Demand {
        publication: PublicationId(0),
        rank: Rank::new(priority, TrackSource::Camera),
        tile: PixelSize { width, height: width / 2 + 1 },
        layers,
        current,
    })
}

fn any_demands() -> impl Strategy<Value = Vec<Demand>> {
    prop::collection::vec(any_demand(), 0..12).prop_map(|mut demands| {
        for (id, demand) in (0..).zip(&mut demands) {
            demand.publication = PublicationId(id);
        }
        demands
    })
}

fn cost(demands: &[Demand], allocations: &[Allocation]) -> u64 {
    let cost = |(demand, allocation): (&Demand, &Allocation)| {
        let chosen = demand.layers.iter().find(|layer| Some(layer.layer) == allocation.target);
        chosen.map_or(0, |layer| layer.bitrate.as_bps())
    };
    demands.iter().zip(allocations).map(cost).sum()
}

/// Who is on, most important first, and then which layer each has: what more budget may only
/// make greater, read as a word.
fn worth(demands: &[Demand], allocations: &[Allocation]) -> (Vec<bool>, Vec<Option<LayerId>>) {
    let mut order: Vec<_> = demands.iter().zip(allocations).collect();
    order.sort_by_key(|(demand, _)| Reverse(demand.rank));
    let on = order.iter().map(|(_, allocation)| allocation.target.is_some()).collect();
    (on, order.iter().map(|(_, allocation)| allocation.target).collect())
}

proptest! {
    /// The budget is kept, but for the lowest layer of the most important publication.
    #[test]
    fn the_budget_is_kept(demands in any_demands(), kbps in 0..20_000u64) {
        let budget = Bitrate::kbps(kbps);
        let allocations = allocate(budget, &demands);

        prop_assert_eq!(allocations.len(), demands.len());
        let on = allocations.iter().filter(|a| a.target.is_some()).count();
        let forced = on == 1 && {
            let (demand, chosen) = demands
                .iter()
                .zip(&allocations)
                .find_map(|(demand, a)| Some((demand, a.target?)))
                .unwrap();
            demand.layers.first().map(|layer| layer.layer) == Some(chosen)
        };
        prop_assert!(forced || cost(&demands, &allocations) <= budget.as_bps());
        for (demand, allocation) in demands.iter().zip(&allocations) {
            let live: BTreeSet<_> = demand.layers.iter().map(|layer| Some(layer.layer)).collect();
            prop_assert!(allocation.target.is_none() || live.contains(&allocation.target));
        }
    }

    /// With more budget, the more important never get less. (Among those of one rank, who gets
    /// the last step may change; so each has its own rank here.)
    #[test]
    fn more_budget_is_never_worse(
        mut demands in any_demands(),
        kbps in 0..20_000u64,
        more in 0..5_000u64,
    ) {
        for (i, demand) in (0..).zip(&mut demands) {
            demand.rank = Rank::new(i, TrackSource::Camera);
        }
        let less = allocate(Bitrate::kbps(kbps), &demands);
        let more = allocate(Bitrate::kbps(kbps + more), &demands);

        prop_assert!(worth(&demands, &more) >= worth(&demands, &less));
    }

    /// Once settled, nothing changes while the estimate breathes by less than the headroom.
    #[test]
    fn small_noise_changes_nothing(
        mut demands in any_demands(),
        kbps in 500..20_000u64,
        noise in prop::collection::vec(0..=50u64, 1..20),
    ) {
        let settle = |demands: &mut Vec<Demand>, kbps: u64| {
            let allocations = allocate(Bitrate::kbps(kbps), demands);
            for (demand, allocation) in demands.iter_mut().zip(&allocations) {
                demand.current = allocation.target;
            }
            allocations
        };
        // Up to 5 % above and back: whatever that switches up must then stay.
        for demand in &mut demands {
            demand.current = None;
        }
        let peak = kbps + kbps * 50 / 1000;
        settle(&mut demands, peak);
        let settled = settle(&mut demands, peak);
        for per_mille in noise {
            let now = settle(&mut demands, kbps + kbps * per_mille / 1000);
            prop_assert_eq!(&now, &settled);
        }
    }
}
