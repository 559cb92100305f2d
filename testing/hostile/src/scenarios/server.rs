//! What a server does that is not honest.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use conclave_commit_rules::{CredentialId, Mode, Mute, Refusal, Role};
use conclave_e2ee::{
    Command, ConstitutionFault, Event, Failure, Fork, Input, NotSealed, Say, ShieldLevel, State,
    Suspension, Warning,
};
use conclave_mls::{Device, Stop};
use conclave_model::MeetingId;
use conclave_node_statement::{Fault, MAX_VALIDITY_S, Statement, signed_bytes, verify};
use conclave_wire::{GroupNews, GroupRequest, MlsBytes, ServerMessage};
use ed25519_dalek::{Signer as _, SigningKey};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    ExternalProposal, GroupEpoch, GroupId, KeyPackageIn, MlsMessageBodyIn, MlsMessageIn,
    OpenMlsProvider as _, ProtocolVersion, SenderExtensionIndex, SignatureScheme,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

use crate::evil::Mallory;
use crate::proposal::{ServerProposal, server_proposal};
use crate::scenarios::scenarios;
use crate::world::{MEETING, World, keys};

scenarios! {
    "I3": edited_policy, policy_of_another_suite, policy_of_an_older_version;
    "I4": server_adds_someone, server_proposes_a_psk, server_proposes_a_reinit,
        server_changes_the_context, ghost_without_the_link_comes_in_alone,
        ghost_with_the_link_comes_in_alone_into_a_lobby, fake_empty_meeting;
    "I3": removal_is_withheld_from_one, no_commit_is_ordered, all_are_silent, split_meeting,
        swapped_order_of_commits, replayed_commit, epoch_is_undone, commit_is_called_refused,
        replayed_message, reordered_messages, knock_at_a_locked_meeting;
    "I6": node_of_another_key, node_statement_of_another_meeting, expired_node_statement,
        node_abroad, another_certificate_than_stated, another_address_than_stated,
        node_statement_missing;
    "I1": lengths_of_texts;
}

fn group(news: GroupNews) -> ServerMessage {
    ServerMessage::Group { news }
}

fn is_commit(message: &ServerMessage) -> bool {
    matches!(
        message,
        ServerMessage::Group { news: GroupNews::Commit { .. } | GroupNews::Log { .. } }
    )
}

fn begun_with(edit: impl Fn(&mut conclave_commit_rules::Constitution)) -> (World, usize) {
    let mut world = World::meeting(0);
    let mut setup = world.setup(false);
    let mut other = world.constitution.clone();
    edit(&mut other);
    setup.constitution = serde_json::to_string(&other).unwrap();
    let victim = world.join_as(setup);
    world.run(3);
    (world, victim)
}

#[track_caller]
fn assert_policy_refused(edit: impl Fn(&mut conclave_commit_rules::Constitution)) {
    let (mut world, victim) = begun_with(edit);
    let fault = State::Failed(Failure::Constitution(ConstitutionFault::Digest));
    assert_eq!(*world.state(victim), fault);
    assert!(world.seal(victim).is_err());
    world.command(victim, Command::Rejoin);
    world.run(3);
    assert_eq!(*world.state(victim), fault, "not even on demand");
}

fn edited_policy() {
    assert_policy_refused(|policy| policy.mode = Mode::OpenLink);
}

fn policy_of_another_suite() {
    assert_policy_refused(|policy| policy.suite = 0x0002);
}

fn policy_of_an_older_version() {
    assert_policy_refused(|policy| policy.version = 0);
}

/// Tells the victim, and asserts that it drops it and says so, and that nothing else changes.
#[track_caller]
fn assert_overreach(world: &mut World, proposal: &[u8]) {
    let epoch = world.clients[0].session.epoch();
    for to in [0, 1] {
        world.tell_group(to, GroupNews::Proposal { proposal: MlsBytes::new(proposal.to_vec()) });
    }
    world.run(8);
    for index in [0, 1] {
        assert!(world.warned(index, |warning| *warning == Warning::ServerOverreach));
        assert_eq!(world.clients[index].session.epoch(), epoch);
        assert_eq!(world.names(index).len(), 2);
    }
    world.assert_agree();
}

fn group_id(world: &mut World) -> Vec<u8> {
    let (info, _) = world.description();
    let info = MlsMessageIn::tls_deserialize_exact_bytes(&info).unwrap();
    let MlsMessageBodyIn::GroupInfo(info) = info.extract() else { panic!("no description") };
    info.group_context().group_id().as_slice().to_vec()
}

fn server_adds_someone() {
    let mut world = World::meeting(1);
    let psk = &keys().psk;
    let device =
        Device::new(world.constitution.clone(), psk, CredentialId([66; 16]), b"x".to_vec());
    let package = device.unwrap().key_package(world.now().unix_s).unwrap();
    let provider = OpenMlsRustCrypto::default();
    let package = KeyPackageIn::tls_deserialize_exact_bytes(&package)
        .unwrap()
        .validate(provider.crypto(), ProtocolVersion::Mls10)
        .unwrap();
    let proposal = ExternalProposal::new_add::<OpenMlsRustCrypto>(
        package,
        GroupId::from_slice(&group_id(&mut world)),
        GroupEpoch::from(world.clients[0].session.epoch().unwrap()),
        &signer(&world.server_key),
        SenderExtensionIndex::new(0),
    );
    let proposal = proposal.unwrap().to_bytes().unwrap();
    assert_overreach(&mut world, &proposal);
}

fn signer(key: &SigningKey) -> SignatureKeyPair {
    SignatureKeyPair::from_raw(
        SignatureScheme::ED25519,
        key.to_bytes().to_vec(),
        key.verifying_key().to_bytes().to_vec(),
    )
}

fn server_proposes_a_psk() {
    assert_server_proposal_dropped(&ServerProposal::PreSharedKey);
}

fn server_proposes_a_reinit() {
    assert_server_proposal_dropped(&ServerProposal::ReInit);
}

#[track_caller]
fn assert_server_proposal_dropped(proposal: &ServerProposal) {
    let mut world = World::meeting(1);
    let epoch = world.clients[0].session.epoch().unwrap();
    let group = group_id(&mut world);
    let proposal = server_proposal(proposal, &world.server_key, &group, epoch);
    assert_overreach(&mut world, &proposal);
}

fn server_changes_the_context() {
    let mut world = World::meeting(1);
    let (info, _) = world.description();
    let info = MlsMessageIn::tls_deserialize_exact_bytes(&info).unwrap();
    let MlsMessageBodyIn::GroupInfo(info) = info.extract() else { panic!("no description") };
    let mut open = world.constitution.clone();
    open.mode = Mode::OpenLink;
    let server = info.group_context().extensions().external_senders().unwrap()[0].clone();
    let context =
        conclave_mls_view::context_extensions(&open, &Default::default(), server).unwrap();
    let proposal = ExternalProposal::new_group_context_extensions::<OpenMlsRustCrypto>(
        context,
        GroupId::from_slice(&group_id(&mut world)),
        GroupEpoch::from(world.clients[0].session.epoch().unwrap()),
        &signer(&world.server_key),
        SenderExtensionIndex::new(0),
    );
    let proposal = proposal.unwrap().to_bytes().unwrap();
    assert_overreach(&mut world, &proposal);
}

/// The server makes a member by itself and shows its commit to a victim.
#[track_caller]
fn assert_ghost_refused(with_link: bool, refusal: Refusal) {
    let mut world = World::meeting(1);
    let (info, tree) = world.description();
    let ghost = Mallory::new(&world.constitution, 66, with_link);
    let parts = ghost.alone("Minister", &info, &tree, with_link);
    let honest = world.clients[1].session.epoch();
    world.tell_group(1, GroupNews::Commit { commit: MlsBytes::new(parts.commit) });
    world.run(1);
    let refused = State::Refused(Stop::Refused(refusal));
    assert_eq!(*world.state(1), refused);
    assert_eq!(world.clients[1].session.epoch(), honest, "the ghost is in no epoch of theirs");
    assert_eq!(world.seal(1), Err(NotSealed::Stopped));
    assert_eq!(world.clients[1].session.shield().level, ShieldLevel::Stopped);
    // It does not come back by itself, whatever comes.
    world.command(0, Command::Lock(true));
    world.run(20);
    assert_eq!(*world.state(1), refused);
}

fn ghost_without_the_link_comes_in_alone() {
    assert_ghost_refused(false, Refusal::NoLinkSecret);
}

fn ghost_with_the_link_comes_in_alone_into_a_lobby() {
    assert_ghost_refused(true, Refusal::NotAdmitted);
}

fn fake_empty_meeting() {
    let mut world = World::meeting(1);
    world.evil = Some(Box::new(|to, message| match message {
        ServerMessage::Group { news: GroupNews::Meeting { server_key, .. } } if to == 2 => {
            vec![group(GroupNews::Meeting { server_key, has_group: false, has_admitter: false })]
        }
        other => vec![other],
    }));
    world.admits = false;
    let victim = world.join(false);
    world.run(5);
    // A guest founds nothing: it waits for the host, and says so.
    assert_eq!(*world.state(victim), State::WaitingForHost);
    assert!(world.seal(victim).is_err());
    world.assert_agree();
}

fn removal_is_withheld_from_one() {
    let mut world = World::meeting(2);
    world.evil =
        Some(Box::new(
            |to, message| {
                if to == 2 && is_commit(&message) { Vec::new() } else { vec![message] }
            },
        ));
    let out = world.credential(1);
    world.command(0, Command::Kick(out));
    world.run(11);
    assert!(world.warned(2, |warning| matches!(warning, Warning::Withheld { .. })));
    world.run(11);
    let seen = world.clients[0].session.epoch().unwrap();
    assert_eq!(*world.state(2), State::Suspended(Suspension::Withheld { seen }));
    assert_eq!(world.seal(2), Err(NotSealed::Stopped));
    // Whoever is out opens nothing that those send who know.
    let from = world.leaf(0);
    let sealed = world.seal(0).unwrap();
    assert!(world.open(1, from, &sealed).is_err());
    // As soon as the server hands the commit out, all is well.
    world.evil = None;
    world.input(2, Input::Connected);
    world.run(2);
    world.assert_agree();
    assert_eq!(*world.state(2), State::InGroup);
}

fn no_commit_is_ordered() {
    let mut world = World::meeting(2);
    world.deaf = true;
    let out = world.credential(1);
    world.command(0, Command::Kick(out));
    world.run(15);
    assert!(world.warned(0, |warning| *warning == Warning::Stalled));
    let roster = world.clients[0].session.roster().unwrap();
    assert!(roster.values().find(|person| person.credential == out).unwrap().leaving);
}

fn all_are_silent() {
    let mut world = World::meeting(2);
    world.run(15);
    world.evil = Some(Box::new(|to, message| {
        let says = matches!(&message, ServerMessage::Group { .. });
        if to == 1 && says { Vec::new() } else { vec![message] }
    }));
    world.run(20);
    assert!(!world.warned(1, |warning| *warning == Warning::Silence));
    world.run(22);
    assert!(world.warned(1, |warning| *warning == Warning::Silence), "within 30 s and a beat");
    assert!(world.seal(1).is_ok());
    world.run(75);
    assert_eq!(*world.state(1), State::Suspended(Suspension::Silence));
    assert_eq!(world.seal(1), Err(NotSealed::Stopped));
}

/// The server tells each of two members that its own commit of an epoch was the first, and hands on
/// what they say afterwards.
fn split_meeting() {
    let mut world = World::meeting(2);
    let [one, other] = [world.credential(1), world.credential(2)];
    world.command(0, Command::Appoint(one, Role::CoHost));
    world.run(2);
    let epoch = world.clients[0].session.epoch().unwrap();
    world.deaf = true;
    world.command(0, Command::Lock(true));
    world.command(1, Command::Mute(Mute::Chat(other), true));
    for committer in [0, 1] {
        world.tell_group(committer, GroupNews::Accepted { epoch });
    }
    world.step(100);
    let codes = [0, 1].map(|index| world.clients[index].session.safety_code().unwrap().to_string());
    let epochs = [0, 1].map(|index| world.clients[index].session.epoch());
    assert_eq!(epochs, [Some(epoch + 1); 2], "the same number");
    assert_ne!(codes[0], codes[1], "read aloud, they differ");

    for _ in 0..6 {
        world.run(10);
        for (from, request) in std::mem::take(&mut world.withheld) {
            let GroupRequest::App { message } = request else { continue };
            let to = if from == 0 { 1 } else { 0 };
            world.tell_group(to, GroupNews::App { message });
        }
    }
    for victim in [0, 1] {
        assert_eq!(*world.state(victim), State::Forked(Fork::Unreadable));
        assert_eq!(world.seal(victim), Err(NotSealed::Stopped));
        assert_eq!(world.clients[victim].session.shield().level, ShieldLevel::Stopped);
    }
}

fn swapped_order_of_commits() {
    let mut world = World::meeting(2);
    let held: Rc<RefCell<Vec<ServerMessage>>> = Rc::default();
    let hold = Rc::clone(&held);
    world.evil = Some(Box::new(move |to, message| {
        let commit = matches!(&message, ServerMessage::Group { news: GroupNews::Commit { .. } });
        if to != 1 || !commit {
            return vec![message];
        }
        let mut held = hold.borrow_mut();
        if held.is_empty() {
            held.push(message);
            return Vec::new();
        }
        // The second first.
        vec![message, held[0].clone()]
    }));
    world.command(0, Command::Lock(true));
    world.run(2);
    world.command(0, Command::Lock(false));
    world.run(6);
    world.evil = None;
    world.run(12);
    world.assert_agree();
    assert_eq!(*world.state(1), State::InGroup);
    assert!(!world.clients[1].session.order().unwrap().locked);
}

fn replayed_commit() {
    let mut world = World::meeting(2);
    world.command(0, Command::Lock(true));
    world.run(2);
    let commit = world.clients[1].received.iter().rev().find_map(|message| match message {
        ServerMessage::Group { news: GroupNews::Commit { commit } } => Some(commit.clone()),
        _ => None,
    });
    let epoch = world.clients[1].session.epoch();
    world.tell_group(1, GroupNews::Commit { commit: commit.unwrap() });
    world.run(3);
    assert_eq!(world.clients[1].session.epoch(), epoch);
    assert_eq!(*world.state(1), State::InGroup);
    world.assert_agree();
}

fn epoch_is_undone() {
    let mut world = World::meeting(1);
    let epoch = world.clients[0].session.epoch().unwrap();
    world.command(0, Command::Lock(true));
    world.run(2);
    world.tell_group(1, GroupNews::Voided { epoch });
    world.run(2);
    assert!(world.warned(1, |warning| *warning == Warning::ServerOverreach));
    assert!(world.clients[1].session.order().unwrap().locked);
    world.assert_agree();
}

fn commit_is_called_refused() {
    let mut world = World::meeting(2);
    world.evil = Some(Box::new(|to, message| match message {
        ServerMessage::Group { news: GroupNews::Accepted { epoch } } if to == 0 => {
            vec![group(GroupNews::Rejected { epoch })]
        }
        other => vec![other],
    }));
    world.command(0, Command::Lock(true));
    world.run(4);
    world.assert_agree();
    assert!(world.clients[0].session.order().unwrap().locked);
}

fn replayed_message() {
    let mut world = World::meeting(1);
    world.evil = Some(Box::new(|_, message| match &message {
        ServerMessage::Group { news: GroupNews::App { .. } } => vec![message.clone(), message],
        _ => vec![message],
    }));
    world.command(0, Command::Say(Say::Chat("once".to_owned())));
    world.run(2);
    assert_eq!(world.heard(1), 1);
    assert!(world.warned(1, |warning| matches!(warning, Warning::Replayed { .. })));
}

fn reordered_messages() {
    let mut world = World::meeting(1);
    let held: Rc<RefCell<Vec<ServerMessage>>> = Rc::default();
    let hold = Rc::clone(&held);
    world.evil = Some(Box::new(move |_, message| {
        let app = matches!(&message, ServerMessage::Group { news: GroupNews::App { .. } });
        let mut held = hold.borrow_mut();
        if !app || held.len() > 1 {
            return vec![message];
        }
        held.push(message.clone());
        if held.len() == 2 { vec![message, held[0].clone()] } else { Vec::new() }
    }));
    world.command(0, Command::Say(Say::Chat("first".to_owned())));
    world.command(0, Command::Say(Say::Chat("second".to_owned())));
    world.run(2);
    assert!(world.warned(1, |warning| {
        matches!(warning, Warning::Replayed { .. } | Warning::Suppressed { .. })
    }));
    let texts: Vec<_> = world.clients[1]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Said(said) => Some(said.say.clone()),
            _ => None,
        })
        .collect();
    assert!(!texts.contains(&Say::Chat("first".to_owned())), "not after the second");
}

fn knock_at_a_locked_meeting() {
    let mut world = World::meeting(1);
    world.command(0, Command::Lock(true));
    world.run(2);
    // The server may say what it likes of the lock: no message carries it. It hands the host a
    // knock, and the host's device, which would let everybody in, lets nobody in.
    let knocker = world.join(false);
    world.run(6);
    assert!(!matches!(world.state(knocker), State::InGroup));
    assert!(world.clients[1].session.order().unwrap().locked);
    assert_eq!(world.names(0).len(), 2);
}

const SDP: &str = "v=0\r\na=fingerprint:sha-256 AB:CD\r\n\
    a=candidate:1 1 UDP 2130706431 192.0.2.1 10000 typ host\r\n";

struct Stated {
    text: String,
    signature: Vec<u8>,
    sdp: String,
    world: World,
}

impl Stated {
    fn new(jurisdiction: Option<&str>, meeting: [u8; 16], valid_s: i64) -> Self {
        let world = World::new(Mode::Lobby);
        let expires = world.now().unix_s.saturating_add_signed(valid_s);
        let meeting = MeetingId::from_bytes(meeting);
        let jurisdiction = jurisdiction.map(str::to_owned);
        let text = Statement::of_answer(SDP, &[], meeting, jurisdiction, expires).unwrap().encode();
        let signature = world.node_key.sign(&signed_bytes(&text)).to_bytes().to_vec();
        Self { text, signature, sdp: SDP.to_owned(), world }
    }

    fn judge(&self) -> Result<(), Fault> {
        let Self { text, signature, sdp, world } = self;
        verify(text, signature, sdp, &[], &world.constitution, world.now().unix_s)
    }
}

fn node_of_another_key() {
    let mut stated = Stated::new(None, MEETING, 3600);
    assert_eq!(stated.judge(), Ok(()));
    let other = SigningKey::from_bytes(&[66; 32]);
    stated.signature = other.sign(&signed_bytes(&stated.text)).to_bytes().to_vec();
    assert_eq!(stated.judge(), Err(Fault::Signature));
}

fn node_statement_of_another_meeting() {
    assert_eq!(Stated::new(None, [8; 16], 3600).judge(), Err(Fault::Meeting));
}

fn expired_node_statement() {
    assert_eq!(Stated::new(None, MEETING, -1).judge(), Err(Fault::Expired));
    let far = i64::try_from(MAX_VALIDITY_S).unwrap() * 2;
    assert_eq!(Stated::new(None, MEETING, far).judge(), Err(Fault::Expired));
}

fn node_abroad() {
    let mut stated = Stated::new(Some("CN"), MEETING, 3600);
    let home = conclave_commit_rules::Jurisdiction::try_from("TW".to_owned()).unwrap();
    stated.world.constitution.jurisdictions = vec![home];
    assert_eq!(stated.judge(), Err(Fault::Jurisdiction));
}

fn another_certificate_than_stated() {
    let mut stated = Stated::new(None, MEETING, 3600);
    stated.sdp = SDP.replace("AB:CD", "AB:CE");
    assert_eq!(stated.judge(), Err(Fault::Fingerprint));
    // In one medium only.
    stated.sdp = format!("{SDP}m=video 9 x\r\na=fingerprint:sha-256 AB:CE\r\n");
    assert_eq!(stated.judge(), Err(Fault::Fingerprint));
}

fn another_address_than_stated() {
    let mut stated = Stated::new(None, MEETING, 3600);
    stated.sdp = format!("{SDP}a=candidate:2 1 UDP 1 203.0.113.9 10000 typ host\r\n");
    assert_eq!(stated.judge(), Err(Fault::Address));
}

fn node_statement_missing() {
    let mut stated = Stated::new(None, MEETING, 3600);
    stated.text = String::new();
    assert_eq!(stated.judge(), Err(Fault::Format));
    // On the wire an answer without one is no message.
    let answer = r#"{"type":"answer","answer":{"generation":1,"sdp":"v=0"}}"#;
    assert!(serde_json::from_str::<ServerMessage>(answer).is_err());
}

fn lengths_of_texts() {
    let mut world = World::meeting(1);
    let lengths: Rc<RefCell<BTreeSet<usize>>> = Rc::default();
    let noted = Rc::clone(&lengths);
    world.evil = Some(Box::new(move |_, message| {
        if let ServerMessage::Group { news: GroupNews::App { message } } = &message {
            noted.borrow_mut().insert(message.as_bytes().len());
        }
        vec![message]
    }));
    for text in ["a", "a somewhat longer one", &"x".repeat(100)] {
        world.command(0, Command::Say(Say::Chat(text.to_owned())));
    }
    world.run(1);
    assert_eq!(lengths.borrow().len(), 1, "{lengths:?}");
    assert_eq!(world.heard(1), 3);
}
