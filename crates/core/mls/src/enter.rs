use std::fmt;

use conclave_commit_rules::{GroupView, IdentityCheck, LeafView, Mode, Order, Role, UpdateClock};
use conclave_mls_view::{
    ContextError, ViewError, context_extensions, group_view, link_psk_id, read_context,
};
use openmls::group::{
    GroupId, MlsGroup, MlsGroupCreateConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY, ProcessedWelcome,
};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    BasicCredential, ExternalSender, LeafNodeParameters, MlsMessageIn, OpenMlsProvider as _,
    RatchetTreeIn,
};
use openmls::schedule::psk::Psk;

use crate::commit::Outgoing;
use crate::device::{Device, join_config};
use crate::group::Group;

/// The key with which the server proposes removals, and nothing else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerKey(pub [u8; 32]);

impl ServerKey {
    fn sender(self) -> ExternalSender {
        let credential = BasicCredential::new(b"server".to_vec()).into();
        ExternalSender::new(self.0.as_slice().into(), credential)
    }
}

impl Group {
    /// Founds the meeting's group. `nonce` tells it from an earlier group of the same meeting.
    ///
    /// # Errors
    ///
    /// The device may not, or the library failed.
    pub fn found(
        device: Device,
        order: &Order,
        server: ServerKey,
        nonce: [u8; 16],
        now_unix_s: u64,
    ) -> Result<Self, FoundError> {
        if !device.is_host() && !device.constitution.join_before_host {
            return Err(FoundError::NotHost);
        }
        let context = context_extensions(&device.constitution, order, server.sender())
            .map_err(FoundError::Context)?;
        let leaf = device.leaf_extensions().ok_or(FoundError::Library)?;
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(device.suite)
            .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .padding_size(join_config().padding_size())
            .max_past_epochs(3)
            .use_ratchet_tree_extension(false)
            .capabilities(device.capabilities())
            .lifetime(device.lifetime(now_unix_s))
            .with_group_context_extensions(context)
            .with_leaf_node_extensions(leaf)
            .map_err(|_| FoundError::Library)?
            .build();
        let id = GroupId::from_slice(&[device.constitution.meeting, nonce].concat());
        let credential = device.credential_with_key();
        let mls =
            MlsGroup::new_with_group_id(&device.provider, &device.signer, &config, id, credential)
                .map_err(|_| FoundError::Library)?;
        Ok(Self::new(device, mls))
    }

    /// Joins with the Welcome of an admitter (RFC 9420 section 12.4.3.1) and the tree that the
    /// server has.
    ///
    /// # Errors
    ///
    /// This is not the meeting of the link, or someone forged a part of it. The device's key
    /// package is used up.
    pub fn join(device: Device, welcome: &[u8], tree: &[u8]) -> Result<Self, JoinError> {
        let message =
            MlsMessageIn::tls_deserialize_exact_bytes(welcome).map_err(|_| JoinError::Malformed)?;
        let openmls::prelude::MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
            return Err(JoinError::Malformed);
        };
        let tree =
            RatchetTreeIn::tls_deserialize_exact_bytes(tree).map_err(|_| JoinError::Malformed)?;
        let processed =
            ProcessedWelcome::new_from_welcome(&device.provider, &join_config(), welcome)
                .map_err(|_| JoinError::Welcome)?;
        let link = link_psk_id(&device.constitution);
        let by_link = match processed.psks() {
            [only] => matches!(only.psk(), Psk::External(psk) if psk.psk_id() == link),
            _ => false,
        };
        if !by_link {
            return Err(JoinError::NoLinkSecret);
        }
        let staged = processed
            .into_staged_welcome(&device.provider, Some(tree))
            .map_err(|_| JoinError::Welcome)?;
        let sender = staged.welcome_sender_index().u32();
        let mls = staged.into_group(&device.provider).map_err(|_| JoinError::Welcome)?;
        let group = Self::new(device, mls);
        let view = group.inspect()?;
        let admitter = view.leaves.get(&sender).ok_or(JoinError::NotAdmitter)?;
        if view.role(admitter) < Role::Admitter {
            return Err(JoinError::NotAdmitter);
        }
        Ok(group)
    }

    /// Comes in by an external commit (RFC 9420 section 12.4.3.2), with the link's secret: a host
    /// who comes back or takes over, and whoever the meeting's mode lets in alone.
    ///
    /// # Errors
    ///
    /// This is not the meeting of the link, or this device may not come in alone.
    pub fn rejoin(device: Device, group_info: &[u8], tree: &[u8]) -> Result<Rejoining, JoinError> {
        if !device.is_host() && device.constitution.mode == Mode::Lobby {
            return Err(JoinError::NotAdmitted);
        }
        let info = MlsMessageIn::tls_deserialize_exact_bytes(group_info)
            .map_err(|_| JoinError::Malformed)?;
        let openmls::prelude::MlsMessageBodyIn::GroupInfo(info) = info.extract() else {
            return Err(JoinError::Malformed);
        };
        let tree =
            RatchetTreeIn::tls_deserialize_exact_bytes(tree).map_err(|_| JoinError::Malformed)?;
        let epoch = info.epoch().as_u64();
        if info.ciphersuite() != device.suite {
            return Err(JoinError::OtherMeeting);
        }
        let (link, leaf) =
            device.link_proposal().zip(device.leaf_extensions()).ok_or(JoinError::Library)?;
        let parameters = LeafNodeParameters::builder()
            .with_capabilities(device.capabilities())
            .with_extensions(leaf)
            .build();
        let provider = &device.provider;
        let (mls, bundle) = MlsGroup::external_commit_builder()
            .with_ratchet_tree(tree)
            .with_config(join_config())
            .build_group(provider, info, device.credential_with_key())
            .map_err(|_| JoinError::Welcome)?
            .add_psk_proposal(link)
            .leaf_node_parameters(parameters)
            .load_psks(provider.storage())
            .map_err(|_| JoinError::Library)?
            .create_group_info(true)
            .build(provider.rand(), provider.crypto(), &device.signer, |_| true)
            .map_err(|_| JoinError::Library)?
            .finalize(provider)
            .map_err(|_| JoinError::Library)?;
        let (commit, _, group_info) = bundle.into_messages();
        let commit = commit.to_bytes().map_err(|_| JoinError::Library)?;
        let group_info = group_info.and_then(|info| info.to_bytes().ok());
        let group_info = group_info.ok_or(JoinError::Library)?;
        let outgoing = Outgoing { epoch, commit, welcome: None, group_info };
        let group = Self::new(device, mls);
        group.inspect()?;
        Ok(Rejoining { group, outgoing })
    }

    /// Makes sure that the group entered is the meeting's.
    fn inspect(&self) -> Result<GroupView, JoinError> {
        let (constitution, _) = read_context(self.mls.extensions()).map_err(JoinError::Context)?;
        let for_meeting = self.mls.group_id().as_slice().starts_with(&constitution.meeting);
        let same = constitution == self.device.constitution && for_meeting;
        if !same || self.mls.ciphersuite() != self.device.suite {
            return Err(JoinError::OtherMeeting);
        }
        let view = group_view(
            self.mls.public_group(),
            std::iter::empty(),
            self.device.provider.crypto(),
            0,
            UpdateClock::NotMeasured,
        )
        .map_err(JoinError::View)?;
        let mut credentials: Vec<_> = view.leaves.values().map(|leaf| leaf.credential).collect();
        credentials.sort_unstable();
        if credentials.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(JoinError::Twice);
        }
        Ok(view)
    }

    /// Checks the identity of everybody who was there before this device.
    ///
    /// # Errors
    ///
    /// The leaf whose identity is broken.
    pub fn verify_members(
        &mut self,
        mut identity: impl FnMut(&LeafView) -> IdentityCheck,
    ) -> Result<(), BrokenIdentity> {
        let members = self.members().map_err(|_| BrokenIdentity(0))?;
        for (index, leaf) in members {
            let found = identity(&leaf);
            if found == IdentityCheck::Failed {
                return Err(BrokenIdentity(index));
            }
            self.identities.insert(leaf.credential, found);
        }
        Ok(())
    }
}

/// A device that has made its external commit. It is a member when the server has ordered it; if
/// another commit was first, this is dropped and made anew.
pub struct Rejoining {
    group: Group,
    outgoing: Outgoing,
}

impl Rejoining {
    /// What to send.
    pub const fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }

    /// Signs what [`Device::sign_resume`] does.
    pub fn sign_resume(&self, challenge: &[u8; 32]) -> Option<Vec<u8>> {
        self.group.sign_resume(challenge)
    }

    /// The server has ordered it.
    pub fn confirm(self) -> Group {
        self.group
    }
}

impl fmt::Debug for Rejoining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rejoining(..)")
    }
}

/// The leaf whose identity cannot be opened or verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the identity of leaf {0} is broken")]
pub struct BrokenIdentity(pub u32);

/// Why a group was not founded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FoundError {
    /// The policy cannot be written.
    #[error(transparent)]
    Context(ContextError),
    /// The library failed.
    #[error("the group cannot be founded")]
    Library,
    /// The meeting waits for its host.
    #[error("the meeting waits for its host")]
    NotHost,
}

/// Why a group was not joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JoinError {
    /// The context is not one of a meeting.
    #[error(transparent)]
    Context(ContextError),
    /// The library failed.
    #[error("the group cannot be joined")]
    Library,
    /// The bytes are no Welcome, tree or description.
    #[error("the invitation is malformed")]
    Malformed,
    /// The Welcome was made without the link's secret.
    #[error("the invitation was made by someone without the link")]
    NoLinkSecret,
    /// The meeting's mode does not let this device in alone.
    #[error("an admitter must let this device in")]
    NotAdmitted,
    /// The Welcome is of a member who may not admit.
    #[error("the invitation is of a member who may not admit")]
    NotAdmitter,
    /// The group is of another meeting, or under another policy than the link's.
    #[error("the invitation is to another meeting than the link")]
    OtherMeeting,
    /// A device is in the group twice.
    #[error("a device is in the group twice")]
    Twice,
    /// A member is not like a meeting's.
    #[error(transparent)]
    View(ViewError),
    /// Welcome, description or tree is forged, for another device, or under another secret.
    #[error("the invitation is not valid")]
    Welcome,
}
