use std::collections::BTreeMap;

use conclave_model::{ParticipantId, PublicationId, TrackSource};
use serde::{Deserialize, Serialize};

/// What a participant went through, for tests and load figures.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who it is in the call, once it has joined.
    pub participant: Option<ParticipantId>,
    /// From the start to the first `joined`.
    pub joined_ms: Option<u64>,
    /// From the start to the server's word that this device is in the group.
    pub admitted_ms: Option<u64>,
    /// From the start to the first connected media session.
    pub media_connected_ms: Option<u64>,
    /// From the start to the first frame of sound.
    pub first_audio_frame_ms: Option<u64>,
    /// From the start to the first picture.
    pub first_video_frame_ms: Option<u64>,
    /// How many others are in the call now.
    pub others: usize,
    /// How often the signalling socket was lost.
    pub sockets_lost: u32,
    /// How often the session was taken up again.
    pub resumed: u32,
    /// How often the session could not be taken up and was joined anew.
    pub rejoined: u32,
    /// How many media sessions it has offered.
    pub generations: u32,
    /// For each media session that replaced a dead one: from the last frame before to the first
    /// one after.
    pub outages_ms: Vec<u64>,
    /// Where it is in the meeting's group.
    pub group: GroupReport,
    /// What it sent.
    pub published: PublishedReport,
    /// What it received, by publication.
    pub received: Vec<ReceivedReport>,
    /// Frames that were opened.
    pub opened_frames: u64,
    /// Frames that came in and were not opened, by the reason.
    pub dropped_frames: BTreeMap<String, u64>,
}

/// Where a participant is in the meeting's group.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupReport {
    /// The session's state, such as `knocking` or `inGroup`.
    pub state: String,
    /// The group's epoch.
    pub epoch: Option<u64>,
    /// This device's leaf.
    pub leaf: Option<u32>,
    /// The names of all members, by leaf.
    pub roster: Vec<String>,
    /// What people would read to each other.
    pub safety_code: Option<String>,
    /// How often others wrote something to all.
    pub chat_messages: u64,
}

/// What a participant sent.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedReport {
    /// Frames of sound, sealed.
    pub audio_frames: u64,
    /// Pictures, sealed, all simulcast layers counted.
    pub video_frames: u64,
    /// Requests for a key frame.
    pub keyframe_requests: u64,
    /// Frames that were not sent because they could not be sealed, by the reason.
    pub unsealed_frames: BTreeMap<String, u64>,
}

/// What a participant received of one publication.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedReport {
    /// Which.
    pub publication: PublicationId,
    /// Whose, if the roster has told.
    pub participant: Option<ParticipantId>,
    /// What it shows or sounds, if the roster has told.
    pub source: Option<TrackSource>,
    /// Whole frames.
    pub frames: u64,
    /// Bytes of these frames.
    pub bytes: u64,
    /// Key frames among them.
    pub keyframes: u64,
    /// Frames that a decoder could not have used: after a gap, before the next key frame.
    pub undecodable_frames: u64,
    /// Packets that never came, or that belong to a frame that never became whole.
    pub lost_packets: u64,
    /// How often the size of the picture changed while it was in a slot.
    pub layer_switches: u64,
    /// Width of the picture now.
    pub width: u16,
    /// Height of the picture now.
    pub height: u16,
    /// The longest time between two frames while it was in a slot and not paused.
    pub longest_gap_ms: u64,
    /// How often it was put into a slot.
    pub assignments: u64,
}
