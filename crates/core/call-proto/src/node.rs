use std::fmt;

use conclave_model::MeetingId;
use conclave_node_statement::{Statement, signed_bytes};
use conclave_wire::{MlsBytes, NodeStatement};

/// The key that signs what a media node says of itself, and where that node is. The private half
/// stays with whoever gives this; it is no secret of a group.
pub struct NodeKey {
    jurisdiction: Option<String>,
    sign: Box<Sign>,
}

type Sign = dyn Fn(&[u8]) -> [u8; 64] + Send;

/// How long a statement is good for. A client reads it at once, so this is how wrong its clock may
/// be; it is half of what a client takes, so that the clock may err in either direction.
const VALIDITY_S: u64 = conclave_node_statement::MAX_VALIDITY_S / 2;

impl NodeKey {
    /// Takes the country that the node is in, if its operator says, and what signs with the
    /// Ed25519 key that constitutions name.
    pub fn new(
        jurisdiction: Option<String>,
        sign: impl Fn(&[u8]) -> [u8; 64] + Send + 'static,
    ) -> Self {
        Self { jurisdiction, sign: Box::new(sign) }
    }

    /// States what an SDP answer says, and the ways of relaying. `None` if it does not name one certificate.
    pub(crate) fn state(
        &self,
        sdp: &str,
        relay: &[String],
        meeting: MeetingId,
        now_unix_s: u64,
    ) -> Option<NodeStatement> {
        let jurisdiction = self.jurisdiction.clone();
        let expires = now_unix_s.saturating_add(VALIDITY_S);
        let text = Statement::of_answer(sdp, relay, meeting, jurisdiction, expires)?.encode();
        let signature = (self.sign)(&signed_bytes(&text));
        Some(NodeStatement { text, signature: MlsBytes::new(signature.to_vec()) })
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKey").field("jurisdiction", &self.jurisdiction).finish_non_exhaustive()
    }
}
