//! Words everyone shares: ids, tracks, units, redaction. No behaviour.

mod blob;
mod id;
mod quality;
mod token;
mod track;
mod unit;

pub use blob::{BlobError, SealedBlob};
pub use id::{CallId, MeetingId, MeetingIdError, ParticipantId, PublicationId};
pub use quality::ConnectionQuality;
pub use token::TokenHash;
pub use track::{MediaKind, Mid, MidError, TrackSource};
pub use unit::Bitrate;
