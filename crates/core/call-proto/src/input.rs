use conclave_model::{ParticipantId, TokenHash};
use conclave_wire::{GroupRequest, Offer, Presence, PublishedTrack, Want};

use crate::media::MediaEvent;
use crate::session::{ConnectionId, ResumeProof, ResumeToken};

/// What the shell tells a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// A connection is gone, whatever the cause.
    ConnectionLost {
        /// Which.
        connection: ConnectionId,
    },
    /// A client says something of the meeting's group.
    Group {
        /// The client's connection.
        connection: ConnectionId,
        /// What.
        request: GroupRequest,
    },
    /// A client comes to the door. The shell has checked the link's token.
    Join {
        /// The client's connection, bound to no call before.
        connection: ConnectionId,
        /// The resume token to hand out.
        token: ResumeToken,
        /// The state others will see.
        presence: Presence,
    },
    /// A client leaves for good.
    Leave {
        /// The client's connection.
        connection: ConnectionId,
    },
    /// The media shard reports something.
    Media(MediaEvent),
    /// A client begins a media session, or renegotiates.
    Offer {
        /// The client's connection.
        connection: ConnectionId,
        /// The session.
        offer: Offer,
    },
    /// The store is done with [`Output::Persist`](crate::Output::Persist), whether or not it
    /// could: a call goes on without a store.
    Persisted {
        /// Whose record.
        participant: ParticipantId,
        /// The record's token.
        token: TokenHash,
    },
    /// A client changes the state others see.
    Presence {
        /// The client's connection.
        connection: ConnectionId,
        /// The whole new state.
        presence: Presence,
    },
    /// A client states all that it publishes.
    Publish {
        /// The client's connection.
        connection: ConnectionId,
        /// The complete list, at most one per source.
        tracks: Vec<PublishedTrack>,
    },
    /// A member takes a lost session up again.
    Resume {
        /// The client's new connection, bound to no call before.
        connection: ConnectionId,
        /// What proves that it is the member.
        proof: ResumeProof,
        /// The resume token to hand out.
        token: ResumeToken,
        /// The state others see.
        presence: Presence,
        /// A new media session, or none to keep the one that runs.
        offer: Option<Offer>,
    },
    /// The instant of the last [`Output::Timeout`](crate::Output::Timeout) has come.
    Timeout,
    /// A client states all the video that it shows.
    View {
        /// The client's connection.
        connection: ConnectionId,
        /// The complete list.
        wants: Vec<Want>,
    },
}
