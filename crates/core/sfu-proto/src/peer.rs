mod bandwidth;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_call_proto::media::{
    AudioSlot, MediaEvent, PeerId, PictureDemand, PublicationTrack, TilePriority, VideoSlot, Want,
};
use conclave_forward::{Jam, PixelSize, Rank, SlotChange, SlotTable, SteadyTile};
use conclave_model::{Bitrate, MediaKind, Mid, ParticipantId, PublicationId, TrackSource};

use crate::publication::Publication;
use crate::quality::QualityMeter;
use crate::session::Session;
use crate::shared::Shared;
use crate::slots::Outlet;

/// The publications of a call, by id.
pub(crate) type Publications = BTreeMap<PublicationId, Publication>;

/// One participant's part in a call: its session, what it publishes and what it is shown.
#[derive(Debug)]
pub(crate) struct Peer {
    id: PeerId,
    /// The newest session's generation, also after that session has failed.
    pub(crate) generation: Option<u32>,
    pub(crate) session: Option<Session>,
    pub(crate) scheduled: Option<Instant>,
    pub(crate) tracks: Vec<PublicationTrack>,
    pub(crate) quality: QualityMeter,
    pub(crate) outlets: BTreeMap<Mid, Outlet>,
    wants: Vec<Want>,
    /// What the tiles of these count as.
    tiles: BTreeMap<PublicationId, SteadyTile>,
    audio: SlotTable<Mid>,
    video: SlotTable<Mid>,
    estimate: Bitrate,
    /// Whether the path carries the pictures that it is given.
    jam: Jam,
    /// What it is sent, by the layers' rates of late.
    sent: Bitrate,
    /// When its path is probed for more, and how long the next time.
    probe_at: Option<Instant>,
    probe_wait: Duration,
    desired: Bitrate,
    sustained: Bitrate,
    told: SlotMap,
    /// What of its pictures it was last told to encode.
    demand_told: Vec<PictureDemand>,
}

/// What each slot carries, as the peer is told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct SlotMap {
    audio: Vec<AudioSlot>,
    video: Vec<VideoSlot>,
}

impl Peer {
    pub(crate) const fn new(id: PeerId, initial_estimate: Bitrate) -> Self {
        Self {
            id,
            generation: None,
            session: None,
            scheduled: None,
            tracks: Vec::new(),
            quality: QualityMeter::new(),
            outlets: BTreeMap::new(),
            wants: Vec::new(),
            tiles: BTreeMap::new(),
            audio: SlotTable::new(),
            video: SlotTable::new(),
            estimate: initial_estimate,
            jam: Jam::new(),
            sent: Bitrate::ZERO,
            probe_at: None,
            probe_wait: bandwidth::FIRST_PROBE_WAIT,
            desired: Bitrate::ZERO,
            sustained: Bitrate::ZERO,
            told: SlotMap { audio: Vec::new(), video: Vec::new() },
            demand_told: Vec::new(),
        }
    }

    /// Whether packets can be sent to the peer at present.
    pub(crate) fn is_connected(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_connected)
    }

    /// The publication that a media section of the peer carries.
    pub(crate) fn publication_at(&self, mid: Mid) -> Option<PublicationTrack> {
        self.tracks.iter().find(|track| track.mid == mid).copied()
    }

    pub(crate) fn audio_slots(&self) -> usize {
        self.audio.len()
    }

    pub(crate) fn set_wants(&mut self, wants: Vec<Want>) {
        self.tiles.retain(|id, _| wants.iter().any(|want| want.publication == *id));
        self.wants = wants;
    }

    pub(crate) const fn set_estimate(&mut self, estimate: Bitrate) {
        self.estimate = estimate;
    }

    /// Something shown does not fit into the estimated bandwidth.
    pub(crate) fn is_starved(&self) -> bool {
        self.outlets.values().any(|outlet| outlet.starved)
    }

    /// Takes over the slots that the session has. A new session's are all new.
    pub(crate) fn sync_slots(&mut self, shared: &mut Shared, publications: &mut Publications) {
        let slots = self.session.as_ref().map_or(&[][..], Session::slots);
        let gone: Vec<Mid> = self
            .outlets
            .values()
            .filter(|outlet| !slots.iter().any(|s| s.ssrc == outlet.slot.ssrc))
            .map(|outlet| outlet.slot.mid)
            .collect();
        for slot in slots {
            if !gone.contains(&slot.mid)
                && let Some(outlet) = self.outlets.get_mut(&slot.mid)
            {
                outlet.slot = *slot;
            }
        }
        let new: Vec<_> = slots
            .iter()
            .filter(|s| gone.contains(&s.mid) || !self.outlets.contains_key(&s.mid))
            .copied()
            .collect();

        for mid in gone {
            self.outlets.remove(&mid);
            let carried = self.audio.remove(mid).or_else(|| self.video.remove(mid));
            if let Some(publication) = carried.and_then(|id| publications.get_mut(&id)) {
                publication.detach(self.id.participant, mid);
            }
        }
        for slot in new {
            // The low half of the range: the first wrap comes late, and a receiver that misses
            // the first packets still sees the rollover counter start at zero (RFC 3711).
            let first_seq = (shared.draw() & 0x7fff) as u16;
            self.outlets.insert(slot.mid, Outlet::new(slot, first_seq));
            match slot.kind {
                MediaKind::Audio => self.audio.add(slot.mid),
                MediaKind::Video => self.video.add(slot.mid),
            }
        }
    }

    /// Forgets the slots of a session that is no more.
    pub(crate) fn drop_session(
        &mut self,
        shared: &mut Shared,
        publications: &mut Publications,
    ) -> Option<Session> {
        let session = self.session.take();
        self.sync_slots(shared, publications);
        self.told = SlotMap::default();
        self.demand_told.clear();
        self.estimate = shared.config.initial_estimate;
        self.jam = Jam::new();
        self.desired = Bitrate::ZERO;
        self.sustained = Bitrate::ZERO;
        session
    }

    /// Gives the video slots to what the peer wants to see, as far as it is there.
    pub(crate) fn assign_video(&mut self, publications: &mut Publications) {
        let me = self.id.participant;
        let mut wanted: Vec<(Rank, PublicationId)> = self
            .wants
            .iter()
            .filter_map(|want| {
                let publication = publications.get(&want.publication)?;
                let source = publication.track().source;
                let visible = source.kind() == MediaKind::Video && publication.owner() != me;
                visible.then(|| (rank(want.priority, source), want.publication))
            })
            .collect();
        wanted.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        let wanted: Vec<PublicationId> = wanted.into_iter().map(|(_, id)| id).collect();
        let changes = self.video.assign(&wanted);
        self.apply(&changes, publications);
    }

    /// Gives the audio slots to these publications, most important first.
    pub(crate) fn assign_audio(
        &mut self,
        wanted: &[PublicationId],
        publications: &mut Publications,
    ) {
        let changes = self.audio.assign(wanted);
        self.apply(&changes, publications);
    }

    /// Makes the slot that carries a publication idle.
    pub(crate) fn release(&mut self, id: PublicationId, publications: &mut Publications) {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let table = match kind {
                MediaKind::Audio => &mut self.audio,
                MediaKind::Video => &mut self.video,
            };
            let rest: Vec<PublicationId> =
                table.iter().filter_map(|(_, carried)| carried.filter(|c| *c != id)).collect();
            let changes = table.assign(&rest);
            self.apply(&changes, publications);
        }
    }

    fn apply(&mut self, changes: &[SlotChange<Mid>], publications: &mut Publications) {
        for change in changes {
            if let Some(before) = change.before.and_then(|id| publications.get_mut(&id)) {
                before.detach(self.id.participant, change.slot);
            }
            if let Some(after) = change.after.and_then(|id| publications.get_mut(&id)) {
                after.outlets.push((self.id.participant, change.slot));
            }
            if let Some(outlet) = self.outlets.get_mut(&change.slot) {
                outlet.carry(change.after);
            }
        }
    }

    /// Makes every slot begin its publication anew: what was sent meanwhile has not arrived.
    pub(crate) fn restart_outlets(&mut self) {
        self.outlets.values_mut().for_each(Outlet::restart);
    }

    /// Tells the publications which key frames the peer's slots wait for; returns which were told.
    pub(crate) fn want_keyframes(
        &self,
        now: Instant,
        publications: &mut Publications,
    ) -> Vec<PublicationId> {
        if !self.is_connected() {
            return Vec::new();
        }
        let mut told = Vec::new();
        for outlet in self.outlets.values() {
            let Some(layer) = outlet.rewriter.wants_keyframe() else { continue };
            let Some(id) = outlet.publication else { continue };
            if let Some(publication) = publications.get_mut(&id) {
                publication.want_keyframe(now, layer);
                told.push(id);
            }
        }
        told
    }

    /// What the peer is shown, and how many layers of each: as many as its tile can use, and not
    /// fewer than it still gets.
    pub(crate) fn shown<'a>(
        &'a self,
        publications: &'a Publications,
    ) -> impl Iterator<Item = (PublicationId, u8)> + 'a {
        self.wants.iter().filter_map(|want| {
            let outlet = self.outlets.get(&self.video.slot_of(want.publication)?)?;
            let publication = publications.get(&want.publication)?;
            if publication.codec().is_some_and(|codec| !outlet.slot.takes(codec)) {
                return None;
            }
            let tile = PixelSize { width: want.width, height: want.height };
            let gets = outlet.rewriter.current().map_or(0, |layer| layer.0 + 1);
            Some((want.publication, publication.layers_for(tile).max(gets)))
        })
    }

    /// The event that tells which layers of its pictures the peer is to encode, if that has
    /// changed.
    pub(crate) fn demand_changed(&mut self, publications: &Publications) -> Option<MediaEvent> {
        let generation = self.session.as_ref()?.generation();
        let pictures = self.tracks.iter().filter(|track| track.source.kind() == MediaKind::Video);
        let demand: Vec<PictureDemand> = pictures
            .filter_map(|track| {
                let publication = publications.get(&track.publication)?;
                let mid = publication.track().mid;
                publication.demanded().map(|layers| PictureDemand { mid, layers })
            })
            .collect();
        if demand == self.demand_told {
            return None;
        }
        self.demand_told.clone_from(&demand);
        Some(MediaEvent::Demand { peer: self.id, generation, pictures: demand })
    }

    /// The event that tells what the slots carry, if that has changed.
    pub(crate) fn slots_changed(&mut self) -> Option<MediaEvent> {
        let generation = self.session.as_ref()?.generation();
        let paused = |mid: &Mid| self.outlets.get(mid).is_some_and(|outlet| outlet.starved);
        let carried = |(mid, publication): (Mid, Option<PublicationId>)| Some((mid, publication?));
        let audio = (self.audio.iter().filter_map(carried))
            .map(|(mid, publication)| AudioSlot { mid, publication });
        let video = (self.video.iter().filter_map(carried)).map(|(mid, publication)| VideoSlot {
            mid,
            publication,
            paused: paused(&mid),
        });
        // Mostly nothing has changed, which is told without making lists.
        let is_told = audio.clone().eq(self.told.audio.iter().copied())
            && video.clone().eq(self.told.video.iter().copied());
        if is_told {
            return None;
        }
        let map = SlotMap { audio: audio.collect(), video: video.collect() };
        self.told = map.clone();
        Some(MediaEvent::Slots { peer: self.id, generation, audio: map.audio, video: map.video })
    }

    pub(crate) const fn participant(&self) -> ParticipantId {
        self.id.participant
    }

    pub(crate) const fn id(&self) -> PeerId {
        self.id
    }
}

const fn rank(priority: TilePriority, source: TrackSource) -> Rank {
    let priority = match priority {
        TilePriority::Thumbnail => 0,
        TilePriority::Tile => 1,
        TilePriority::Featured => 2,
    };
    Rank::new(priority, source)
}
