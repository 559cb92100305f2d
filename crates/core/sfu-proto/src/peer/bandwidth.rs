//! What a peer is sent of each picture: layers that fit into the bandwidth of its path.

use std::time::{Duration, Instant};

use conclave_forward::{
    Allocation, Demand, Drain, JamState, LayerId, LiveLayers, PerPicture, PixelSize, SteadyTile,
    allocate, best_rate,
};
use conclave_model::{Bitrate, MediaKind, Mid};

use crate::peer::{Peer, Publications, rank};

/// What an audio slot in use takes: Opus at 32 kbit/s and its headers.
const AUDIO_RATE: Bitrate = Bitrate::kbps(48);

/// What pictures may take on a path that shows neither loss nor delay, whatever the estimate: a
/// busy machine at the far end makes arrivals so uneven that the estimate falls to what little is
/// sent, and with nothing sent it could never rise.
const VIDEO_FLOOR: Bitrate = Bitrate::kbps(200);

/// What the node wants to know of a path at least while there is a picture for it: enough for a large
/// one, so that enlarging a tile need not wait for the estimate to grow.
const MIN_DESIRED: Bitrate = Bitrate::kbps(3000);

/// How long a path is calm before it is probed for more.
pub(super) const FIRST_PROBE_WAIT: Duration = Duration::from_secs(3);

/// The longest wait between two probes.
const LONGEST_PROBE_WAIT: Duration = Duration::from_secs(20);

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

/// What becomes of the layer that was chosen, on a path that may carry less than is estimated.
fn held_back(jam: JamState, chosen: Option<LayerId>, demand: &Demand) -> Option<LayerId> {
    let smallest = demand.layers.iter().map(|layer| layer.layer).min();
    // What the path carries is not known well enough to go up.
    let most = demand.current.or(smallest);
    match jam {
        JamState::Stalled => None,
        JamState::Draining(Drain::Larger) if demand.current == smallest => smallest,
        JamState::Draining(_) => None,
        JamState::Falling if chosen < most => chosen.and(smallest),
        JamState::Falling | JamState::HeldBack => chosen.min(most),
        JamState::Free => chosen,
    }
}

impl Peer {
    /// Fits what the peer is shown into its estimated bandwidth. Returns whether its session is to be
    /// flushed, for it may begin to look for more.
    pub(crate) fn allocate(&mut self, now: Instant, publications: &Publications) -> bool {
        if !self.is_connected() {
            return false;
        }
        let mut demands: PerPicture<Demand> = PerPicture::new();
        let mut slots: PerPicture<Mid> = PerPicture::new();
        for want in &self.wants {
            let Some(mid) = self.video.slot_of(want.publication) else { continue };
            let Some(publication) = publications.get(&want.publication) else { continue };
            let Some(outlet) = self.outlets.get(&mid) else { continue };
            if slots.contains(&mid) {
                continue;
            }
            slots.push(mid);
            let takes = publication.codec().is_none_or(|codec| outlet.slot.takes(codec));
            let size = PixelSize { width: want.width, height: want.height };
            let tile = self.tiles.entry(want.publication).or_insert_with(|| SteadyTile::new(size));
            demands.push(Demand {
                publication: want.publication,
                rank: rank(want.priority, publication.track().source),
                tile: tile.update(now, size),
                layers: if takes { publication.live(now) } else { LiveLayers::new() },
                current: outlet.rewriter.target(),
            });
        }

        let audio = self.audio_rate();
        let mut allocations =
            allocate((self.estimate - audio).max(self.video_floor(now)), &demands);
        let jam = self.jam.state(now);
        for (allocation, demand) in allocations.iter_mut().zip(&demands) {
            allocation.target = held_back(jam, allocation.target, demand);
        }
        for ((allocation, demand), mid) in allocations.iter().zip(&demands).zip(slots) {
            if let Some(outlet) = self.outlets.get_mut(&mid) {
                if jam != JamState::Free
                    && outlet.rewriter.current() > allocation.target
                    && let Some(session) = &mut self.session
                {
                    outlet.rewriter.cut(session.drop_queued(outlet.slot.ssrc));
                }
                if outlet.rewriter.target() != allocation.target {
                    outlet.rewriter.set_target(allocation.target);
                }
                outlet.starved = allocation.target.is_none()
                    && !demand.layers.is_empty()
                    && !matches!(jam, JamState::Draining(_));
            }
        }
        self.desire(now, audio, &demands, &allocations)
    }

    /// What the sound takes that the peer is sent.
    fn audio_rate(&self) -> Bitrate {
        let sounding = self.audio.iter().filter(|(_, carried)| carried.is_some()).count() as u64;
        Bitrate::bps(AUDIO_RATE.as_bps() * sounding)
    }

    /// What pictures may take whatever the estimate.
    fn video_floor(&self, now: Instant) -> Bitrate {
        if self.quality.is_congested(now) { Bitrate::ZERO } else { VIDEO_FLOOR }
    }

    /// Looks at the pictures that wait to be sent to the peer. Returns whether layers should be
    /// chosen anew.
    pub(crate) fn observe_queue(&mut self, now: Instant) -> bool {
        let Some(session) = self.session.as_mut().filter(|session| session.is_connected()) else {
            return false;
        };
        let mut waited = Duration::ZERO;
        let mut could_be_smaller = false;
        for outlet in self.outlets.values().filter(|outlet| outlet.slot.kind == MediaKind::Video) {
            waited = waited.max(session.waited(now, outlet.slot.ssrc));
            could_be_smaller |= outlet.rewriter.current() > Some(LayerId(0));
        }
        // What is sent anyway says nothing about a fall of the estimate.
        let is_within_floor = self.sent <= self.audio_rate() + self.video_floor(now);
        let doubtful = if is_within_floor { Bitrate::ZERO } else { self.sent };
        let is_new = self.jam.observe(now, waited, self.estimate, doubtful, could_be_smaller);
        if self.jam.state(now) != JamState::Free {
            self.quality.note_held_back(now);
        }
        is_new
    }

    /// Tells the bandwidth estimation what would be sent if everything fitted, and how much it
    /// shall put on the wire meanwhile. Returns whether that is news.
    fn desire(
        &mut self,
        now: Instant,
        audio: Bitrate,
        demands: &[Demand],
        allocations: &[Allocation],
    ) -> bool {
        let best = best_rate(demands);
        let sent = video_rate(allocations, demands);
        self.sent = audio + Bitrate::bps(sent);
        let needed = best + audio.as_bps();
        let has_pictures = demands.iter().any(|demand| !demand.layers.is_empty());
        let desired = if has_pictures {
            // The allocator asks for 15 % of headroom; encoders overshoot for moments.
            Bitrate::bps(needed + needed / 4).max(MIN_DESIRED)
        } else {
            // Sound goes whatever the path carries. To find that out takes thirty datagrams, which is
            // more than all else of a join.
            Bitrate::ZERO
        };
        // An estimate grows only with what is sent. Where a picture had to be paused, padding
        // stands in for its smallest layer: without it, what was paused stays so.
        let sustained = next_picture(allocations, demands).map_or(Bitrate::ZERO, |next| {
            let wished = Bitrate::bps(sent + next + next / 4 + audio.as_bps()).min(desired);
            // Padding that a narrow path does not carry takes the place of sound and signalling.
            wished.min(self.estimate + Bitrate::bps(self.estimate.as_bps() / 8))
        });
        let desired = if self.is_probe_due(now, best > sent) { self.sent } else { desired };
        let has_changed =
            |now: Bitrate, then: Bitrate| now.as_bps().abs_diff(then.as_bps()) * 10 > then.as_bps();
        let is_news = has_changed(desired, self.desired) || has_changed(sustained, self.sustained);
        let Some(session) = self.session.as_mut().filter(|_| is_news) else { return false };
        self.desired = desired;
        self.sustained = sustained;
        session.set_desired_bitrate(sustained, desired);
        true
    }

    /// Whether the path is to be probed, for something that is shown could be larger.
    ///
    /// str0m probes when the desire grows, so that it is taken back for a moment. By itself it probes
    /// only where less than two thirds of the estimate is sent, and lets the estimate grow only to half
    /// more than is sent: between these two it would stay for good. On a narrow path a probe takes the
    /// place of sound for some tenths of a second, so each in vain is followed by a longer wait.
    fn is_probe_due(&mut self, now: Instant, lacks: bool) -> bool {
        let is_calm = self.jam.state(now) == JamState::Free && !self.quality.is_congested(now);
        if !lacks || !is_calm {
            self.probe_at = None;
            self.probe_wait = if lacks { self.probe_wait } else { FIRST_PROBE_WAIT };
            return false;
        }
        let at = *self.probe_at.get_or_insert(now + self.probe_wait);
        if at > now {
            return false;
        }
        self.probe_wait = (self.probe_wait * 2).min(LONGEST_PROBE_WAIT);
        self.probe_at = Some(now + self.probe_wait);
        true
    }
}
