use std::collections::VecDeque;
use std::time::Instant;

use conclave_model::{ConnectionQuality, ParticipantId, PublicationId, TrackSource};
use conclave_wire::{
    Answer, AudioSlot, ParticipantInfo, PictureDemand, Presence, PublicationInfo, PublishedTrack,
    ServerMessage, VideoSlot, Want,
};

use crate::media::PublicationTrack;
use crate::session::{ConnectionId, ResumeToken, SessionRecord};

/// One device at the door or inside.
#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) session: SessionRecord,
    pub(crate) presence: Presence,
    pub(crate) link: Link,
    /// Its leaf, from when it was told that it is inside; so the others know of it. Without one
    /// it is at the door: it is told nothing of others, and nothing is passed on for it.
    pub(crate) leaf: Option<u32>,
    /// What it says it publishes.
    pub(crate) stated: Vec<PublicationTrack>,
    /// What it publishes: what it states and the group's order allows.
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
    /// It has asked to come to the door, or back in, and waits for `joined`.
    Entering(Entering),
    /// A member that is not connected. The delivery service says when it is gone.
    Lost,
    /// It is connected.
    Online(ConnectionId),
}

/// What `joined` waits for.
#[derive(Debug)]
pub(crate) struct Entering {
    pub(crate) connection: ConnectionId,
    pub(crate) token: ResumeToken,
    /// It was a member before, and has proved to be it.
    pub(crate) resumes: bool,
    /// The generation of the offer whose answer goes into `joined`.
    pub(crate) offer: Option<u32>,
    pub(crate) answer: Option<Answer>,
    pub(crate) stored: bool,
    /// News of the group that came meanwhile.
    pub(crate) held: Vec<ServerMessage>,
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
    /// Its participant has been shut out since: the answer is nobody's.
    pub(crate) void: bool,
}

/// A media session that the shard has answered.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) generation: u32,
    /// It has not failed.
    pub(crate) alive: bool,
    /// What its slots carry, for a device that comes back to it.
    pub(crate) slots: Option<(Vec<AudioSlot>, Vec<VideoSlot>)>,
    /// Which of its own pictures need not be encoded in full, for the same.
    pub(crate) demand: Option<Vec<PictureDemand>>,
}

impl Participant {
    pub(crate) fn new(session: SessionRecord, presence: Presence, link: Link) -> Self {
        Self {
            session,
            presence,
            link,
            leaf: None,
            stated: Vec::new(),
            tracks: Vec::new(),
            wants: Vec::new(),
            offers: VecDeque::new(),
            media: None,
            quality: None,
            knows: 0,
        }
    }

    /// The connection that takes news: none while `joined` is not sent.
    pub(crate) const fn online(&self) -> Option<ConnectionId> {
        match self.link {
            Link::Entering(_) | Link::Lost => None,
            Link::Online(connection) => Some(connection),
        }
    }

    /// The connection that takes news of others and of media: none at the door.
    pub(crate) const fn inside(&self) -> Option<ConnectionId> {
        match self.leaf {
            None => None,
            Some(_) => self.online(),
        }
    }

    /// The connection, entered or entering.
    pub(crate) const fn connection(&self) -> Option<ConnectionId> {
        match &self.link {
            Link::Entering(entering) => Some(entering.connection),
            Link::Lost => None,
            Link::Online(connection) => Some(*connection),
        }
    }

    /// Whether it has a media session, or is about to.
    pub(crate) fn uses_media(&self) -> bool {
        self.media.is_some() || self.offers.iter().any(|offer| !offer.void)
    }

    /// The lowest generation that a new offer may have.
    pub(crate) fn generation(&self) -> u32 {
        let pending = self.offers.back().filter(|offer| !offer.void);
        let running = self.media.as_ref().map(|media| media.generation);
        pending.map(|offer| offer.generation).max(running).unwrap_or(0)
    }

    /// How the others see it; they do not at the door.
    pub(crate) fn info(&self) -> Option<ParticipantInfo> {
        Some(ParticipantInfo {
            id: self.session.participant,
            leaf: self.leaf?,
            presence: self.presence,
            connected: self.connection().is_some(),
            publications: self.publications(),
        })
    }

    pub(crate) fn publications(&self) -> Vec<PublicationInfo> {
        self.tracks
            .iter()
            .map(|track| PublicationInfo { id: track.publication, source: track.source })
            .collect()
    }

    /// Forgets all that it had of media: what the shard still answers is nobody's.
    pub(crate) fn forget_media(&mut self) {
        self.stated.clear();
        self.tracks.clear();
        self.wants.clear();
        self.media = None;
        self.quality = None;
        for offer in &mut self.offers {
            offer.void = true;
        }
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
