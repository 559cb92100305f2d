use std::collections::BTreeMap;
use std::fmt;

use conclave_commit_rules::{
    Constitution, CredentialId, GroupView, IdentityCheck, LeafView, Order, Role, UpdateClock,
};
use conclave_mls_view::{ViewError, group_view, read_context};
use openmls::group::MlsGroup;
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{LeafNodeIndex, OpenMlsProvider as _};
use zeroize::{Zeroize as _, Zeroizing};

use crate::device::{Device, Former};
use crate::key_package::{KeyPackageError, VerifiedKeyPackage};
use crate::receive::Stop;
use crate::safety::SafetyCode;

/// The label of the media frames' base key (RFC 9605 section 5.2).
pub const FRAME_KEY_LABEL: &str = "SFrame 1.0 Base Key";

/// Bytes of the media frames' base key.
pub const FRAME_KEY_LEN: usize = 32;

/// A member's view of the meeting's group, and its secrets.
pub struct Group {
    pub(crate) device: Device,
    pub(crate) mls: MlsGroup,
    /// A commit was refused: nothing is sent or accepted any more.
    pub(crate) stop: Option<Stop>,
    /// What this device found out about who came in, for commits of its own.
    pub(crate) identities: BTreeMap<CredentialId, IdentityCheck>,
    /// The epoch whose frame key was given out last.
    frame_key_epoch: Option<u64>,
}

/// Where in the group's history a member is. Two members with one epoch and different marks are in
/// different groups: someone split the meeting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForkMark {
    /// The epoch.
    pub epoch: u64,
    /// The confirmed transcript hash: of all that happened (RFC 9420 section 8.2).
    pub transcript_hash: Vec<u8>,
}

impl Group {
    pub(crate) fn new(device: Device, mls: MlsGroup) -> Self {
        Self { device, mls, stop: None, identities: BTreeMap::new(), frame_key_epoch: None }
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.mls.epoch().as_u64()
    }

    /// This device's leaf.
    pub fn own_leaf(&self) -> u32 {
        self.mls.own_leaf_index().u32()
    }

    /// Signs what [`Device::sign_resume`] does.
    pub fn sign_resume(&self, challenge: &[u8; 32]) -> Option<Vec<u8>> {
        self.device.sign_resume(challenge)
    }

    /// What [`Device::former`] is.
    pub fn former(&self) -> Former {
        self.device.former()
    }

    /// Whether whoever knocks is the device of the stay that it [names](VerifiedKeyPackage::former),
    /// whose leaf had this signature key.
    pub fn is_same_device(&self, package: &VerifiedKeyPackage, former_key: &[u8]) -> bool {
        package.succeeds(&self.device.constitution, self.device.provider.crypto(), former_key)
    }

    /// Whether this device is still a member.
    pub fn is_active(&self) -> bool {
        self.mls.is_active()
    }

    /// Why nothing more is sent or accepted, if so.
    pub const fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// What the meeting was founded on.
    pub const fn constitution(&self) -> &Constitution {
        &self.device.constitution
    }

    /// What hosts decided.
    pub fn order(&self) -> Order {
        read_context(self.mls.extensions()).map(|(_, order)| order).unwrap_or_default()
    }

    /// The members by leaf.
    ///
    /// # Errors
    ///
    /// Never, in a group that this crate entered.
    pub fn members(&self) -> Result<BTreeMap<u32, LeafView>, ViewError> {
        Ok(self.view(0)?.leaves)
    }

    /// A member's role.
    pub fn role(&self, leaf: u32) -> Option<Role> {
        let view = self.view(0).ok()?;
        view.leaves.get(&leaf).map(|leaf| view.role(leaf))
    }

    /// The leaves that the server asked to remove and no commit has removed yet.
    pub fn pending_removes(&self) -> Vec<u32> {
        self.mls.pending_proposals().filter_map(conclave_mls_view::is_server_removal).collect()
    }

    /// Verifies what someone knocked with.
    ///
    /// # Errors
    ///
    /// It is not to be shown as a knock at all.
    pub fn verify(
        &self,
        key_package: &[u8],
        identity: impl FnOnce(&LeafView) -> IdentityCheck,
    ) -> Result<VerifiedKeyPackage, KeyPackageError> {
        let crypto = self.device.provider.crypto();
        VerifiedKeyPackage::verify(&self.device.constitution, crypto, key_package, identity)
    }

    /// The public tree, for those who join (RFC 9420 section 12.4.3.3): it is served apart from
    /// the Welcome.
    ///
    /// # Errors
    ///
    /// The library failed.
    pub fn tree(&self) -> Result<Vec<u8>, SendError> {
        self.mls.export_ratchet_tree().tls_serialize_detached().map_err(|_| SendError::Library)
    }

    /// The group's public description, for the server and for external commits. No secret is in it.
    ///
    /// # Errors
    ///
    /// The library failed.
    pub fn group_info(&self) -> Result<Vec<u8>, SendError> {
        let (crypto, signer) = (self.device.provider.crypto(), &self.device.signer);
        let info = self.mls.export_group_info(crypto, signer, false);
        info.ok().and_then(|info| info.to_bytes().ok()).ok_or(SendError::Library)
    }

    /// The base key of this epoch's media frames, once per epoch: who had it twice could begin
    /// the frames' counters twice.
    pub fn take_frame_key(&mut self) -> Option<Zeroizing<[u8; FRAME_KEY_LEN]>> {
        let epoch = self.epoch();
        if self.stop.is_some() || !self.is_active() || self.frame_key_epoch == Some(epoch) {
            return None;
        }
        let key = self.export(FRAME_KEY_LABEL)?;
        self.frame_key_epoch = Some(epoch);
        Some(key)
    }

    fn export(&self, label: &str) -> Option<Zeroizing<[u8; FRAME_KEY_LEN]>> {
        let crypto = self.device.provider.crypto();
        let mut bytes = self.mls.export_secret(crypto, label, &[], FRAME_KEY_LEN).ok()?;
        let mut key = Zeroizing::new([0; FRAME_KEY_LEN]);
        key.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        bytes.zeroize();
        Some(key)
    }

    /// What people read to each other. Lock first: it changes with each epoch.
    pub fn safety_code(&self) -> SafetyCode {
        let authenticator = self.mls.epoch_authenticator().as_slice();
        SafetyCode::derive(authenticator, self.mls.group_id().as_slice(), self.epoch())
    }

    /// Where in the group's history this member is, for heartbeats.
    pub fn fork_mark(&self) -> ForkMark {
        let context = self.mls.public_group().group_context();
        let transcript_hash = context.confirmed_transcript_hash().to_vec();
        ForkMark { epoch: self.epoch(), transcript_hash }
    }

    /// Encrypts a message to all members (RFC 9420 section 6.3): chat, heartbeats, hands.
    ///
    /// # Errors
    ///
    /// Nothing is to be sent.
    pub fn send(&mut self, message: &[u8]) -> Result<Vec<u8>, SendError> {
        if self.stop.is_some() {
            return Err(SendError::Stopped);
        }
        let Device { provider, signer, .. } = &self.device;
        let message = self.mls.create_message(provider, signer, message);
        message.ok().and_then(|message| message.to_bytes().ok()).ok_or(SendError::Library)
    }

    pub(crate) fn view(&self, now_unix_s: u64) -> Result<GroupView, ViewError> {
        let mut view = group_view(
            self.mls.public_group(),
            self.mls.pending_proposals(),
            self.device.provider.crypto(),
            now_unix_s,
            UpdateClock::NotMeasured,
        )?;
        view.stopped = self.stop.is_some();
        Ok(view)
    }

    pub(crate) fn leaf(&self, index: u32) -> Option<LeafView> {
        let leaf = self.mls.public_group().leaf(LeafNodeIndex::new(index))?;
        let crypto = self.device.provider.crypto();
        conclave_mls_view::leaf_view(&self.device.constitution, crypto, leaf).ok()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The library failed, or a commit of this device awaits the server's word.
    #[error("the message cannot be encrypted")]
    Library,
    /// A commit was refused before.
    #[error("sending has stopped: a commit was refused")]
    Stopped,
}
