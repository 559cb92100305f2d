//! Proposals of the server's own making, byte by byte (RFC 9420 sections 6 and 12.1): the library
//! does not write all that the standard lets an external sender say.

use ed25519_dalek::{Signer as _, SigningKey};

/// A proposal of the server's.
pub(crate) enum ServerProposal {
    /// A pre-shared key of its choice.
    PreSharedKey,
    /// The group anew, under another suite.
    ReInit,
}

/// The bytes of a `PublicMessage` that any member of the group takes for the server's.
pub(crate) fn server_proposal(
    proposal: &ServerProposal,
    key: &SigningKey,
    group: &[u8],
    epoch: u64,
) -> Vec<u8> {
    let body = match proposal {
        // psktype external, id, nonce
        ServerProposal::PreSharedKey => {
            [&[0, 4, 1][..], &vector(b"backdoor"), &vector(&[5; 32])].concat()
        }
        // group id, version, suite, no extensions
        ServerProposal::ReInit => [&[0, 5][..], &vector(b"another"), &[0, 1, 0, 1], &[0]].concat(),
    };
    let content = [
        &vector(group)[..],
        &epoch.to_be_bytes(),
        // sender: external, index 0
        &[2, 0, 0, 0, 0],
        // no authenticated data; a proposal
        &[0, 2],
        &body,
    ]
    .concat();
    // version 1, PublicMessage
    let head = [0, 1, 0, 1];
    let signed =
        [&vector(b"MLS 1.0 FramedContentTBS")[..], &vector(&[&head[..], &content].concat())]
            .concat();
    let signature = key.sign(&signed).to_bytes();
    [&head[..], &content, &vector(&signature)].concat()
}

/// A vector with its length (RFC 9420 section 2.1.2).
fn vector(bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len();
    let head =
        if len < 64 { vec![len as u8] } else { (0x4000 | len as u16).to_be_bytes().to_vec() };
    [head, bytes.to_vec()].concat()
}
