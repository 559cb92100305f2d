//! A media node's statement, judged.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_commit_rules::Constitution;
use conclave_node_statement::Fault;
use conclave_wire::NodeFault;

/// Verifies the statement that came with an SDP answer, for media that may be relayed by these
/// ways.
///
/// # Errors
///
/// No media is to be sent.
pub(crate) fn verify(
    constitution: Option<&Constitution>,
    sdp: &str,
    relay: &[String],
    text: &str,
    signature: &str,
    unix_s: u64,
) -> Result<(), NodeFault> {
    // Without a constitution there is no key that could have signed.
    let constitution = constitution.ok_or(NodeFault::Signature)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NodeFault::Signature)?;
    conclave_node_statement::verify(text, &signature, sdp, relay, constitution, unix_s)
        .map_err(fault)
}

const fn fault(fault: Fault) -> NodeFault {
    match fault {
        Fault::Address => NodeFault::Address,
        Fault::Expired => NodeFault::Expired,
        Fault::Fingerprint => NodeFault::Fingerprint,
        Fault::Format => NodeFault::Format,
        Fault::Jurisdiction => NodeFault::Jurisdiction,
        Fault::Meeting => NodeFault::Meeting,
        Fault::Signature => NodeFault::Signature,
    }
}
