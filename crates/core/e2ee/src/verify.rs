use conclave_commit_rules::{Constitution, IdentityCheck, LeafIdentity, LeafView, PolicyError};
use conclave_link::{MetaKey, PolicyDigest};
use conclave_mls::{BrokenIdentity, DeviceError, FoundError, JoinError};
use conclave_model::{MeetingId, SealedBlob};

/// Why this device did not come in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The policy that the server shows.
    #[error(transparent)]
    Constitution(ConstitutionFault),
    /// The knock was turned away.
    #[error("the request to come in was turned away")]
    Denied,
    /// This device's keys.
    #[error(transparent)]
    Device(DeviceError),
    /// The group was not founded.
    #[error(transparent)]
    Found(FoundError),
    /// This device's host key is not the meeting's.
    #[error("the host key is not this meeting's")]
    HostProof,
    /// The name is too long to be sealed.
    #[error("the name cannot be sealed")]
    Identity,
    /// What the server or the admitter handed out.
    #[error(transparent)]
    Join(JoinError),
    /// Someone in the group has a broken identity.
    #[error(transparent)]
    Member(BrokenIdentity),
}

/// What is wrong with a policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ConstitutionFault {
    /// It is not the one whose digest is in the link.
    #[error("the meeting's policy is not the one that the link names")]
    Digest,
    /// It is another meeting's.
    #[error("the policy is another meeting's")]
    Meeting,
    /// It cannot be read.
    #[error(transparent)]
    Policy(PolicyError),
}

/// Reads the policy that the server shows, if it is the link's.
pub(crate) fn constitution(
    text: &str,
    digest: PolicyDigest,
    meeting: &MeetingId,
) -> Result<Constitution, ConstitutionFault> {
    if PolicyDigest::of(text) != digest {
        return Err(ConstitutionFault::Digest);
    }
    let parsed = Constitution::parse(text.as_bytes()).map_err(ConstitutionFault::Policy)?;
    if &parsed.meeting != meeting.as_bytes() {
        return Err(ConstitutionFault::Meeting);
    }
    Ok(parsed)
}

/// Opens what a leaf says of its owner. Nobody is vouched for yet: the name is the guest's word.
pub(crate) fn identity(meta: &MetaKey, leaf: &LeafView) -> IdentityCheck {
    if name(meta, leaf).is_some() { IdentityCheck::Guest } else { IdentityCheck::Failed }
}

/// The name in a leaf, if the link's key opens it.
pub(crate) fn name(meta: &MetaKey, leaf: &LeafView) -> Option<String> {
    let identity = LeafIdentity::parse(&leaf.identity)?;
    let blob = SealedBlob::new(identity.sealed).ok()?;
    meta.open_profile(&blob).ok().map(|profile| profile.name().to_owned())
}
