//! Who gets what: slots, layers, key frames, speakers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_call_proto::media::MediaEvent;
use conclave_model::{CallId, MediaKind, ParticipantId, PublicationId, TrackSource};

use crate::call::{Call, TICK};
use crate::peer::{Peer, Publications};
use crate::publication::Publication;
use crate::relay::{Message, NodeNumber, Relay};
use crate::shared::{Shared, Timer};

/// Bandwidth is allocated anew every so many ticks, and at once when somebody looks elsewhere, a
/// layer comes or goes, or a path holds pictures back.
const ALLOCATE_EVERY: u64 = 2;

/// Whether fewer layers would do is looked at every so many ticks.
const DEMAND_EVERY: u64 = 5;

/// New lists of publications move slots at most this often.
const ASSIGN_SPACING: Duration = Duration::from_millis(20);

/// Who speaks is told at most this often.
const SPEAKERS_SPACING: Duration = Duration::from_millis(250);

impl Call {
    /// Lets time pass for everything that no packet drives.
    pub(crate) fn tick(&mut self, now: Instant, shared: &mut Shared) {
        self.tick_at = now + TICK;
        shared.timers.insert((self.tick_at, Timer::Call(self.id)));
        self.ticks += 1;

        self.speakers_changed |= self.speakers.update(now);
        self.tell_speakers(now, shared);
        if self.is_crowded() {
            let sounds = self.sounds(now);
            // To look at everybody takes long in a large call, and the loudest are mostly who they were.
            if self.heard.as_ref() != Some(&sounds.loudest) {
                self.give_audio(sounds, shared);
            }
        }
        let all = self.ticks.is_multiple_of(ALLOCATE_EVERY);
        let due = |(id, peer): (&ParticipantId, &mut Peer)| {
            (peer.observe_queue(now) || all).then_some(*id)
        };
        let due: Vec<ParticipantId> = self.peers.iter_mut().filter_map(due).collect();
        for participant in due {
            self.allocate(now, shared, participant);
        }
        self.request_keyframes(now, shared);
        if self.ticks.is_multiple_of(DEMAND_EVERY) {
            self.update_demand(now, shared);
        }
    }

    fn tell_speakers(&mut self, now: Instant, shared: &mut Shared) {
        let spaced = self
            .speakers_told_at
            .is_none_or(|at| now.saturating_duration_since(at) >= SPEAKERS_SPACING);
        if !self.speakers_changed || !spaced {
            return;
        }
        self.speakers_changed = false;
        self.speakers_told_at = Some(now);
        if !self.reports() {
            return;
        }
        let speakers = self.speakers.speakers().clone();
        shared.events.push_back(MediaEvent::Speakers {
            call: self.id,
            active: speakers.active,
            speaking: speakers.speaking,
        });
    }

    /// Gives all slots of all peers to what is there now: at once, or soon if that was done a
    /// moment ago. It costs as much as the call is large, and one client can ask for it often.
    pub(super) fn assign_soon(&mut self, now: Instant, shared: &mut Shared) {
        if self.assign_at.is_some() {
            return;
        }
        let at = self.published_at.map_or(now, |at| at + ASSIGN_SPACING).max(now);
        self.published_at = Some(at);
        if at == now {
            return self.assign_all(now, shared);
        }
        self.assign_at = Some(at);
        shared.timers.insert((at, Timer::Assign(self.id)));
    }

    /// Gives all slots of all peers to what is there now.
    pub(crate) fn assign_all(&mut self, now: Instant, shared: &mut Shared) {
        if let Some(at) = self.assign_at.take() {
            shared.timers.remove(&(at, Timer::Assign(self.id)));
        }
        let sounds = self.sounds(now);
        self.give_audio(sounds, shared);
        for peer in self.peers.values_mut() {
            peer.assign_video(&mut self.publications);
        }
        let everyone: Vec<ParticipantId> = self.peers.keys().copied().collect();
        for participant in everyone {
            self.allocate(now, shared, participant);
            self.demand_more(shared, participant);
        }
        self.request_keyframes(now, shared);
    }

    /// Gives the slots of one peer to what is there now.
    pub(crate) fn assign_one(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
    ) {
        let sounds = self.sounds(now);
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        sounds.give_to(peer, &mut self.publications);
        peer.assign_video(&mut self.publications);
        shared.events.extend(peer.slots_changed());
        if self.heard.as_ref() != Some(&sounds.loudest) {
            self.heard = None;
        }
        self.allocate(now, shared, participant);
        self.demand_more(shared, participant);
        self.request_keyframes_for(now, shared, participant);
    }

    /// Has publishers encode what one peer is shown, at once if that is more than before.
    pub(super) fn demand_more(&mut self, shared: &mut Shared, participant: ParticipantId) {
        let Some(peer) = self.peers.get(&participant) else { return };
        let shown: Vec<_> = peer.shown(&self.publications).collect();
        for (id, layers) in shown {
            let Some(publication) = self.publications.get_mut(&id) else { continue };
            if publication.demand_more(layers) {
                self.tell_wanted(shared, id);
            }
        }
    }

    /// Has publishers encode what anybody is shown, and no more.
    fn update_demand(&mut self, now: Instant, shared: &mut Shared) {
        let mut needed: BTreeMap<PublicationId, u8> = BTreeMap::new();
        for peer in self.peers.values() {
            for (id, layers) in peer.shown(&self.publications) {
                let most = needed.entry(id).or_default();
                *most = layers.max(*most);
            }
        }
        let others: Vec<NodeNumber> = self.others().collect();
        let mut changed = Vec::new();
        for (id, publication) in &mut self.publications {
            if publication.track().source.kind() != MediaKind::Video {
                continue;
            }
            let here = needed.get(id).copied().unwrap_or_default();
            let is_afar = publication.home().is_some();
            let afar = if is_afar { 0 } else { publication.needed_afar(others.iter().copied()) };
            let has_changed = publication.update_demand(now, here.max(afar));
            // Others take all layers to be shown until they are told.
            if is_afar && (has_changed || !publication.was_shown_told()) {
                changed.push(*id);
            }
        }
        for id in changed {
            self.tell_wanted(shared, id);
        }
        let everyone: Vec<ParticipantId> = self.peers.keys().copied().collect();
        for participant in everyone {
            self.tell_demand(shared, participant);
        }
    }

    /// Tells a publication's owner, or the node that has it, how many layers are shown.
    pub(super) fn tell_wanted(&mut self, shared: &mut Shared, id: PublicationId) {
        let Some(publication) = self.publications.get_mut(&id) else { return };
        let owner = publication.owner();
        match publication.home() {
            None => self.tell_demand(shared, owner),
            Some(home) => {
                let layers = publication.tell_shown();
                let message = Message::Shown { publication: id, layers };
                shared.relays.push_back((home, Relay { call: self.id, message }));
            }
        }
    }

    fn tell_demand(&mut self, shared: &mut Shared, participant: ParticipantId) {
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        shared.events.extend(peer.demand_changed(&self.publications));
    }

    /// How many voices can be forwarded to one peer beside the sound of what is shared.
    fn places(&self) -> usize {
        let slots = self.peers.values().map(Peer::audio_slots).max().unwrap_or_default();
        slots.saturating_sub(self.publications_of(TrackSource::ScreenAudio).count()).max(1)
    }

    /// Whether there are more voices than can be forwarded, so that loudness decides.
    fn is_crowded(&self) -> bool {
        self.publications_of(TrackSource::Microphone).count() > self.places()
    }

    fn publications_of(
        &self,
        source: TrackSource,
    ) -> impl Iterator<Item = (ParticipantId, PublicationId)> + '_ {
        self.publications
            .iter()
            .filter(move |(_, publication)| publication.track().source == source)
            .map(|(id, publication)| (publication.owner(), *id))
    }

    /// Gives everybody's audio slots to what there is to hear.
    fn give_audio(&mut self, sounds: Sounds, shared: &mut Shared) {
        for peer in self.peers.values_mut() {
            sounds.give_to(peer, &mut self.publications);
            shared.events.extend(peer.slots_changed());
        }
        self.heard = Some(sounds.loudest);
    }

    /// What there is to hear now.
    fn sounds(&mut self, now: Instant) -> Sounds {
        let screens: Vec<_> = self.publications_of(TrackSource::ScreenAudio).collect();
        let voices: Vec<_> = self.publications_of(TrackSource::Microphone).collect();
        for (owner, _) in &voices {
            self.speakers.add(now, *owner);
        }
        let places = self.places();
        let mut loudest = self.speakers.loudest(now, places).to_vec();
        loudest.sort_unstable();
        Sounds { screens, voices, loudest }
    }

    /// Chooses layers for one peer.
    pub(super) fn allocate(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
    ) {
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        if peer.allocate(now, &self.publications) {
            shared.unflushed.insert(peer.id());
        }
        shared.events.extend(peer.slots_changed());
    }

    /// Chooses layers for all who get a publication: it has changed.
    pub(super) fn allocate_subscribers(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        publication: PublicationId,
    ) {
        let Some(publication) = self.publications.get(&publication) else { return };
        let subscribers: Vec<ParticipantId> =
            publication.outlets.iter().map(|(participant, _)| *participant).collect();
        for participant in subscribers {
            self.allocate(now, shared, participant);
            self.request_keyframes_for(now, shared, participant);
        }
    }

    /// Asks for the key frames that any slot waits for, as often as publishers may be asked.
    pub(super) fn request_keyframes(&mut self, now: Instant, shared: &mut Shared) {
        for peer in self.peers.values() {
            peer.want_keyframes(now, &mut self.publications);
        }
        for publication in self.publications.values_mut() {
            ask_publisher(now, shared, self.id, publication, &mut self.peers);
        }
    }

    /// Asks for the key frames that one peer's slots wait for.
    pub(super) fn request_keyframes_for(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
    ) {
        let Some(peer) = self.peers.get(&participant) else { return };
        for id in peer.want_keyframes(now, &mut self.publications) {
            if let Some(publication) = self.publications.get_mut(&id) {
                ask_publisher(now, shared, self.id, publication, &mut self.peers);
            }
        }
    }
}

/// What there is to hear in a call: publications, and whose they are.
struct Sounds {
    screens: Vec<(ParticipantId, PublicationId)>,
    voices: Vec<(ParticipantId, PublicationId)>,
    /// Whose voices go to all, where there is no room for everybody's, in order.
    loudest: Vec<ParticipantId>,
}

impl Sounds {
    /// Gives a peer's audio slots to the sound of what is shared, then to everybody if there is
    /// room, or else to the loudest.
    fn give_to(&self, peer: &mut Peer, publications: &mut Publications) {
        let me = peer.participant();
        let others = |(owner, _): &&(ParticipantId, PublicationId)| *owner != me;
        let screens = || self.screens.iter().filter(others);
        let voices = || self.voices.iter().filter(others);
        let room = peer.audio_slots().saturating_sub(screens().count());
        let all = voices().count() <= room;
        let heard = voices().filter(|(owner, _)| all || self.loudest.contains(owner));
        let wanted: Vec<PublicationId> = screens().chain(heard).map(|(_, id)| *id).collect();
        peer.assign_audio(&wanted, publications);
    }
}

/// Asks the publisher, or the node that has it, for the key frames that are due.
pub(super) fn ask_publisher(
    now: Instant,
    shared: &mut Shared,
    call: CallId,
    publication: &mut Publication,
    peers: &mut BTreeMap<ParticipantId, Peer>,
) {
    let due = publication.keyframes_due(now);
    if let Some(home) = publication.home() {
        let publication = publication.track().publication;
        for layer in due {
            let message = Message::KeyframeWanted { publication, layer };
            shared.relays.push_back((home, Relay { call, message }));
        }
        return;
    }
    let Some(publisher) = peers.get_mut(&publication.owner()) else { return };
    let id = publisher.id();
    let Some(session) = &mut publisher.session else { return };
    for layer in due {
        if session.request_keyframe(publication.source(layer)) {
            shared.stats.keyframe_requests += 1;
            shared.unflushed.insert(id);
        }
    }
}
