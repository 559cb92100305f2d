use std::collections::VecDeque;
use std::time::Instant;

use conclave_model::{ConnectionQuality, ParticipantId, PublicationId, SealedBlob, TrackSource};
use conclave_wire::{
    Answer, AudioSlot, ParticipantInfo, Presence, PublicationInfo, PublishedTrack, VideoSlot, Want,
};

use crate::media::PublicationTrack;
use crate::session::{ConnectionId, ResumeToken, SessionRecord};

/// One device in the call.
#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) session: SessionRecord,
    pub(crate) profile: SealedBlob,
    pub(crate) presence: Presence,
    pub(crate) link: Link,
    /// It has entered once, so the others know of it.
    pub(crate) shown: bool,
    pub(crate) tracks: Vec<PublicationTrack>,
    pub(crate) wants: Vec<Want>,
    /// Offers that the media shard has not answered, oldest first.
    pub(crate) offers: VecDeque<PendingOffer>,
    pub(crate) media: Option<Media>,
    pub(crate) quality: Option<ConnectionQuality>,
    /// The roster's change up to which its device knows the others.
    pub(crate) knows: u64,
}

/// How a participant's device is connected.
#[derive(Debug)]
pub(crate) enum Link {
    /// It has asked to come in, or back in, and waits for `joined`.
    Entering(Entering),
    /// It is not connected since `since`.
    Lost { since: Instant },
    /// It is connected.
    Online(ConnectionId),
}

/// What `joined` waits for.
#[derive(Debug)]
pub(crate) struct Entering {
    pub(crate) connection: ConnectionId,
    pub(crate) token: ResumeToken,
    /// The generation of the offer whose answer goes into `joined`.
    pub(crate) offer: Option<u32>,
    pub(crate) answer: Option<Answer>,
    pub(crate) stored: bool,
    /// When to give up.
    pub(crate) deadline: Instant,
}

/// An offer on its way through the media shard.
#[derive(Debug)]
pub(crate) struct PendingOffer {
    pub(crate) generation: u32,
    /// The connection that it came on, which alone can use the answer.
    pub(crate) connection: Option<ConnectionId>,
    /// What to publish once it is answered.
    pub(crate) tracks: Vec<PublicationTrack>,
}

/// A media session that the shard has answered.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) generation: u32,
    /// It has not failed.
    pub(crate) alive: bool,
    /// What its slots carry, for a device that comes back to it.
    pub(crate) slots: Option<(Vec<AudioSlot>, Vec<VideoSlot>)>,
}

impl Participant {
    pub(crate) fn new(session: SessionRecord, profile: SealedBlob, link: Link) -> Self {
        Self {
            session,
            profile,
            presence: Presence::default(),
            link,
            shown: false,
            tracks: Vec::new(),
            wants: Vec::new(),
            offers: VecDeque::new(),
            media: None,
            quality: None,
            knows: 0,
        }
    }

    /// The connection that takes roster and other news: none while `joined` is not sent.
    pub(crate) const fn online(&self) -> Option<ConnectionId> {
        match self.link {
            Link::Entering(_) | Link::Lost { .. } => None,
            Link::Online(connection) => Some(connection),
        }
    }

    /// The connection, entered or entering.
    pub(crate) const fn connection(&self) -> Option<ConnectionId> {
        match &self.link {
            Link::Entering(entering) => Some(entering.connection),
            Link::Lost { .. } => None,
            Link::Online(connection) => Some(*connection),
        }
    }

    /// The lowest generation that a new offer may have.
    pub(crate) fn generation(&self) -> u32 {
        let pending = self.offers.back().map(|offer| offer.generation);
        let running = self.media.as_ref().map(|media| media.generation);
        pending.max(running).unwrap_or(0)
    }

    pub(crate) fn info(&self) -> ParticipantInfo {
        ParticipantInfo {
            id: self.session.participant,
            profile: self.profile.clone(),
            presence: self.presence,
            connected: self.connection().is_some(),
            publications: self.publications(),
        }
    }

    pub(crate) fn publications(&self) -> Vec<PublicationInfo> {
        self.tracks
            .iter()
            .map(|track| PublicationInfo { id: track.publication, source: track.source })
            .collect()
    }
}

/// Gives a participant's tracks their publication ids.
pub(crate) fn publication_tracks(
    participant: ParticipantId,
    tracks: &[PublishedTrack],
) -> Vec<PublicationTrack> {
    tracks
        .iter()
        .map(|track| PublicationTrack {
            publication: publication_id(participant, track.source),
            source: track.source,
            mid: track.mid,
        })
        .collect()
}

/// A function of participant and source alone, so that an id outlives reconnections and a
/// restarted server.
const fn publication_id(participant: ParticipantId, source: TrackSource) -> PublicationId {
    let place = match source {
        TrackSource::Camera => 0,
        TrackSource::Microphone => 1,
        TrackSource::Screen => 2,
        TrackSource::ScreenAudio => 3,
    };
    PublicationId(participant.0.wrapping_mul(4) | place)
}
