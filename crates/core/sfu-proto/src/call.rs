mod afar;
mod media;
mod policy;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_call_proto::media::{MediaEvent, PeerId, PublicationTrack, Want};
use conclave_forward::SpeakerDetector;
use conclave_model::{CallId, ParticipantId, PublicationId, TrackSource};
use str0m::net::Receive;

use crate::negotiate::OfferError;
use crate::peer::{Peer, Publications};
use crate::publication::Publication;
use crate::relay::Spread;
use crate::session::{Ended, RenegotiateError, Session, SessionEvent};
use crate::shared::{Shared, Timer};

/// One call: its peers, what they publish, and who speaks.
#[derive(Debug)]
pub(crate) struct Call {
    id: CallId,
    peers: BTreeMap<ParticipantId, Peer>,
    publications: Publications,
    /// Where else it has peers.
    spread: Option<Spread>,
    speakers: SpeakerDetector<ParticipantId>,
    /// When others were last told who speaks.
    speakers_told_at: Option<Instant>,
    speakers_changed: bool,
    /// Whose voices all were last given, where loudness decides; `None` if not all were given the same.
    heard: Option<Vec<ParticipantId>>,
    ticks: u64,
    tick_at: Instant,
    /// When somebody's new list of publications last moved slots.
    published_at: Option<Instant>,
    /// When slots are to be given anew, if they are.
    assign_at: Option<Instant>,
    /// Kept to be filled again.
    buffer: Vec<SessionEvent>,
}

/// How often a call looks at speakers, layers and bandwidth: often enough that nobody waits
/// noticeably for a picture, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(100);

impl Call {
    pub(crate) fn new(id: CallId, shared: &mut Shared, now: Instant) -> Self {
        let tick_at = now + TICK;
        shared.timers.insert((tick_at, Timer::Call(id)));
        Self {
            id,
            peers: BTreeMap::new(),
            publications: BTreeMap::new(),
            spread: None,
            speakers: SpeakerDetector::new(),
            speakers_told_at: None,
            speakers_changed: false,
            heard: None,
            ticks: 0,
            tick_at,
            published_at: None,
            assign_at: None,
            buffer: Vec::new(),
        }
    }

    /// How many peers it has.
    pub(crate) fn peers(&self) -> u64 {
        self.peers.len() as u64
    }

    /// How many publications it has that come from peers of this node.
    pub(crate) fn publications(&self) -> u64 {
        self.publications.values().filter(|publication| publication.home().is_none()).count() as u64
    }

    /// Forgets its timers. The peers have left.
    pub(crate) fn close(&self, shared: &mut Shared) {
        shared.timers.remove(&(self.tick_at, Timer::Call(self.id)));
        if let Some(at) = self.assign_at {
            shared.timers.remove(&(at, Timer::Assign(self.id)));
        }
    }

    /// The session of a peer, if it has one.
    pub(crate) fn session(&mut self, peer: PeerId) -> Option<&mut Session> {
        self.peers.get_mut(&peer.participant)?.session.as_mut()
    }

    /// Whether a STUN request is from this peer.
    pub(crate) fn authenticates(&self, now: Instant, peer: PeerId, receive: Receive<'_>) -> bool {
        self.peers
            .get(&peer.participant)
            .and_then(|peer| peer.session.as_ref())
            .is_some_and(|session| session.authenticates(now, receive))
    }

    /// Negotiates, and answers.
    pub(crate) fn offer(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
        generation: u32,
        sdp: &str,
    ) {
        let id = PeerId { call: self.id, participant };
        let estimate = shared.config.initial_estimate;
        let peer = self.peers.entry(participant).or_insert_with(|| Peer::new(id, estimate));
        if peer.generation.is_some_and(|newest| generation < newest) {
            return;
        }
        match self.negotiate(now, shared, participant, generation, sdp) {
            Ok(answer) => {
                shared.events.push_back(MediaEvent::Answer { peer: id, generation, sdp: answer });
                self.settle(now, shared, participant);
            }
            Err(error) => {
                shared.stats.offers_refused += 1;
                let detail = error.to_string();
                shared.events.push_back(MediaEvent::OfferRefused { peer: id, generation, detail });
            }
        }
    }

    fn negotiate(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
        generation: u32,
        sdp: &str,
    ) -> Result<String, OfferError> {
        let Some(peer) = self.peers.get_mut(&participant) else {
            return Err(OfferError::SessionGone);
        };
        let answer = if peer.generation == Some(generation) {
            let session = peer.session.as_mut().ok_or(OfferError::SessionGone)?;
            let ufrag = session.ufrag().to_owned();
            let answer =
                match session.renegotiate(&shared.config.limits, &shared.rtc_config, sdp, now) {
                    Ok(answer) => answer,
                    Err(RenegotiateError::Refused(error)) => return Err(error),
                    Err(RenegotiateError::Broken(error)) => {
                        tracing::debug!(%error, "a media session broke at a further offer");
                        self.end_session(now, shared, participant);
                        return Err(OfferError::SessionGone);
                    }
                };
            if session.ufrag() != ufrag {
                shared.demux.remove_ufrag(&ufrag);
                shared.demux.add_ufrag(session.ufrag().to_owned(), peer.id());
            }
            answer
        } else {
            if shared.stats.sessions >= shared.config.limits.peers as u64 && peer.session.is_none()
            {
                return Err(OfferError::NodeFull);
            }
            let (session, answer) = Session::accept(
                &shared.config.limits,
                &shared.rtc_config,
                &shared.candidates,
                generation,
                sdp,
                now,
            )?;
            self.remove_session(shared, participant);
            let Some(peer) = self.peers.get_mut(&participant) else {
                return Err(OfferError::SessionGone);
            };
            shared.stats.sessions += 1;
            shared.demux.add_ufrag(session.ufrag().to_owned(), peer.id());
            peer.generation = Some(generation);
            peer.session = Some(session);
            answer
        };
        Ok(answer)
    }

    /// Brings slots and publications in line with what the peer has just negotiated.
    fn settle(&mut self, now: Instant, shared: &mut Shared, participant: ParticipantId) {
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        peer.sync_slots(shared, &mut self.publications);
        let tracks = peer.tracks.clone();
        self.restart_tracks(now, shared, participant, &tracks);
        if tracks.is_empty() {
            // Nothing that others are sent has changed: whoever only listens costs them nothing.
            self.assign_one(now, shared, participant);
        } else {
            self.assign_all(now, shared);
        }
        self.drain(now, shared, participant);
    }

    /// Makes a peer's publications begin anew where their packets now come from.
    fn restart_tracks(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
        tracks: &[PublicationTrack],
    ) {
        for track in tracks {
            let session = self.peers.get(&participant).and_then(|peer| peer.session.as_ref());
            let stream = session.map(|session| (session.generation(), session.rids(track.mid)));
            let Some(publication) = self.publications.get_mut(&track.publication) else { continue };
            if publication.restart(track.mid, stream, now) {
                self.restart_outlets_of(track.publication);
            }
            self.say_published(shared, track.publication);
        }
    }

    /// Makes the slots that carry a publication begin it anew.
    fn restart_outlets_of(&mut self, id: PublicationId) {
        let Some(publication) = self.publications.get(&id) else { return };
        for (subscriber, mid) in &publication.outlets {
            let outlet = self.peers.get_mut(subscriber).and_then(|peer| peer.outlets.get_mut(mid));
            if let Some(outlet) = outlet {
                outlet.restart();
            }
        }
    }

    /// Takes over the complete list of what a peer publishes.
    pub(crate) fn publish(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
        mut tracks: Vec<PublicationTrack>,
    ) {
        if !self.peers.contains_key(&participant) {
            return;
        }
        self.withdraw_afar(participant);
        tracks.truncate(shared.config.limits.publications);
        let foreign = |id: PublicationId| {
            self.publications.get(&id).is_some_and(|known| known.owner() != participant)
        };
        tracks.retain(|track| !foreign(track.publication));

        let Some(peer) = self.peers.get_mut(&participant) else { return };
        let before = std::mem::replace(&mut peer.tracks, tracks.clone());
        for old in before {
            if !tracks.iter().any(|track| track.publication == old.publication) {
                self.withdraw(old.publication);
                self.say_withdrawn(shared, old.publication);
            }
        }
        for track in &tracks {
            self.publications
                .entry(track.publication)
                .or_insert_with(|| Publication::new(participant, *track, now));
        }
        self.restart_tracks(now, shared, participant, &tracks);
        self.assign_soon(now, shared);
    }

    /// Removes a publication from the call and from the slots that carry it. They stay idle until
    /// slots are given anew.
    fn withdraw(&mut self, id: PublicationId) {
        let Some(publication) = self.publications.remove(&id) else { return };
        if publication.track().source == TrackSource::Microphone {
            self.speakers.remove(publication.owner());
        }
        for (subscriber, _) in publication.outlets {
            if let Some(peer) = self.peers.get_mut(&subscriber) {
                peer.release(id, &mut self.publications);
            }
        }
    }

    /// Takes over the complete list of what a peer shows.
    pub(crate) fn view(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        participant: ParticipantId,
        wants: Vec<Want>,
    ) {
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        let mut wants = wants;
        wants.truncate(shared.config.limits.video_slots);
        peer.set_wants(wants);
        peer.assign_video(&mut self.publications);
        self.allocate(now, shared, participant);
        self.demand_more(shared, participant);
        self.request_keyframes_for(now, shared, participant);
    }

    /// A peer is gone.
    pub(crate) fn leave(&mut self, now: Instant, shared: &mut Shared, participant: ParticipantId) {
        self.remove_session(shared, participant);
        let Some(peer) = self.peers.remove(&participant) else { return };
        if peer.tracks.is_empty() {
            return;
        }
        for track in peer.tracks {
            self.withdraw(track.publication);
            self.say_withdrawn(shared, track.publication);
        }
        self.speakers.remove(participant);
        self.assign_all(now, shared);
    }

    /// Everybody is gone.
    pub(crate) fn end(&mut self, now: Instant, shared: &mut Shared) {
        let everyone: Vec<ParticipantId> = self.peers.keys().copied().collect();
        for participant in everyone {
            self.leave(now, shared, participant);
        }
        self.close(shared);
    }

    /// Takes a peer's session down, without a word to anybody.
    fn remove_session(&mut self, shared: &mut Shared, participant: ParticipantId) {
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        let id = peer.id();
        if let Some(at) = peer.scheduled.take() {
            shared.timers.remove(&(at, Timer::Session(id)));
        }
        shared.unflushed.remove(&id);
        let Some(session) = peer.drop_session(shared, &mut self.publications) else { return };
        shared.stats.sessions = shared.stats.sessions.saturating_sub(1);
        shared.demux.remove_ufrag(session.ufrag());
        for (transport, source) in session.addresses() {
            shared.demux.remove_address(transport, source, id);
        }
        for ssrc in session.ssrcs() {
            shared.demux.remove_ssrc(*ssrc, id);
        }
    }

    /// A peer's session has failed: it goes, the others stay.
    fn end_session(&mut self, now: Instant, shared: &mut Shared, participant: ParticipantId) {
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        let Some(generation) = peer.session.as_ref().map(Session::generation) else { return };
        let id = peer.id();
        let quality = peer.quality.lose(now);
        shared.stats.sessions_failed += 1;
        self.remove_session(shared, participant);
        shared.events.push_back(MediaEvent::Disconnected { peer: id, generation });
        shared.events.extend(quality.map(|quality| MediaEvent::Quality { peer: id, quality }));
    }

    /// Gives a datagram to a peer's session.
    pub(crate) fn handle_datagram(
        &mut self,
        (now, arrived): (Instant, Instant),
        shared: &mut Shared,
        participant: ParticipantId,
        receive: Receive<'_>,
    ) {
        let Some(session) = self.peers.get_mut(&participant).and_then(|p| p.session.as_mut())
        else {
            return;
        };
        let handled = session.handle_datagram(now, arrived, receive);
        session.tell_refused(&mut shared.stats.drops);
        match handled {
            Ok(()) if !session.has_output() => {}
            Ok(()) => self.drain(now, shared, participant),
            Err(Ended) => self.end_session(now, shared, participant),
        }
    }

    /// A peer's session wanted to be woken.
    pub(crate) fn wake(&mut self, now: Instant, shared: &mut Shared, participant: ParticipantId) {
        if let Some(peer) = self.peers.get_mut(&participant) {
            peer.scheduled = None;
        }
        self.flush(now, shared, participant);
    }

    /// Sends what was written to a peer's session.
    pub(crate) fn flush(&mut self, now: Instant, shared: &mut Shared, participant: ParticipantId) {
        let Some(session) = self.peers.get_mut(&participant).and_then(|p| p.session.as_mut())
        else {
            return;
        };
        match session.handle_timeout(now) {
            Ok(()) => self.drain(now, shared, participant),
            Err(Ended) => self.end_session(now, shared, participant),
        }
    }

    /// Takes out what a peer's session has to say, and acts on it.
    fn drain(&mut self, now: Instant, shared: &mut Shared, participant: ParticipantId) {
        let Some(peer) = self.peers.get_mut(&participant) else { return };
        let id = peer.id();
        let Some(session) = peer.session.as_mut() else { return };
        let mut events = std::mem::take(&mut self.buffer);
        let result = session.drain(now, &mut shared.outbox, &mut events);
        let timeout = session.timeout();
        if peer.scheduled != Some(timeout) {
            if let Some(before) = peer.scheduled.replace(timeout) {
                shared.timers.remove(&(before, Timer::Session(id)));
            }
            shared.timers.insert((timeout, Timer::Session(id)));
        }
        for event in events.drain(..) {
            self.handle_event(now, shared, participant, event);
        }
        self.buffer = events;
        if result == Err(Ended) {
            self.end_session(now, shared, participant);
        }
    }
}
