//! What the control plane asks of a media shard, and what the shard reports.

use conclave_model::{CallId, ConnectionQuality, Mid, ParticipantId, PublicationId, TrackSource};
pub use conclave_wire::{AudioSlot, PictureDemand, TilePriority, VideoSlot, Want};

/// One participant's media session in one call.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId {
    /// The call.
    pub call: CallId,
    /// The participant.
    pub participant: ParticipantId,
}

/// What the control plane asks of a media shard.
///
/// Requests about a peer that the shard does not have are dropped: the peer may have gone a
/// moment ago.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MediaRequest {
    /// Negotiate. A generation above the peer's present one replaces its session, the same one
    /// renegotiates it, a lower one is late and dropped. Answered by [`MediaEvent::Answer`] or
    /// [`MediaEvent::OfferRefused`]. Creates call and peer where needed.
    Offer {
        /// Whose.
        peer: PeerId,
        /// Which media session.
        generation: u32,
        /// The offer (RFC 3264), not yet checked.
        sdp: String,
    },
    /// The peer publishes exactly these tracks from now on.
    Publish {
        /// Whose.
        peer: PeerId,
        /// The complete list.
        tracks: Vec<PublicationTrack>,
    },
    /// The peer shows exactly these video publications from now on.
    View {
        /// Whose.
        peer: PeerId,
        /// The complete list; unknown publications are dropped.
        wants: Vec<Want>,
    },
    /// The call is gone, with all its peers.
    End {
        /// Which.
        call: CallId,
    },
    /// The peer is gone.
    Leave {
        /// Whose.
        peer: PeerId,
    },
}

/// A published track and the media section that carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicationTrack {
    /// Which publication.
    pub publication: PublicationId,
    /// What it shows or sounds.
    pub source: TrackSource,
    /// The publisher's media section.
    pub mid: Mid,
}

/// What a media shard reports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MediaEvent {
    /// Answers [`MediaRequest::Offer`].
    Answer {
        /// Whose.
        peer: PeerId,
        /// The offer's generation.
        generation: u32,
        /// The answer.
        sdp: String,
    },
    /// The offer cannot be used; what ran before still runs.
    OfferRefused {
        /// Whose.
        peer: PeerId,
        /// The offer's generation.
        generation: u32,
        /// The cause, in English.
        detail: String,
    },
    /// Media flows between the peer and the shard.
    Connected {
        /// Whose.
        peer: PeerId,
        /// Which media session.
        generation: u32,
    },
    /// The media session died: ICE or DTLS failed. The peer must offer a new generation.
    Disconnected {
        /// Whose.
        peer: PeerId,
        /// Which media session.
        generation: u32,
    },
    /// Which of the peer's own pictures are shown to nobody, or small to all; sent on change. What
    /// is not listed is to be encoded in full.
    Demand {
        /// Whose.
        peer: PeerId,
        /// Which media session.
        generation: u32,
        /// The complete list.
        pictures: Vec<PictureDemand>,
    },
    /// What each slot of the peer carries from here on.
    Slots {
        /// Whose.
        peer: PeerId,
        /// Which media session.
        generation: u32,
        /// Slots with sound.
        audio: Vec<AudioSlot>,
        /// Slots with a picture.
        video: Vec<VideoSlot>,
    },
    /// Who speaks in a call.
    Speakers {
        /// Which call.
        call: CallId,
        /// The one to feature.
        active: Option<ParticipantId>,
        /// All who are heard, loudest first.
        speaking: Vec<ParticipantId>,
    },
    /// How well a peer's media gets through; sent on change.
    Quality {
        /// Whose.
        peer: PeerId,
        /// How well.
        quality: ConnectionQuality,
    },
}
