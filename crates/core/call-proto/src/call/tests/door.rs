//! Who is at the door, and who is inside.

use std::time::Duration;

use conclave_commit_rules::{CredentialId, Mute};
use conclave_e2ee::Command;
use conclave_model::{ParticipantId, TrackSource};
use conclave_node_statement::{Fault, verify};
use conclave_wire::{
    ErrorCode, GroupNews, GroupRequest, LeaveReason, MlsBytes, Presence, ServerMessage,
};

use super::world::{MEETING, World, answer, challenge, offer, peer, published, token_of, unix_now};
use crate::input::Input;
use crate::media::{MediaEvent, MediaRequest};
use crate::session::{ConnectionId, ResumeProof};

/// A host inside, with camera and microphone, and one who waits.
fn with_a_waiter() -> World {
    let mut world = World::lobby();
    world.admits = false;
    world.join(1, &[("0", TrackSource::Microphone), ("1", TrackSource::Camera)]);
    world.knock(2, None);
    world.settle();
    world
}

#[test]
fn a_waiter_gets_nothing_but_the_groups_word_to_it() {
    let mut world = with_a_waiter();
    world.feed(Input::Presence { connection: ConnectionId(1), presence: Presence { muted: true } });
    let (active, speaking) = (Some(ParticipantId(1)), vec![ParticipantId(1)]);
    world.feed(Input::Media(MediaEvent::Speakers { call: super::CALL, active, speaking }));
    let quality = conclave_model::ConnectionQuality::Poor;
    world.feed(Input::Media(MediaEvent::Quality { peer: peer(1), quality }));
    // Another is let in meanwhile.
    world.knock(3, None);
    world.advance(Duration::from_secs(1));
    let knock = world.devices[&ConnectionId(1)].session.knocks();
    let third = knock.iter().find(|knock| knock.name == "person 3").expect("a knock").id;
    world.command(1, Command::Admit(third));
    world.advance(Duration::from_secs(2));
    assert!(world.is_admitted(3));

    for message in world.sent(2) {
        match message {
            ServerMessage::Joined { joined } => assert_eq!(joined.admitted, None),
            ServerMessage::Group { news: GroupNews::Meeting { .. } } => {}
            other => panic!("a waiter was told {other:?}"),
        }
    }
    let others = &world.admitted(3).others;
    assert!(others.iter().all(|info| info.id != ParticipantId(2)), "it is not shown either");
    let shown = world.sent(1).iter().any(|message| {
        matches!(message, ServerMessage::Roster { present, .. }
            if present.iter().any(|info| info.id == ParticipantId(2)))
    });
    assert!(!shown);
}

#[test]
fn media_before_admission_is_an_error_without_effect() {
    let mut world = with_a_waiter();
    let media = world.media.len();
    let connection = ConnectionId(2);
    let tracks = published(&[("0", TrackSource::Camera)]);

    world.feed(Input::Offer { connection, offer: offer(1, &[("0", TrackSource::Camera)]) });
    world.feed(Input::Publish { connection, tracks });
    world.feed(Input::View { connection, wants: Vec::new() });

    assert_eq!(world.errors(2), [(ErrorCode::BadMessage, false); 3]);
    assert_eq!(world.media.len(), media, "the shard was asked nothing");
    world.command(1, Command::Lock(false));
    assert_eq!(world.call.participants(), 1);
}

#[test]
fn who_is_let_in_is_shown_with_its_leaf_and_may_send() {
    let mut world = with_a_waiter();
    let knock = world.devices[&ConnectionId(1)].session.knocks()[0].id;

    world.command(1, Command::Admit(knock));
    world.settle();

    let admitted = world.admitted(2);
    assert_eq!(admitted.leaf, 1);
    assert_eq!(admitted.others.len(), 1);
    let shown = world.sent(1).iter().any(|message| {
        matches!(message, ServerMessage::Roster { present, .. }
            if present.iter().any(|info| (info.id, info.leaf) == (ParticipantId(2), 1)))
    });
    assert!(shown);
    let welcomes = |connection| {
        let news = world.news(connection);
        news.iter().filter(|news| matches!(news, GroupNews::Welcome { .. })).count()
    };
    assert_eq!((welcomes(1), welcomes(2)), (0, 1));
    let connection = ConnectionId(2);
    world.feed(Input::Offer { connection, offer: offer(1, &[]) });
    assert!(world.sent(2).iter().any(|m| matches!(m, ServerMessage::Answer { .. })));
}

#[test]
fn who_is_removed_loses_its_media_at_once_and_stands_at_the_door() {
    let mut world = World::lobby();
    world.join(1, &[]);
    world.join(2, &[("0", TrackSource::Camera)]);
    world.settle();
    let second = credential(&world, 2);

    world.command(1, Command::Kick(second));

    assert!(world.media.contains(&MediaRequest::Leave { peer: peer(2) }), "at once");
    world.settle();
    let left = vec![(ParticipantId(2), LeaveReason::Removed)];
    assert!(world.sent(1).contains(&ServerMessage::Roster { present: Vec::new(), left }));
    assert_eq!(world.call.participants(), 1);
    assert!(world.closed.is_empty(), "its socket stands");

    let media = world.media.len();
    let connection = ConnectionId(2);
    world.feed(Input::Offer { connection, offer: offer(2, &[]) });
    assert_eq!(world.errors(2), [(ErrorCode::BadMessage, false)]);
    assert_eq!(world.media.len(), media);
    let mark = world.sent(2).len();
    let (active, speaking) = (None, Vec::new());
    world.feed(Input::Media(MediaEvent::Speakers { call: super::CALL, active, speaking }));
    assert_eq!(world.sent(2).len(), mark, "it is told nothing of the others");
    world.resume(2, 5, None);
    assert_eq!(world.errors(5), [(ErrorCode::ResumeRefused, false)]);
}

#[test]
fn an_answer_that_comes_after_its_participant_was_removed_is_nobodys() {
    let mut world = World::lobby();
    world.join(1, &[]);
    world.join(2, &[]);
    world.answers = false;
    let connection = ConnectionId(2);
    world.feed(Input::Offer { connection, offer: offer(2, &[("0", TrackSource::Camera)]) });
    let second = credential(&world, 2);
    world.command(1, Command::Kick(second));
    let (mark, media) = (world.sent(2).len(), world.media.len());

    world.feed(answer(peer(2), 2));

    assert_eq!(world.media.len(), media);
    assert_eq!(world.sent(2).len(), mark);
}

#[test]
fn what_the_order_forbids_is_neither_passed_on_nor_shown() {
    let mut world = World::lobby();
    world.join(1, &[]);
    world.join(2, &[("0", TrackSource::Camera), ("1", TrackSource::Microphone)]);
    world.settle();
    let second = credential(&world, 2);
    let published_now = |world: &World| {
        let last = world.media.iter().rev().find_map(|request| match request {
            MediaRequest::Publish { peer: of, tracks } if *of == peer(2) => Some(tracks.clone()),
            _ => None,
        });
        last.unwrap().iter().map(|track| track.source).collect::<Vec<_>>()
    };
    assert_eq!(published_now(&world), [TrackSource::Camera, TrackSource::Microphone]);

    world.command(1, Command::Mute(Mute::Camera(second), true));
    world.settle();
    assert_eq!(published_now(&world), [TrackSource::Microphone]);
    world.join(3, &[]);
    assert_eq!(sources(&world, 3), [TrackSource::Microphone]);

    // Whoever states it again is not heard either.
    let connection = ConnectionId(2);
    let all = [
        ("0", TrackSource::Camera),
        ("1", TrackSource::Microphone),
        ("2", TrackSource::Screen),
        ("3", TrackSource::ScreenAudio),
    ];
    world.command(1, Command::Mute(Mute::Screen(second), true));
    world.feed(Input::Publish { connection, tracks: published(&all) });
    world.feed(Input::Offer { connection, offer: offer(2, &all) });
    assert_eq!(published_now(&world), [TrackSource::Microphone]);

    world.command(1, Command::Mute(Mute::Camera(second), false));
    world.settle();
    assert_eq!(published_now(&world), [TrackSource::Camera, TrackSource::Microphone]);
    world.advance(Duration::from_secs(1));
    world.join(4, &[]);
    assert_eq!(sources(&world, 4), [TrackSource::Camera, TrackSource::Microphone]);
}

#[test]
fn a_resume_needs_the_leafs_signature_over_this_very_socket() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.lose(1);
    let token = token_of(&world.joined(1).resume_token).hash();
    let sign = |world: &World, who: u64, socket: u64| {
        let session = &world.devices[&ConnectionId(who)].session;
        session.sign_resume(&challenge(socket)).unwrap()
    };

    let cases =
        [(10, Vec::new()), (11, sign(&world, 2, 11)), (12, sign(&world, 1, 99)), (13, vec![0; 64])];
    for (connection, signature) in cases {
        let challenge = challenge(connection);
        world.present(connection, ResumeProof { token, challenge, signature }, Some(2));
        assert_eq!(world.errors(connection), [(ErrorCode::ResumeRefused, false)]);
    }
    assert!(!world.media.iter().any(|r| matches!(r, MediaRequest::Offer { generation: 2, .. })));

    world.resume(1, 14, None);
    assert_eq!(world.joined(14).participant, ParticipantId(1));
}

#[test]
fn a_wrong_proof_does_not_end_the_sessions_socket() {
    let mut world = World::new();
    world.join(1, &[]);
    let token = token_of(&world.joined(1).resume_token).hash();

    let (challenge, signature) = (challenge(2), vec![1; 64]);
    world.present(2, ResumeProof { token, challenge, signature }, None);

    assert!(world.closed.is_empty());
    world.settle();
    assert_eq!(world.call.participants(), 1);
}

#[test]
fn a_waiter_that_loses_its_socket_is_gone() {
    let mut world = with_a_waiter();
    assert_eq!(world.stored.len(), 2);

    world.lose(2);

    assert_eq!(world.stored.len(), 1);
    assert!(world.news(1).iter().any(|news| matches!(news, GroupNews::KnockGone { .. })));
    world.resume_with(2, 3, "token 2", None);
    assert_eq!(world.errors(3), [(ErrorCode::ResumeRefused, false)]);
}

#[test]
fn an_answer_carries_the_nodes_word_on_this_very_answer() {
    let mut world = World::new();
    world.join(1, &[]);
    let answered = world.sent(1).iter().find_map(|message| match message {
        ServerMessage::Answer { answer } => Some(answer.clone()),
        _ => None,
    });
    let answer = answered.expect("an answer");
    let judge = |sdp: &str, now| {
        let signature = answer.statement.signature.as_bytes();
        verify(&answer.statement.text, signature, sdp, &[], &world.constitution, now)
    };

    assert_eq!(judge(&answer.sdp, unix_now()), Ok(()));
    let other = answer.sdp.replace("AB:CD", "AB:CE");
    assert_eq!(judge(&other, unix_now()), Err(Fault::Fingerprint));
    let elsewhere = answer.sdp.replace("192.0.2.1", "192.0.2.2");
    assert_eq!(judge(&elsewhere, unix_now()), Err(Fault::Address));
    let day = 24 * 3600;
    assert_eq!(judge(&answer.sdp, unix_now() + day), Err(Fault::Expired));
    assert!(answer.statement.text.contains(&MEETING.expose()));
}

#[test]
fn nonsense_for_the_group_is_refused_and_changes_nothing() {
    let mut world = with_a_waiter();
    let nonsense = || MlsBytes::new(vec![7; 100]);
    let requests = [
        GroupRequest::App { message: nonsense() },
        GroupRequest::Commit { commit: nonsense(), welcome: None, group_info: nonsense() },
        GroupRequest::Deny { knocker: ParticipantId(1) },
        GroupRequest::FetchGroup,
        GroupRequest::Found { group_info: nonsense(), tree: nonsense() },
        GroupRequest::Knock { key_package: nonsense() },
        GroupRequest::LogSince { epoch: 0 },
        GroupRequest::Nack { epoch: 0, commit: nonsense() },
        GroupRequest::Ready { epoch: u64::MAX },
    ];
    // Its session would answer what it is told.
    world.devices.remove(&ConnectionId(2));
    let epoch = world.call.delivery.epoch();
    let before = world.sent(1).len();

    for request in requests {
        world.feed(Input::Group { connection: ConnectionId(2), request });
    }

    assert_eq!(world.call.delivery.epoch(), epoch);
    assert_eq!(world.sent(1)[before..], [], "nobody else noticed");
    assert!(world.errors(2).len() >= 5, "{:?}", world.errors(2));
    assert!(!world.is_admitted(2));
}

fn credential(world: &World, connection: u64) -> CredentialId {
    world.devices[&ConnectionId(connection)].session.credential().expect("a member")
}

/// What the second participant publishes, as the one of a connection found it.
fn sources(world: &World, connection: u64) -> Vec<TrackSource> {
    let others = &world.admitted(connection).others;
    let second = others.iter().find(|info| info.id == ParticipantId(2)).expect("shown");
    second.publications.iter().map(|publication| publication.source).collect()
}
