//! Calls whose members are those of a group, over real sockets.

use std::time::Duration;

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_commit_rules::Mode;
use conclave_e2ee::Command;
use conclave_model::{MeetingId, Mid, ParticipantId, TrackSource};
use conclave_store::{GroupChange, Store as _};
use conclave_wire::{
    ClientMessage, ErrorCode, GroupNews, LeaveReason, Presence, PublishedTrack, ServerMessage,
};

use crate::client::{Client, join, offer, resume};
use crate::hindered::Hindered;
use crate::member::Member;
use crate::server::{Server, answer_to, soon};

#[tokio::test]
async fn two_who_come_in_learn_of_each_other() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::OpenLink);
    let mut first = Member::join(address, &constitution).await;

    let mut second = Member::knock(address, &constitution, false).await;
    let admitted = second.hear_admitted().await;

    assert_eq!((admitted.leaf, admitted.others.len()), (1, 1));
    let newcomer = first
        .hear_until(|message| match message {
            ServerMessage::Roster { present, .. } => present.first().cloned(),
            _ => None,
        })
        .await;
    assert_eq!((newcomer.id, newcomer.leaf), (second.joined.participant, 1));
}

#[tokio::test]
async fn the_media_plane_hears_and_is_heard() {
    let mut server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::OpenLink);
    let mut member = Member::join(address, &constitution).await;

    let answer = member.offer(1).await;
    assert_eq!(answer.sdp, answer_to("offer"));
    let statement = &answer.statement;
    let judge = |sdp: &str| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let signature = statement.signature.as_bytes();
        let now = now.unwrap().as_secs();
        conclave_node_statement::verify(&statement.text, signature, sdp, &[], &constitution, now)
    };
    assert_eq!(judge(&answer.sdp), Ok(()));
    assert!(judge(&answer.sdp.replace("AB:CD", "AB:CE")).is_err());

    let MediaRequest::Offer { peer, .. } = soon(server.asked.recv()).await.unwrap() else {
        panic!("the offer comes first")
    };
    let event = MediaEvent::Speakers {
        call: peer.call,
        active: Some(peer.participant),
        speaking: vec![peer.participant],
    };
    server.report.send(event).await.unwrap();
    let active = member
        .hear_until(|message| match message {
            ServerMessage::Speakers { active, .. } => Some(*active),
            _ => None,
        })
        .await;
    assert_eq!(active, Some(peer.participant));
}

#[tokio::test]
async fn a_waiter_hears_nothing_of_those_inside_and_may_not_send() {
    let mut server = Server::new().await;
    server.lobby(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::Lobby);
    let mut host = Member::host(address, &constitution).await;
    host.offer(1).await;
    let MediaRequest::Offer { peer, .. } = soon(server.asked.recv()).await.unwrap() else {
        panic!("the offer comes first")
    };
    let mut waiter = Client::greet(address).await;
    waiter.join(1).await;

    let camera = PublishedTrack { mid: Mid::new("0").unwrap(), source: TrackSource::Camera };
    host.say(&ClientMessage::Publish { tracks: vec![camera] }).await;
    host.say(&ClientMessage::Presence { presence: Presence { muted: true } }).await;
    let speaking = vec![peer.participant];
    let event = MediaEvent::Speakers { call: peer.call, active: None, speaking };
    server.report.send(event).await.unwrap();
    host.hear_until(|m| matches!(m, ServerMessage::Speakers { .. }).then_some(())).await;

    for message in [
        ClientMessage::Offer { offer: offer(1) },
        ClientMessage::Publish { tracks: Vec::new() },
        ClientMessage::View { wants: Vec::new() },
    ] {
        waiter.say(&message).await;
    }
    let mut refused = 0;
    while refused < 3 {
        match waiter.hear().await {
            ServerMessage::Error { code: ErrorCode::BadMessage, fatal: false, .. } => refused += 1,
            ServerMessage::Group { news: GroupNews::Meeting { .. } } => {}
            other => panic!("a waiter was told {other:?}"),
        }
    }
    while let Ok(request) = server.asked.try_recv() {
        let of_waiter = matches!(request, MediaRequest::Offer { peer: other, .. } if other != peer);
        assert!(!of_waiter, "{request:?}");
    }
}

#[tokio::test]
async fn who_is_removed_is_cut_from_the_media_plane() {
    let mut server = Server::new().await;
    server.lobby(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::Lobby);
    let mut host = Member::host(address, &constitution).await;
    let mut guest = Member::knock(address, &constitution, false).await;
    // It is told of the meeting, and knocks.
    soon(guest.hear()).await;
    while host.session.knocks().is_empty() {
        soon(host.hear()).await;
    }
    let knock = host.session.knocks()[0].id;
    host.command(Command::Admit(knock)).await;
    guest.hear_admitted().await;
    guest.offer(1).await;
    let (credential, who) = (guest.credential(), guest.joined.participant);
    host.hear_until(|message| match message {
        ServerMessage::Roster { present, .. } => {
            present.iter().any(|info| info.id == who).then_some(())
        }
        _ => None,
    })
    .await;

    host.command(Command::Kick(credential)).await;

    let reason = host
        .hear_until(|message| match message {
            ServerMessage::Roster { left, .. } => {
                left.iter().find(|(id, _)| *id == who).map(|(_, reason)| *reason)
            }
            _ => None,
        })
        .await;
    assert_eq!(reason, LeaveReason::Removed);
    soon(async {
        loop {
            let asked = server.asked.recv().await.unwrap();
            if matches!(asked, MediaRequest::Leave { peer } if peer.participant == who) {
                break;
            }
        }
    })
    .await;
    guest.say(&ClientMessage::Offer { offer: offer(2) }).await;
    assert_eq!(guest.client.hear_error().await, (ErrorCode::BadMessage, false));
}

#[tokio::test]
async fn a_lost_socket_resumes_as_the_same_participant() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let mut member = Member::join(address, &server.constitution(1, Mode::OpenLink)).await;
    member.offer(1).await;
    let before = member.joined.clone();

    let after = member.resume(address, None).await;

    assert_eq!(after.participant, before.participant);
    assert!(after.media_alive);
    assert_ne!(after.resume_token, before.resume_token);
    member.settle().await;
}

#[tokio::test]
async fn a_resume_needs_the_leafs_signature_over_this_sockets_challenge() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let member = Member::join(address, &server.constitution(1, Mode::OpenLink)).await;
    let mut thief = Client::greet(address).await;
    assert_ne!(thief.challenge, member.client.challenge);

    let replayed = member.session.sign_resume(&member.client.challenge).unwrap();
    for signature in [replayed, vec![0; 64], Vec::new()] {
        thief.say(&resume(1, &member.joined.resume_token, signature, Some(offer(2)))).await;
        assert_eq!(thief.hear_error().await, (ErrorCode::ResumeRefused, false));
    }

    thief.join(1).await;
}

#[tokio::test]
async fn a_session_resumes_on_a_server_that_restarted() {
    let server = Server::new().await;
    let meeting = server.meeting(1).await;
    let constitution = server.constitution(1, Mode::OpenLink);
    let mut member = Member::join(server.listen().await, &constitution).await;
    let before = member.joined.clone();
    kept(&server, meeting).await;
    let folder = server.folder.clone();
    // No drain, no goodbye: the process is gone.
    drop(server);

    let server = Server::open(folder, 3).await;
    let address = server.listen().await;
    let after = member.resume(address, Some(offer(2))).await;
    let mut newcomer = Member::knock(address, &constitution, false).await;
    newcomer.hear_admitted().await;

    assert_eq!(after.participant, before.participant);
    assert_eq!(after.admitted.unwrap().leaf, 0);
    assert_eq!(after.answer.unwrap().generation, 2);
    assert_eq!(newcomer.joined.participant, ParticipantId(before.participant.0 + 1));
}

#[tokio::test]
async fn after_a_restart_with_a_group_of_an_older_form_members_come_in_anew() {
    let server = Server::new().await;
    let meeting = server.meeting(1).await;
    let constitution = server.constitution(1, Mode::OpenLink);
    let member = Member::join(server.listen().await, &constitution).await;
    kept(&server, meeting).await;
    let older = GroupChange {
        state: br#"{"version":2,"groupId":"AQEB"}"#.to_vec(),
        log: vec![(0, br#"{"epoch":0,"proposals":[],"commit":"AAAA"}"#.to_vec())],
        epochs: 0..1,
    };
    server.store.save_group(meeting, older.clone()).await.unwrap();
    let folder = server.folder.clone();
    drop(server);

    let server = Server::open(folder, 3).await;
    let address = server.listen().await;
    let mut client = Client::greet(address).await;
    let signature = member.session.sign_resume(&client.challenge).unwrap();
    client.say(&resume(1, &member.joined.resume_token, signature, None)).await;
    assert_eq!(client.hear_error().await, (ErrorCode::ResumeRefused, false));
    let _founder = Member::join(address, &constitution).await;
    let mut newcomer = Member::knock(address, &constitution, false).await;

    assert_eq!(newcomer.hear_admitted().await.leaf, 1);
    let now = server.store.group(meeting).await.unwrap().unwrap();
    assert_ne!(now.state, older.state);
    assert!(!now.log.contains(&older.log[0].1), "the commits of before are gone");
}

#[tokio::test]
async fn a_call_that_ended_leaves_nothing_in_the_store() {
    let server = Server::new().await;
    let meeting = server.meeting(1).await;
    let address = server.listen().await;
    let mut member = Member::join(address, &server.constitution(1, Mode::OpenLink)).await;
    kept(&server, meeting).await;

    member.say(&ClientMessage::Leave).await;
    assert_eq!(member.client.hear_until_end().await, None);

    soon(async {
        loop {
            let left = server.store.sessions(meeting).await.unwrap();
            let group = server.store.group(meeting).await.unwrap();
            if group.is_none()
                && left.sessions.is_empty()
                && left.next_participant == ParticipantId(1)
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_meeting_of_an_older_version_cannot_be_entered() {
    let server = Server::new().await;
    let meeting = server.meeting(1).await;
    let old = conclave_store::Meeting {
        id: MeetingId::from_bytes([2; 16]),
        policy: "{\"version\":1}".to_owned(),
        token_hash: server.store.meeting(meeting).await.unwrap().unwrap().token_hash,
        sealed_title: conclave_model::SealedBlob::new(vec![1]).unwrap(),
        created: conclave_store::UnixMillis(0),
    };
    server.store.create_meeting(old).await.unwrap();
    let mut client = Client::greet(server.listen().await).await;

    let ClientMessage::Join { token, presence, .. } = join(1) else { unreachable!() };
    let meeting = MeetingId::from_bytes([2; 16]);
    client.say(&ClientMessage::Join { meeting, token, presence }).await;

    assert_eq!(client.hear_error().await, (ErrorCode::Internal, true));
}

#[tokio::test]
async fn nobody_is_told_of_a_change_of_the_group_before_it_is_kept() {
    let (server, store) = Server::with_hindered_store().await;
    let meeting = server.lobby(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::Lobby);

    store.hold(true);
    let mut founding = std::pin::pin!(Member::host(address, &constitution));
    not_before(&store, &mut founding).await;
    assert_eq!(server.store.group(meeting).await.unwrap(), None);
    store.hold(false);
    let mut host = soon(founding).await;
    assert!(server.store.group(meeting).await.unwrap().is_some(), "told, so it is kept");

    let mut guest = Member::knock(address, &constitution, false).await;
    guest
        .hear_until(|message| match message {
            ServerMessage::Group { news } => {
                matches!(news, GroupNews::Meeting { .. }).then_some(())
            }
            _ => None,
        })
        .await;
    let knock = host
        .hear_until(|message| match message {
            ServerMessage::Group { news: GroupNews::Knock { from, .. } } => Some(*from),
            _ => None,
        })
        .await;
    store.hold(true);
    host.command(Command::Admit(conclave_e2ee::KnockId(knock.0.into()))).await;
    let accepted = |message: &ServerMessage| {
        matches!(message, ServerMessage::Group { news: GroupNews::Accepted { epoch: 0 } })
            .then_some(())
    };
    {
        let mut admission = std::pin::pin!(async {
            tokio::select! {
                _ = host.hear_until(accepted) => {}
                _ = guest.hear_admitted() => {}
            }
        });
        not_before(&store, &mut admission).await;
    }
    store.hold(false);
    host.hear_until(accepted).await;
    guest.hear_admitted().await;
    assert_eq!(server.store.group(meeting).await.unwrap().unwrap().log.len(), 1);
}

#[tokio::test]
async fn a_member_that_was_told_of_an_epoch_finds_it_after_a_crash() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::OpenLink);
    let mut first = Member::join(address, &constitution).await;
    let mut second = Member::knock(address, &constitution, false).await;
    second.hear_admitted().await;
    let folder = server.folder.clone();

    // No word to the process before: what it has not kept is lost.
    let server = Server::open(folder, 3).await;
    let address = server.listen().await;
    for member in [&mut first, &mut second] {
        let joined = member.resume(address, None).await;
        assert!(joined.admitted.is_some(), "its leaf is in the tree that was kept");
    }
}

/// Takes part while the store keeps nothing, for as long as the news would need many times over.
async fn not_before<F: Future + Unpin>(store: &Hindered, news: &mut F) {
    let a_while = async {
        store.asked().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    tokio::select! {
        _ = news => panic!("told before it was kept"),
        () = soon(a_while) => {}
    }
}

/// Waits until a call's group is in the store.
async fn kept(server: &Server, meeting: MeetingId) {
    soon(async {
        while server.store.group(meeting).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
