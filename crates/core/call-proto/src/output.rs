use std::time::Instant;

use conclave_model::ParticipantId;
use conclave_wire::ServerMessage;

use crate::media::MediaRequest;
use crate::session::{ConnectionId, SessionRecord};

/// What a call tells the shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Close the connection once what was sent on it is out. It is not the call's any more.
    Close {
        /// Which.
        connection: ConnectionId,
        /// The last message to send, if there is one.
        message: Option<ServerMessage>,
    },
    /// Nobody is in and nobody can come back: the call may end. It goes on if there is more
    /// input.
    Empty,
    /// Forget a session: it cannot be resumed.
    Forget {
        /// Whose.
        participant: ParticipantId,
    },
    /// The group is not what it was: keep a new [snapshot](crate::Call::group_snapshot) over a
    /// restart, and only then say what follows: [`Close`](Self::Close), [`Release`](Self::Release)
    /// and [`Send`](Self::Send) wait, in order, also those of later inputs. Who is told that a
    /// commit is in effect must find it so when the server comes back. The newest snapshot is good
    /// for all changes before it.
    GroupChanged,
    /// Ask this of the media shard.
    Media(MediaRequest),
    /// Keep this record over a restart, replacing the participant's former one, and answer with
    /// [`Input::Persisted`](crate::Input::Persisted). The client learns its token after that.
    Persist(SessionRecord),
    /// The connection entered no call: after this message it may join or resume anew.
    Release {
        /// Which.
        connection: ConnectionId,
        /// Why it did not enter.
        message: ServerMessage,
    },
    /// Send a message to some connections.
    Send {
        /// To whom; not empty.
        to: Vec<ConnectionId>,
        /// What.
        message: ServerMessage,
    },
    /// Nothing more to do until this instant, or until the next input if `None`.
    Timeout(Option<Instant>),
}
