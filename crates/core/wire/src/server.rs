use std::fmt;

use conclave_model::{ConnectionQuality, Mid, ParticipantId, PublicationId, TrackSource};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::client::Presence;
use crate::group::{GroupNews, MlsBytes};

/// What the server says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ServerMessage {
    /// Answers `hello`.
    Welcome {
        /// The server's [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION).
        version: u16,
        /// Fresh random bytes, base64url of 32: what a leaf signs that takes its session up again.
        challenge: String,
    },
    /// Answers `join` and `resume`.
    Joined {
        /// Where the client stands.
        joined: Joined,
    },
    /// This device's leaf is in the group's tree: it may send and receive media, on a new media
    /// session. Said again, with another leaf, if it came in anew.
    Admitted {
        /// What it finds.
        admitted: Admitted,
    },
    /// Something of the meeting's group.
    Group {
        /// What.
        news: GroupNews,
    },
    /// Answers `offer`.
    Answer {
        /// The session.
        answer: Answer,
    },
    /// What changed among the others since the last `joined` or `roster`.
    Roster {
        /// New, or changed: the whole new state of each.
        present: Vec<ParticipantInfo>,
        /// Gone, each with the reason.
        left: Vec<(ParticipantId, LeaveReason)>,
    },
    /// What each receiving slot carries from here on: the complete list. A slot that is not
    /// listed is idle.
    Slots {
        /// The media session this is about.
        generation: u32,
        /// Slots with sound.
        audio: Vec<AudioSlot>,
        /// Slots with a picture.
        video: Vec<VideoSlot>,
    },
    /// Which of the client's own pictures are shown to nobody, or small to all: the complete list.
    /// What is not listed is to be encoded in full, as is everything before the first such list.
    Demand {
        /// The media session this is about.
        generation: u32,
        /// One entry a section.
        pictures: Vec<PictureDemand>,
    },
    /// Who speaks.
    Speakers {
        /// The one to feature. Stays while nobody else speaks.
        active: Option<ParticipantId>,
        /// All who are heard at the moment, loudest first.
        speaking: Vec<ParticipantId>,
    },
    /// How well media gets through, for those whose quality changed.
    Quality {
        /// One entry a participant; the receiver itself may be among them.
        participants: Vec<ParticipantQuality>,
    },
    /// Answers `ping`.
    Pong,
    /// Something went wrong.
    Error {
        /// What.
        code: ErrorCode,
        /// The cause, in English, for a log: the interface words it from `code`.
        detail: String,
        /// The server closes the socket after this.
        fatal: bool,
    },
}

/// Where a client stands after `join` or `resume`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// Who the client is in this call.
    pub participant: ParticipantId,
    /// What takes this session up again after a lost socket or a restarted server. It replaces
    /// the one before.
    pub resume_token: String,
    /// What the client finds inside: only after `resume`. Who joins is at the door.
    pub admitted: Option<Admitted>,
    /// Answers the offer, if there was one.
    pub answer: Option<Answer>,
    /// The media session runs, or is being set up by `answer`. If not, the client must offer.
    pub media_alive: bool,
}

/// What a client finds inside.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Admitted {
    /// The client's own leaf, as the server has it.
    pub leaf: u32,
    /// All others in the call.
    pub others: Vec<ParticipantInfo>,
    /// What the client itself publishes, with the ids the server gave.
    pub publications: Vec<PublicationInfo>,
    /// How the server relays media for networks that let none out, if it does.
    pub relay: Option<Relay>,
}

/// A TURN server (RFC 8656) at the very host that the client has its pages and its signalling from:
/// no other is ever named. It relays to the media node alone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Relay {
    /// The ways to it.
    pub ways: Vec<RelayWay>,
    /// Who asks. It is good for some hours and names nobody.
    pub username: String,
    /// What goes with it.
    pub password: String,
}

/// A way to the TURN server. The media node's statement has it as `relay udp 3478`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RelayWay {
    /// What carries TURN.
    pub protocol: RelayProtocol,
    /// The port.
    pub port: u16,
}

/// What carries TURN.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum RelayProtocol {
    /// A TCP connection.
    Tcp,
    /// TLS over a TCP connection.
    Tls,
    /// Datagrams.
    Udp,
}

impl fmt::Display for RelayWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            RelayProtocol::Tcp => "tcp",
            RelayProtocol::Tls => "tls",
            RelayProtocol::Udp => "udp",
        };
        write!(f, "{protocol} {}", self.port)
    }
}

/// Answers an offer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The offer's generation.
    pub generation: u32,
    /// The session description.
    pub sdp: String,
    /// What the node says of itself. The client compares it with `sdp` and with the meeting's
    /// constitution before it sends media.
    pub statement: NodeStatement,
}

/// A media node's signed word on where media goes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeStatement {
    /// JSON text in its one form, signed as it is.
    pub text: String,
    /// Ed25519, by the node key that the constitution names.
    pub signature: MlsBytes,
}

/// A participant as others see it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantInfo {
    /// Which.
    pub id: ParticipantId,
    /// Its leaf, as the server has it: who that is, the group's tree says.
    pub leaf: u32,
    /// The state it shows.
    pub presence: Presence,
    /// Its device is connected. If not, it has some seconds to come back.
    pub connected: bool,
    /// What it publishes.
    pub publications: Vec<PublicationInfo>,
}

/// A track offered to the call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PublicationInfo {
    /// Which.
    pub id: PublicationId,
    /// What it shows or sounds.
    pub source: TrackSource,
}

/// A receiving slot that carries sound.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AudioSlot {
    /// The receiver's media section.
    pub mid: Mid,
    /// What it carries.
    pub publication: PublicationId,
}

/// A receiving slot that carries a picture.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct VideoSlot {
    /// The receiver's media section.
    pub mid: Mid,
    /// What it carries.
    pub publication: PublicationId,
    /// No picture is sent for now: the estimated bandwidth does not carry it.
    pub paused: bool,
}

/// How much of a picture that the client publishes anybody is shown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PictureDemand {
    /// The client's media section.
    pub mid: Mid,
    /// How many simulcast layers, lowest first, are to be encoded; with 0 nobody looks, and
    /// nothing is.
    pub layers: u8,
}

/// How well one participant's media gets through.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantQuality {
    /// Whose.
    pub id: ParticipantId,
    /// How well.
    pub quality: ConnectionQuality,
}

/// Why a participant is gone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum LeaveReason {
    /// It left.
    Left,
    /// Its device vanished and did not come back.
    Lost,
    /// It is not in the group's tree any more, but at the door.
    Removed,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    /// The frame is malformed, too large, or not allowed now. The session goes on, but for a
    /// client that sends many.
    BadMessage,
    /// The session description cannot be used. What ran before still runs.
    BadOffer,
    /// The server shuts down; come back in a moment.
    Draining,
    /// The server failed. It is not the client's fault.
    Internal,
    /// As many are in the call as the server allows.
    MeetingFull,
    /// The client sends more than it may; slow down.
    RateLimited,
    /// This session was taken up elsewhere (a reload, another socket).
    Replaced,
    /// The resume token is not, or no longer, valid: join anew.
    ResumeRefused,
    /// There is no such meeting, or the token is not of its link. (One answer for both, so that
    /// ids cannot be scanned.)
    UnknownMeeting,
    /// The server speaks another version.
    UnsupportedVersion,
}
