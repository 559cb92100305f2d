//! What nodes tell each other of a call whose peers are on several of them.
//!
//! Each node serves its own peers, and knows what all others publish: the publisher's node passes on each
//! packet once for each other node, which puts it into the slots of its peers as if it had come from one of
//! them. What subscribers need of a publisher goes the other way: key frames, and how many layers are
//! shown. Nodes trust each other: they are threads of one process.

use std::sync::Arc;

use conclave_call_proto::media::PublicationTrack;
use conclave_forward::LayerId;
use conclave_model::{CallId, ParticipantId, PublicationId};
use str0m::media::Rid;
use str0m::rtp::RtpPacket;

use crate::codec::Codec;
use crate::session::Source;

/// A node among others that share calls.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeNumber(pub u16);

/// The nodes that have peers of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spread {
    /// The node that is told.
    pub here: NodeNumber,
    /// All of them. The first one reports who speaks. A node that is not among them has nobody of the call
    /// any more, as soon as what it was asked before is done.
    pub nodes: Vec<NodeNumber>,
}

/// What a node tells another one of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Relay {
    pub(crate) call: CallId,
    pub(crate) message: Message,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Message {
    /// The node has peers of the call now, and asks what is published.
    Joined,
    /// A peer of the node waits for a key frame.
    KeyframeWanted { publication: PublicationId, layer: LayerId },
    /// A packet of what a peer of the node publishes.
    Packet(RelayedPacket),
    /// A peer of the node publishes this, on this stream.
    Published { owner: ParticipantId, track: PublicationTrack, stream: Option<Stream> },
    /// So many layers are shown to peers of the node.
    Shown { publication: PublicationId, layers: u8 },
    /// It is not published any more.
    Withdrawn { publication: PublicationId },
}

/// The session's generation that a publication comes on, and the section's rids.
pub(crate) type Stream = (u32, Vec<Rid>);

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RelayedPacket {
    pub(crate) publication: PublicationId,
    /// Of the session that it came on.
    pub(crate) generation: u32,
    pub(crate) source: Source,
    pub(crate) codec: Option<Codec>,
    pub(crate) packet: Arc<RtpPacket>,
}

impl Spread {
    /// The others, if there are any.
    pub(crate) fn others(&self) -> impl Iterator<Item = NodeNumber> + '_ {
        let is_among = self.nodes.contains(&self.here);
        self.nodes.iter().copied().filter(move |node| is_among && *node != self.here)
    }

    /// Whether this node is the one to report what concerns the call as a whole.
    pub(crate) fn reports(&self) -> bool {
        self.nodes.first() == Some(&self.here)
    }
}

impl Relay {
    /// Whether it is media: what comes too late is of no use, so that it may be lost where the other node
    /// does not keep up. Everything else must arrive, in order.
    pub const fn is_media(&self) -> bool {
        matches!(self.message, Message::Packet(_))
    }
}
