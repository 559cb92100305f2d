#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one thing")]

mod door;
mod property;
mod restart;
mod world;

use std::time::Duration;

use conclave_commit_rules::Mode;
use conclave_e2ee::Command;
use conclave_model::{CallId, ConnectionQuality, Mid, ParticipantId, TrackSource};
use conclave_wire::{ErrorCode, LeaveReason, PictureDemand, Presence, ServerMessage};

use super::{Call, CallConfig};
use crate::input::Input;
use crate::media::{MediaEvent, MediaRequest, PeerId};
use crate::output::Output;
use crate::roster::Pace;
use crate::session::{ConnectionId, SessionRecord};
use world::{CALL, World, answer, config, offer, origin, peer, published, sdp, token};

#[test]
fn a_newcomer_finds_all_others_with_their_publications() {
    let mut world = World::new();
    world.join(1, &[("0", TrackSource::Microphone), ("1", TrackSource::Camera)]);

    world.join(2, &[]);

    let joined = world.joined(2);
    assert_eq!(joined.participant, ParticipantId(2));
    assert_eq!((&joined.admitted, &joined.answer, joined.media_alive), (&None, &None, false));
    let admitted = world.admitted(2);
    assert_eq!(admitted.leaf, 1);
    let [other] = admitted.others.as_slice() else { panic!("{:?}", admitted.others) };
    assert_eq!((other.id, other.leaf), (ParticipantId(1), 0));
    assert_eq!(other.publications.len(), 2);
    assert!(other.connected);
}

#[test]
fn nobody_is_told_its_token_before_it_is_kept() {
    let constitution = World::new().constitution;
    let mut call = Call::new(config(constitution, 10, origin()), origin());
    let connection = ConnectionId(1);
    let presence = Presence::default();
    call.handle_input(origin(), Input::Join { connection, token: token(1), presence });

    let mut outputs = Vec::new();
    loop {
        match call.poll_output() {
            Output::Timeout(_) => break,
            output => outputs.push(output),
        }
    }

    assert!(outputs.iter().any(|output| matches!(output, Output::Persist(_))));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Send { .. })), "{outputs:?}");
}

#[test]
fn those_who_come_at_once_cost_each_device_few_messages() {
    let mut world = World::lobby();
    world.admits = false;
    world.join(1, &[]);
    for connection in 2..12 {
        world.knock(connection, None);
    }
    world.settle();

    for knock in world.devices[&ConnectionId(1)].session.knocks() {
        world.command(1, Command::Admit(knock.id));
    }
    world.advance(Duration::from_secs(4));

    assert!((2..12).all(|connection| world.is_admitted(connection)));
    // The host lets the first in at once, and the others together.
    assert_eq!(world.rosters(1), 2);
    assert_eq!(world.rosters(11), 0, "it was told about all when it came in");
}

#[test]
fn a_publication_keeps_its_id_when_it_is_published_again() {
    let mut world = World::new();
    world.join(1, &[("0", TrackSource::Camera)]);
    world.join(2, &[]);
    let first = world.admitted(2).others[0].publications.clone();
    let publish = |tracks: &[(&str, TrackSource)]| Input::Publish {
        connection: ConnectionId(1),
        tracks: published(tracks),
    };

    world.feed(publish(&[]));
    world.feed(publish(&[("5", TrackSource::Camera), ("6", TrackSource::Screen)]));
    world.join(3, &[]);

    let seen = &world.admitted(3).others[0].publications;
    assert_eq!(seen.len(), 2);
    assert!(seen.contains(&first[0]));
}

#[test]
fn a_lost_socket_keeps_its_place_for_the_grace_period_and_no_longer() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.settle();

    world.lose(2);
    world.advance(Duration::from_secs(19));
    let shown_as_lost = world.sent(1).iter().any(|message| {
        matches!(message, ServerMessage::Roster { present, .. }
            if present.iter().any(|info| info.id == ParticipantId(2) && !info.connected))
    });
    assert!(shown_as_lost);
    assert_eq!(world.call.participants(), 2);

    world.advance(Duration::from_secs(2));
    let gone = ServerMessage::Roster {
        present: Vec::new(),
        left: vec![(ParticipantId(2), LeaveReason::Lost)],
    };
    assert!(world.sent(1).contains(&gone));
    assert!(world.media.contains(&MediaRequest::Leave { peer: peer(2) }));
    assert!(!world.stored.contains_key(&ParticipantId(2)));
}

#[test]
fn a_session_that_is_taken_up_is_the_same_participant_with_its_media() {
    let mut world = World::new();
    world.join(1, &[("0", TrackSource::Microphone)]);
    let (audio, video) = (Vec::new(), Vec::new());
    world.feed(Input::Media(MediaEvent::Slots { peer: peer(1), generation: 1, audio, video }));
    world.feed(nobody_looks(peer(1), 1));
    let told = ServerMessage::Demand { generation: 1, pictures: unseen() };
    assert!(world.sent(1).contains(&told));
    world.lose(1);

    world.resume(1, 2, None);

    let joined = world.joined(2);
    assert_eq!(joined.participant, ParticipantId(1));
    assert!(joined.media_alive && joined.answer.is_none());
    assert_eq!(joined.admitted.as_ref().unwrap().publications.len(), 1);
    assert!(world.sent(2).iter().any(|m| matches!(m, ServerMessage::Slots { .. })));
    assert!(world.sent(2).contains(&told));
    let offers = world.media.iter().filter(|r| matches!(r, MediaRequest::Offer { .. })).count();
    assert_eq!(offers, 1, "nothing was negotiated again");
}

#[test]
fn what_the_group_said_meanwhile_follows_joined() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.lose(1);
    world.answers = false;
    world.resume(1, 3, Some(2));

    world.join(4, &[]);
    assert!(world.sent(3).is_empty(), "{:?}", world.sent(3));
    world.feed(answer(peer(1), 2));

    let place = |wanted: fn(&ServerMessage) -> bool| world.sent(3).iter().position(wanted);
    let joined = place(|m| matches!(m, ServerMessage::Joined { .. }));
    let commit = place(|m| {
        matches!(m, ServerMessage::Group { news: conclave_wire::GroupNews::Commit { .. } })
    });
    assert!(joined.is_some() && joined < commit, "{:?}", world.sent(3));
}

#[test]
fn media_that_died_is_not_kept() {
    let mut world = World::new();
    world.join(1, &[]);
    world.feed(Input::Media(MediaEvent::Disconnected { peer: peer(1), generation: 1 }));
    world.lose(1);

    world.resume(1, 2, None);
    assert!(!world.joined(2).media_alive);
    let connection = ConnectionId(2);
    world.feed(Input::Offer { connection, offer: offer(2, &[]) });

    let answered = world.sent(2).iter().any(
        |message| matches!(message, ServerMessage::Answer { answer } if answer.generation == 2),
    );
    assert!(answered);
}

#[test]
fn a_session_taken_up_elsewhere_ends_the_old_socket() {
    let mut world = World::new();
    world.join(1, &[]);

    world.resume(1, 2, Some(2));

    assert_eq!(world.errors(1), [(ErrorCode::Replaced, true)]);
    assert_eq!(world.closed, [ConnectionId(1)]);
    world.lose(1);
    world.settle();
    assert_eq!(world.call.participants(), 1);
    assert_eq!(world.joined(2).answer.as_ref().unwrap().generation, 2);
}

#[test]
fn a_token_that_was_replaced_and_used_is_refused() {
    let mut world = World::new();
    world.join(1, &[]);
    let first = world.joined(1).resume_token.clone();
    world.resume(1, 2, None);
    world.resume(2, 3, None);

    world.resume_with(3, 4, &first, None);

    assert_eq!(world.errors(4), [(ErrorCode::ResumeRefused, false)]);
    assert_eq!(world.released, [ConnectionId(4)]);
}

#[test]
fn a_device_that_missed_the_answer_to_its_resume_can_resume_again() {
    let mut world = World::new();
    world.join(1, &[]);
    let known = world.joined(1).resume_token.clone();
    world.lose(1);
    world.resume(1, 2, None);
    world.lose(2);

    world.resume_with(2, 3, &known, None);

    assert_eq!(world.joined(3).participant, ParticipantId(1));
}

#[test]
fn an_answer_to_a_lost_sockets_offer_is_not_taken_for_that_to_the_next() {
    let mut world = World::new();
    world.join(1, &[]);
    world.answers = false;
    world.feed(Input::Offer { connection: ConnectionId(1), offer: offer(2, &[]) });
    world.lose(1);
    world.resume(1, 2, Some(2));
    let sdp_of = |n| MediaEvent::Answer { peer: peer(1), generation: 2, sdp: sdp(n) };

    world.feed(Input::Media(sdp_of(100)));
    assert!(world.sent(2).is_empty());
    world.feed(Input::Media(sdp_of(200)));

    assert_eq!(world.joined(2).answer.as_ref().unwrap().sdp, sdp(200));
}

#[test]
fn a_full_call_says_so_and_lets_try_again() {
    let mut world = World::of(Mode::OpenLink, 1);
    world.join(1, &[]);

    world.knock(2, None);
    assert_eq!(world.errors(2), [(ErrorCode::MeetingFull, false)]);
    world.feed(Input::Leave { connection: ConnectionId(1) });
    world.join(2, &[]);

    assert_eq!(world.joined(2).participant, ParticipantId(2));
}

#[test]
fn media_is_for_no_more_than_the_call_carries() {
    let mut world = World::of(Mode::Lobby, 2);
    world.admits = false;
    world.join(1, &[]);
    for connection in 2..=3 {
        world.knock(connection, Some(Vec::new()));
    }
    world.admits = true;
    world.knock(4, None);
    world.advance(Duration::from_secs(3));

    let refused: Vec<_> = (2..=3).filter(|n| !world.errors(*n).is_empty()).collect();
    assert_eq!(refused.len(), 1, "one of the two has no media");
    assert_eq!(world.errors(refused[0]), [(ErrorCode::MeetingFull, false)]);
}

#[test]
fn an_offer_that_is_refused_disturbs_nobody() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.settle();
    world.answers = false;
    let before = world.rosters(1);

    world.feed(Input::Offer { connection: ConnectionId(2), offer: offer(2, &[]) });
    let detail = "not ours".to_owned();
    world.feed(Input::Media(MediaEvent::OfferRefused { peer: peer(2), generation: 2, detail }));
    world.settle();

    assert_eq!(world.errors(2), [(ErrorCode::BadOffer, false)]);
    assert_eq!(world.rosters(1), before);
    assert_eq!(world.call.participants(), 2);
}

#[test]
fn an_answer_without_a_certificate_is_the_servers_fault() {
    let mut world = World::new();
    world.join(1, &[]);
    world.answers = false;

    world.feed(Input::Offer { connection: ConnectionId(1), offer: offer(2, &[]) });
    let sdp = "v=0\r\n".to_owned();
    world.feed(Input::Media(MediaEvent::Answer { peer: peer(1), generation: 2, sdp }));

    assert_eq!(world.errors(1), [(ErrorCode::Internal, false)]);
}

#[test]
fn a_shard_that_does_not_answer_is_the_servers_fault_in_time() {
    let mut world = World::new();
    world.join(1, &[]);
    world.lose(1);
    world.answers = false;
    world.resume(1, 2, Some(2));

    world.advance(Duration::from_secs(11));

    assert_eq!(world.errors(2).last(), Some(&(ErrorCode::Internal, true)));
    world.advance(Duration::from_secs(20));
    assert!(world.empty);
}

#[test]
fn an_offer_of_a_lower_generation_is_refused() {
    let mut world = World::new();
    world.join(1, &[]);
    let connection = ConnectionId(1);
    world.feed(Input::Offer { connection, offer: offer(3, &[]) });

    world.feed(Input::Offer { connection, offer: offer(2, &[]) });

    assert_eq!(world.errors(1), [(ErrorCode::BadOffer, false)]);
}

#[test]
fn a_new_media_session_is_told_again_what_to_show() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[("0", TrackSource::Camera)]);
    world.settle();
    world.join(3, &[]);
    let publication = world.admitted(3).others[1].publications[0].id;
    let want = conclave_wire::Want {
        publication,
        width: 640,
        height: 360,
        priority: conclave_wire::TilePriority::Tile,
    };
    let connection = ConnectionId(1);
    world.feed(Input::View { connection, wants: vec![want] });
    world.media.clear();

    world.feed(Input::Offer { connection, offer: offer(2, &[]) });

    assert!(world.media.contains(&MediaRequest::View { peer: peer(1), wants: vec![want] }));
}

#[test]
fn one_who_changes_again_and_again_is_told_of_a_few_times_a_second() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.settle();
    let before = world.rosters(1);

    for n in 0..100 {
        let (connection, presence) = (ConnectionId(2), Presence { muted: n % 2 == 0 });
        world.feed(Input::Presence { connection, presence });
        world.advance(Duration::from_millis(10));
    }
    let during = world.rosters(1) - before;
    // Another one is told of meanwhile, and who comes meanwhile misses nothing.
    let presence = Presence { muted: true };
    world.feed(Input::Presence { connection: ConnectionId(2), presence });
    let mark = world.sent(1).len();
    world.join(3, &[]);
    world.advance(Duration::from_millis(60));
    let newcomer = world.sent(1).iter().skip(mark).any(|message| match message {
        ServerMessage::Roster { present, .. } => {
            present.iter().any(|info| info.id == ParticipantId(3))
        }
        _ => false,
    });
    world.settle();

    assert!((2..=4).contains(&during), "{during}");
    assert!(newcomer, "nobody waits for one who changes all the time");
    let last = world.sent(1).iter().rev().find_map(|message| match message {
        ServerMessage::Roster { present, .. } => {
            present.iter().find(|info| info.id == ParticipantId(2)).map(|info| info.presence)
        }
        _ => None,
    });
    assert_eq!(last, Some(presence), "the last word is told");
}

#[test]
fn the_more_are_in_the_longer_changes_are_collected() {
    assert_eq!([20, 21, 100, 101].map(|members| Pace::of(members).changes), [1, 2, 2, 3]);
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.settle();
    let before = world.rosters(1);

    let presence = Presence { muted: true };
    world.feed(Input::Presence { connection: ConnectionId(2), presence });
    world.advance(Duration::from_millis(49));
    assert_eq!(world.rosters(1), before);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.rosters(1), before + 1);
}

#[test]
fn speakers_and_quality_reach_all_and_newcomers() {
    let mut world = World::new();
    world.join(1, &[]);
    let speakers = MediaEvent::Speakers {
        call: CALL,
        active: Some(ParticipantId(1)),
        speaking: vec![ParticipantId(1)],
    };
    world.feed(Input::Media(speakers));
    let quality = ConnectionQuality::Poor;
    world.feed(Input::Media(MediaEvent::Quality { peer: peer(1), quality }));
    world.settle();
    world.join(2, &[]);

    for connection in [1, 2] {
        let sent = world.sent(connection);
        assert!(sent.iter().any(|m| matches!(m, ServerMessage::Speakers { .. })), "{sent:?}");
        assert!(sent.iter().any(|m| matches!(m, ServerMessage::Quality { .. })), "{sent:?}");
    }
}

fn unseen() -> Vec<PictureDemand> {
    vec![PictureDemand { mid: Mid::new("1").unwrap(), layers: 0 }]
}

fn nobody_looks(peer: PeerId, generation: u32) -> Input {
    Input::Media(MediaEvent::Demand { peer, generation, pictures: unseen() })
}

#[test]
fn events_of_another_call_change_nothing() {
    let mut world = World::new();
    world.join(1, &[]);
    let before = world.sent.clone();

    let stranger = PeerId { call: CallId(8), participant: ParticipantId(1) };
    let (audio, video) = (Vec::new(), Vec::new());
    world.feed(Input::Media(MediaEvent::Slots { peer: stranger, generation: 1, audio, video }));
    let (active, speaking) = (None, Vec::new());
    world.feed(Input::Media(MediaEvent::Speakers { call: CallId(8), active, speaking }));
    world.feed(nobody_looks(stranger, 1));
    world.feed(nobody_looks(peer(1), 2));

    assert_eq!(world.sent, before);
}

#[test]
fn who_leaves_is_gone_at_once_and_cannot_come_back_as_the_same() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.settle();

    world.feed(Input::Leave { connection: ConnectionId(1) });
    world.settle();

    let left = vec![(ParticipantId(1), LeaveReason::Left)];
    let told = ServerMessage::Roster { present: Vec::new(), left };
    assert_eq!(world.sent(2).iter().filter(|message| **message == told).count(), 1);
    assert!(world.media.contains(&MediaRequest::Leave { peer: peer(1) }));
    assert!(!world.stored.contains_key(&ParticipantId(1)));
    assert_eq!(world.closed, [ConnectionId(1)]);
    world.resume(1, 3, None);
    assert_eq!(world.errors(3), [(ErrorCode::ResumeRefused, false)]);

    world.feed(Input::Leave { connection: ConnectionId(2) });
    assert!(world.empty);
    assert!(world.stored.is_empty());
}

#[test]
fn an_ended_call_has_no_past() {
    let record =
        SessionRecord { participant: ParticipantId(4), token: token(4).hash(), proven: None };
    let constitution = World::new().constitution;
    let config = CallConfig { sessions: vec![record], ..config(constitution, 10, origin()) };
    let mut call = Call::new(config, origin());

    call.handle_input(origin(), Input::Timeout);

    let forgotten = Output::Forget { participant: ParticipantId(4) };
    assert_eq!(call.poll_output(), forgotten, "there is no group that it could be a member of");
    assert_eq!(call.poll_output(), Output::Empty);
}
