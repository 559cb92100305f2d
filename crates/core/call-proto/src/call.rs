mod answer;
mod enter;
mod gate;
mod group;
mod tell;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use conclave_commit_rules::Constitution;
use conclave_delivery::{DeliveryService, ProposalKey, Snapshot};
use conclave_model::{CallId, MeetingId, ParticipantId, TokenHash};
use conclave_wire::{ErrorCode, LeaveReason, Offer, Presence, PublishedTrack, ServerMessage, Want};

use crate::input::Input;
use crate::media::{MediaEvent, MediaRequest, PeerId, PublicationTrack};
use crate::node::NodeKey;
use crate::output::Output;
use crate::participant::{Link, Participant, PendingOffer, publication_tracks};
use crate::relay::RelayAccess;
use crate::roster::{Pace, Roster};
use crate::session::{ConnectionId, SessionRecord};

/// How a call is set up.
#[derive(Debug)]
pub struct CallConfig {
    /// The call's number, for the media shard and for logs.
    pub id: CallId,
    /// The most participants, those who may still come back included. Who waits at the door does
    /// not count.
    pub max_participants: usize,
    /// How long a client waits for `joined` before the server admits that it failed.
    pub enter_timeout: Duration,
    /// How long changes are collected before they are told. In a larger call, those that follow
    /// each other are collected for longer.
    pub roster_interval: Duration,
    /// What the meeting was founded on.
    pub constitution: Constitution,
    /// Signs what the media node says of itself.
    pub node: NodeKey,
    /// How media is relayed for those whose network lets none out, if it is.
    pub relay: Option<RelayAccess>,
    /// Signs the removals that the server proposes.
    pub proposals: ProposalKey,
    /// The group of before a restart. Its members have some time to come back.
    pub group: Option<Snapshot>,
    /// Sessions of before a restart. Those of no member of `group` are forgotten.
    pub sessions: Vec<SessionRecord>,
    /// The first id to give out; above those of all sessions ever seen in this call.
    pub next_participant: ParticipantId,
    /// The time at which the call begins, in seconds since 1970.
    pub now_unix_s: u64,
}

impl CallConfig {
    /// The times that the service uses, for a call without a past.
    pub const fn new(
        id: CallId,
        max_participants: usize,
        constitution: Constitution,
        node: NodeKey,
        proposals: ProposalKey,
        now_unix_s: u64,
    ) -> Self {
        Self {
            id,
            max_participants,
            enter_timeout: Duration::from_secs(10),
            // Short enough to feel immediate, long enough to gather those who come at the hour.
            roster_interval: Duration::from_millis(50),
            constitution,
            node,
            relay: None,
            proposals,
            group: None,
            sessions: Vec::new(),
            next_participant: ParticipantId(1),
            now_unix_s,
        }
    }
}

/// The control plane of one call: who is in, what each publishes, what each is told.
///
/// Sans-IO: it reads no clock, draws no random bytes and sends nothing. After every
/// [`handle_input`](Self::handle_input), call [`poll_output`](Self::poll_output) until it returns
/// [`Output::Timeout`]; then wait for that instant or the next input, whichever is first.
///
/// It never sees a name or a key: who people are is sealed in the group's tree, tokens come as
/// digests, and the link's token was checked before a client gets here. Whose leaf is in that tree,
/// and so who is inside, its [`DeliveryService`] says; that alone also says when a device that
/// vanished is gone.
#[derive(Debug)]
pub struct Call {
    id: CallId,
    max_participants: usize,
    enter_timeout: Duration,
    meeting: MeetingId,
    node: NodeKey,
    relay: Option<RelayAccess>,
    now: Instant,
    /// One instant and its time, in seconds since 1970.
    clock: (Instant, u64),
    delivery: DeliveryService,
    /// When the delivery service wants to be called again.
    delivery_due: Option<Instant>,
    /// Whose media may flow, and the leaf, as the delivery service has said.
    gates: BTreeMap<ParticipantId, u32>,
    participants: BTreeMap<ParticipantId, Participant>,
    /// Members of before a restart whose device has not come back.
    absent: BTreeMap<ParticipantId, SessionRecord>,
    connections: BTreeMap<ConnectionId, ParticipantId>,
    next_participant: ParticipantId,
    roster: Roster,
    speakers: Option<(Option<ParticipantId>, Vec<ParticipantId>)>,
    said_empty: bool,
    outputs: VecDeque<Output>,
}

/// Offers of one client that may wait for the media shard at once.
const MAX_PENDING_OFFERS: usize = 4;

/// Participant ids stay below this, so that a publication's id can hold one.
const PARTICIPANT_IDS: u32 = 1 << 30;

impl Call {
    /// Sets up a call that nobody is in yet.
    pub fn new(config: CallConfig, now: Instant) -> Self {
        let CallConfig { constitution, proposals, group, sessions, now_unix_s, .. } = config;
        let meeting = MeetingId::from_bytes(constitution.meeting);
        let after_all = sessions.iter().map(|session| session.participant.0.saturating_add(1));
        let next_participant =
            config.next_participant.max(ParticipantId(after_all.max().unwrap_or_default()));
        let delivery = group::service(constitution, proposals, group.as_ref(), now, now_unix_s);
        let mut call = Self {
            id: config.id,
            max_participants: config.max_participants,
            enter_timeout: config.enter_timeout,
            meeting,
            node: config.node,
            relay: config.relay,
            now,
            clock: (now, now_unix_s),
            delivery,
            delivery_due: None,
            gates: BTreeMap::new(),
            participants: BTreeMap::new(),
            absent: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_participant,
            roster: Roster::new(config.roster_interval),
            speakers: None,
            said_empty: true,
            outputs: VecDeque::new(),
        };
        call.expect_back(sessions);
        call
    }

    /// How many are in the call, those included whose device may come back, but not those at the
    /// door.
    pub fn participants(&self) -> usize {
        self.participants.values().filter(|participant| participant.leaf.is_some()).count()
    }

    /// What to keep of the group over a restart; nothing as long as there is none. Taking it costs
    /// some milliseconds in a large group: once per [`Output::GroupChanged`] is enough.
    pub fn group_snapshot(&self) -> Option<Snapshot> {
        self.delivery.snapshot()
    }

    /// Takes one event. `now` must not go backwards between calls.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.said_empty = false;
        self.roster.set_pace(Pace::of(self.gates.len()));
        match input {
            Input::ConnectionLost { connection } => self.connection_lost(connection),
            Input::Group { connection, request } => self.group_request(connection, request),
            Input::Join { connection, token, presence } => self.join(connection, token, presence),
            Input::Leave { connection } => self.leave(connection),
            Input::Media(event) => self.handle_media(event),
            Input::Offer { connection, offer } => self.offer(connection, offer),
            Input::Persisted { participant, token } => self.persisted(participant, token),
            Input::Presence { connection, presence } => self.presence(connection, presence),
            Input::Publish { connection, tracks } => self.publish(connection, &tracks),
            Input::Resume { connection, proof, token, presence, offer } => {
                self.resume(connection, proof, token, presence, offer);
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

    fn leave(&mut self, connection: ConnectionId) {
        let Some(id) = self.connections.get(&connection).copied() else { return };
        self.remove(id, LeaveReason::Left);
        self.outputs.push_back(Output::Close { connection, message: None });
        self.ask_delivery(conclave_delivery::Input::Leave { who: id });
    }

    fn offer(&mut self, connection: ConnectionId, offer: Offer) {
        let Some(id) = self.require_inside(connection) else { return };
        if let Err((code, detail)) = self.pass_offer(id, offer) {
            self.refuse(connection, code, detail);
        }
    }

    fn presence(&mut self, connection: ConnectionId, presence: Presence) {
        let Some((id, participant)) = self.participant_mut(connection) else { return };
        if participant.presence == presence {
            return;
        }
        participant.presence = presence;
        let shown = participant.leaf.is_some();
        self.changed_if(shown, id);
    }

    fn publish(&mut self, connection: ConnectionId, tracks: &[PublishedTrack]) {
        let Some(id) = self.require_inside(connection) else { return };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let tracks = publication_tracks(id, tracks);
        if let Some(pending) = participant.offers.back_mut().filter(|offer| !offer.void) {
            pending.tracks.clone_from(&tracks);
        }
        if participant.stated != tracks {
            self.set_tracks(id, tracks);
        }
    }

    fn view(&mut self, connection: ConnectionId, wants: Vec<Want>) {
        let Some(id) = self.require_inside(connection) else { return };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        participant.wants.clone_from(&wants);
        let peer = self.peer(id);
        self.ask_media(MediaRequest::View { peer, wants });
    }

    fn handle_deadlines(&mut self) {
        let now = self.now;
        if self.delivery_due.is_some_and(|due| due <= now) {
            self.ask_delivery(conclave_delivery::Input::Timeout);
        }
        let due: Vec<_> = self
            .participants
            .values()
            .filter(|participant| entry_deadline(participant).is_some_and(|at| at <= now))
            .filter_map(Participant::connection)
            .collect();
        for connection in due {
            self.end(connection, ErrorCode::Internal, "the server gave no answer in time");
            self.connection_lost(connection);
        }
        self.tell_changes();
    }

    fn deadline(&self) -> Option<Instant> {
        let entries = self.participants.values().filter_map(entry_deadline).min();
        [self.delivery_due, entries, self.roster.due()].into_iter().flatten().min()
    }

    /// Hands an offer to the media shard; or says why not.
    fn pass_offer(
        &mut self,
        id: ParticipantId,
        offer: Offer,
    ) -> Result<(), (ErrorCode, &'static str)> {
        let peer = self.peer(id);
        let taken = self.participants.values().filter(|other| other.uses_media()).count();
        let Some(participant) = self.participants.get_mut(&id) else { return Ok(()) };
        if taken >= self.max_participants && !participant.uses_media() {
            return Err((ErrorCode::MeetingFull, "the call carries no more media"));
        }
        if offer.generation < participant.generation() {
            let detail = "the offer's generation is lower than one before it";
            return Err((ErrorCode::BadOffer, detail));
        }
        if participant.offers.len() >= MAX_PENDING_OFFERS {
            return Err((ErrorCode::BadOffer, "too many offers wait for an answer"));
        }
        let Offer { generation, sdp, tracks } = offer;
        let tracks = publication_tracks(id, &tracks);
        let connection = participant.connection();
        participant.offers.push_back(PendingOffer { generation, connection, tracks, void: false });
        self.ask_media(MediaRequest::Offer { peer, generation, sdp });
        Ok(())
    }

    /// States to the shard and to the others what a participant publishes, as far as the group's
    /// order lets it.
    fn set_tracks(&mut self, id: ParticipantId, stated: Vec<PublicationTrack>) {
        let peer = self.peer(id);
        let tracks = self.allowed(id, &stated);
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let before = participant.publications();
        participant.stated = stated;
        participant.tracks.clone_from(&tracks);
        let changed = participant.leaf.is_some() && participant.publications() != before;
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

    /// Finds who speaks, if it is inside; tells it that it is not otherwise.
    fn require_inside(&mut self, connection: ConnectionId) -> Option<ParticipantId> {
        let (id, participant) = self.participant_mut(connection)?;
        if participant.inside().is_some() {
            return Some(id);
        }
        self.refuse(connection, ErrorCode::BadMessage, "not before `admitted`");
        None
    }

    const fn peer(&self, participant: ParticipantId) -> PeerId {
        PeerId { call: self.id, participant }
    }

    fn now_unix_s(&self) -> u64 {
        let (then, unix_s) = self.clock;
        unix_s + self.now.saturating_duration_since(then).as_secs()
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
            MediaEvent::Demand { peer, generation, pictures } => {
                self.demand(peer, generation, pictures);
            }
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

/// When a client has waited long enough for `joined`.
const fn entry_deadline(participant: &Participant) -> Option<Instant> {
    match &participant.link {
        Link::Entering(entering) => Some(entering.deadline),
        Link::Lost | Link::Online(_) => None,
    }
}

fn error(code: ErrorCode, detail: &str, fatal: bool) -> ServerMessage {
    ServerMessage::Error { code, detail: detail.to_owned(), fatal }
}

#[cfg(test)]
mod tests;
