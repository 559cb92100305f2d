use std::fmt;

use crate::view::CredentialId;

/// What a leaf carries about its owner: extension 0xF0A2 of the leaf node.
///
/// One byte of version, one that says whether a host proof of 64 bytes follows, and the sealed
/// identity, which only link holders read. The server sees a host proof: it enforces hosts' orders.
#[derive(Clone, Eq, PartialEq)]
pub struct LeafIdentity {
    /// The host key's Ed25519 signature over [`host_statement`].
    pub host_proof: Option<[u8; 64]>,
    /// Name and certificates, sealed under a key of the link.
    pub sealed: Vec<u8>,
}

impl LeafIdentity {
    /// The longest sealed identity: a certificate chain with an inclusion proof has room.
    pub const MAX_SEALED_LEN: usize = 16 << 10;

    const VERSION: u8 = 1;

    /// The extension's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let proof = self.host_proof.as_ref();
        let head = [Self::VERSION, u8::from(proof.is_some())];
        [head.as_slice(), proof.map_or(&[], |proof| proof.as_slice()), &self.sealed].concat()
    }

    /// Reads the extension from foreign bytes; nothing if it is malformed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (host_proof, sealed) = match bytes {
            [Self::VERSION, 0, sealed @ ..] => (None, sealed),
            [Self::VERSION, 1, rest @ ..] => {
                let (proof, sealed) = rest.split_first_chunk()?;
                (Some(*proof), sealed)
            }
            _ => return None,
        };
        let fits = sealed.len() <= Self::MAX_SEALED_LEN;
        fits.then(|| Self { host_proof, sealed: sealed.to_vec() })
    }
}

impl fmt::Debug for LeafIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeafIdentity")
            .field("host", &self.host_proof.is_some())
            .finish_non_exhaustive()
    }
}

/// What a host signs to prove that a leaf is a host's: meeting, credential and the leaf's own
/// signature key. That key signs the leaf and all it does, so the proof serves nobody else.
pub fn host_statement(meeting: &[u8; 16], leaf: &CredentialId, signature_key: &[u8]) -> Vec<u8> {
    [b"conclave/1 host leaf".as_slice(), meeting, &leaf.0, signature_key].concat()
}

/// What a leaf's key signs to show the server that a device which resumes is the member it was.
/// `challenge` is the server's, fresh for each connection.
pub fn resume_statement(challenge: &[u8; 32]) -> Vec<u8> {
    [b"conclave/1 resume".as_slice(), challenge].concat()
}

/// Says of a knock that the same device was let in before: extension 0xF0A4 of its key package.
///
/// One byte of version, the credential of the stay before, and the signature of that stay's leaf.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Succession {
    /// The credential of the stay before.
    pub former: CredentialId,
    /// Its leaf's Ed25519 signature over [`succession_statement`].
    pub signature: [u8; 64],
}

impl Succession {
    const VERSION: u8 = 1;

    /// The extension's bytes.
    pub fn encode(&self) -> Vec<u8> {
        [[Self::VERSION].as_slice(), &self.former.0, &self.signature].concat()
    }

    /// Reads the extension from foreign bytes; nothing if it is malformed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [Self::VERSION, rest @ ..] = bytes else { return None };
        let (former, signature) = rest.split_first_chunk()?;
        Some(Self { former: CredentialId(*former), signature: signature.try_into().ok()? })
    }
}

/// What the leaf of a stay signs for the next stay of the same device: meeting, both credentials and
/// the next signature key. That key signs the key package which carries it, so it serves nobody
/// else.
pub fn succession_statement(
    meeting: &[u8; 16],
    former: &CredentialId,
    next: &CredentialId,
    signature_key: &[u8],
) -> Vec<u8> {
    [b"conclave/1 same device".as_slice(), meeting, &former.0, &next.0, signature_key].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_succession_is_read_as_it_was_written_and_nothing_else_is() {
        let succession = Succession { former: CredentialId([3; 16]), signature: [7; 64] };
        let bytes = succession.encode();
        assert_eq!(Succession::parse(&bytes), Some(succession));
        for malformed in [&[][..], &bytes[..80], &[bytes.as_slice(), &[0]].concat(), &[2; 81]] {
            assert_eq!(Succession::parse(malformed), None);
        }
    }

    #[test]
    fn an_identity_is_read_as_it_was_written() {
        for host_proof in [None, Some([7; 64])] {
            let identity = LeafIdentity { host_proof, sealed: b"sealed".to_vec() };
            assert_eq!(LeafIdentity::parse(&identity.encode()), Some(identity));
        }
    }

    #[test]
    fn a_malformed_identity_is_not_read() {
        let long = [&[1, 0], vec![0; LeafIdentity::MAX_SEALED_LEN + 1].as_slice()].concat();
        for bytes in [&[][..], &[1], &[2, 0], &[1, 2], &[1, 1, 0], &long] {
            assert_eq!(LeafIdentity::parse(bytes), None);
        }
    }
}
