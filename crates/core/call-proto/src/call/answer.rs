//! What the media shard answers about one peer.

use conclave_model::ParticipantId;
use conclave_wire::{Answer, AudioSlot, ErrorCode, PictureDemand, ServerMessage, VideoSlot};

use super::Call;
use crate::media::{MediaRequest, PeerId};
use crate::participant::{Link, Media, PendingOffer};
use crate::relay::RelayAccess;

impl Call {
    pub(super) fn answer(&mut self, peer: PeerId, generation: u32, sdp: String) {
        let Some((id, offer)) = self.take_offer(peer, generation) else { return };
        let now_unix_s = self.now_unix_s();
        let relay = self.relay.as_ref().map(RelayAccess::stated).unwrap_or_default();
        let Some(statement) = self.node.state(&sdp, &relay, self.meeting, now_unix_s) else {
            tracing::error!("an answer names no certificate, or several");
            let (code, detail) = (ErrorCode::Internal, "the media node's answer is unusable");
            return self.offer_failed(id, &offer, code, detail);
        };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        match &mut participant.media {
            Some(media) if media.generation == generation => media.alive = true,
            media => *media = Some(Media { generation, alive: true, slots: None, demand: None }),
        }
        let (wants, asked_on) = (participant.wants.clone(), offer.connection);
        // The shard knows the media sections from here on: what they carry follows the answer.
        self.set_tracks(id, offer.tracks);
        if !wants.is_empty() {
            self.ask_media(MediaRequest::View { peer, wants });
        }

        let answer = Answer { generation, sdp, statement };
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
            Link::Lost => {}
            Link::Online(connection) => {
                let connection = *connection;
                self.send(connection, ServerMessage::Answer { answer });
            }
        }
    }

    pub(super) fn offer_refused(&mut self, peer: PeerId, generation: u32, detail: &str) {
        if let Some((id, offer)) = self.take_offer(peer, generation) {
            self.offer_failed(id, &offer, ErrorCode::BadOffer, detail);
        }
    }

    fn offer_failed(
        &mut self,
        id: ParticipantId,
        offer: &PendingOffer,
        code: ErrorCode,
        detail: &str,
    ) {
        let Some(participant) = self.participants.get(&id) else { return };
        let Some(connection) = participant.connection() else { return };
        if Some(connection) != offer.connection {
            return;
        }
        self.refuse(connection, code, detail);
        if self.awaits(id, offer.generation) {
            self.expect_no_answer(id);
        }
    }

    /// Whether the answer to this offer goes into `joined`.
    fn awaits(&self, id: ParticipantId, generation: u32) -> bool {
        match self.participants.get(&id).map(|participant| &participant.link) {
            Some(Link::Entering(entering)) => entering.offer == Some(generation),
            Some(Link::Lost | Link::Online(_)) | None => false,
        }
    }

    pub(super) fn media_died(&mut self, peer: PeerId, generation: u32) {
        if peer.call != self.id {
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
        if peer.call != self.id {
            return;
        }
        let Some(participant) = self.participants.get_mut(&peer.participant) else { return };
        let Some(media) = participant.media.as_mut().filter(|m| m.generation == generation) else {
            return;
        };
        media.slots = Some((audio.clone(), video.clone()));
        if let Some(connection) = participant.inside() {
            self.send(connection, ServerMessage::Slots { generation, audio, video });
        }
    }

    pub(super) fn demand(&mut self, peer: PeerId, generation: u32, pictures: Vec<PictureDemand>) {
        if peer.call != self.id {
            return;
        }
        let Some(participant) = self.participants.get_mut(&peer.participant) else { return };
        let Some(media) = participant.media.as_mut().filter(|m| m.generation == generation) else {
            return;
        };
        media.demand = Some(pictures.clone());
        if let Some(connection) = participant.inside() {
            self.send(connection, ServerMessage::Demand { generation, pictures });
        }
    }

    /// Takes the pending offer of this generation out; nothing if its answer is nobody's. Older
    /// ones will not be answered any more.
    fn take_offer(
        &mut self,
        peer: PeerId,
        generation: u32,
    ) -> Option<(ParticipantId, PendingOffer)> {
        if peer.call != self.id {
            return None;
        }
        let offers = &mut self.participants.get_mut(&peer.participant)?.offers;
        while offers.front().is_some_and(|offer| offer.generation < generation) {
            offers.pop_front();
        }
        if offers.front()?.generation != generation {
            return None;
        }
        let offer = offers.pop_front().filter(|offer| !offer.void)?;
        Some((peer.participant, offer))
    }
}
