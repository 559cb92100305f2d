//! What the media shard answers about one peer.

use conclave_model::ParticipantId;
use conclave_wire::{Answer, AudioSlot, ErrorCode, LeaveReason, ServerMessage, VideoSlot};

use super::Call;
use crate::media::{MediaRequest, PeerId};
use crate::participant::{Link, Media, PendingOffer};

impl Call {
    pub(super) fn answer(&mut self, peer: PeerId, generation: u32, sdp: String) {
        let Some((id, offer)) = self.take_offer(peer, generation) else { return };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        match &mut participant.media {
            Some(media) if media.generation == generation => media.alive = true,
            media => *media = Some(Media { generation, alive: true, slots: None }),
        }
        let (wants, asked_on) = (participant.wants.clone(), offer.connection);
        // The shard knows the media sections from here on: what they carry follows the answer.
        self.set_tracks(id, offer.tracks);
        if !wants.is_empty() {
            self.ask_media(MediaRequest::View { peer, wants });
        }

        let answer = Answer { generation, sdp };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if participant.connection() != asked_on {
            return;
        }
        match &mut participant.link {
            Link::Entering(entering) => {
                if entering.offer == Some(generation) {
                    entering.answer = Some(answer);
                    self.enter_if_ready(id);
                }
            }
            Link::Lost { .. } => {}
            Link::Online(connection) => {
                let connection = *connection;
                self.send(connection, ServerMessage::Answer { answer });
            }
        }
    }

    pub(super) fn offer_refused(&mut self, peer: PeerId, generation: u32, detail: &str) {
        let Some((id, offer)) = self.take_offer(peer, generation) else { return };
        let Some(participant) = self.participants.get(&id) else { return };
        if participant.connection() != offer.connection {
            return;
        }
        let newcomer = !participant.shown && participant.session.proven.is_none();
        match &participant.link {
            Link::Entering(entering) => {
                let connection = entering.connection;
                let awaited = entering.offer == Some(generation);
                if newcomer {
                    self.remove(id, LeaveReason::Left);
                    self.release(connection, ErrorCode::BadOffer, detail);
                    return;
                }
                self.refuse(connection, ErrorCode::BadOffer, detail);
                if awaited {
                    self.expect_no_answer(id);
                }
            }
            Link::Lost { .. } => {}
            Link::Online(connection) => self.refuse(*connection, ErrorCode::BadOffer, detail),
        }
    }

    pub(super) fn media_died(&mut self, peer: PeerId, generation: u32) {
        if peer.call != self.config.id {
            return;
        }
        let Some(participant) = self.participants.get_mut(&peer.participant) else { return };
        if let Some(media) = participant.media.as_mut().filter(|m| m.generation == generation) {
            media.alive = false;
        }
    }

    pub(super) fn slots(
        &mut self,
        peer: PeerId,
        generation: u32,
        audio: Vec<AudioSlot>,
        video: Vec<VideoSlot>,
    ) {
        if peer.call != self.config.id {
            return;
        }
        let Some(participant) = self.participants.get_mut(&peer.participant) else { return };
        let Some(media) = participant.media.as_mut().filter(|m| m.generation == generation) else {
            return;
        };
        media.slots = Some((audio.clone(), video.clone()));
        if let Some(connection) = participant.online() {
            self.send(connection, ServerMessage::Slots { generation, audio, video });
        }
    }

    /// Takes the pending offer of this generation out. Older ones will not be answered any more.
    fn take_offer(
        &mut self,
        peer: PeerId,
        generation: u32,
    ) -> Option<(ParticipantId, PendingOffer)> {
        if peer.call != self.config.id {
            return None;
        }
        let offers = &mut self.participants.get_mut(&peer.participant)?.offers;
        while offers.front().is_some_and(|offer| offer.generation < generation) {
            offers.pop_front();
        }
        if offers.front()?.generation != generation {
            return None;
        }
        Some((peer.participant, offers.pop_front()?))
    }
}
