use conclave_forward::{LayerId, Rewriter};
use conclave_model::{MediaKind, PublicationId};

use crate::session::Slot;

/// A receiving slot of a peer, what it carries, and the one stream that this makes.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) slot: Slot,
    pub(crate) rewriter: Rewriter,
    pub(crate) publication: Option<PublicationId>,
    /// The layer that went out last, of the present publication.
    pub(crate) layer: Option<LayerId>,
    /// Layers are there, but none fits into the estimated bandwidth.
    pub(crate) starved: bool,
}

/// Clock rates of RTP timestamps: any video (RFC 6184 and others), and Opus (RFC 7587).
const VIDEO_CLOCK: u32 = 90_000;
const OPUS_CLOCK: u32 = 48_000;

impl Outlet {
    /// An idle slot, whose stream starts counting at `first_seq`.
    pub(crate) fn new(slot: Slot, first_seq: u16) -> Self {
        let rewriter = match slot.kind {
            MediaKind::Audio => Rewriter::new(OPUS_CLOCK, first_seq).without_keyframes(),
            MediaKind::Video => Rewriter::new(VIDEO_CLOCK, first_seq),
        };
        Self { slot, rewriter, publication: None, layer: None, starved: false }
    }

    /// Begins another publication, or none, in the same stream.
    pub(crate) fn carry(&mut self, publication: Option<PublicationId>) {
        self.publication = publication;
        self.restart();
    }

    /// Begins the same publication anew: its packets count from elsewhere.
    pub(crate) fn restart(&mut self) {
        self.rewriter.restart();
        self.layer = None;
        self.starved = false;
        if self.slot.kind == MediaKind::Audio && self.publication.is_some() {
            self.rewriter.set_target(Some(LayerId(0)));
        }
    }
}
