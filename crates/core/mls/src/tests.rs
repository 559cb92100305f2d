//! Groups of devices, and what an evil server or member would do to them.

use std::time::{SystemTime, UNIX_EPOCH};

use conclave_commit_rules::{
    Classification, Constitution, CredentialId, IdentityCheck, LeafView, Mode, Order, Refusal,
    Role, SUITE_DEFAULT,
};
use conclave_link::{LinkKeys, LinkPsk, LinkSecret};
use conclave_mls_view::ContextError;
use openmls::group::{GroupId, MlsGroup};
use openmls::prelude::tls_codec::{DeserializeBytes as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, Extension, Extensions, ExternalProposal,
    KeyPackage, KeyPackageIn, LeafNode, LeafNodeIndex, LeafNodeParameters, Lifetime, MlsMessageIn,
    OpenMlsProvider as _, ProtocolVersion, RatchetTreeIn, SenderExtensionIndex, SignatureScheme,
    UnknownExtension,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::Signer as _;

use super::*;
use crate::key_package::KeyPackageError;
use crate::key_store::Provider;

type Ext<T> = Extensions<T>;

/// A meeting: its policy, its link, its host key, its server.
struct World {
    constitution: Constitution,
    link: LinkPsk,
    host: SignatureKeyPair,
    server: SignatureKeyPair,
    next: u8,
}

#[expect(clippy::disallowed_methods, reason = "the library looks at the system's clock itself")]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn key_pair() -> SignatureKeyPair {
    SignatureKeyPair::new(SignatureScheme::ED25519).unwrap()
}

fn guest(_: &LeafView) -> IdentityCheck {
    IdentityCheck::Guest
}

impl World {
    fn new(mode: Mode) -> Self {
        let (host, server) = (key_pair(), key_pair());
        let constitution = Constitution {
            version: Constitution::VERSION,
            meeting: [7; 16],
            suite: SUITE_DEFAULT,
            mode,
            join_before_host: false,
            host_key: host.public().try_into().unwrap(),
            issuers: Vec::new(),
            guests: true,
            node_key: [9; 32],
            jurisdictions: Vec::new(),
            gateways: false,
            voice_level: true,
            classification: Classification::Open,
            max_members: 1000,
        };
        Self { constitution, link: link(1), host, server, next: 0 }
    }

    fn device(&mut self) -> Device {
        self.next += 1;
        let credential = CredentialId([self.next; 16]);
        Device::new(self.constitution.clone(), &self.link, credential, b"sealed".to_vec()).unwrap()
    }

    fn host_device(&mut self) -> Device {
        let mut device = self.device();
        let signature = self.host.sign(&device.host_statement()).unwrap();
        device.prove_host(signature.try_into().unwrap()).unwrap();
        device
    }

    fn server_key(&self) -> ServerKey {
        ServerKey(self.server.public().try_into().unwrap())
    }

    fn found(&mut self) -> Group {
        let device = self.host_device();
        Group::found(device, &Order::default(), self.server_key(), [1; 16], now()).unwrap()
    }

    /// A host and `count` others.
    fn meeting(&mut self, count: usize) -> Vec<Group> {
        let mut members = vec![self.found()];
        let devices = (0..count).map(|_| self.device()).collect();
        admit(&mut members, devices);
        members
    }

    fn removal(&self, group: &Group, leaf: u32) -> Vec<u8> {
        ExternalProposal::new_remove::<OpenMlsRustCrypto>(
            LeafNodeIndex::new(leaf),
            group.mls.group_id().clone(),
            group.mls.epoch(),
            &self.server,
            SenderExtensionIndex::new(0),
        )
        .unwrap()
        .to_bytes()
        .unwrap()
    }
}

fn link(number: u8) -> LinkPsk {
    let meeting = "BwcHBwcHBwcHBwcHBwcHBw".parse().unwrap();
    LinkKeys::derive(&LinkSecret::from_bytes([number; 32]), &meeting).psk
}

/// The first member admits devices, and all take it in.
fn admit(members: &mut Vec<Group>, devices: Vec<Device>) {
    let knocks: Vec<_> = devices.iter().map(|d| d.key_package(now()).unwrap()).collect();
    let (host, others) = members.split_first_mut().unwrap();
    let verified = knocks.iter().map(|k| host.verify(k, guest).unwrap()).collect();
    let outgoing = host.admit(now(), verified).unwrap();
    for other in others {
        let received = other.receive(now(), &outgoing.commit, guest).unwrap();
        assert!(matches!(received, Received::Committed(_)));
    }
    host.confirm().unwrap();
    let tree = host.tree().unwrap();
    let welcome = outgoing.welcome.unwrap();
    members.extend(devices.into_iter().map(|device| Group::join(device, &welcome, &tree).unwrap()));
}

/// One member's commit, taken in by all others.
fn spread(members: &mut [Group], committer: usize, outgoing: &Outgoing) {
    for (index, member) in members.iter_mut().enumerate() {
        if index == committer {
            member.confirm().unwrap();
        } else {
            member.receive(now(), &outgoing.commit, guest).unwrap();
        }
    }
}

fn assert_agree(members: &mut [Group]) {
    let mark = members[0].fork_mark();
    let code = members[0].safety_code();
    let keys: Vec<_> = members.iter_mut().map(|m| m.take_frame_key().unwrap()).collect();
    for (member, key) in members.iter().zip(&keys) {
        assert_eq!((member.fork_mark(), member.safety_code()), (mark.clone(), code.clone()));
        assert_eq!(**key, *keys[0]);
    }
}

#[test]
fn a_device_that_comes_again_is_known_by_its_former_leafs_key_alone() {
    let mut world = World::new(Mode::Lobby);
    let group = world.found();
    let (first, mut next, stranger) = (world.device(), world.device(), world.device());
    let verify =
        |device: &Device| group.verify(&device.key_package(now()).unwrap(), guest).unwrap();
    let first_key = first.signer.public().to_vec();

    assert_eq!(verify(&next).former(), None);
    assert!(!group.is_same_device(&verify(&next), &first_key), "it says nothing");
    next.succeed(&first.former()).unwrap();
    let package = verify(&next);
    assert_eq!(package.former(), Some(first.credential()));
    assert!(group.is_same_device(&package, &first_key));
    assert!(!group.is_same_device(&package, stranger.signer.public()), "another's leaf");

    // Somebody else's former stay, and somebody else's word for it.
    let mut liar = world.device();
    let forged = Former::of(first.credential(), &stranger);
    liar.succeed(&forged).unwrap();
    assert_eq!(verify(&liar).former(), Some(first.credential()));
    assert!(!group.is_same_device(&verify(&liar), &first_key));
}

#[test]
fn two_members_agree_on_everything() {
    let mut members = World::new(Mode::Lobby).meeting(1);
    assert_agree(&mut members);
    assert_eq!(
        members[0].mls.ciphersuite(),
        Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519
    );
    let code = members[0].safety_code().to_string();
    assert_eq!(code.len(), 35);
    assert!(
        code.split(' ').all(|five| five.len() == 5 && five.bytes().all(|b| b.is_ascii_digit()))
    );
    assert_eq!((members[0].role(0), members[1].role(1)), (Some(Role::Host), Some(Role::Guest)));
}

#[test]
fn a_message_is_read_by_all_and_says_who_sent_it() {
    let mut members = World::new(Mode::Lobby).meeting(2);
    let sent = members[1].send(b"hello").unwrap();
    for reader in [0, 2] {
        let received = members[reader].receive(now(), &sent, guest).unwrap();
        let Received::Message(message) = received else { panic!("{received:?}") };
        assert_eq!((message.bytes.as_slice(), message.leaf, message.epoch), (&b"hello"[..], 1, 1));
        assert_eq!(message.sender.credential, members[1].device.credential());
        assert_eq!(
            members[reader].receive(now(), &sent, guest),
            Err(ReceiveError::Forged),
            "replay"
        );
    }
}

#[test]
fn thirty_two_members_come_at_once_and_one_goes() {
    let mut members = World::new(Mode::Lobby).meeting(31);
    assert_agree(&mut members);
    let outgoing = members[0].remove(now(), &[31]).unwrap();
    let mut removed = members.pop().unwrap();
    spread(&mut members, 0, &outgoing);
    assert_eq!(removed.receive(now(), &outgoing.commit, guest), Ok(Received::Removed));
    assert_agree(&mut members);
    assert_eq!(members[0].members().unwrap().len(), 31);
}

#[test]
fn an_update_is_taken_in_by_all() {
    let mut members = World::new(Mode::Lobby).meeting(2);
    let outgoing = members[2].update(now()).unwrap();
    spread(&mut members, 2, &outgoing);
    assert_agree(&mut members);
}

#[test]
fn a_frame_key_is_given_out_once_per_epoch() {
    let mut members = World::new(Mode::Lobby).meeting(1);
    let first = members[0].take_frame_key().unwrap();
    assert!(members[0].take_frame_key().is_none());
    let outgoing = members[1].update(now()).unwrap();
    spread(&mut members, 1, &outgoing);
    assert_ne!(*members[0].take_frame_key().unwrap(), *first);
}

#[test]
fn a_commit_that_was_not_first_is_discarded_and_the_winners_taken_in() {
    let mut members = World::new(Mode::Lobby).meeting(2);
    let winner = members[1].update(now()).unwrap();
    members[2].update(now()).unwrap();
    members[2].discard();
    spread(&mut members, 1, &winner);
    assert_agree(&mut members);
}

#[test]
fn a_removed_member_opens_nothing_of_the_next_epoch() {
    let mut members = World::new(Mode::Lobby).meeting(2);
    let mut removed = members.pop().unwrap();
    let outgoing = members[0].remove(now(), &[2]).unwrap();
    spread(&mut members, 0, &outgoing);
    // It does not even take the commit in, but holds on to the epoch that it knows.
    let secret = members[0].send(b"now that they are gone").unwrap();
    let old = removed.take_frame_key().unwrap();
    assert!(removed.receive(now(), &secret, guest).is_err());
    assert_ne!(*members[0].take_frame_key().unwrap(), *old);
    // And once it knows, it has no key at all.
    assert_eq!(removed.receive(now(), &outgoing.commit, guest), Ok(Received::Removed));
    assert!(removed.receive(now(), &secret, guest).is_err());
    assert!(removed.take_frame_key().is_none());
    assert!(removed.send(b"hello?").is_err());
}

#[test]
fn a_newcomer_without_the_links_secret_cannot_join() {
    let mut world = World::new(Mode::Lobby);
    let mut members = [world.found()];
    world.link = link(2);
    let stranger = world.device();
    let knock = stranger.key_package(now()).unwrap();
    let verified = members[0].verify(&knock, guest).unwrap();
    let outgoing = members[0].admit(now(), vec![verified]).unwrap();
    members[0].confirm().unwrap();
    let (welcome, tree) = (outgoing.welcome.unwrap(), members[0].tree().unwrap());
    assert_eq!(Group::join(stranger, &welcome, &tree).unwrap_err(), JoinError::Welcome);
}

#[test]
fn a_member_without_the_links_secret_cannot_follow_an_admission() {
    // A member who learns nothing but the tree cannot be given the epoch: the secret is in it.
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    let storage = &members[1].device.provider;
    forget_link(storage, &world.constitution);
    let knock = world.device().key_package(now()).unwrap();
    let verified = members[0].verify(&knock, guest).unwrap();
    let outgoing = members[0].admit(now(), vec![verified]).unwrap();
    assert_eq!(members[1].receive(now(), &outgoing.commit, guest), Err(ReceiveError::Forged));
}

fn forget_link(provider: &Provider, constitution: &Constitution) {
    use openmls::schedule::psk::{ExternalPsk, Psk};
    use openmls_traits::storage::StorageProvider as _;
    let id = conclave_mls_view::link_psk_id(constitution);
    provider.storage().delete_psk(&Psk::External(ExternalPsk::new(id))).unwrap();
}

#[test]
fn an_add_without_the_links_secret_is_refused_and_stops_the_member() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    let ghost = world.device().key_package(now()).unwrap();
    let ghost = members[0].verify(&ghost, guest).unwrap().package;
    let Group { device, mls, .. } = &mut members[0];
    let (commit, ..) =
        mls.add_members_without_update(&device.provider, &device.signer, &[ghost]).unwrap();

    let stop = Stop::Refused(Refusal::NoLinkSecret);
    let commit = commit.to_bytes().unwrap();
    assert_eq!(members[1].receive(now(), &commit, guest), Err(ReceiveError::Stopped(stop)));
    // Rule 9: nothing more is sent, accepted or sealed, and it does not come back by itself.
    assert_eq!(members[1].epoch(), 1);
    assert_eq!(members[1].send(b"hello"), Err(SendError::Stopped));
    assert!(members[1].take_frame_key().is_none());
    members[0].discard();
    let honest = members[0].update(now()).unwrap();
    assert_eq!(members[1].receive(now(), &honest.commit, guest), Err(ReceiveError::Stopped(stop)));
}

#[test]
fn a_guest_admits_nobody() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    let knock = world.device().key_package(now()).unwrap();
    let verified = members[1].verify(&knock, guest).unwrap();
    let refused = members[1].admit(now(), vec![verified]).unwrap_err();
    assert_eq!(refused, CommitError::Refused(Refusal::NotAdmitter));
    // The group is as it was.
    let outgoing = members[0].update(now()).unwrap();
    spread(&mut members, 0, &outgoing);
    assert_agree(&mut members);
}

#[test]
fn an_appointed_admitter_admits_and_members_see_the_same_order() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    let mut order = members[0].order();
    order.appoint(members[1].device.credential(), Role::Admitter);
    let outgoing = members[0].change_order(now(), order.clone()).unwrap();
    spread(&mut members, 0, &outgoing);
    assert_eq!(members[2].order(), order);
    assert_eq!(members[2].role(1), Some(Role::Admitter));

    let newcomer = world.device();
    let knock = newcomer.key_package(now()).unwrap();
    let verified = members[1].verify(&knock, guest).unwrap();
    let outgoing = members[1].admit(now(), vec![verified]).unwrap();
    spread(&mut members, 1, &outgoing);
    let tree = members[1].tree().unwrap();
    members.push(Group::join(newcomer, &outgoing.welcome.unwrap(), &tree).unwrap());
    assert_agree(&mut members);
    assert_eq!(members[3].role(1), Some(Role::Admitter));
}

#[test]
fn a_guest_changes_no_order() {
    let mut members = World::new(Mode::Lobby).meeting(1);
    let mut order = members[1].order();
    order.appoint(members[1].device.credential(), Role::CoHost);
    let refused = members[1].change_order(now(), order).unwrap_err();
    assert_eq!(refused, CommitError::Refused(Refusal::NotHost));
}

#[test]
fn the_servers_proposal_to_add_someone_is_dropped() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    let ghost = world.device().key_package(now()).unwrap();
    let ghost = members[0].verify(&ghost, guest).unwrap().package;
    let proposal = ExternalProposal::new_add::<OpenMlsRustCrypto>(
        ghost,
        members[0].mls.group_id().clone(),
        members[0].mls.epoch(),
        &world.server,
        SenderExtensionIndex::new(0),
    );
    let proposal = proposal.unwrap().to_bytes().unwrap();
    for member in &mut members {
        assert_eq!(member.receive(now(), &proposal, guest), Err(ReceiveError::Proposal));
        assert_eq!(member.mls.pending_proposals().count(), 0);
    }
}

#[test]
fn the_servers_removal_is_committed_by_a_member_and_by_no_empty_commit() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(3);
    let removal = world.removal(&members[0], 3);
    members.pop();
    for member in &mut members {
        let received = member.receive(now(), &removal, guest);
        assert_eq!(received, Ok(Received::RemovalProposed(3)));
    }
    // A member that ignores it makes an empty commit, which the others refuse.
    let mut idle = members.pop().unwrap();
    idle.mls.clear_pending_proposals(idle.device.provider.storage()).unwrap();
    let empty = idle.update(now()).unwrap();
    let mut witness = members.pop().unwrap();
    let stop = Stop::Refused(Refusal::Idle);
    assert_eq!(witness.receive(now(), &empty.commit, guest), Err(ReceiveError::Stopped(stop)));

    idle.discard();
    let outgoing = members[0].commit_pending(now()).unwrap();
    members[0].confirm().unwrap();
    assert_eq!(members[0].members().unwrap().len(), 3);
    idle.receive(now(), &removal, guest).unwrap();
    let received = idle.receive(now(), &outgoing.commit, guest).unwrap();
    let Received::Committed(accepted) = received else { panic!("{received:?}") };
    assert_eq!((accepted.removed, accepted.put_out), (vec![3], vec![]));
}

#[test]
fn whom_a_host_removes_is_put_out_even_if_the_server_proposed_it_too() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(4);
    let removals = [3, 4].map(|leaf| world.removal(&members[0], leaf));
    members.truncate(3);
    for member in &mut members {
        for removal in &removals {
            member.receive(now(), removal, guest).unwrap();
        }
    }

    let outgoing = members[0].remove(now(), &[3]).unwrap();
    let own = members[0].confirm().unwrap();
    let received = members[1].receive(now(), &outgoing.commit, guest).unwrap();
    let Received::Committed(others) = received else { panic!("{received:?}") };
    for accepted in [own, others] {
        assert_eq!((accepted.removed, accepted.put_out), (vec![3, 4], vec![3]));
    }
}

#[test]
fn a_forged_removal_is_not_noted() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    world.server = key_pair();
    let removal = world.removal(&members[0], 1);
    assert_eq!(members[0].receive(now(), &removal, guest), Err(ReceiveError::Forged));
    assert!(members[0].pending_removes().is_empty());
}

#[test]
fn a_host_comes_back_by_an_external_commit_and_removes_the_leaf_it_left() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(2);
    let (info, tree) = (members[0].group_info().unwrap(), members[0].tree().unwrap());
    let rejoining = Group::rejoin(world.host_device(), &info, &tree).unwrap();
    let commit = rejoining.outgoing().commit.clone();
    let mut members = members.split_off(1);
    for member in &mut members {
        let received = member.receive(now(), &commit, guest).unwrap();
        let Received::Committed(accepted) = received else { panic!("{received:?}") };
        assert!(accepted.joined.is_some());
    }
    members.push(rejoining.confirm());
    members[2].verify_members(guest).unwrap();
    let outgoing = members[2].remove(now(), &[0]).unwrap();
    spread(&mut members, 2, &outgoing);
    assert_agree(&mut members);
    assert_eq!(members[0].members().unwrap().len(), 3);
    assert_eq!(members[0].role(3), Some(Role::Host));
}

#[test]
fn in_an_open_meeting_whoever_holds_the_link_comes_in_alone_and_in_a_lobby_not() {
    for (mode, comes_in) in [(Mode::OpenLink, true), (Mode::Lobby, false)] {
        let mut world = World::new(mode);
        let mut members = world.meeting(1);
        let (info, tree) = (members[0].group_info().unwrap(), members[0].tree().unwrap());
        let joined = Group::rejoin(world.device(), &info, &tree);
        assert_eq!(joined.is_ok(), comes_in);
        if let Ok(joining) = joined {
            let commit = &joining.outgoing().commit;
            assert!(members[1].receive(now(), commit, guest).is_ok());
        }
    }
}

/// An external commit by someone who does not keep to this crate's rules.
fn alone(device: &Device, group: &Group, with_link: bool) -> Vec<u8> {
    let bytes = group.group_info().unwrap();
    let message = MlsMessageIn::tls_deserialize_exact_bytes(&bytes).unwrap();
    let openmls::prelude::MlsMessageBodyIn::GroupInfo(info) = message.extract() else { panic!() };
    let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&group.tree().unwrap()).unwrap();
    let parameters = LeafNodeParameters::builder()
        .with_capabilities(device.capabilities())
        .with_extensions(device.leaf_extensions().unwrap())
        .build();
    let provider = &device.provider;
    let (_, bundle) = MlsGroup::external_commit_builder()
        .with_ratchet_tree(tree)
        .with_config(device::join_config())
        .build_group(provider, info, device.credential_with_key())
        .unwrap()
        .add_psk_proposals(with_link.then(|| device.link_proposal().unwrap()))
        .leaf_node_parameters(parameters)
        .load_psks(provider.storage())
        .unwrap()
        .build(provider.rand(), provider.crypto(), &device.signer, |_| true)
        .unwrap()
        .finalize(provider)
        .unwrap();
    bundle.into_commit().to_bytes().unwrap()
}

#[test]
fn an_external_commit_without_the_links_secret_is_refused_even_of_a_host() {
    for mode in [Mode::Lobby, Mode::OpenLink] {
        let mut world = World::new(mode);
        let mut members = world.meeting(1);
        let commit = alone(&world.host_device(), &members[0], false);
        let stop = Stop::Refused(Refusal::NoLinkSecret);
        assert_eq!(members[1].receive(now(), &commit, guest), Err(ReceiveError::Stopped(stop)));
    }
}

#[test]
fn an_external_commit_into_a_lobby_is_refused() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    let commit = alone(&world.device(), &members[0], true);
    let stop = Stop::Refused(Refusal::NotAdmitted);
    assert_eq!(members[1].receive(now(), &commit, guest), Err(ReceiveError::Stopped(stop)));
}

#[test]
fn an_external_commit_with_another_links_secret_is_not_valid() {
    let mut world = World::new(Mode::OpenLink);
    let mut members = world.meeting(1);
    world.link = link(2);
    let commit = alone(&world.host_device(), &members[0], true);
    assert_eq!(members[1].receive(now(), &commit, guest), Err(ReceiveError::Forged));
    assert_eq!(members[1].stop(), None, "the group goes on");
}

#[test]
fn a_stolen_host_proof_makes_nobody_host() {
    let mut world = World::new(Mode::Lobby);
    let statement = world.host_device().host_statement();
    let signature = world.host.sign(&statement).unwrap();
    let mut thief = world.device();
    assert_eq!(thief.prove_host(signature.try_into().unwrap()), Err(HostProofError));
    assert!(!thief.is_host());
    let order = Order::default();
    let founded = Group::found(thief, &order, world.server_key(), [1; 16], now());
    assert_eq!(founded.unwrap_err(), FoundError::NotHost);
}

/// A commit in which the committer's leaf changes.
fn changed(group: &mut Group, parameters: LeafNodeParameters) -> Vec<u8> {
    let Group { device, mls, .. } = group;
    let bundle = mls.self_update(&device.provider, &device.signer, parameters).unwrap();
    bundle.into_commit().to_bytes().unwrap()
}

#[test]
fn a_commit_that_changes_an_identity_is_refused() {
    let mut members = World::new(Mode::Lobby).meeting(1);
    let identity = UnknownExtension([&[1, 0], b"Minister".as_slice()].concat());
    let extensions: Ext<LeafNode> =
        Extensions::single(Extension::Unknown(conclave_mls_view::IDENTITY, identity)).unwrap();
    let commit =
        changed(&mut members[1], LeafNodeParameters::builder().with_extensions(extensions).build());
    let stop = Stop::Refused(Refusal::IdentityChanged);
    assert_eq!(members[0].receive(now(), &commit, guest), Err(ReceiveError::Stopped(stop)));
}

#[test]
fn a_commit_that_changes_a_credential_is_refused() {
    let mut members = World::new(Mode::Lobby).meeting(1);
    let credential = CredentialWithKey {
        credential: BasicCredential::new([99; 16].to_vec()).into(),
        signature_key: members[1].device.signer.public().into(),
    };
    let parameters = LeafNodeParameters::builder().with_credential_with_key(credential).build();
    let commit = changed(&mut members[1], parameters);
    let stop = Stop::Refused(Refusal::IdentityChanged);
    assert_eq!(members[0].receive(now(), &commit, guest), Err(ReceiveError::Stopped(stop)));
}

#[test]
fn a_key_package_of_another_suite_or_lifetime_is_not_admitted() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    let device = world.device();
    let hour = 3600;
    let weak = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;
    let (good, long) = (device.lifetime(now()), Lifetime::init(now() - hour, now() + 48 * hour));
    for (suite, lifetime, expected) in
        [(weak, good, Refusal::Suite), (device.suite, long, Refusal::Lifetime)]
    {
        let knock = device.key_package_of(suite, lifetime).unwrap();
        let verified = members[0].verify(&knock, guest).unwrap();
        let refused = members[0].admit(now(), vec![verified]).unwrap_err();
        assert!(
            matches!(refused, CommitError::Refused(r) if r == expected)
                || refused == CommitError::Library,
            "{refused:?}"
        );
    }
    let expired = Lifetime::init(now() - 2 * hour, now() - hour);
    let knock = device.key_package_of(device.suite, expired).unwrap();
    assert_eq!(members[0].verify(&knock, guest).unwrap_err(), KeyPackageError::Invalid);
}

#[test]
fn a_key_package_with_a_flipped_bit_is_not_taken() {
    let mut world = World::new(Mode::Lobby);
    let group = world.found();
    let knock = world.device().key_package(now()).unwrap();
    for at in (0..knock.len()).step_by(61) {
        let mut forged = knock.clone();
        forged[at] ^= 1;
        assert!(group.verify(&forged, guest).is_err(), "byte {at}");
    }
}

#[test]
fn truncated_bytes_of_any_kind_are_an_error() {
    let mut world = World::new(Mode::Lobby);
    let mut members = world.meeting(1);
    let knock = world.device().key_package(now()).unwrap();
    let (info, tree) = (members[0].group_info().unwrap(), members[0].tree().unwrap());
    for cut in (1..tree.len()).step_by(501) {
        let device = world.device();
        assert!(Group::join(device, &info, &tree[..cut]).is_err());
        assert!(Group::rejoin(world.host_device(), &info, &tree[..cut]).is_err());
        world.next -= 2;
    }
    for cut in (0..info.len()).step_by(31) {
        assert!(Group::rejoin(world.host_device(), &info[..cut], &tree).is_err());
        assert!(members[1].receive(now(), &info[..cut], guest).is_err());
        world.next -= 1;
    }
    for cut in (0..knock.len()).step_by(31) {
        assert!(members[0].verify(&knock[..cut], guest).is_err());
    }
}

#[test]
fn who_cannot_be_identified_is_not_admitted() {
    let mut world = World::new(Mode::Lobby);
    let group = world.found();
    let knock = world.device().key_package(now()).unwrap();
    let verified = group.verify(&knock, |_| IdentityCheck::Failed);
    assert_eq!(verified.unwrap_err(), KeyPackageError::Identity);
}

#[test]
fn a_welcome_to_a_meeting_under_another_policy_is_refused() {
    // The server makes up a meeting of its own with the same id and link, but open to all.
    let mut world = World::new(Mode::Lobby);
    let device = world.device();
    let knock = device.key_package(now()).unwrap();
    world.constitution.mode = Mode::OpenLink;
    let mut fake = world.found();
    let verified = fake.verify(&knock, guest).unwrap();
    let outgoing = fake.admit(now(), vec![verified]).unwrap();
    fake.confirm().unwrap();
    let joined = Group::join(device, &outgoing.welcome.unwrap(), &fake.tree().unwrap());
    assert_eq!(joined.unwrap_err(), JoinError::OtherMeeting);
}

#[test]
fn a_group_without_a_policy_is_not_joined() {
    let mut world = World::new(Mode::Lobby);
    let device = world.device();
    let knock = device.key_package(now()).unwrap();
    let package = KeyPackageIn::tls_deserialize_exact_bytes(&knock)
        .unwrap()
        .validate(device.provider.crypto(), ProtocolVersion::Mls10)
        .unwrap();
    let other = world.host_device();
    let config = openmls::group::MlsGroupCreateConfig::builder()
        .ciphersuite(device.suite)
        .capabilities(other.capabilities())
        .with_leaf_node_extensions(other.leaf_extensions().unwrap())
        .unwrap()
        .build();
    let id = GroupId::from_slice(&[7; 32]);
    let credential = other.credential_with_key();
    let mls = MlsGroup::new_with_group_id(&other.provider, &other.signer, &config, id, credential);
    let mut fake = Group::new(other, mls.unwrap());
    let psk = fake.device.link_proposal().unwrap();
    let bundle = fake
        .mls
        .commit_builder()
        .propose_adds([package])
        .add_proposal(openmls::prelude::Proposal::PreSharedKey(Box::new(psk)))
        .load_psks(fake.device.provider.storage())
        .unwrap()
        .build(
            fake.device.provider.rand(),
            fake.device.provider.crypto(),
            &fake.device.signer,
            |_| true,
        )
        .unwrap()
        .stage_commit(&fake.device.provider)
        .unwrap();
    let welcome = bundle.to_welcome_msg().unwrap().to_bytes().unwrap();
    fake.mls.merge_pending_commit(&fake.device.provider).unwrap();
    let joined = Group::join(device, &welcome, &fake.tree().unwrap());
    assert_eq!(joined.unwrap_err(), JoinError::Context(ContextError::Unlike));
}

#[test]
fn members_on_two_branches_have_one_epoch_and_different_marks() {
    let mut members = World::new(Mode::Lobby).meeting(3);
    // The server tells one half of the one commit, and the other half of the other.
    let one = members[1].update(now()).unwrap();
    let other = members[2].update(now()).unwrap();
    members[1].confirm().unwrap();
    members[2].confirm().unwrap();
    members[0].receive(now(), &one.commit, guest).unwrap();
    members[3].receive(now(), &other.commit, guest).unwrap();
    let mark = |index: usize| members[index].fork_mark();
    assert_eq!((mark(0), mark(2)), (mark(1), mark(3)));
    assert_eq!(mark(0).epoch, mark(2).epoch);
    assert_ne!(mark(0).transcript_hash, mark(2).transcript_hash);
    assert_ne!(members[0].safety_code(), members[2].safety_code());
    // And neither half can take the other's messages or commits in.
    let message = members[2].send(b"hello").unwrap();
    assert!(members[0].receive(now(), &message, guest).is_err());
    assert!(members[0].receive(now(), &other.commit, guest).is_err());
}

#[test]
fn a_replayed_commit_has_no_effect() {
    let mut members = World::new(Mode::Lobby).meeting(1);
    let outgoing = members[0].update(now()).unwrap();
    spread(&mut members, 0, &outgoing);
    let again = members[1].receive(now(), &outgoing.commit, guest);
    assert_eq!(again, Err(ReceiveError::WrongEpoch));
    assert_agree(&mut members);
}

#[test]
fn no_bytes_stop_a_member() {
    let mut members = World::new(Mode::Lobby).meeting(1);
    let honest = members[0].update(now()).unwrap().commit;
    members[0].discard();
    for at in (0..honest.len()).step_by(97) {
        let mut forged = honest.clone();
        forged[at] ^= 0x40;
        assert!(members[1].receive(now(), &forged, guest).is_err(), "byte {at}");
        assert!(members[1].receive(now(), &honest[..at], guest).is_err(), "up to {at}");
    }
    assert_eq!(members[1].stop(), None);
}

#[test]
fn nothing_secret_is_printed() {
    let mut world = World::new(Mode::Lobby);
    let device = world.device();
    assert_eq!(format!("{device:?}"), "Device(..)");
    let group = world.found();
    assert_eq!(format!("{group:?}"), "Group { epoch: 0, .. }");
    assert_eq!(format!("{:?}", group.safety_code()), "SafetyCode(..)");
}

#[test]
fn an_unused_key_package_type_is_public_only() {
    // What a knock carries is serialized from the public half alone.
    let mut world = World::new(Mode::Lobby);
    let knock = world.device().key_package(now()).unwrap();
    let package = KeyPackageIn::tls_deserialize_exact_bytes(&knock).unwrap();
    let provider = OpenMlsRustCrypto::default();
    let package: KeyPackage = package.validate(provider.crypto(), ProtocolVersion::Mls10).unwrap();
    assert_eq!(package.tls_serialize_detached().unwrap(), knock);
}
