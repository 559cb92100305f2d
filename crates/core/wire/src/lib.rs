//! What client and server say to each other; source of the generated TypeScript.
//!
//! Signalling runs over one WebSocket, as JSON text frames: [`ClientMessage`] one way,
//! [`ServerMessage`] the other. The first frame is [`ClientMessage::Hello`]. Everything that a
//! person would read (names, titles) is a [`SealedBlob`](conclave_model::SealedBlob).

mod client;
mod http;
mod server;
mod version;

pub use client::{
    ClientMessage, DecodeError, Offer, Presence, PublishedTrack, TilePriority, Want,
    decode_client_message,
};
pub use http::{CreateMeeting, MeetingInfo, ServerInfo};
pub use server::{
    Answer, AudioSlot, ErrorCode, Joined, LeaveReason, ParticipantInfo, ParticipantQuality,
    PublicationInfo, ServerMessage, VideoSlot,
};
pub use version::{LIMITS, Limits, PROTOCOL_VERSION};
