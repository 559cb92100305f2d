//! A member who does not keep to the rules: it uses the MLS library as it is.

use conclave_commit_rules::{Constitution, CredentialId, LeafIdentity, Order};
use conclave_link::Profile;
use conclave_mls_view::{CONSTITUTION, IDENTITY, ORDER, context_extensions, link_psk_id, suite_of};
use openmls::group::{
    CommitMessageBundle, MlsGroup, MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
    ProcessedWelcome,
};
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::*;
use openmls::schedule::psk::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

use crate::world::keys;

/// Commit, Welcome and description, as a device uploads them.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) commit: Vec<u8>,
    pub(crate) welcome: Option<Vec<u8>>,
    pub(crate) group_info: Vec<u8>,
}

/// Someone with the MLS library and bad intentions.
pub(crate) struct Mallory {
    pub(crate) provider: OpenMlsRustCrypto,
    pub(crate) signer: SignatureKeyPair,
    pub(crate) credential: CredentialId,
    pub(crate) constitution: Constitution,
    pub(crate) mls: Option<MlsGroup>,
}

impl Mallory {
    /// Someone with the link, or without.
    pub(crate) fn new(constitution: &Constitution, number: u8, has_link: bool) -> Self {
        let provider = OpenMlsRustCrypto::default();
        let signer = SignatureKeyPair::new(SignatureScheme::ED25519).unwrap();
        if has_link {
            PreSharedKeyId::external(link_psk_id(constitution), Vec::new())
                .store(&provider, keys().psk.as_bytes())
                .unwrap();
        }
        let credential = CredentialId([number; 16]);
        Self { provider, signer, credential, constitution: constitution.clone(), mls: None }
    }

    fn suite(&self) -> Ciphersuite {
        suite_of(&self.constitution).unwrap()
    }

    pub(crate) fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(self.credential.0.to_vec()).into(),
            signature_key: self.signer.public().into(),
        }
    }

    fn capabilities(&self, suite: Ciphersuite) -> Capabilities {
        let ours = [CONSTITUTION, IDENTITY, ORDER].map(ExtensionType::Unknown);
        Capabilities::new(
            Some(&[ProtocolVersion::Mls10]),
            Some(&[suite]),
            Some(&ours),
            Some(&[]),
            Some(&[CredentialType::Basic]),
        )
    }

    /// A leaf under the name that Mallory likes to have.
    pub(crate) fn identity(&self, name: &str) -> Extensions<LeafNode> {
        let sealed = keys().meta.seal_profile([1; 12], &Profile::new(name)).unwrap();
        let identity = LeafIdentity { host_proof: None, sealed: sealed.as_bytes().to_vec() };
        Extensions::single(Extension::Unknown(IDENTITY, UnknownExtension(identity.encode())))
            .unwrap()
    }

    /// A key package, of whatever suite and lifetime.
    pub(crate) fn key_package(&self, suite: Option<Ciphersuite>, lifetime: Lifetime) -> Vec<u8> {
        let suite = suite.unwrap_or_else(|| self.suite());
        KeyPackage::builder()
            .key_package_lifetime(lifetime)
            .leaf_node_capabilities(self.capabilities(suite))
            .leaf_node_extensions(self.identity("Mallory"))
            .build(suite, &self.provider, &self.signer, self.credential_with_key())
            .unwrap()
            .key_package()
            .tls_serialize_detached()
            .unwrap()
    }

    /// Joins with a Welcome, like anybody. Whether it opens: without the link it does not.
    pub(crate) fn welcomed(&mut self, welcome: &[u8], tree: &[u8]) -> bool {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(welcome).unwrap();
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else { panic!("no Welcome") };
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(tree).unwrap();
        let config = MlsGroupJoinConfig::builder()
            .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .build();
        let processed = ProcessedWelcome::new_from_welcome(&self.provider, &config, welcome);
        let Ok(processed) = processed else { return false };
        let staged = processed.into_staged_welcome(&self.provider, Some(tree));
        self.mls = staged.ok().and_then(|staged| staged.into_group(&self.provider).ok());
        self.mls.is_some()
    }

    /// Follows another's commit, whatever it does.
    pub(crate) fn follow(&mut self, message: &[u8]) {
        let Some(mls) = &mut self.mls else { return };
        let message = MlsMessageIn::tls_deserialize_exact_bytes(message).unwrap();
        let Ok(message) = message.try_into_protocol_message() else { return };
        let Ok(processed) = mls.process_message(&self.provider, message) else { return };
        match processed.into_content() {
            ProcessedMessageContent::StagedCommitMessage(commit) => {
                mls.merge_staged_commit(&self.provider, *commit).unwrap();
            }
            ProcessedMessageContent::ProposalMessage(proposal) => {
                mls.store_pending_proposal(self.provider.storage(), *proposal).unwrap();
            }
            ProcessedMessageContent::ApplicationMessage(_)
            | ProcessedMessageContent::ExternalJoinProposalMessage(_) => {}
            _ => {}
        }
    }

    fn group(&mut self) -> &mut MlsGroup {
        self.mls.as_mut().expect("in the group")
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.mls.as_ref().unwrap().epoch().as_u64()
    }

    /// A PSK proposal: the link's, or any.
    pub(crate) fn psk(&self, id: Option<Vec<u8>>) -> Proposal {
        let id = id.unwrap_or_else(|| link_psk_id(&self.constitution));
        let psk = Psk::External(ExternalPsk::new(id));
        let id = PreSharedKeyId::new(self.suite(), self.provider.rand(), psk).unwrap();
        Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id)))
    }

    /// The context with another policy in it.
    pub(crate) fn context(
        &mut self,
        constitution: &Constitution,
        order: &Order,
    ) -> Extensions<GroupContext> {
        let server = self.group().extensions().external_senders().unwrap()[0].clone();
        context_extensions(constitution, order, server).unwrap()
    }

    /// A commit that removes someone.
    pub(crate) fn remove(&mut self, leaf: u32) -> Parts {
        let Self { provider, signer, mls, .. } = self;
        let mls = mls.as_mut().expect("in the group");
        let bundle = mls
            .commit_builder()
            .propose_removals([LeafNodeIndex::new(leaf)])
            .load_psks(provider.storage())
            .unwrap()
            .create_group_info(true)
            .build(provider.rand(), provider.crypto(), signer, |_| true)
            .unwrap()
            .stage_commit(provider)
            .unwrap();
        mls.clear_pending_commit(provider.storage()).unwrap();
        parts(bundle)
    }

    /// A commit of anything. It is not merged: Mallory stays where the victims are.
    pub(crate) fn commit(
        &mut self,
        adds: &[Vec<u8>],
        proposals: Vec<Proposal>,
        context: Option<Extensions<GroupContext>>,
    ) -> Parts {
        let adds = adds.iter().map(|bytes| self.read_package(bytes)).collect::<Vec<_>>();
        let Self { provider, signer, mls, .. } = self;
        let mls = mls.as_mut().expect("in the group");
        let builder = mls.commit_builder().propose_adds(adds).add_proposals(proposals);
        let builder = match context {
            Some(context) => builder.propose_group_context_extensions(context).unwrap(),
            None => builder,
        };
        let bundle = builder
            .load_psks(provider.storage())
            .unwrap()
            .create_group_info(true)
            .build(provider.rand(), provider.crypto(), signer, |_| true)
            .unwrap()
            .stage_commit(provider)
            .unwrap();
        mls.clear_pending_commit(provider.storage()).unwrap();
        parts(bundle)
    }

    /// A commit that gives Mallory's leaf another credential or another name.
    pub(crate) fn become_another(&mut self, credential: bool) -> Parts {
        let parameters = if credential {
            let other = CredentialWithKey {
                credential: BasicCredential::new([99; 16].to_vec()).into(),
                signature_key: self.signer.public().into(),
            };
            LeafNodeParameters::builder().with_credential_with_key(other).build()
        } else {
            LeafNodeParameters::builder().with_extensions(self.identity("The Minister")).build()
        };
        let Self { provider, signer, mls, .. } = self;
        let mls = mls.as_mut().expect("in the group");
        let bundle = mls.self_update(provider, signer, parameters).unwrap();
        let parts = parts(bundle);
        mls.clear_pending_commit(provider.storage()).unwrap();
        parts
    }

    /// A commit that only members can see to be wrong: its confirmation tag is not the epoch's.
    pub(crate) fn broken(&mut self) -> Parts {
        let mut parts = self.commit(&[], Vec::new(), None);
        // A PublicMessage ends with its membership tag, before which its confirmation tag stands:
        // both are MACs that the server has no key for.
        let at = parts.commit.len() - 40;
        parts.commit[at] ^= 1;
        parts
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Self { provider, signer, mls, .. } = self;
        let mls = mls.as_mut().expect("in the group");
        mls.create_message(provider, signer, bytes).unwrap().to_bytes().unwrap()
    }

    fn read_package(&self, bytes: &[u8]) -> KeyPackage {
        KeyPackageIn::tls_deserialize_exact_bytes(bytes)
            .unwrap()
            .validate(self.provider.crypto(), ProtocolVersion::Mls10)
            .unwrap()
    }

    /// An external commit: someone who comes in alone.
    pub(crate) fn alone(
        &self,
        name: &str,
        group_info: &[u8],
        tree: &[u8],
        with_link: bool,
    ) -> Parts {
        let info = MlsMessageIn::tls_deserialize_exact_bytes(group_info).unwrap();
        let MlsMessageBodyIn::GroupInfo(info) = info.extract() else { panic!("no description") };
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(tree).unwrap();
        let parameters = LeafNodeParameters::builder()
            .with_capabilities(self.capabilities(self.suite()))
            .with_extensions(self.identity(name))
            .build();
        let mut builder = MlsGroup::external_commit_builder()
            .with_ratchet_tree(tree)
            .build_group(&self.provider, info, self.credential_with_key())
            .unwrap();
        if with_link {
            let Proposal::PreSharedKey(psk) = self.psk(None) else { panic!("no PSK") };
            builder = builder.add_psk_proposal(*psk);
        }
        let (_, bundle) = builder
            .leaf_node_parameters(parameters)
            .load_psks(self.provider.storage())
            .unwrap()
            .create_group_info(true)
            .build(self.provider.rand(), self.provider.crypto(), &self.signer, |_| true)
            .unwrap()
            .finalize(&self.provider)
            .unwrap();
        parts(bundle)
    }
}

fn parts(bundle: CommitMessageBundle) -> Parts {
    let (commit, welcome, info) = bundle.into_messages();
    Parts {
        commit: commit.to_bytes().unwrap(),
        welcome: welcome.map(|welcome| welcome.to_bytes().unwrap()),
        group_info: info.map(|info| info.to_bytes().unwrap()).unwrap_or_default(),
    }
}
