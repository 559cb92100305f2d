//! What a peer is sent of each picture: layers that fit into the bandwidth of its path.

use std::time::{Duration, Instant};

use conclave_forward::{Allocation, Demand, LayerState, PixelSize, allocate};
use conclave_model::{Bitrate, MediaKind};

use crate::peer::{Peer, Publications, rank};
use crate::publication::Publication;
use crate::slots::Outlet;

/// What an audio slot in use takes: Opus at 32 kbit/s and its headers.
const AUDIO_RATE: Bitrate = Bitrate::kbps(48);

/// What pictures may take on a path that shows neither loss nor delay, whatever the estimate: a
/// busy machine at the far end makes arrivals so uneven that the estimate falls to what little is
/// sent, and with nothing sent it could never rise.
const VIDEO_FLOOR: Bitrate = Bitrate::kbps(200);

/// What the node wants to know of a path at least while it carries a picture: enough for a large
/// one, so that enlarging a tile need not wait for the estimate to grow.
const MIN_DESIRED: Bitrate = Bitrate::kbps(3000);

/// The same while it carries none.
const MIN_DESIRED_IDLE: Bitrate = Bitrate::kbps(300);

/// How often a path that does not seem to carry all that is shown is probed.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// The layers that are sent, and do not break all the time where they are shown.
fn steady_layers(now: Instant, publication: &Publication, outlet: &Outlet) -> Vec<LayerState> {
    let mut layers = publication.live(now);
    if let Some(ceiling) = outlet.steadiness.ceiling(now) {
        let steady = layers.iter().filter(|layer| layer.layer <= ceiling).count();
        layers.truncate(steady.max(1));
    }
    layers
}

/// What the chosen layers take together, in bits per second.
fn video_rate(allocations: &[Allocation], demands: &[Demand]) -> u64 {
    let layers = allocations.iter().zip(demands).filter_map(|(allocation, demand)| {
        demand.layers.iter().find(|layer| Some(layer.layer) == allocation.target)
    });
    layers.map(|layer| layer.bitrate.as_bps()).sum()
}

/// What the cheapest of the paused pictures would take, in bits per second.
fn next_picture(allocations: &[Allocation], demands: &[Demand]) -> Option<u64> {
    let paused =
        allocations.iter().zip(demands).filter(|(allocation, _)| allocation.target.is_none());
    let smallest = paused
        .filter_map(|(_, demand)| demand.layers.iter().map(|layer| layer.bitrate.as_bps()).min());
    smallest.min()
}

impl Peer {
    /// Looks at the pictures that wait to be sent to the peer. Returns whether layers should be
    /// chosen anew.
    pub(crate) fn observe_backlog(&mut self, now: Instant) -> bool {
        let Some(session) = self.session.as_mut().filter(|session| session.is_connected()) else {
            return false;
        };
        let pictures = self
            .outlets
            .values()
            .filter(|outlet| outlet.slot.kind == MediaKind::Video && outlet.publication.is_some());
        let queue = session.queue(now, pictures.map(|outlet| outlet.slot.ssrc));
        self.backlog.observe(now, queue)
    }

    /// Fits what the peer is shown into its estimated bandwidth, and into what its path is seen to
    /// carry.
    pub(crate) fn allocate(&mut self, now: Instant, publications: &Publications) {
        if !self.is_connected() {
            return;
        }
        let mut demands = Vec::new();
        let mut slots = Vec::new();
        for want in &self.wants {
            let Some(mid) = self.video.slot_of(want.publication) else { continue };
            let Some(publication) = publications.get(&want.publication) else { continue };
            let Some(outlet) = self.outlets.get(&mid) else { continue };
            if slots.contains(&mid) {
                continue;
            }
            slots.push(mid);
            demands.push(Demand {
                publication: want.publication,
                rank: rank(want.priority, publication.track().source),
                tile: PixelSize { width: want.width, height: want.height },
                layers: steady_layers(now, publication, outlet),
                current: outlet.rewriter.target(),
            });
        }

        let sounding = self.audio.iter().filter(|(_, carried)| carried.is_some()).count() as u64;
        let audio = Bitrate::bps(AUDIO_RATE.as_bps() * sounding);
        let mut allocations = allocate(self.video_budget(now, audio), &demands);
        let held_back = self.backlog.is_held_back();
        if held_back {
            // What the path carries is known to some tens of percent: enough to go down by.
            for (allocation, demand) in allocations.iter_mut().zip(&demands) {
                allocation.target = allocation.target.min(demand.current.or(allocation.target));
            }
        }
        for ((allocation, demand), mid) in allocations.iter().zip(&demands).zip(slots) {
            let Some(outlet) = self.outlets.get_mut(&mid) else { continue };
            let falls = held_back && outlet.rewriter.current() > allocation.target;
            outlet.drains |= falls || self.backlog.is_stalled();
            if outlet.drains && !self.backlog.is_empty() {
                outlet.rewriter.set_target(None);
                continue;
            }
            if std::mem::take(&mut outlet.drains)
                && let Some(session) = &mut self.session
            {
                session.forget_sent(outlet.slot.ssrc);
            }
            if outlet.rewriter.target() != allocation.target {
                outlet.rewriter.set_target(allocation.target);
            }
            outlet.starved = allocation.target.is_none() && !demand.layers.is_empty();
        }
        self.desire(now, audio, &demands, &allocations);
    }

    /// What pictures may take together.
    fn video_budget(&self, now: Instant, audio: Bitrate) -> Bitrate {
        let estimated = self.estimate - audio;
        match self.backlog.limit(now) {
            Some(limit) => estimated.min(limit),
            None if self.quality.is_congested(now) => estimated,
            None => estimated.max(VIDEO_FLOOR),
        }
    }

    /// Tells the bandwidth estimation what would be sent if everything fitted, and how much it
    /// shall put on the wire meanwhile.
    fn desire(
        &mut self,
        now: Instant,
        audio: Bitrate,
        demands: &[Demand],
        allocations: &[Allocation],
    ) {
        // An unlimited budget gives each publication the best layer that its tile can use.
        let best = video_rate(&allocate(Bitrate::bps(u64::MAX / 4), demands), demands);
        let sent = video_rate(allocations, demands);
        let needed = best + audio.as_bps();
        // The allocator asks for 15 % of headroom; encoders overshoot for moments.
        let least = if demands.is_empty() { MIN_DESIRED_IDLE } else { MIN_DESIRED };
        let mut desired = Bitrate::bps(needed + needed / 4).max(least);
        // An estimate grows only with what is sent. Where a picture had to be paused, padding
        // stands in for its smallest layer: without it, what was paused stays so.
        let sustained = next_picture(allocations, demands).map_or(Bitrate::ZERO, |next| {
            Bitrate::bps(sent + next + next / 4 + audio.as_bps()).min(desired)
        });
        let unknown = best > sent && self.backlog.limit(now).is_none();
        if unknown && self.probed_at.is_none_or(|at| now >= at + PROBE_INTERVAL) {
            // str0m probes the path when the desire grows: let it grow anew. By itself it probes
            // only where less than two thirds of the estimate is sent, and lets the estimate grow
            // only to half more than is sent: between these two it stays for good.
            self.probed_at = Some(now);
            desired = Bitrate::bps(sent + audio.as_bps());
        }
        let has_changed =
            |now: Bitrate, then: Bitrate| now.as_bps().abs_diff(then.as_bps()) * 10 > then.as_bps();
        if (has_changed(desired, self.desired) || has_changed(sustained, self.sustained))
            && let Some(session) = &mut self.session
        {
            self.desired = desired;
            self.sustained = sustained;
            session.set_desired_bitrate(sustained, desired);
        }
    }
}
