//! What client and server say to each other; source of the generated TypeScript.
//!
//! Signalling runs over one WebSocket, as JSON text frames: [`ClientMessage`] one way,
//! [`ServerMessage`] the other. The first frame is [`ClientMessage::Hello`]. Everything that a
//! person would read (names, titles) is a [`SealedBlob`](conclave_model::SealedBlob).

mod client;
mod group;
mod http;
mod server;
mod version;
mod worker;

pub use client::{
    ClientMessage, DecodeError, Offer, Presence, PublishedTrack, TilePriority, Want,
    decode_client_message,
};
pub use group::{GroupNews, GroupRequest, MlsBytes, NotBase64};
pub use http::{CameraCodec, CreateMeeting, MediaShard, MeetingInfo, ServerInfo};
pub use server::{
    Admitted, Answer, AudioSlot, ErrorCode, Joined, LeaveReason, NodeStatement, ParticipantInfo,
    ParticipantQuality, PictureDemand, PublicationInfo, Relay, RelayProtocol, RelayWay,
    ServerMessage, VideoSlot,
};
pub use version::{LIMITS, Limits, PROTOCOL_VERSION};
pub use worker::{
    GroupCommand, GroupEvent, GroupOrder, GroupView, KnockView, MemberRole, MemberState, MuteWhat,
    MutedMember, NodeFault, NotDoneReason, Person, PersonProof, Reaction, Said, SayWhat,
    ShieldBasis, ShieldGap, ShieldLevel, ShieldView, WarningKind,
};
