use std::collections::BTreeSet;

use openmls::messages::EncryptedGroupSecrets;
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn};

use crate::guard;
use crate::public_group::PackageRef;

/// A Welcome taken apart (RFC 9420 section 12.4.3.1), so that each newcomer gets its own part only.
pub(crate) struct SplitWelcome {
    /// Version, wire format and cipher suite.
    head: Vec<u8>,
    secrets: Vec<EncryptedGroupSecrets>,
    /// The encrypted description of the group.
    rest: Vec<u8>,
}

impl SplitWelcome {
    /// Reads it; nothing if it is malformed.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        guard::call(|| Self::take_apart(bytes)).ok()?
    }

    fn take_apart(bytes: &[u8]) -> Option<Self> {
        let MlsMessageBodyIn::Welcome(_) =
            MlsMessageIn::tls_deserialize_exact_bytes(bytes).ok()?.extract()
        else {
            return None;
        };
        let (head, body) = bytes.split_at_checked(HEAD_LEN)?;
        let (secrets, rest) = Vec::<EncryptedGroupSecrets>::tls_deserialize_bytes(body).ok()?;
        let split = Self { head: head.to_vec(), secrets, rest: rest.to_vec() };
        split.tls_serialize().is_some_and(|same| same == bytes).then_some(split)
    }

    /// For whom it is. Nothing if somebody is in it twice.
    pub(crate) fn newcomers(&self) -> Option<BTreeSet<PackageRef>> {
        let found: BTreeSet<_> = self.secrets.iter().map(reference_of).collect();
        (found.len() == self.secrets.len()).then_some(found)
    }

    /// The part of one newcomer.
    pub(crate) fn for_one(&self, newcomer: &PackageRef) -> Option<Vec<u8>> {
        let own = self.secrets.iter().filter(|one| reference_of(one) == *newcomer);
        let own = Self {
            head: self.head.clone(),
            secrets: own.cloned().collect(),
            rest: self.rest.clone(),
        };
        own.tls_serialize()
    }

    fn tls_serialize(&self) -> Option<Vec<u8>> {
        let secrets = self.secrets.tls_serialize_detached().ok()?;
        Some([self.head.as_slice(), &secrets, &self.rest].concat())
    }
}

/// Protocol version, wire format, cipher suite: two bytes each.
const HEAD_LEN: usize = 6;

fn reference_of(secrets: &EncryptedGroupSecrets) -> PackageRef {
    PackageRef::new(secrets.new_member().as_slice())
}
