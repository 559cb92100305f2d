/// The version of the signalling protocol that this build speaks.
pub const PROTOCOL_VERSION: u16 = 2;

/// What a frame may hold. The same limits on both ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one signalling frame. The largest is a commit with its Welcome and description.
    pub frame_bytes: usize,
    /// Bytes of a session description.
    pub sdp_bytes: usize,
    /// Bytes of a leaf's signature.
    pub signature_bytes: usize,
    /// Entries of [`ClientMessage::View`](crate::ClientMessage::View).
    pub wants: usize,
    /// Bytes of a meeting's policy.
    pub policy_bytes: usize,
    /// Characters of a resume or link token (base64url of 32 bytes).
    pub token_chars: usize,
}

/// The limits in force.
pub const LIMITS: Limits = Limits {
    // Base64 of 2 MiB of commit, 2 MiB of Welcome and 1 MiB of description.
    frame_bytes: 7 * 1024 * 1024,
    sdp_bytes: 200 * 1024,
    signature_bytes: 128,
    wants: 64,
    policy_bytes: 8 * 1024,
    token_chars: 43,
};
