//! The door: who comes in, who is shut out, and who is gone.

use conclave_delivery::{Gate, Input as Delivery};
use conclave_model::ParticipantId;
use conclave_wire::{Admitted, ErrorCode, LeaveReason, ServerMessage};

use super::Call;
use crate::media::{MediaRequest, PublicationTrack};
use crate::output::Output;
use crate::participant::Link;
use crate::session::{ConnectionId, SessionRecord};

impl Call {
    /// Takes up the members of before a restart, and forgets everybody else.
    pub(super) fn expect_back(&mut self, sessions: Vec<SessionRecord>) {
        self.ask_delivery(Delivery::Timeout);
        for session in sessions {
            if self.gates.contains_key(&session.participant) {
                self.absent.insert(session.participant, session);
            } else {
                self.outputs.push_back(Output::Forget { participant: session.participant });
            }
        }
    }

    pub(super) fn connection_lost(&mut self, connection: ConnectionId) {
        let Some(id) = self.connections.remove(&connection) else { return };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if self.gates.contains_key(&id) {
            participant.link = Link::Lost;
            let shown = participant.leaf.is_some();
            self.changed_if(shown, id);
        } else {
            // Nobody comes back to the door as the same.
            self.remove(id, LeaveReason::Lost);
        }
        self.ask_delivery(Delivery::Disconnected { who: id });
    }

    /// Does what the delivery service says of somebody's media. Answers who is turned away for it
    /// while coming back.
    pub(super) fn move_gate(&mut self, gate: Gate) -> Option<ParticipantId> {
        match gate {
            Gate::Close { who } => self.close_gate(who),
            Gate::Open { who, leaf } => {
                self.gates.insert(who, leaf);
                let connection = self.participants.get(&who)?.online()?;
                let admitted = self.admit(who, leaf);
                self.send(connection, ServerMessage::Admitted { admitted });
                self.tell_state(connection);
                None
            }
        }
    }

    /// Shows somebody to the others, who are what it finds inside.
    pub(super) fn admit(&mut self, id: ParticipantId, leaf: u32) -> Admitted {
        let mut publications = Vec::new();
        if let Some(participant) = self.participants.get_mut(&id) {
            publications = participant.publications();
            if participant.leaf != Some(leaf) {
                participant.leaf = Some(leaf);
                self.roster.changed(self.now, id);
            }
            participant.knows = self.roster.changes();
        }
        let others = self.participants.iter().filter(|(other, _)| **other != id);
        let others = others.filter_map(|(_, participant)| participant.info()).collect();
        let relay = self.relay.as_ref().map(|relay| relay.of(self.now, self.id, id));
        Admitted { leaf, others, publications, relay }
    }

    fn close_gate(&mut self, id: ParticipantId) -> Option<ParticipantId> {
        self.gates.remove(&id);
        if self.absent.remove(&id).is_some() {
            self.outputs.push_back(Output::Forget { participant: id });
        }
        match &self.participants.get(&id)?.link {
            Link::Entering(entering) => {
                let connection = entering.connection;
                self.release(connection, ErrorCode::ResumeRefused, "the device is no member");
                self.remove(id, LeaveReason::Removed);
                return Some(id);
            }
            Link::Lost => self.remove(id, LeaveReason::Lost),
            Link::Online(_) => self.shut_out(id),
        }
        None
    }

    /// Takes a participant out of the media and of the others' sight. It stands at the door.
    fn shut_out(&mut self, id: ParticipantId) {
        let peer = self.peer(id);
        self.ask_media(MediaRequest::Leave { peer });
        let Some(participant) = self.participants.get_mut(&id) else { return };
        participant.forget_media();
        if participant.leaf.take().is_some() {
            self.roster.left(self.now, id, LeaveReason::Removed);
        }
    }

    /// Takes a participant out of the call.
    pub(super) fn remove(&mut self, id: ParticipantId, reason: LeaveReason) {
        let Some(participant) = self.participants.remove(&id) else { return };
        if let Some(connection) = participant.connection() {
            self.connections.remove(&connection);
        }
        let peer = self.peer(id);
        self.ask_media(MediaRequest::Leave { peer });
        self.outputs.push_back(Output::Forget { participant: id });
        if participant.leaf.is_some() {
            self.roster.left(self.now, id, reason);
        }
    }

    /// Takes up what the group's order forbids from here on.
    pub(super) fn apply_order(&mut self) {
        let ids: Vec<_> = self.gates.keys().copied().collect();
        for id in ids {
            let Some(participant) = self.participants.get(&id) else { continue };
            let stated = participant.stated.clone();
            if self.allowed(id, &stated) != participant.tracks {
                self.set_tracks(id, stated);
            }
        }
    }

    /// What of its tracks somebody may publish: nothing that the group's order forbids.
    pub(super) fn allowed(
        &self,
        id: ParticipantId,
        stated: &[PublicationTrack],
    ) -> Vec<PublicationTrack> {
        let may = |track: &&PublicationTrack| self.delivery.may_publish(id, track.source);
        stated.iter().filter(may).copied().collect()
    }
}
