use std::net::SocketAddr;

use conclave_model::{MeetingId, SealedBlob};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::server::RelayWay;

/// Body of `POST /api/v1/meetings`. The client makes id, secret and policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateMeeting {
    /// 128 random bits.
    pub id: MeetingId,
    /// Base64url of the SHA-256 of the token derived from the link secret.
    pub token_hash: String,
    /// The title, sealed under a key derived from the link.
    pub sealed_title: SealedBlob,
    /// The constitution: JSON text whose digest is in the link. The server keeps it as it is.
    pub policy: String,
}

/// Answer of `GET /api/v1/meetings/{id}` with the link's token as bearer token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MeetingInfo {
    /// The title, sealed under a key derived from the link.
    pub sealed_title: SealedBlob,
    /// The policy as it was created. The client compares its digest with the link's.
    pub policy: String,
    /// How many are in the call now.
    pub participants: u32,
    /// What the server's operator wants cameras to be sent in.
    pub camera_codec: CameraCodec,
}

/// The codec that cameras are sent in. A wish: a browser that cannot goes on with VP8, which all
/// have, and whoever receives takes both.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum CameraCodec {
    /// VP9 from devices that encode it well and have the processor for it, else VP8.
    #[default]
    Auto,
    /// VP8.
    Vp8,
    /// VP9 from all devices that encode it well.
    Vp9,
}

/// Answer of `GET /api/v1/server`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ServerInfo {
    /// The signalling protocol it speaks.
    pub protocol_version: u16,
    /// The build's version.
    pub version: String,
    /// The most participants of one call.
    pub max_participants: u32,
    /// The Ed25519 key, base64url of 32 bytes, that signs the statements of its media nodes: what a
    /// new meeting's constitution names.
    pub node_key: String,
    /// Where its media nodes are: the two capital letters of ISO 3166-1, or none if the operator
    /// has not said.
    pub jurisdiction: Option<String>,
    /// Where it takes media, shard by shard. Each call is on one of them.
    pub media: Vec<MediaShard>,
    /// The ways to its TURN server, which reaches all shards; none if it has no such server.
    pub relay: Vec<RelayWay>,
}

/// Where a part of a server takes the media of its calls: `ADDRESS:PORT`, best first, as clients
/// are told in answers.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MediaShard {
    /// Its UDP addresses.
    pub udp: Vec<SocketAddr>,
    /// Its TCP addresses. That of the HTTPS port is every shard's.
    pub tcp: Vec<SocketAddr>,
}
