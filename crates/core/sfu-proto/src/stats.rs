/// What a node has done since its birth, and what it holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NodeStats {
    /// Calls at the moment.
    pub calls: u64,
    /// Peers at the moment.
    pub peers: u64,
    /// Media sessions at the moment.
    pub sessions: u64,
    /// Publications at the moment.
    pub publications: u64,
    /// Datagrams taken in, whatever became of them.
    pub datagrams_in: u64,
    /// Bytes of these.
    pub bytes_in: u64,
    /// Datagrams given out.
    pub datagrams_out: u64,
    /// Bytes of these.
    pub bytes_out: u64,
    /// RTP packets received from publishers.
    pub packets_received: u64,
    /// RTP packets put into slots.
    pub packets_forwarded: u64,
    /// Payload bytes of these.
    pub bytes_forwarded: u64,
    /// Key frames asked of publishers.
    pub keyframe_requests: u64,
    /// Slots that changed to another layer of the same publication.
    pub layer_switches: u64,
    /// Offers that could not be used.
    pub offers_refused: u64,
    /// Sessions that failed.
    pub sessions_failed: u64,
    /// What was dropped, by reason.
    pub drops: Drops,
}

/// How many datagrams and packets were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Drops {
    /// Not STUN, DTLS, RTP or RTCP.
    pub garbage: u64,
    /// Well-formed, but from nobody known.
    pub stranger: u64,
    /// STUN with a known user name, but a wrong password.
    pub forged: u64,
    /// RTP on a media section that nothing was announced for.
    pub unpublished: u64,
    /// RTP whose descriptor cannot be read.
    pub malformed: u64,
    /// RTP in a codec that a slot's peer has not negotiated, once for each such slot.
    pub other_codec: u64,
    /// Authentic RTCP beyond what one peer may send.
    pub feedback: u64,
    /// RTP that came before, or so late that nobody can tell.
    pub replayed: u64,
    /// RTP and RTCP, where a peer's would come from, that fail authentication.
    pub unauthentic: u64,
    /// RTP with more sound than one publication may send.
    pub excess: u64,
    /// RTP that a slot could not use: late, or of another layer than the one it carries.
    pub unneeded: u64,
}
