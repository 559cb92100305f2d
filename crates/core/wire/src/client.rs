use conclave_model::{MeetingId, Mid, PublicationId, TrackSource};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::LIMITS;
use crate::group::{GroupRequest, MlsBytes};

/// What a client says.
///
/// Order: `hello` first; then `join` or `resume`; then `group`, `presence`, `ping` and `leave`; and
/// from `admitted` on, anything but the first three.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum ClientMessage {
    /// Opens the conversation.
    Hello {
        /// The sender's [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION).
        version: u16,
    },
    /// Comes to a meeting's door. Answered by `joined`, or by `error`. What follows is between this
    /// device and the group's members; once they have it in the group, `admitted` says so.
    Join {
        /// Which meeting.
        meeting: MeetingId,
        /// Proof of holding the link: base64url of the 32 bytes derived from its secret.
        token: String,
        /// The state others will see.
        presence: Presence,
    },
    /// Takes a member's lost session up again. Answered by `joined`, or by `error` with
    /// `resumeRefused`, upon which the client joins anew on the same socket.
    Resume {
        /// Which meeting.
        meeting: MeetingId,
        /// The token of the last `joined`.
        resume_token: String,
        /// The signature of this device's leaf over the `challenge` of this socket's `welcome`.
        signature: MlsBytes,
        /// The state others see.
        presence: Presence,
        /// A new media session, or none to keep the one that runs. The server answers
        /// `joined` with `mediaAlive: false` if there is none to keep.
        offer: Option<Offer>,
    },
    /// Says something of the meeting's group.
    Group {
        /// What.
        request: GroupRequest,
    },
    /// The first media session after `admitted`, or renegotiates: more receiving slots or restarted ICE on the same `generation`, or a new
    /// media session on a higher one. Answered by `answer`, or by `error` with `badOffer`.
    Offer {
        /// The session.
        offer: Offer,
    },
    /// States the complete list of tracks that this client publishes. What is absent is
    /// withdrawn; what is repeated is unchanged.
    Publish {
        /// At most one per source.
        tracks: Vec<PublishedTrack>,
    },
    /// States the complete list of video publications on display. What is absent is not sent.
    View {
        /// Most important first among equal priorities.
        wants: Vec<Want>,
    },
    /// Changes the state others see.
    Presence {
        /// The whole new state.
        presence: Presence,
    },
    /// Asks for `pong`: tells a living socket from a dead one.
    Ping,
    /// Leaves for good: the session cannot be resumed.
    Leave,
}

/// One media session of one client, as an offer (RFC 3264). The client always offers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Offer {
    /// Which `RTCPeerConnection` this is: 1 for the first, one more for each replacement.
    pub generation: u32,
    /// The session description.
    pub sdp: String,
    /// What the client publishes on it from the start: the same as `publish`.
    pub tracks: Vec<PublishedTrack>,
}

/// A track that the client publishes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublishedTrack {
    /// The media section that carries it.
    pub mid: Mid,
    /// What it shows or sounds.
    pub source: TrackSource,
}

/// A video publication on display.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Want {
    /// Which.
    pub publication: PublicationId,
    /// Width of its tile in device pixels.
    pub width: u16,
    /// Height of its tile in device pixels.
    pub height: u16,
    /// How much it matters.
    pub priority: TilePriority,
}

/// How much a tile matters when not everything fits, least first. Screens come before cameras of
/// the same priority.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum TilePriority {
    /// A small picture at the edge.
    Thumbnail,
    /// One of a grid.
    Tile,
    /// The one that the layout is built around.
    Featured,
}

/// What a participant lets others see of its state.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Presence {
    /// The microphone is off.
    pub muted: bool,
}

/// Parses one signalling frame from a client.
///
/// # Errors
///
/// [`DecodeError`] names the limit or the part that is wrong. Nothing else happens.
pub fn decode_client_message(text: &str) -> Result<ClientMessage, DecodeError> {
    if text.len() > LIMITS.frame_bytes {
        return Err(DecodeError::FrameTooLarge { bytes: text.len() });
    }
    let message: ClientMessage =
        serde_json::from_str(text).map_err(|error| DecodeError::Malformed(error.to_string()))?;
    check_limits(&message)?;
    Ok(message)
}

fn check_limits(message: &ClientMessage) -> Result<(), DecodeError> {
    match message {
        ClientMessage::Join { token, .. } => check_token(token),
        ClientMessage::Resume { resume_token, signature, offer, .. } => {
            check_token(resume_token)?;
            if signature.as_bytes().len() > LIMITS.signature_bytes {
                return Err(DecodeError::Signature);
            }
            offer.as_ref().map_or(Ok(()), check_offer)
        }
        ClientMessage::Offer { offer } => check_offer(offer),
        ClientMessage::Publish { tracks } => check_tracks(tracks),
        ClientMessage::View { wants } if wants.len() > LIMITS.wants => {
            Err(DecodeError::TooManyWants { wants: wants.len() })
        }
        // The delivery service has a limit for each of a group's messages.
        ClientMessage::Group { .. }
        | ClientMessage::Hello { .. }
        | ClientMessage::Leave
        | ClientMessage::Ping
        | ClientMessage::Presence { .. }
        | ClientMessage::View { .. } => Ok(()),
    }
}

fn check_token(token: &str) -> Result<(), DecodeError> {
    if token.len() != LIMITS.token_chars {
        return Err(DecodeError::Token);
    }
    Ok(())
}

fn check_offer(offer: &Offer) -> Result<(), DecodeError> {
    if offer.sdp.len() > LIMITS.sdp_bytes {
        return Err(DecodeError::SdpTooLarge { bytes: offer.sdp.len() });
    }
    check_tracks(&offer.tracks)
}

fn check_tracks(tracks: &[PublishedTrack]) -> Result<(), DecodeError> {
    let repeated = |i: usize, track: &PublishedTrack| {
        tracks.iter().take(i).any(|t| t.source == track.source || t.mid == track.mid)
    };
    if tracks.iter().enumerate().any(|(i, track)| repeated(i, track)) {
        return Err(DecodeError::RepeatedTrack);
    }
    Ok(())
}

/// Why a frame is not a message. The sender is at fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The frame is larger than [`LIMITS`] allows.
    #[error("the frame has {bytes} bytes, at most {} are allowed", LIMITS.frame_bytes)]
    FrameTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It is not JSON, or not of the protocol's form.
    #[error("not a message of this protocol: {0}")]
    Malformed(String),
    /// Two tracks have the same source or the same mid.
    #[error("two tracks have the same source or the same mid")]
    RepeatedTrack,
    /// The session description is larger than [`LIMITS`] allows.
    #[error("the session description has {bytes} bytes, at most {} are allowed", LIMITS.sdp_bytes)]
    SdpTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// A signature is longer than [`LIMITS`] allows.
    #[error("a signature has at most {} bytes", LIMITS.signature_bytes)]
    Signature,
    /// A token is not 43 characters long.
    #[error("a token has {} characters", LIMITS.token_chars)]
    Token,
    /// The view lists more publications than [`LIMITS`] allows.
    #[error("the view lists {wants} publications, at most {} are allowed", LIMITS.wants)]
    TooManyWants {
        /// How many it lists.
        wants: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_as_long_as_one_needs_and_no_longer() {
        let resume = |bytes| {
            let message = ClientMessage::Resume {
                meeting: MeetingId::from_bytes([1; 16]),
                resume_token: "x".repeat(LIMITS.token_chars),
                signature: MlsBytes::new(vec![1; bytes]),
                presence: Presence::default(),
                offer: None,
            };
            decode_client_message(&serde_json::to_string(&message).unwrap())
        };

        assert!(resume(LIMITS.signature_bytes).is_ok());
        assert_eq!(resume(LIMITS.signature_bytes + 1), Err(DecodeError::Signature));
    }
}
