mod answer;
mod enter;
mod tell;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use conclave_model::{CallId, ParticipantId, TokenHash};
use conclave_wire::{ErrorCode, LeaveReason, Offer, Presence, PublishedTrack, ServerMessage, Want};

use crate::input::Input;
use crate::media::{MediaEvent, MediaRequest, PeerId, PublicationTrack};
use crate::output::Output;
use crate::participant::{Link, Participant, PendingOffer, publication_tracks};
use crate::roster::Roster;
use crate::session::{ConnectionId, SessionRecord};

/// How a call is set up.
#[derive(Clone, Debug)]
pub struct CallConfig {
    /// The call's number, for the media shard and for logs.
    pub id: CallId,
    /// The most participants, those who may still come back included.
    pub max_participants: usize,
    /// How long a participant keeps its place without a connection.
    pub grace: Duration,
    /// How long a client waits for `joined` before the server admits that it failed.
    pub enter_timeout: Duration,
    /// How long changes are collected before they are told in a small call; in a larger one it is
    /// longer.
    pub roster_interval: Duration,
    /// Sessions of before a restart. They keep their places for `restore_grace`.
    pub sessions: Vec<SessionRecord>,
    /// How long sessions of before a restart may be taken up.
    pub restore_grace: Duration,
    /// The first id to give out; above those of all sessions ever seen in this call.
    pub next_participant: ParticipantId,
}

impl CallConfig {
    /// The times that the service uses, for a call without a past.
    pub const fn new(id: CallId, max_participants: usize) -> Self {
        Self {
            id,
            max_participants,
            // A phone that changes from Wi-Fi to mobile is back in well under this; a longer
            // wait would leave a frozen tile of someone who is gone.
            grace: Duration::from_secs(20),
            enter_timeout: Duration::from_secs(10),
            // Short enough to feel immediate, long enough to gather those who come at the hour.
            roster_interval: Duration::from_millis(50),
            sessions: Vec::new(),
            restore_grace: Duration::from_secs(60),
            next_participant: ParticipantId(1),
        }
    }
}

/// The control plane of one call: who is in, what each publishes, what each is told.
///
/// Sans-IO: it reads no clock, draws no random bytes and sends nothing. After every
/// [`handle_input`](Self::handle_input), call [`poll_output`](Self::poll_output) until it returns
/// [`Output::Timeout`]; then wait for that instant or the next input, whichever is first.
///
/// It never sees a name or a secret: profiles are sealed, tokens come as digests, and the link's
/// token was checked before a client gets here.
#[derive(Debug)]
pub struct Call {
    config: CallConfig,
    now: Instant,
    participants: BTreeMap<ParticipantId, Participant>,
    /// Sessions of before a restart whose device has not come back.
    absent: BTreeMap<ParticipantId, SessionRecord>,
    absent_until: Instant,
    connections: BTreeMap<ConnectionId, ParticipantId>,
    next_participant: ParticipantId,
    roster: Roster,
    speakers: Option<(Option<ParticipantId>, Vec<ParticipantId>)>,
    said_empty: bool,
    outputs: VecDeque<Output>,
}

/// Offers of one client that may wait for the media shard at once.
const MAX_PENDING_OFFERS: usize = 4;

/// How many times longer changes are collected among so many: each is told to all, so that what a
/// call costs grows with the square of its size.
const fn crowd_factor(participants: usize) -> u32 {
    match participants {
        0..=20 => 1,
        21..=100 => 4,
        _ => 10,
    }
}

/// Participant ids stay below this, so that a publication's id can hold one.
const PARTICIPANT_IDS: u32 = 1 << 30;

impl Call {
    /// Sets up a call that nobody is in yet.
    pub fn new(config: CallConfig, now: Instant) -> Self {
        let absent: BTreeMap<_, _> =
            config.sessions.iter().map(|session| (session.participant, *session)).collect();
        let after_absent = absent.keys().next_back().map_or(0, |id| id.0.saturating_add(1));
        Self {
            now,
            participants: BTreeMap::new(),
            absent,
            absent_until: now + config.restore_grace,
            connections: BTreeMap::new(),
            next_participant: config.next_participant.max(ParticipantId(after_absent)),
            roster: Roster::new(config.roster_interval),
            speakers: None,
            said_empty: true,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// How many are in the call, those included whose device may come back.
    pub fn participants(&self) -> usize {
        self.participants.values().filter(|participant| participant.shown).count()
    }

    /// Takes one event. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.said_empty = false;
        let interval = self.config.roster_interval * crowd_factor(self.participants.len());
        self.roster.set_interval(interval);
        match input {
            Input::ConnectionLost { connection } => self.connection_lost(connection),
            Input::Join { connection, token, profile, presence, offer } => {
                self.join(connection, token, profile, presence, offer);
            }
            Input::Leave { connection } => self.leave(connection),
            Input::Media(event) => self.handle_media(event),
            Input::Offer { connection, offer } => self.offer(connection, offer),
            Input::Persisted { participant, token } => self.persisted(participant, token),
            Input::Presence { connection, presence } => self.presence(connection, presence),
            Input::Publish { connection, tracks } => self.publish(connection, &tracks),
            Input::Resume { connection, presented, token, profile, presence, offer } => {
                self.resume(connection, presented, token, profile, presence, offer);
            }
            Input::Timeout => {}
            Input::View { connection, wants } => self.view(connection, wants),
        }
        self.handle_deadlines();
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let empty = self.participants.is_empty() && self.absent.is_empty();
        if empty && !self.said_empty {
            self.said_empty = true;
            return Output::Empty;
        }
        Output::Timeout(self.deadline())
    }

    fn connection_lost(&mut self, connection: ConnectionId) {
        let Some(id) = self.connections.remove(&connection) else { return };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if !participant.shown && participant.session.proven.is_none() {
            // It was never told its token, so it cannot come back as the same.
            self.remove(id, LeaveReason::Lost);
            return;
        }
        participant.link = Link::Lost { since: self.now };
        if participant.shown {
            self.roster.changed(self.now, id);
        }
    }

    fn leave(&mut self, connection: ConnectionId) {
        let Some(id) = self.connections.get(&connection).copied() else { return };
        self.remove(id, LeaveReason::Left);
        self.outputs.push_back(Output::Close { connection, message: None });
    }

    fn offer(&mut self, connection: ConnectionId, offer: Offer) {
        let Some((id, participant)) = self.participant_mut(connection) else { return };
        if matches!(participant.link, Link::Entering(_)) {
            return self.refuse(connection, ErrorCode::BadMessage, "an offer before `joined`");
        }
        if let Err(detail) = self.pass_offer(id, offer) {
            self.refuse(connection, ErrorCode::BadOffer, detail);
        }
    }

    fn presence(&mut self, connection: ConnectionId, presence: Presence) {
        let Some((id, participant)) = self.participant_mut(connection) else { return };
        if participant.presence == presence {
            return;
        }
        participant.presence = presence;
        let shown = participant.shown;
        self.changed_if(shown, id);
    }

    fn publish(&mut self, connection: ConnectionId, tracks: &[PublishedTrack]) {
        let Some((id, participant)) = self.participant_mut(connection) else { return };
        let tracks = publication_tracks(id, tracks);
        if let Some(pending) = participant.offers.back_mut() {
            pending.tracks.clone_from(&tracks);
        }
        if participant.tracks != tracks {
            self.set_tracks(id, tracks);
        }
    }

    fn view(&mut self, connection: ConnectionId, wants: Vec<Want>) {
        let Some((id, participant)) = self.participant_mut(connection) else { return };
        participant.wants.clone_from(&wants);
        let peer = self.peer(id);
        self.ask_media(MediaRequest::View { peer, wants });
    }

    fn handle_deadlines(&mut self) {
        let now = self.now;
        if !self.absent.is_empty() && self.absent_until <= now {
            for participant in std::mem::take(&mut self.absent).into_keys() {
                self.outputs.push_back(Output::Forget { participant });
            }
        }
        let due: Vec<_> = self
            .participants
            .iter()
            .filter(|(_, participant)| self.link_deadline(participant).is_some_and(|at| at <= now))
            .map(|(id, participant)| (*id, participant.connection()))
            .collect();
        for (id, connection) in due {
            match connection {
                None => self.remove(id, LeaveReason::Lost),
                Some(connection) => {
                    self.end(connection, ErrorCode::Internal, "the media plane gave no answer");
                    self.connection_lost(connection);
                }
            }
        }
        self.tell_changes();
    }

    fn deadline(&self) -> Option<Instant> {
        let absent = (!self.absent.is_empty()).then_some(self.absent_until);
        let links = self.participants.values().filter_map(|p| self.link_deadline(p)).min();
        [absent, links, self.roster.due()].into_iter().flatten().min()
    }

    /// When a participant's link makes it leave, or gives up entering.
    fn link_deadline(&self, participant: &Participant) -> Option<Instant> {
        match &participant.link {
            Link::Entering(entering) => Some(entering.deadline),
            Link::Lost { since } => Some(*since + self.config.grace),
            Link::Online(_) => None,
        }
    }

    /// Takes a participant out of the call.
    fn remove(&mut self, id: ParticipantId, reason: LeaveReason) {
        let Some(participant) = self.participants.remove(&id) else { return };
        if let Some(connection) = participant.connection() {
            self.connections.remove(&connection);
        }
        let peer = self.peer(id);
        self.ask_media(MediaRequest::Leave { peer });
        self.outputs.push_back(Output::Forget { participant: id });
        if participant.shown {
            self.roster.left(self.now, id, reason);
        }
    }

    /// Hands an offer to the media shard; or says why not.
    fn pass_offer(&mut self, id: ParticipantId, offer: Offer) -> Result<(), &'static str> {
        let peer = self.peer(id);
        let Some(participant) = self.participants.get_mut(&id) else { return Ok(()) };
        if offer.generation < participant.generation() {
            return Err("the offer's generation is lower than one before it");
        }
        if participant.offers.len() >= MAX_PENDING_OFFERS {
            return Err("too many offers wait for an answer");
        }
        let Offer { generation, sdp, tracks } = offer;
        let tracks = publication_tracks(id, &tracks);
        let connection = participant.connection();
        participant.offers.push_back(PendingOffer { generation, connection, tracks });
        self.ask_media(MediaRequest::Offer { peer, generation, sdp });
        Ok(())
    }

    /// States to the shard and to the others what a participant publishes.
    fn set_tracks(&mut self, id: ParticipantId, tracks: Vec<PublicationTrack>) {
        let peer = self.peer(id);
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let before = participant.publications();
        participant.tracks.clone_from(&tracks);
        let changed = participant.shown && participant.publications() != before;
        self.ask_media(MediaRequest::Publish { peer, tracks });
        self.changed_if(changed, id);
    }

    fn changed_if(&mut self, changed: bool, id: ParticipantId) {
        if changed {
            self.roster.changed(self.now, id);
        }
    }

    fn participant_mut(
        &mut self,
        connection: ConnectionId,
    ) -> Option<(ParticipantId, &mut Participant)> {
        let id = *self.connections.get(&connection)?;
        Some((id, self.participants.get_mut(&id)?))
    }

    const fn peer(&self, participant: ParticipantId) -> PeerId {
        PeerId { call: self.config.id, participant }
    }

    fn ask_media(&mut self, request: MediaRequest) {
        self.outputs.push_back(Output::Media(request));
    }

    fn send(&mut self, connection: ConnectionId, message: ServerMessage) {
        self.outputs.push_back(Output::Send { to: vec![connection], message });
    }

    /// Tells a client what was wrong; the session goes on.
    fn refuse(&mut self, connection: ConnectionId, code: ErrorCode, detail: &str) {
        self.send(connection, error(code, detail, false));
    }

    /// Tells a client why it does not enter; it may try again.
    fn release(&mut self, connection: ConnectionId, code: ErrorCode, detail: &str) {
        let message = error(code, detail, false);
        self.outputs.push_back(Output::Release { connection, message });
    }

    /// Tells a client what was wrong, and closes its connection.
    fn end(&mut self, connection: ConnectionId, code: ErrorCode, detail: &str) {
        let message = Some(error(code, detail, true));
        self.outputs.push_back(Output::Close { connection, message });
    }

    fn handle_media(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::Answer { peer, generation, sdp } => self.answer(peer, generation, sdp),
            MediaEvent::Connected { .. } => {}
            MediaEvent::Disconnected { peer, generation } => self.media_died(peer, generation),
            MediaEvent::OfferRefused { peer, generation, detail } => {
                self.offer_refused(peer, generation, &detail);
            }
            MediaEvent::Quality { peer, quality } => self.quality(peer, quality),
            MediaEvent::Slots { peer, generation, audio, video } => {
                self.slots(peer, generation, audio, video);
            }
            MediaEvent::Speakers { call, active, speaking } => {
                self.speakers(call, active, speaking);
            }
        }
    }

    /// Finds whose session a token takes up.
    fn session_of(&self, presented: TokenHash) -> Option<SessionRecord> {
        let present = self.participants.values().map(|participant| participant.session);
        present.chain(self.absent.values().copied()).find(|session| session.accepts(presented))
    }
}

fn error(code: ErrorCode, detail: &str, fatal: bool) -> ServerMessage {
    ServerMessage::Error { code, detail: detail.to_owned(), fatal }
}

#[cfg(test)]
mod tests;
