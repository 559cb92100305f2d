/// The version of the signalling protocol that this build speaks.
pub const PROTOCOL_VERSION: u16 = 1;

/// What a frame may hold. The same limits on both ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one signalling frame.
    pub frame_bytes: usize,
    /// Bytes of a session description.
    pub sdp_bytes: usize,
    /// Bytes of a participant's sealed profile.
    pub profile_bytes: usize,
    /// Entries of [`ClientMessage::View`](crate::ClientMessage::View).
    pub wants: usize,
    /// Bytes of a meeting's policy.
    pub policy_bytes: usize,
    /// Characters of a resume or link token (base64url of 32 bytes).
    pub token_chars: usize,
}

/// The limits in force.
pub const LIMITS: Limits = Limits {
    frame_bytes: 256 * 1024,
    sdp_bytes: 200 * 1024,
    // Twice what a name of 64 characters takes, however it is written: every change of a
    // participant carries it to all others.
    profile_bytes: 1024,
    wants: 64,
    policy_bytes: 8 * 1024,
    token_chars: 43,
};
