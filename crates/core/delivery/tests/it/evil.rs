//! Members who do not keep to the rules: they use the library as it is.

#![expect(clippy::disallowed_types, reason = "members have groups with secrets")]

use conclave_commit_rules::{CredentialId, LeafIdentity, Mode, Order, Refusal, host_statement};
use conclave_delivery::{
    CommitRefusal, Input, RequestRefusal, ToDevice, VANISH_AFTER, resume_statement,
};
use conclave_mls_view::{CONSTITUTION, IDENTITY, ORDER, context_extensions, link_psk_id};
use conclave_model::ParticipantId;
use openmls::group::{
    CommitMessageBundle, GroupId, MlsGroup, MlsGroupCreateConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY,
};
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::*;
use openmls::schedule::psk::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::Signer as _;

use crate::world::{HOST, KeyPair, World, unix_now};

const TWO: ParticipantId = ParticipantId(2);
const FIVE: ParticipantId = ParticipantId(5);

/// A host who founds the group and then does as it likes.
struct Evil {
    provider: OpenMlsRustCrypto,
    signer: KeyPair,
    mls: MlsGroup,
}

impl Evil {
    fn found(world: &mut World) -> Self {
        let provider = OpenMlsRustCrypto::default();
        let signer = KeyPair::new(SignatureScheme::ED25519).unwrap();
        let link = link_psk_id(&world.constitution);
        let suite = conclave_mls_view::suite_of(&world.constitution).unwrap();
        PreSharedKeyId::external(link, Vec::new()).store(&provider, world.link.as_bytes()).unwrap();
        let credential = CredentialId([200; 16]);
        let statement = host_statement(&world.constitution.meeting, &credential, signer.public());
        let proof = world.host.sign(&statement).unwrap().try_into().unwrap();
        let identity = LeafIdentity { host_proof: Some(proof), sealed: b"evil".to_vec() };
        let identity = Extension::Unknown(IDENTITY, UnknownExtension(identity.encode()));
        let server = BasicCredential::new(b"server".to_vec()).into();
        let server = ExternalSender::new(world.server.0.as_slice().into(), server);
        let context = context_extensions(&world.constitution, &Order::default(), server).unwrap();
        let ours = [CONSTITUTION, IDENTITY, ORDER].map(ExtensionType::Unknown);
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(suite)
            .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .capabilities(Capabilities::new(
                Some(&[ProtocolVersion::Mls10]),
                Some(&[suite]),
                Some(&ours),
                Some(&[]),
                Some(&[CredentialType::Basic]),
            ))
            .with_group_context_extensions(context)
            .with_leaf_node_extensions(Extensions::single(identity).unwrap())
            .unwrap()
            .build();
        let id = GroupId::from_slice(&[world.constitution.meeting, [3; 16]].concat());
        let credential = CredentialWithKey {
            credential: BasicCredential::new(credential.0.to_vec()).into(),
            signature_key: signer.public().into(),
        };
        let mls = MlsGroup::new_with_group_id(&provider, &signer, &config, id, credential).unwrap();
        let evil = Self { provider, signer, mls };
        world.connect(HOST);
        let info = evil.mls.export_group_info(evil.provider.crypto(), &evil.signer, false).unwrap();
        let group_info = info.to_bytes().unwrap();
        let tree = evil.mls.export_ratchet_tree().tls_serialize_detached().unwrap();
        world.give(Input::Found { from: HOST, group_info, tree });
        assert_eq!(world.take(HOST), [ToDevice::Founded]);
        world.give(Input::Ready { from: HOST, epoch: 0 });
        evil
    }

    fn psk(&self, id: Vec<u8>) -> Proposal {
        let psk = Psk::External(ExternalPsk::new(id));
        let id = PreSharedKeyId::new(self.mls.ciphersuite(), self.provider.rand(), psk).unwrap();
        Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id)))
    }

    fn commit(
        &mut self,
        adds: Vec<KeyPackage>,
        proposals: Vec<Proposal>,
        context: Option<Extensions<GroupContext>>,
    ) -> CommitMessageBundle {
        let builder = self.mls.commit_builder().propose_adds(adds).add_proposals(proposals);
        let builder = match context {
            Some(context) => builder.propose_group_context_extensions(context).unwrap(),
            None => builder,
        };
        builder
            .load_psks(self.provider.storage())
            .unwrap()
            .create_group_info(true)
            .build(self.provider.rand(), self.provider.crypto(), &self.signer, |_| true)
            .unwrap()
            .stage_commit(&self.provider)
            .unwrap()
    }

    fn clear(&mut self) {
        self.mls.clear_pending_commit(self.provider.storage()).unwrap();
    }
}

fn package(world: &mut World, who: ParticipantId) -> (Vec<u8>, KeyPackage) {
    let device = world.knock(who);
    let knock = device.key_package(unix_now()).unwrap();
    world.give(Input::Knock { from: who, key_package: knock.clone() });
    let provider = OpenMlsRustCrypto::default();
    let parsed = KeyPackageIn::tls_deserialize_exact_bytes(&knock).unwrap();
    let parsed = parsed.validate(provider.crypto(), ProtocolVersion::Mls10).unwrap();
    (knock, parsed)
}

struct Parts {
    commit: Vec<u8>,
    welcome: Option<Vec<u8>>,
    group_info: Vec<u8>,
}

fn parts(bundle: CommitMessageBundle) -> Parts {
    let (commit, welcome, info) = bundle.into_messages();
    Parts {
        commit: commit.to_bytes().unwrap(),
        welcome: welcome.map(|welcome| welcome.to_bytes().unwrap()),
        group_info: info.unwrap().to_bytes().unwrap(),
    }
}

#[track_caller]
fn assert_refused(world: &mut World, from: ParticipantId, parts: &Parts, expected: CommitRefusal) {
    let epoch = world.service.epoch();
    world.take(from);
    world.give(Input::Commit {
        from,
        commit: parts.commit.clone(),
        welcome: parts.welcome.clone(),
        group_info: parts.group_info.clone(),
    });
    let received = world.take(from);
    let [ToDevice::Rejected { why, .. }] = &received[..] else { panic!("{received:?}") };
    assert_eq!(*why, expected);
    assert_eq!(world.service.epoch(), epoch);
}

#[test]
fn an_add_without_the_link_or_with_another_secret_is_refused_by_name() {
    let mut world = World::new(Mode::Lobby);
    let mut evil = Evil::found(&mut world);
    let (_, newcomer) = package(&mut world, TWO);
    let without = parts(evil.commit(vec![newcomer.clone()], Vec::new(), None));
    assert_refused(&mut world, HOST, &without, CommitRefusal::Rule(Refusal::NoLinkSecret));

    evil.clear();
    let other = b"another".to_vec();
    PreSharedKeyId::external(other.clone(), Vec::new()).store(&evil.provider, &[1; 32]).unwrap();
    let psk = evil.psk(other);
    let wrong = parts(evil.commit(vec![newcomer], vec![psk], None));
    assert_refused(&mut world, HOST, &wrong, CommitRefusal::Rule(Refusal::WrongLinkSecret));
}

#[test]
fn a_commit_that_changes_the_constitution_is_refused() {
    let mut world = World::new(Mode::Lobby);
    let mut evil = Evil::found(&mut world);
    let server = evil.mls.extensions().external_senders().unwrap()[0].clone();
    let mut constitution = world.constitution.clone();
    constitution.mode = Mode::OpenLink;
    let context = context_extensions(&constitution, &Order::default(), server).unwrap();
    let changed = parts(evil.commit(Vec::new(), Vec::new(), Some(context)));
    assert_refused(&mut world, HOST, &changed, CommitRefusal::Rule(Refusal::Context));
}

#[test]
fn a_commit_that_changes_who_the_committer_is_is_refused() {
    let mut world = World::new(Mode::Lobby);
    let mut evil = Evil::found(&mut world);
    let credential = CredentialWithKey {
        credential: BasicCredential::new([201; 16].to_vec()).into(),
        signature_key: evil.signer.public().into(),
    };
    let parameters = LeafNodeParameters::builder().with_credential_with_key(credential).build();
    let Evil { provider, signer, mls } = &mut evil;
    let bundle = mls.self_update(provider, signer, parameters).unwrap();
    let commit = bundle.into_commit().to_bytes().unwrap();
    let parts = Parts { commit, welcome: None, group_info: Vec::new() };
    // The host's proof is over its credential, so that it is no host's leaf any more.
    world.give(Input::Commit {
        from: HOST,
        commit: parts.commit,
        welcome: None,
        group_info: parts.group_info,
    });
    let received = world.take(HOST);
    let [ToDevice::Rejected { why: CommitRefusal::View(_), .. }] = &received[..] else {
        panic!("{received:?}")
    };
}

#[test]
fn commit_welcome_and_description_come_together_or_not_at_all() {
    let mut world = World::new(Mode::Lobby);
    let mut evil = Evil::found(&mut world);
    let (_, newcomer) = package(&mut world, TWO);
    let (_, other) = package(&mut world, FIVE);
    let link = link_psk_id(&world.constitution);
    let psk = evil.psk(link.clone());
    let theirs = parts(evil.commit(vec![other], vec![psk], None));
    evil.clear();
    let psk = evil.psk(link.clone());
    let honest = parts(evil.commit(vec![newcomer], vec![psk], None));

    let missing = Parts { welcome: None, ..clone(&honest) };
    assert_refused(&mut world, HOST, &missing, CommitRefusal::Welcome);
    let forged = Parts { welcome: theirs.welcome.clone(), ..clone(&honest) };
    assert_refused(&mut world, HOST, &forged, CommitRefusal::Welcome);
    let described = Parts { group_info: theirs.group_info.clone(), ..clone(&honest) };
    assert_refused(&mut world, HOST, &described, CommitRefusal::GroupInfo);
    assert_refused(&mut world, TWO, &honest, CommitRefusal::Sender);
    assert_eq!(world.take(TWO), [], "nothing of it has come to the one it adds");

    // Whoever has gone cannot be added.
    world.give(Input::Disconnected { who: TWO });
    assert_refused(&mut world, HOST, &honest, CommitRefusal::NotKnocking);
    assert!(!world.open.contains_key(&TWO));

    // With nobody to add, a Welcome is none.
    evil.clear();
    let psk = evil.psk(link);
    let update = parts(evil.commit(Vec::new(), vec![psk], None));
    let superfluous = Parts { welcome: theirs.welcome, ..update };
    assert_refused(&mut world, HOST, &superfluous, CommitRefusal::Welcome);
}

fn clone(parts: &Parts) -> Parts {
    Parts {
        commit: parts.commit.clone(),
        welcome: parts.welcome.clone(),
        group_info: parts.group_info.clone(),
    }
}

#[test]
fn a_newcomer_gets_its_own_part_of_a_welcome_for_two() {
    let mut world = World::new(Mode::Lobby);
    let mut evil = Evil::found(&mut world);
    let (_, one) = package(&mut world, TWO);
    let (_, other) = package(&mut world, FIVE);
    let psk = evil.psk(link_psk_id(&world.constitution));
    let both = parts(evil.commit(vec![one.clone(), other], vec![psk], None));
    let whole = both.welcome.clone().unwrap();
    let input = Input::Commit {
        from: HOST,
        commit: both.commit,
        welcome: both.welcome,
        group_info: both.group_info,
    };
    world.give(input);
    let received = world.take(TWO);
    let [ToDevice::Welcome { welcome, .. }] = &received[..] else { panic!("{received:?}") };
    assert!(welcome.len() < whole.len());
    let message = MlsMessageIn::tls_deserialize_exact_bytes(welcome).unwrap();
    let MlsMessageBodyIn::Welcome(own) = message.extract() else { panic!() };
    let [secrets] = own.secrets() else { panic!("others' parts are in it") };
    assert_eq!(secrets.new_member(), one.hash_ref(evil.provider.crypto()).unwrap());
}

#[test]
fn a_member_that_updates_too_often_or_does_nothing_while_someone_is_to_go_is_refused() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    let outgoing = members[1].update(unix_now()).unwrap();
    world.submit(TWO, &outgoing);
    world.sync_all(&mut members);
    let outgoing = members[1].update(unix_now()).unwrap();
    let parts = |outgoing: conclave_mls::Outgoing| Parts {
        commit: outgoing.commit,
        welcome: outgoing.welcome,
        group_info: outgoing.group_info,
    };
    let again = parts(outgoing);
    assert_refused(&mut world, TWO, &again, CommitRefusal::Rule(Refusal::TooSoon));
    let idle = parts(members[0].update(unix_now()).unwrap());
    world.give(Input::Leave { who: ParticipantId(3) });
    assert_refused(&mut world, HOST, &idle, CommitRefusal::Rule(Refusal::Idle));
}

#[test]
fn someone_who_comes_alone_into_a_lobby_is_refused() {
    // In a meeting that is open to all, the library makes the commit; the lobby's service refuses.
    let mut world = World::new(Mode::OpenLink);
    let mut members = world.meeting(1);
    let mut order = members[0].order();
    let device = world.device();
    let (info, tree) = (members[0].group_info().unwrap(), members[0].tree().unwrap());
    order.locked = true;
    let outgoing = members[0].change_order(unix_now(), order).unwrap();
    world.submit(HOST, &outgoing);
    world.sync_all(&mut members);
    assert!(conclave_mls::Group::rejoin(device, &info, &tree).is_ok(), "as it was");
    let device = world.device();
    let (info, tree) = (members[0].group_info().unwrap(), members[0].tree().unwrap());
    let rejoining = conclave_mls::Group::rejoin(device, &info, &tree).unwrap();
    world.connect(FIVE);
    let outgoing = rejoining.outgoing();
    let parts = Parts {
        commit: outgoing.commit.clone(),
        welcome: None,
        group_info: outgoing.group_info.clone(),
    };
    assert_refused(&mut world, FIVE, &parts, CommitRefusal::Rule(Refusal::Locked));
    world.give(Input::FetchGroup { from: FIVE });
    assert!(matches!(world.take(FIVE)[..], [ToDevice::Refused { .. }]));
}

#[test]
fn a_member_resumes_with_its_leafs_key_over_this_very_challenge() {
    let mut world = World::new(Mode::Lobby);
    let evil = Evil::found(&mut world);
    world.give(Input::Disconnected { who: HOST });
    let challenge = [5; 32];
    let signature = evil.signer.sign(&resume_statement(&challenge)).unwrap();
    let resume = |challenge| Input::Resume { who: HOST, challenge, signature: signature.clone() };
    world.give(resume([6; 32]));
    let why = RequestRefusal::NotMember;
    assert_eq!(world.take(HOST), [ToDevice::Refused { why }]);
    world.give(resume(challenge));
    assert_eq!(world.take(HOST), [ToDevice::Resumed]);
    world.pass(2 * VANISH_AFTER);
    assert!(world.open.contains_key(&HOST), "it is back");
}

#[test]
fn whoever_leaves_is_cut_before_anyone_commits_and_its_own_commits_do_not_count() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    let outgoing = members[1].update(unix_now()).unwrap();
    world.give(Input::Leave { who: TWO });
    assert!(!world.open.contains_key(&TWO));
    world.take(TWO);
    let message = members[2].send(b"hello").unwrap();
    world.give(Input::App { from: ParticipantId(3), message });
    assert_eq!(world.take(TWO), []);
    let parts = Parts { commit: outgoing.commit, welcome: None, group_info: outgoing.group_info };
    assert_refused(&mut world, TWO, &parts, CommitRefusal::Sender);
}

#[test]
fn a_key_package_that_is_valid_for_too_long_is_refused() {
    let mut world = World::new(Mode::Lobby);
    let mut evil = Evil::found(&mut world);
    let provider = OpenMlsRustCrypto::default();
    let signer = KeyPair::new(SignatureScheme::ED25519).unwrap();
    let identity = LeafIdentity { host_proof: None, sealed: b"sealed".to_vec() };
    let identity = Extension::Unknown(IDENTITY, UnknownExtension(identity.encode()));
    let own = evil.mls.own_leaf_node().unwrap();
    let package = KeyPackage::builder()
        .key_package_lifetime(Lifetime::init(unix_now() - 60, unix_now() + 3 * 24 * 3600))
        .leaf_node_capabilities(own.capabilities().clone())
        .leaf_node_extensions(Extensions::single(identity).unwrap());
    let credential = CredentialWithKey {
        credential: BasicCredential::new([202; 16].to_vec()).into(),
        signature_key: signer.public().into(),
    };
    let package = package.build(evil.mls.ciphersuite(), &provider, &signer, credential).unwrap();
    let package = package.key_package().clone();
    world.connect(TWO);
    let key_package = package.tls_serialize_detached().unwrap();
    world.give(Input::Knock { from: TWO, key_package });
    assert_eq!(world.take(TWO), []);
    let psk = evil.psk(link_psk_id(&world.constitution));
    let long = parts(evil.commit(vec![package], vec![psk], None));
    assert_refused(&mut world, HOST, &long, CommitRefusal::Rule(Refusal::Lifetime));
}
