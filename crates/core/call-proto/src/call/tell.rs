//! News that go to more than one.

use std::collections::{BTreeMap, BTreeSet};

use conclave_model::{CallId, ConnectionQuality, ParticipantId};
use conclave_wire::{LeaveReason, ParticipantInfo, ParticipantQuality, ServerMessage};

use super::Call;
use crate::media::PeerId;
use crate::output::Output;
use crate::participant::Participant;
use crate::roster::Changes;
use crate::session::ConnectionId;

impl Call {
    pub(super) fn speakers(
        &mut self,
        call: CallId,
        active: Option<ParticipantId>,
        speaking: Vec<ParticipantId>,
    ) {
        if call != self.id {
            return;
        }
        self.speakers = Some((active, speaking.clone()));
        self.send_all(ServerMessage::Speakers { active, speaking });
    }

    pub(super) fn quality(&mut self, peer: PeerId, quality: ConnectionQuality) {
        if peer.call != self.id {
            return;
        }
        let Some(participant) = self.participants.get_mut(&peer.participant) else { return };
        if participant.media.is_some() && participant.quality != Some(quality) {
            participant.quality = Some(quality);
            self.roster.quality_changed(self.now, peer.participant);
        }
    }

    /// Tells a newcomer what the others were told in passing.
    pub(super) fn tell_state(&mut self, connection: ConnectionId) {
        let participants = self.qualities(self.participants.keys());
        if !participants.is_empty() {
            self.send(connection, ServerMessage::Quality { participants });
        }
        if let Some((active, speaking)) = &self.speakers {
            let here = |id: &ParticipantId| {
                self.participants.get(id).is_some_and(|who| who.leaf.is_some())
            };
            let active = active.filter(here);
            let speaking = speaking.iter().copied().filter(here).collect();
            self.send(connection, ServerMessage::Speakers { active, speaking });
        }
    }

    /// Tells everybody what changed since the last time, once that is due.
    pub(super) fn tell_changes(&mut self) {
        if let Some(changes) = self.roster.take_due(self.now) {
            self.tell_roster(&changes);
        }
        let changed = self.roster.take_due_quality(self.now);
        self.tell_qualities(&changed);
    }

    fn tell_roster(&mut self, changes: &Changes) {
        let infos: BTreeMap<ParticipantId, ParticipantInfo> = changes
            .present
            .keys()
            .filter_map(|id| Some((*id, self.participants.get(id)?.info()?)))
            .collect();
        let first = changes.first();

        // Most devices get the same message; those that just came in, or changed themselves, not.
        let mut to_most = Vec::new();
        let mut sends = Vec::new();
        for (id, participant) in &mut self.participants {
            let Some(connection) = participant.inside() else { continue };
            let knows = std::mem::replace(&mut participant.knows, changes.last);
            if knows < first && !changes.present.contains_key(id) {
                to_most.push(connection);
            } else {
                sends.push((vec![connection], roster_after(changes, &infos, knows, Some(*id))));
            }
        }
        sends.push((to_most, roster_after(changes, &infos, 0, None)));
        for (to, message) in sends {
            if let (false, Some(message)) = (to.is_empty(), message) {
                self.outputs.push_back(Output::Send { to, message });
            }
        }
    }

    fn tell_qualities(&mut self, changed: &BTreeSet<ParticipantId>) {
        let participants = self.qualities(changed.iter());
        if !participants.is_empty() {
            self.send_all(ServerMessage::Quality { participants });
        }
    }

    fn qualities<'a>(
        &self,
        ids: impl Iterator<Item = &'a ParticipantId>,
    ) -> Vec<ParticipantQuality> {
        ids.filter_map(|id| {
            let participant = self.participants.get(id).filter(|p| p.leaf.is_some())?;
            Some(ParticipantQuality { id: *id, quality: participant.quality? })
        })
        .collect()
    }

    fn send_all(&mut self, message: ServerMessage) {
        let to: Vec<_> = self.participants.values().filter_map(Participant::inside).collect();
        if !to.is_empty() {
            self.outputs.push_back(Output::Send { to, message });
        }
    }
}

/// The changes after those that the receiver knows, without what concerns itself.
fn roster_after(
    changes: &Changes,
    infos: &BTreeMap<ParticipantId, ParticipantInfo>,
    knows: u64,
    receiver: Option<ParticipantId>,
) -> Option<ServerMessage> {
    let present: Vec<_> = changes
        .present
        .iter()
        .filter(|(id, change)| **change > knows && Some(**id) != receiver)
        .filter_map(|(id, _)| infos.get(id).cloned())
        .collect();
    let left: Vec<(ParticipantId, LeaveReason)> = changes
        .left
        .iter()
        .filter(|(_, (change, _))| *change > knows)
        .map(|(id, (_, reason))| (*id, *reason))
        .collect();
    (!present.is_empty() || !left.is_empty()).then_some(ServerMessage::Roster { present, left })
}
