/// Why a request is refused (RFC 8656 section 19).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// There is an allocation already, or none.
    AllocationMismatch,
    /// Something is missing, or makes no sense.
    BadRequest,
    /// No relayed address of that family.
    FamilyNotSupported,
    /// The peer is none of the media node's addresses.
    Forbidden,
    /// The server has all the allocations that it may have.
    Full,
    /// The peer's family is not the relayed address's.
    PeerFamilyMismatch,
    /// The credential or the network has all the allocations that it may have.
    Quota,
    /// The nonce is too old, or none of the server's.
    StaleNonce,
    /// No credential, or none that holds.
    Unauthorized,
    /// An attribute that must be understood is not.
    UnknownAttribute,
    /// Something else than UDP is to be relayed.
    UnsupportedTransport,
    /// Another credential than the allocation's.
    WrongCredentials,
}

impl Refusal {
    /// The error's code.
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::AllocationMismatch => 437,
            Self::BadRequest => 400,
            Self::FamilyNotSupported => 440,
            Self::Forbidden => 403,
            Self::Full => 508,
            Self::PeerFamilyMismatch => 443,
            Self::Quota => 486,
            Self::StaleNonce => 438,
            Self::Unauthorized => 401,
            Self::UnknownAttribute => 420,
            Self::UnsupportedTransport => 442,
            Self::WrongCredentials => 441,
        }
    }

    /// Whether the client is to try again with realm and nonce of the answer.
    pub(crate) const fn asks_for_credentials(self) -> bool {
        matches!(self, Self::StaleNonce | Self::Unauthorized)
    }
}
