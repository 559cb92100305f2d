//! How large a client's messages may be, and what they count for.

use std::num::NonZeroU32;

use conclave_wire::{ClientMessage, GroupRequest, LIMITS};

/// What an offer, or a large request about the group, counts for: the media node takes the one
/// apart and sets up a session; for the other, signatures are verified or megabytes sent.
const HEAVY: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// What a message counts for that only a large group needs: it waits in memory for its call.
const HUGE: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// The largest frame of a client that has not said hello.
pub(super) const FRAME_FRESH: usize = 4 * 1024;

/// The largest frame of a client that is in no call: a resume with an offer.
pub(super) const FRAME_GREETED: usize = LIMITS.sdp_bytes + 56 * 1024;

/// The largest frame of a client at the door of a small call.
const FRAME_AT_DOOR: usize = 512 * 1024;

/// Bytes of a frame at the door for each participant that a call may have: who comes in by a commit
/// of its own has something for each of them.
const FRAME_PER_PARTICIPANT: usize = 2 * 1024;

/// The largest frame of a client at the door of a call of so many.
pub(super) fn largest_at_door(max_participants: u32) -> usize {
    let most = usize::try_from(max_participants).unwrap_or(usize::MAX);
    most.saturating_mul(FRAME_PER_PARTICIPANT).clamp(FRAME_AT_DOOR, LIMITS.frame_bytes)
}

/// What a message counts for besides being one.
pub(super) fn weight(message: &ClientMessage, len: usize) -> Option<NonZeroU32> {
    if len > FRAME_GREETED {
        return Some(HUGE);
    }
    let is_heavy = match message {
        ClientMessage::Offer { .. } => true,
        ClientMessage::Group { request } => match request {
            GroupRequest::Commit { .. }
            | GroupRequest::FetchGroup
            | GroupRequest::Found { .. }
            | GroupRequest::Knock { .. }
            | GroupRequest::LogSince { .. } => true,
            GroupRequest::App { .. }
            | GroupRequest::Deny { .. }
            | GroupRequest::Nack { .. }
            | GroupRequest::Ready { .. } => false,
        },
        ClientMessage::Hello { .. }
        | ClientMessage::Join { .. }
        | ClientMessage::Leave
        | ClientMessage::Ping
        | ClientMessage::Presence { .. }
        | ClientMessage::Publish { .. }
        | ClientMessage::Resume { .. }
        | ClientMessage::View { .. } => false,
    };
    is_heavy.then_some(HEAVY)
}

/// Whether a message may be of this size: larger than those of media is only what has a part for
/// each member.
pub(super) const fn may_be_so_large(message: &ClientMessage, len: usize) -> bool {
    len <= FRAME_GREETED
        || matches!(
            message,
            ClientMessage::Group {
                request: GroupRequest::Commit { .. } | GroupRequest::Found { .. }
            }
        )
}
