//! Coming in and coming back.

use conclave_model::{ParticipantId, SealedBlob, TokenHash};
use conclave_wire::{ErrorCode, Joined, Offer, Presence, ServerMessage};

use super::{Call, PARTICIPANT_IDS};
use crate::output::Output;
use crate::participant::{Entering, Link, Participant};
use crate::session::{ConnectionId, ResumeToken, SessionRecord};

impl Call {
    pub(super) fn join(
        &mut self,
        connection: ConnectionId,
        token: ResumeToken,
        profile: SealedBlob,
        presence: Presence,
        offer: Offer,
    ) {
        if !self.may_enter(connection) {
            return;
        }
        let taken = self.participants.len() + self.absent.len();
        if taken >= self.config.max_participants || self.next_participant.0 >= PARTICIPANT_IDS {
            self.release(connection, ErrorCode::MeetingFull, "the call has no free place");
            return;
        }
        let id = self.next_participant;
        self.next_participant = ParticipantId(id.0 + 1);

        let session = SessionRecord { participant: id, token: token.hash(), proven: None };
        let link = self.entering(connection, token, Some(offer.generation));
        let mut participant = Participant::new(session, profile, link);
        participant.presence = presence;
        self.participants.insert(id, participant);
        self.connections.insert(connection, id);
        self.outputs.push_back(Output::Persist(session));
        // The first offer of a participant is refused by the shard alone.
        let _ = self.pass_offer(id, offer);
    }

    pub(super) fn resume(
        &mut self,
        connection: ConnectionId,
        presented: TokenHash,
        token: ResumeToken,
        profile: SealedBlob,
        presence: Presence,
        offer: Option<Offer>,
    ) {
        if !self.may_enter(connection) {
            return;
        }
        let Some(session) = self.session_of(presented) else {
            self.release(connection, ErrorCode::ResumeRefused, "no session has this token");
            return;
        };
        let id = session.participant;
        let session = session.rotated(presented, token.hash());
        self.replace_connection(id);
        self.absent.remove(&id);

        let generation = offer.as_ref().map(|offer| offer.generation);
        let link = self.entering(connection, token, generation);
        let participant = self
            .participants
            .entry(id)
            .and_modify(|participant| participant.profile.clone_from(&profile))
            .or_insert_with(|| Participant::new(session, profile, Link::Lost { since: self.now }));
        participant.session = session;
        participant.presence = presence;
        participant.link = link;
        let shown = participant.shown;
        self.connections.insert(connection, id);
        self.changed_if(shown, id);

        self.outputs.push_back(Output::Persist(session));
        if let Some(Err(detail)) = offer.map(|offer| self.pass_offer(id, offer)) {
            self.refuse(connection, ErrorCode::BadOffer, detail);
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
        let connection = entering.connection;
        let resume_token = entering.token.clone().into_text();
        let answer = entering.answer.take();
        let media = participant.media.as_ref().filter(|media| media.alive);
        let media_alive = media.is_some();
        let slots = media.and_then(|media| Some((media.generation, media.slots.clone()?)));
        let publications = participant.publications();
        participant.link = Link::Online(connection);
        if !participant.shown {
            participant.shown = true;
            self.roster.changed(self.now, id);
        }
        participant.knows = self.roster.changes();

        let others = self.participants.iter().filter(|(other, p)| **other != id && p.shown);
        let joined = Joined {
            participant: id,
            resume_token,
            others: others.map(|(_, participant)| participant.info()).collect(),
            publications,
            answer,
            media_alive,
        };
        self.send(connection, ServerMessage::Joined { joined });
        self.tell_state(connection);
        if let Some((generation, (audio, video))) = slots {
            self.send(connection, ServerMessage::Slots { generation, audio, video });
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

    fn entering(&self, connection: ConnectionId, token: ResumeToken, offer: Option<u32>) -> Link {
        Link::Entering(Entering {
            connection,
            token,
            offer,
            answer: None,
            stored: false,
            deadline: self.now + self.config.enter_timeout,
        })
    }
}
