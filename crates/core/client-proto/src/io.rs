use std::net::SocketAddr;
use std::time::Instant;

use conclave_e2ee::{Command, Failure, State};
use conclave_model::{MediaKind, ParticipantId, TrackSource};
use conclave_node_statement::Fault;
use conclave_wire::{ClientMessage, ErrorCode, RelayWay, ServerMessage};

use crate::media::{MediaFrame, SessionError};

/// What the shell tells the participant.
#[derive(Debug)]
pub enum Input<'a> {
    /// The person wants something of the meeting's group.
    Command(Command),
    /// A datagram came in.
    Datagram {
        /// From where.
        source: SocketAddr,
        /// The address of the socket it came in on.
        destination: SocketAddr,
        /// Its bytes.
        contents: &'a [u8],
    },
    /// Leave for good.
    Leave,
    /// Publish a frame. Dropped while there is no media session, while it cannot be sealed, or if
    /// nothing is published from its source.
    Media(MediaFrame),
    /// There is no relayed address, or none any more: nothing is relayed.
    RelayLost,
    /// The TURN server gave a relayed address. From here on datagrams to peers leave from it, and
    /// come to it.
    Relayed {
        /// Which.
        address: SocketAddr,
    },
    /// A message came in.
    Signal(ServerMessage),
    /// The socket could not be opened, or was closed by the other end.
    SignalLost,
    /// The socket is open.
    SignalOpen,
    /// The instant of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What the participant tells the shell.
#[derive(Debug)]
pub enum Output {
    /// Open the signalling socket; answer with [`Input::SignalOpen`] or [`Input::SignalLost`].
    Connect,
    /// Close the signalling socket, or stop opening it, once what was said is sent. Not answered.
    Disconnect,
    /// Something the application may want to know.
    Event(Event),
    /// Ask the TURN server at the signalling's host for a relayed address; answer with
    /// [`Input::Relayed`] or [`Input::RelayLost`]. What was relayed before is not any more.
    Relay {
        /// The way to it.
        way: RelayWay,
        /// Who asks.
        username: String,
        /// What goes with it.
        password: String,
    },
    /// Send a message.
    Signal(ClientMessage),
    /// Nothing more to do until this instant, or until the next input if `None`.
    Timeout(Option<Instant>),
    /// Send a datagram.
    Transmit(Transmit),
}

/// A datagram to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// The address of the socket to send it from.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// Its bytes.
    pub contents: Vec<u8>,
}

/// Something the application may want to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// It may send and receive media.
    Admitted,
    /// A member wrote something to all.
    Chat {
        /// The member's name, as it is in their leaf.
        name: String,
        /// What.
        text: String,
    },
    /// It is over.
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// A frame came in and was opened, if [`Config::hands_out`](crate::Config::hands_out).
    Frame {
        /// Whose it is.
        participant: ParticipantId,
        /// Of which track.
        source: TrackSource,
        /// What its encoder made.
        data: Vec<u8>,
    },
    /// The first sound, or the first picture, came in and was opened.
    Heard {
        /// Which of the two.
        kind: MediaKind,
    },
    /// The meeting's door was reached, or the call taken up again.
    Joined {
        /// Who the participant is in it.
        participant: ParticipantId,
    },
    /// Others cannot go on without a key frame.
    KeyframeWanted {
        /// Of which track.
        source: TrackSource,
    },
    /// Media flows.
    MediaConnected {
        /// On which session.
        generation: u32,
    },
    /// The server complains.
    ServerError {
        /// What about.
        code: ErrorCode,
        /// The cause, in English.
        detail: String,
        /// It closes the socket.
        fatal: bool,
    },
    /// The signalling socket was lost; it will be opened again.
    SignalLost,
    /// This device stands elsewhere in the meeting's group.
    State(State),
}

/// Why a participant is no longer in the call.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EndReason {
    /// An admitter turned it away.
    #[error("an admitter turned this device away")]
    Denied,
    /// Members of the group have different histories, or one broke the meeting's rules.
    #[error("the group's members disagree: somebody, perhaps the server, tampers with the meeting")]
    Forked,
    /// It was told to leave.
    #[error("left")]
    Left,
    /// No media session can be made.
    #[error("no media session: {0}")]
    NoMedia(SessionError),
    /// The way in failed, before or at the group's door.
    #[error("did not come in: {0}")]
    NotIn(Failure),
    /// It is to be relayed, and is not.
    #[error("media is not relayed: the server has no such TURN server, or cannot be reached there")]
    NotRelayed,
    /// The meeting is over.
    #[error("the meeting is over")]
    Over,
    /// The server does not let it in, or not any longer.
    #[error("the server refused: {0:?}")]
    Refused(ErrorCode),
    /// It was removed.
    #[error("this device was removed from the meeting")]
    Removed,
    /// Media would go where the meeting does not allow.
    #[error("no media is sent: {0}")]
    Untrusted(Fault),
    /// Nobody let it in as long as it waited.
    #[error("nobody let this device in for as long as it was to wait")]
    Waited,
}
