//! Coming to the door, and coming back.

use conclave_delivery::{Input as Delivery, MAX_STRANGERS, Output as Told, ToDevice};
use conclave_model::{ParticipantId, TokenHash};
use conclave_wire::{ErrorCode, Joined, Offer, Presence, ServerMessage};

use super::{Call, PARTICIPANT_IDS};
use crate::output::Output;
use crate::participant::{Entering, Link, Participant};
use crate::session::{ConnectionId, ResumeProof, ResumeToken, SessionRecord};

impl Call {
    pub(super) fn join(
        &mut self,
        connection: ConnectionId,
        token: ResumeToken,
        presence: Presence,
    ) {
        if !self.may_enter(connection) {
            return;
        }
        let outside = self.participants.values().filter(|who| who.leaf.is_none()).count();
        let taken = self.participants.len() - outside + self.absent.len();
        if taken >= self.max_participants
            || outside >= MAX_STRANGERS
            || self.next_participant.0 >= PARTICIPANT_IDS
        {
            self.release(connection, ErrorCode::MeetingFull, "the call has no free place");
            return;
        }
        let id = self.next_participant;
        self.next_participant = ParticipantId(id.0 + 1);

        let session = SessionRecord { participant: id, token: token.hash(), proven: None };
        let link = self.entering(connection, token, false, None);
        self.participants.insert(id, Participant::new(session, presence, link));
        self.connections.insert(connection, id);
        self.outputs.push_back(Output::Persist(session));
    }

    pub(super) fn resume(
        &mut self,
        connection: ConnectionId,
        proof: ResumeProof,
        token: ResumeToken,
        presence: Presence,
        offer: Option<Offer>,
    ) {
        if !self.may_enter(connection) {
            return;
        }
        let ResumeProof { token: presented, challenge, signature } = proof;
        let Some(session) = self.session_of(presented) else {
            self.release(connection, ErrorCode::ResumeRefused, "no session has this token");
            return;
        };
        let id = session.participant;
        let told = self.consult_delivery(Delivery::Resume { who: id, challenge, signature });
        let resumed = Told::Send { to: id, message: ToDevice::Resumed };
        if !told.contains(&resumed) {
            let not_for_it = |output: &Told| !matches!(output, Told::Send { to, .. } if *to == id);
            self.heed_delivery(told.into_iter().filter(not_for_it).collect());
            self.release(connection, ErrorCode::ResumeRefused, "the device is no member");
            return;
        }
        let session = session.rotated(presented, token.hash());
        self.replace_connection(id);
        self.absent.remove(&id);

        let generation = offer.as_ref().map(|offer| offer.generation);
        let link = self.entering(connection, token, true, generation);
        let participant = self
            .participants
            .entry(id)
            .or_insert_with(|| Participant::new(session, presence, Link::Lost));
        participant.session = session;
        participant.presence = presence;
        participant.link = link;
        let shown = participant.leaf.is_some();
        self.connections.insert(connection, id);
        self.changed_if(shown, id);
        self.heed_delivery(told);

        self.outputs.push_back(Output::Persist(session));
        if let Some(Err((code, detail))) = offer.map(|offer| self.pass_offer(id, offer)) {
            self.refuse(connection, code, detail);
            self.expect_no_answer(id);
        }
    }

    pub(super) fn persisted(&mut self, id: ParticipantId, token: TokenHash) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let Link::Entering(entering) = &mut participant.link else { return };
        if entering.token.hash() == token {
            entering.stored = true;
            self.enter_if_ready(id);
        }
    }

    /// Lets `joined` go without an answer: the offer is of no use.
    pub(super) fn expect_no_answer(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if let Link::Entering(entering) = &mut participant.link {
            entering.offer = None;
            self.enter_if_ready(id);
        }
    }

    /// Sends `joined` once the record is kept and the media shard has answered.
    pub(super) fn enter_if_ready(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let Link::Entering(entering) = &mut participant.link else { return };
        if !entering.stored || entering.offer.is_some() && entering.answer.is_none() {
            return;
        }
        let (connection, resumes) = (entering.connection, entering.resumes);
        let resume_token = entering.token.clone().into_text();
        let answer = entering.answer.take();
        let held = std::mem::take(&mut entering.held);
        let media = participant.media.as_ref().filter(|media| media.alive);
        let media_alive = media.is_some();
        let slots = media.and_then(|media| Some((media.generation, media.slots.clone()?)));
        let demand = media.and_then(|media| Some((media.generation, media.demand.clone()?)));
        participant.link = Link::Online(connection);

        let leaf = self.gates.get(&id).copied().filter(|_| resumes);
        let admitted = leaf.map(|leaf| self.admit(id, leaf));
        let joined = Joined { participant: id, resume_token, admitted, answer, media_alive };
        self.send(connection, ServerMessage::Joined { joined });
        if leaf.is_some() {
            self.tell_state(connection);
        } else {
            self.ask_delivery(Delivery::Connected { who: id });
        }
        if let Some((generation, (audio, video))) = slots {
            self.send(connection, ServerMessage::Slots { generation, audio, video });
        }
        if let Some((generation, pictures)) = demand {
            self.send(connection, ServerMessage::Demand { generation, pictures });
        }
        for message in held {
            self.send(connection, message);
        }
    }

    /// Whether this connection may enter at all.
    fn may_enter(&mut self, connection: ConnectionId) -> bool {
        if self.connections.contains_key(&connection) {
            self.refuse(connection, ErrorCode::BadMessage, "this connection is in the call");
            return false;
        }
        true
    }

    /// Ends the connection that a session had, in favour of a new one.
    fn replace_connection(&mut self, id: ParticipantId) {
        let old = self.participants.get(&id).and_then(Participant::connection);
        if let Some(old) = old {
            self.connections.remove(&old);
            self.end(old, ErrorCode::Replaced, "the session was taken up elsewhere");
        }
    }

    fn entering(
        &self,
        connection: ConnectionId,
        token: ResumeToken,
        resumes: bool,
        offer: Option<u32>,
    ) -> Link {
        Link::Entering(Entering {
            connection,
            token,
            resumes,
            offer,
            answer: None,
            stored: false,
            held: Vec::new(),
            deadline: self.now + self.enter_timeout,
        })
    }
}
