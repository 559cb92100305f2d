/// What a server has done since its birth, and what it holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Allocations at the moment.
    pub allocations: u64,
    /// Connections at the moment.
    pub streams: u64,
    /// Allocations made.
    pub allocated: u64,
    /// Datagrams given to the media node.
    pub datagrams_in: u64,
    /// Bytes of these.
    pub bytes_in: u64,
    /// Datagrams of the media node given to clients.
    pub datagrams_out: u64,
    /// Bytes of these.
    pub bytes_out: u64,
    /// Requests that named a peer other than the media node.
    pub forbidden: u64,
    /// Neither STUN nor channel data, or none that is allowed.
    pub garbage: u64,
    /// Requests beyond what a credential, a network or the server may have.
    pub over_quota: u64,
    /// Data without an allocation, a permission or a channel for it.
    pub stray: u64,
    /// Refusals that were not sent, because the network had been sent too many.
    pub silenced: u64,
    /// Requests without a credential that holds. The first one of each client is among them: it
    /// asks for the nonce.
    pub unauthorized: u64,
}
