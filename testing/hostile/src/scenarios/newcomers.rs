//! Those at the door: what they get, and what is done to them.

use conclave_call_proto::media::MediaRequest;
use conclave_call_proto::{Input as CallInput, ResumeProof, ResumeToken};
use conclave_commit_rules::Role;
use conclave_e2ee::{Command, Failure, State};
use conclave_model::TokenHash;
use conclave_wire::{GroupNews, GroupRequest, MlsBytes, Offer, Presence, ServerMessage};
use openmls::prelude::{Ciphersuite, Lifetime};

use crate::evil::Mallory;
use crate::scenarios::scenarios;
use crate::world::{World, good_lifetime};

scenarios! {
    "I5": waiter_is_captured, waiter_offers_media, denied_knock, removed_member_stays_connected,
        stolen_resume_token;
    "I4": link_secret_missing, forged_welcome, forged_tree, welcome_of_another,
        welcome_is_withheld, key_package_valid_for_too_long, key_package_expired,
        key_package_of_another_suite, knock_under_a_members_name;
    "I9": knock_spam, garbage_as_knock;
}

/// What came to a socket at the door, beyond what everybody there is told.
fn beyond_the_door(world: &World, index: usize) -> Vec<&ServerMessage> {
    let everybodys = |message: &&ServerMessage| match message {
        ServerMessage::Joined { joined } => joined.admitted.is_some() || joined.answer.is_some(),
        ServerMessage::Group { news } => !matches!(news, GroupNews::Meeting { .. }),
        ServerMessage::Pong => false,
        _ => true,
    };
    world.clients[index].received.iter().filter(everybodys).collect()
}

fn waiter_is_captured() {
    let mut world = World::meeting(2);
    world.admits = false;
    world.media.clear();
    let waiter = world.join(false);
    world.command(0, Command::Say(conclave_e2ee::Say::Chat("between us".to_owned())));
    world.command(0, Command::Lock(true));
    world.run(25);
    assert_eq!(*world.state(waiter), State::Knocking);
    let got = beyond_the_door(&world, waiter);
    assert!(got.is_empty(), "{got:?}");
    assert!(world.media.is_empty(), "the media plane never hears of it");
    assert!(world.clients[waiter].session.roster().is_none());
    let from = world.leaf(0);
    let sealed = world.seal(0).unwrap();
    assert!(world.open(waiter, from, &sealed).is_err());
    assert!(world.seal(waiter).is_err());
    // The members are told of it by nothing but the knock.
    assert_eq!(world.names(1).len(), 3);
}

fn waiter_offers_media() {
    let mut world = World::meeting(1);
    world.admits = false;
    world.media.clear();
    let waiter = world.join(false);
    world.run(1);
    let connection = world.clients[waiter].connection;
    let offer = Offer { generation: 1, sdp: "v=0".to_owned(), tracks: Vec::new() };
    world.feed(CallInput::Offer { connection, offer });
    world.feed(CallInput::View { connection, wants: Vec::new() });
    world.feed(CallInput::Publish { connection, tracks: Vec::new() });
    world.run(1);
    assert!(world.media.is_empty(), "{:?}", world.media);
    let got = beyond_the_door(&world, waiter);
    assert!(got.iter().all(|message| matches!(message, ServerMessage::Error { .. })), "{got:?}");
}

fn denied_knock() {
    let mut world = World::meeting(1);
    world.admits = false;
    let waiter = world.join(false);
    world.run(1);
    let knock = world.knock_of(waiter);
    world.command(0, Command::Deny(knock));
    world.run(2);
    assert_eq!(*world.state(waiter), State::Failed(Failure::Denied));
    assert_eq!(world.names(0).len(), 2);
    assert!(world.seal(waiter).is_err());
}

fn removed_member_stays_connected() {
    let mut world = World::meeting(2);
    let out = world.credential(2);
    let leaf = world.leaf(0);
    world.command(0, Command::Kick(out));
    world.run(2);
    assert_eq!(*world.state(2), State::Removed);
    world.clients[2].received.clear();
    let sealed = world.seal(0).unwrap();
    assert!(world.open(2, leaf, &sealed).is_err());
    world.command(0, Command::Say(conclave_e2ee::Say::Chat("gone".to_owned())));
    world.run(12);
    let got = beyond_the_door(&world, 2);
    assert!(got.is_empty(), "{got:?}");
    assert!(world.seal(2).is_err());
}

/// Whoever has the token has not the leaf's key; the same request with it is taken up.
fn stolen_resume_token() {
    let mut world = World::meeting(1);
    let token = world.clients[1].token.unwrap();
    world.vanish(1);
    let challenge = [1; 32];
    let signature = world.clients[1].session.sign_resume(&challenge).unwrap();
    assert!(!resumes(&mut world, ResumeProof { token, challenge, signature: vec![7; 64] }));
    // Signed for another socket, it is of no use either.
    let other = ResumeProof { token, challenge: [2; 32], signature: signature.clone() };
    assert!(!resumes(&mut world, other));
    assert!(resumes(&mut world, ResumeProof { token, challenge, signature }));
}

/// Whether a session is taken up on another socket, so that its media is negotiated.
fn resumes(world: &mut World, proof: ResumeProof) -> bool {
    world.media.clear();
    world.feed(CallInput::Resume {
        connection: conclave_call_proto::ConnectionId(999),
        proof,
        token: ResumeToken::new("anew".to_owned(), TokenHash::from_bytes([99; 32])),
        presence: Presence::default(),
        offer: Some(Offer { generation: 5, sdp: "v=0".to_owned(), tracks: Vec::new() }),
    });
    world.run(1);
    let is_offer = |request: &MediaRequest| matches!(request, MediaRequest::Offer { .. });
    world.media.iter().any(is_offer)
}

fn link_secret_missing() {
    let mut world = World::meeting(1);
    let mut mallory = Mallory::new(&world.constitution, 200, false);
    let index = world.join_mallory(&mallory);
    world.run(4);
    let welcome = world.clients[index].received.iter().find_map(|message| match message {
        ServerMessage::Group { news: GroupNews::Welcome { welcome, tree } } => {
            Some((welcome.clone(), tree.clone()))
        }
        _ => None,
    });
    let (welcome, tree) = welcome.expect("the host lets everybody in");
    // Let in by mistake, with no link: the Welcome does not open.
    assert!(!mallory.welcomed(welcome.as_bytes(), tree.as_bytes()));
    assert!(mallory.mls.is_none());
}

fn flip(mut bytes: Vec<u8>) -> MlsBytes {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    MlsBytes::new(bytes)
}

#[track_caller]
fn assert_invitation_refused(forges_tree: bool) {
    let mut world = World::meeting(1);
    world.evil = Some(Box::new(move |to, message| match message {
        ServerMessage::Group { news: GroupNews::Welcome { welcome, tree } } if to == 2 => {
            let news = if forges_tree {
                GroupNews::Welcome { welcome, tree: flip(tree.into_bytes()) }
            } else {
                GroupNews::Welcome { welcome: flip(welcome.into_bytes()), tree }
            };
            vec![ServerMessage::Group { news }]
        }
        other => vec![other],
    }));
    let victim = world.join(false);
    world.run(3);
    assert_outside(&mut world, victim);
}

/// It came in nowhere: it says why it failed, or asks anew. It sends nothing and shows nobody.
#[track_caller]
fn assert_outside(world: &mut World, victim: usize) {
    let state = world.state(victim);
    let outside = matches!(
        state,
        State::Failed(Failure::Join(_) | Failure::Member(_)) | State::Knocking | State::Connecting
    );
    assert!(outside, "{state:?}");
    assert!(world.seal(victim).is_err());
    assert!(world.names(victim).is_empty());
}

fn forged_welcome() {
    assert_invitation_refused(false);
}

fn forged_tree() {
    assert_invitation_refused(true);
}

fn welcome_of_another() {
    let mut world = World::meeting(1);
    let mut first = None;
    world.evil = Some(Box::new(move |_, message| {
        if let ServerMessage::Group { news: news @ GroupNews::Welcome { .. } } = &message {
            let news = first.get_or_insert_with(|| news.clone()).clone();
            return vec![ServerMessage::Group { news }];
        }
        vec![message]
    }));
    let first = world.join(false);
    world.run(3);
    assert_eq!(*world.state(first), State::InGroup);
    let second = world.join(false);
    world.run(3);
    // It gets the first one's.
    assert_outside(&mut world, second);
}

fn welcome_is_withheld() {
    let mut world = World::meeting(1);
    world.evil = Some(Box::new(|to, message| match &message {
        ServerMessage::Group { news: GroupNews::Welcome { .. } } if to == 2 => Vec::new(),
        _ => vec![message],
    }));
    let victim = world.join(false);
    world.run(6);
    // It is outside and says so: it sends nothing, and shows nobody.
    assert_eq!(*world.state(victim), State::Knocking);
    assert!(world.seal(victim).is_err());
    world.assert_agree();
}

/// The host is not shown, and its device does not let in, whose key package is not as it must be.
#[track_caller]
fn assert_knock_refused(suite: Option<Ciphersuite>, lifetime: Lifetime) {
    let mut world = World::meeting(1);
    let mallory = Mallory::new(&world.constitution, 200, true);
    let index = world.join(false);
    world.run(3);
    world.vanish(index);
    let socket = world.join_mallory(&mallory);
    world.run(2);
    let people = world.names(0).len();
    let other = Mallory::new(&world.constitution, 202, true);
    let package = other.key_package(suite, lifetime);
    // By an honest server, and by one that passes it on as it is.
    world.request(socket, GroupRequest::Knock { key_package: MlsBytes::new(package.clone()) });
    let from = conclave_model::ParticipantId(77);
    world.tell_group(0, GroupNews::Knock { from, key_package: MlsBytes::new(package) });
    world.run(4);
    assert!(world.names(0).len() <= people);
    let shown = world.clients[0].events.iter().any(|event| match event {
        conclave_e2ee::Event::Knocks(knocks) => {
            knocks.iter().any(|knock| knock.credential == other.credential)
        }
        _ => false,
    });
    assert!(!shown);
    assert_eq!(*world.state(0), State::InGroup);
}

fn key_package_valid_for_too_long() {
    assert_knock_refused(None, Lifetime::new(40 * 24 * 3600));
}

fn key_package_expired() {
    assert_knock_refused(None, Lifetime::init(1_000, 2_000));
}

fn key_package_of_another_suite() {
    let other = Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519;
    assert_knock_refused(Some(other), good_lifetime());
}

fn knock_under_a_members_name() {
    let mut world = World::meeting(1);
    world.admits = false;
    world.next_name = Some("person 0");
    let waiter = world.join(false);
    world.run(2);
    let knocks = world.clients[0].session.knocks();
    assert_eq!(knocks.len(), 1);
    assert!(knocks[0].name_shared, "the host is told that the name is taken");
    assert!(!knocks[0].host_proven);
    assert_eq!(*world.state(waiter), State::Knocking);
    let roles: Vec<_> =
        world.clients[0].session.roster().unwrap().values().map(|p| p.role).collect();
    assert_eq!(roles.iter().filter(|role| **role == Role::Host).count(), 1);
}

fn knock_spam() {
    let mut world = World::meeting(1);
    world.admits = false;
    let mallory = Mallory::new(&world.constitution, 200, true);
    let index = world.join_mallory(&mallory);
    for number in 0..200 {
        let other = Mallory::new(&world.constitution, (number % 100) as u8, true);
        let package = other.key_package(None, good_lifetime());
        world.request(index, GroupRequest::Knock { key_package: MlsBytes::new(package) });
    }
    world.run(2);
    assert!(world.clients[0].session.knocks().len() <= 1, "one socket, one knock");
    world.admits = true;
    let honest = world.join(false);
    world.run(4);
    assert_eq!(*world.state(honest), State::InGroup);
}

fn garbage_as_knock() {
    let mut world = World::meeting(1);
    let mallory = Mallory::new(&world.constitution, 200, true);
    let good = mallory.key_package(None, good_lifetime());
    world.admits = false;
    let index = world.join_mallory(&mallory);
    for cut in [0, 1, 20, good.len() - 1] {
        let package = MlsBytes::new(good[..cut].to_vec());
        world.request(index, GroupRequest::Knock { key_package: package.clone() });
        let from = conclave_model::ParticipantId(70);
        world.tell_group(0, GroupNews::Knock { from, key_package: package });
    }
    world.run(2);
    assert_eq!(*world.state(0), State::InGroup);
    world.assert_agree();
}
