//! What an evil server does, and what members make of it.

use std::collections::BTreeSet;

use conclave_commit_rules::{CredentialId, LeafIdentity, Mode, Refusal, Role};
use conclave_e2ee::{
    Basis, Command, ConstitutionFault, Event, Failure, Fork, FromServer, NotSealed, Say,
    ShieldLevel, State, Suspension, Warning,
};
use conclave_frame::{Codec, Source, Track};
use conclave_link::Profile;
use conclave_mls::{Device, JoinError, Stop};
use openmls::group::MlsGroup;
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CredentialType, CredentialWithKey, Extension,
    ExtensionType, Extensions, ExternalProposal, KeyPackageIn, LeafNodeParameters,
    MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider as _, ProtocolVersion, RatchetTreeIn,
    SenderExtensionIndex, SignatureScheme, UnknownExtension,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

use crate::world::{World, keys};

fn seal(world: &mut World, index: usize) -> Result<Vec<u8>, NotSealed> {
    let now = world.now();
    let voice = Track::single(Source::Microphone);
    world.members[index].session.seal(now, voice, Codec::Opus, b"voice")
}

fn said(world: &World, index: usize) -> usize {
    world.members[index].events.iter().filter(|e| matches!(e, Event::Said(_))).count()
}

fn chat(world: &mut World, index: usize, text: &str) {
    world.command(index, Command::Say(Say::Chat(text.into())));
}

fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

#[test]
fn a_policy_that_is_not_the_links_is_not_begun_with() {
    let mut world = World::new(Mode::Lobby, 1);
    let mut setup = world.setup(false, None);
    let other = world.constitution.clone();
    world.constitution.mode = Mode::OpenLink;
    setup.constitution = world.constitution.encode().unwrap();
    world.constitution = other;
    let index = world.join_as(false, setup);
    let failure = Failure::Constitution(ConstitutionFault::Digest);
    assert_eq!(*world.state(index), State::Failed(failure));
    world.command(index, Command::Rejoin);
    assert_eq!(*world.state(index), State::Failed(failure), "not even on demand");
}

#[test]
fn a_forged_welcome_or_roster_is_refused_with_its_cause() {
    for forges_tree in [false, true] {
        let mut world = World::meeting(1);
        world.evil = Some(Box::new(move |_, message| {
            vec![match message {
                FromServer::Welcome { welcome, tree } if forges_tree => {
                    FromServer::Welcome { welcome, tree: flip(tree) }
                }
                FromServer::Welcome { welcome, tree } => {
                    FromServer::Welcome { welcome: flip(welcome), tree }
                }
                other => other,
            }]
        }));
        let index = world.join(false);
        world.run(4);
        let state = world.state(index);
        let refused = [JoinError::Welcome, JoinError::Malformed]
            .map(|error| State::Failed(Failure::Join(error)));
        assert!(refused.contains(state), "{state:?}");
        assert!(seal(&mut world, index).is_err());
    }
}

#[test]
fn who_is_not_told_of_a_removal_notices_and_stops_sending() {
    let mut world = World::meeting(2);
    world.evil = Some(Box::new(|to, message| {
        let withheld = matches!(message, FromServer::Commit(_) | FromServer::Log(_));
        if to == 2 && withheld { Vec::new() } else { vec![message] }
    }));
    let who = world.members[1].session.credential().unwrap();
    world.command(0, Command::Kick(who));
    world.run(11);
    assert!(world.warned(2, |warning| matches!(warning, Warning::Withheld { .. })));
    world.run(11);
    let seen = world.epoch();
    assert_eq!(*world.state(2), State::Suspended(Suspension::Withheld { seen }));
    assert_eq!(seal(&mut world, 2), Err(NotSealed::Stopped));
    assert_eq!(world.members[2].session.shield().level, ShieldLevel::Stopped);
    // Whoever is out has no keys of the new epoch, whatever the server does.
    assert!(seal(&mut world, 1).is_err());
    // As soon as the server hands the commit out, all is well.
    world.evil = None;
    world.input(2, conclave_e2ee::Input::Connected);
    world.run(1);
    world.assert_agree();
}

#[test]
fn who_hears_nobody_is_warned_after_three_heartbeats_and_stops_after_ten() {
    let mut world = World::meeting(2);
    // Until each has heard each other at least once.
    world.run(10);
    world.evil = Some(Box::new(|to, message| if to == 1 { Vec::new() } else { vec![message] }));
    world.run(20);
    assert!(!world.warned(1, |warning| *warning == Warning::Silence));
    world.run(12);
    assert!(world.warned(1, |warning| *warning == Warning::Silence));
    assert_eq!(world.members[1].session.shield().level, ShieldLevel::Doubtful);
    assert!(seal(&mut world, 1).is_ok());
    world.run(68);
    assert_eq!(*world.state(1), State::Suspended(Suspension::Silence));
    assert_eq!(seal(&mut world, 1), Err(NotSealed::Stopped));
    world.evil = None;
    world.run(12);
    assert_eq!(*world.state(1), State::InGroup);
    assert!(world.warned(1, |warning| *warning == Warning::SilenceOver));
    assert!(world.warned(1, |warning| matches!(warning, Warning::Suppressed { leaf: 0, .. })));
}

#[test]
fn a_message_that_comes_twice_is_shown_once() {
    let mut world = World::meeting(1);
    world.evil = Some(Box::new(|_, message| vec![message.clone(), message]));
    chat(&mut world, 0, "hello");
    world.command(0, Command::Lock(true));
    world.run(5);
    assert_eq!(said(&world, 1), 1);
    assert!(world.warned(1, |warning| matches!(warning, Warning::Replayed { .. })));
    world.assert_agree();
}

#[test]
fn messages_out_of_order_and_missing_ones_are_noticed() {
    let mut world = World::meeting(1);
    world.run(10);
    let mut held = None;
    world.evil = Some(Box::new(move |_, message| match (&message, held.take()) {
        (FromServer::App(_), None) => {
            held = Some(message);
            Vec::new()
        }
        (_, Some(earlier)) => vec![message, earlier],
        (_, None) => vec![message],
    }));
    chat(&mut world, 0, "first");
    chat(&mut world, 0, "second");
    world.run(1);
    assert_eq!(said(&world, 1), 1);
    assert!(world.warned(1, |w| matches!(w, Warning::Suppressed { leaf: 0, missing: 1 })));
    assert!(world.warned(1, |warning| *warning == Warning::Replayed { leaf: Some(0) }));
}

/// A meeting whose server tells one half of one commit, and the other of another.
fn split(crosses: bool) -> World {
    let mut world = World::meeting(3);
    let second = world.members[1].session.credential().unwrap();
    world.command(0, Command::Appoint(second, Role::CoHost));
    world.run(2);
    world.split = Some((BTreeSet::from([0, 2]), crosses));
    world.command(0, Command::Lock(true));
    let third = world.members[2].session.credential().unwrap();
    world.command(1, Command::Appoint(third, Role::Presenter));
    world.run(2);
    world
}

#[test]
fn a_split_meeting_is_noticed_where_messages_cross() {
    let mut world = split(true);
    for _ in 0..3 {
        chat(&mut world, 0, "hello?");
        chat(&mut world, 1, "hello?");
        world.run(1);
    }
    assert_eq!(*world.state(3), State::Forked(Fork::Unreadable));
    assert_eq!(*world.state(2), State::Forked(Fork::Unreadable));
    for index in 0..4 {
        assert!(seal(&mut world, index).is_err() || matches!(world.state(index), State::InGroup));
    }
    assert_eq!(seal(&mut world, 3), Err(NotSealed::Stopped));
}

#[test]
fn in_a_split_meeting_codes_differ_and_the_shield_counts_who_is_not_heard() {
    let mut world = split(false);
    world.run(45);
    let session = |index: usize| &world.members[index].session;
    assert!(session(0).safety_code() == session(2).safety_code());
    assert!(session(0).safety_code() != session(1).safety_code());
    let shield = session(3).shield();
    assert!(shield.based_on.contains(&Basis::Heard { heard: 1, others: 3 }), "{shield:?}");
}

#[test]
fn the_servers_own_addition_is_dropped() {
    let mut world = World::meeting(1);
    let ghost = Device::new(
        world.constitution.clone(),
        &keys().psk,
        CredentialId([66; 16]),
        b"ghost".to_vec(),
    );
    let package = ghost.unwrap().key_package(world.now().unix_s).unwrap();
    let package = KeyPackageIn::tls_deserialize_exact_bytes(&package)
        .unwrap()
        .validate(world.provider.crypto(), ProtocolVersion::Mls10)
        .unwrap();
    let group = world.group.as_ref().unwrap();
    let proposal = ExternalProposal::new_add::<OpenMlsRustCrypto>(
        package,
        group.group_id().clone(),
        group.group_context().epoch(),
        &world.server_key,
        SenderExtensionIndex::new(0),
    );
    let proposal = proposal.unwrap().to_bytes().unwrap();
    for to in [0, 1] {
        world.tell(to, FromServer::Proposal(proposal.clone()));
    }
    world.run(5);
    for index in [0, 1] {
        assert!(world.warned(index, |warning| *warning == Warning::ServerOverreach));
    }
    world.assert_agree();
}

#[test]
fn a_commit_that_cannot_be_processed_is_reported_and_stops_sending_until_the_true_one_comes() {
    let mut world = World::meeting(2);
    world.evil = Some(Box::new(|to, message| match message {
        FromServer::Commit(mut commit) if to == 1 => {
            // In the membership tag.
            *commit.last_mut().unwrap() ^= 1;
            vec![FromServer::Commit(commit)]
        }
        other => vec![other],
    }));
    let epoch = world.epoch();
    world.command(0, Command::Lock(true));
    world.run(1);
    assert!(matches!(world.state(1), State::Stranded { .. }));
    assert_eq!(world.nacks, [(1, epoch)]);
    assert_eq!(seal(&mut world, 1), Err(NotSealed::Stopped));
    world.evil = None;
    world.input(1, conclave_e2ee::Input::Connected);
    world.run(1);
    world.assert_agree();
}

#[test]
fn a_server_that_calls_a_commit_refused_and_hands_it_out_all_the_same_splits_nothing() {
    let mut world = World::meeting(2);
    world.evil = Some(Box::new(|to, message| match message {
        FromServer::Accepted(epoch) if to == 0 => vec![FromServer::Rejected(epoch)],
        other => vec![other],
    }));
    world.command(0, Command::Lock(true));
    world.run(3);
    world.assert_agree();
    assert!(world.members[0].session.order().unwrap().locked);
}

#[test]
fn an_epoch_that_has_begun_is_not_undone_by_the_server() {
    let mut world = World::meeting(1);
    let epoch = world.epoch();
    world.command(0, Command::Lock(true));
    world.run(1);
    world.tell(1, FromServer::Voided(epoch));
    world.run(1);
    assert!(world.warned(1, |warning| *warning == Warning::ServerOverreach));
    world.assert_agree();
}

#[test]
fn a_server_that_orders_no_commit_is_noticed_and_whoever_is_to_go_stays_marked() {
    let mut world = World::meeting(2);
    world.deaf = true;
    let who = world.members[1].session.credential().unwrap();
    world.command(0, Command::Kick(who));
    world.run(15);
    assert!(world.warned(0, |warning| *warning == Warning::Stalled));
    let roster = world.members[0].session.roster().unwrap();
    assert!(roster.values().find(|person| person.credential == who).unwrap().leaving);
    world.deaf = false;
    world.run(30);
    world.assert_agree();
    assert_eq!(*world.state(1), State::Removed);
}

/// An external commit by someone who has no link: what a server can make by itself.
fn ghost_commit(world: &World) -> Vec<u8> {
    let provider = OpenMlsRustCrypto::default();
    let signer = SignatureKeyPair::new(SignatureScheme::ED25519).unwrap();
    // Whoever has the names' key but not the group's: at worst, a link that leaked in part.
    let sealed = keys().meta.seal_profile([1; 12], &Profile::new("Minister")).unwrap();
    let identity = LeafIdentity { host_proof: None, sealed: sealed.as_bytes().to_vec() };
    let extension = Extension::Unknown(0xf0a2, UnknownExtension(identity.encode()));
    let ours = [0xf0a1, 0xf0a2, 0xf0a3].map(ExtensionType::Unknown);
    let capabilities = Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519]),
        Some(&ours),
        Some(&[]),
        Some(&[CredentialType::Basic]),
    );
    let parameters = LeafNodeParameters::builder()
        .with_capabilities(capabilities)
        .with_extensions(Extensions::single(extension).unwrap())
        .build();
    let info = MlsMessageIn::tls_deserialize_exact_bytes(&world.info).unwrap();
    let MlsMessageBodyIn::GroupInfo(info) = info.extract() else { panic!() };
    let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&world.tree()).unwrap();
    let credential = CredentialWithKey {
        credential: BasicCredential::new([66; 16].to_vec()).into(),
        signature_key: signer.public().into(),
    };
    let (_, bundle) = MlsGroup::external_commit_builder()
        .with_ratchet_tree(tree)
        .build_group(&provider, info, credential)
        .unwrap()
        .leaf_node_parameters(parameters)
        .load_psks(provider.storage())
        .unwrap()
        .build(provider.rand(), provider.crypto(), &signer, |_| true)
        .unwrap()
        .finalize(&provider)
        .unwrap();
    bundle.into_commit().to_bytes().unwrap()
}

#[test]
fn a_ghost_who_comes_in_alone_without_the_link_is_refused_and_sending_stops_for_good() {
    let mut world = World::meeting(1);
    let commit = ghost_commit(&world);
    let honest = world.epoch();
    world.tell(1, FromServer::Commit(commit));
    world.run(1);
    let refused = State::Refused(Stop::Refused(Refusal::NoLinkSecret));
    assert_eq!(*world.state(1), refused);
    assert_eq!(world.members[1].session.epoch(), Some(honest));
    assert_eq!(seal(&mut world, 1), Err(NotSealed::Stopped));
    // It does not come back by itself, whatever comes.
    world.command(0, Command::Lock(true));
    world.run(20);
    assert_eq!(*world.state(1), refused);
    // Only when the person wants it, as someone new.
    world.command(0, Command::Lock(false));
    world.leave(1);
    world.members[1].is_online = true;
    world.command(1, Command::Rejoin);
    world.run(5);
    world.assert_agree();
    assert_eq!(world.joined().len(), 2);
}

#[test]
fn texts_of_different_lengths_look_alike_to_the_server() {
    let mut world = World::meeting(1);
    let lengths = std::rc::Rc::new(std::cell::RefCell::new(BTreeSet::new()));
    let noted = lengths.clone();
    world.evil = Some(Box::new(move |_, message| {
        if let FromServer::App(bytes) = &message {
            noted.borrow_mut().insert(bytes.len());
        }
        vec![message]
    }));
    for text in ["a", "a somewhat longer one", &"x".repeat(100)] {
        chat(&mut world, 0, text);
    }
    world.run(1);
    assert_eq!(lengths.borrow().len(), 1, "{lengths:?}");
}
