use std::time::Duration;

use conclave_api::Patience;
use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_commit_rules::Mode;
use conclave_model::CallId;
use conclave_store::Store as _;
use conclave_wire::{
    ClientMessage, ErrorCode, GroupNews, GroupRequest, LIMITS, MlsBytes, Offer, Presence,
    ServerMessage,
};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Client, join, offer, resume};
use crate::member::Member;
use crate::server::{Server, soon, token};

#[tokio::test]
async fn an_unknown_token_is_refused_and_the_socket_may_join_anew() {
    let server = Server::new().await;
    server.meeting(1).await;
    let mut client = Client::greet(server.listen().await).await;

    client.say(&resume(1, &token(99), vec![1; 64], None)).await;
    assert_eq!(client.hear_error().await, (ErrorCode::ResumeRefused, false));
    client.say(&resume(77, &token(99), vec![1; 64], None)).await;
    assert_eq!(client.hear_error().await, (ErrorCode::ResumeRefused, false));

    client.join(1).await;
}

#[tokio::test]
async fn a_wrong_resume_token_starts_no_call() {
    let mut server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let mut client = Client::greet(address).await;

    client.say(&resume(1, &token(99), vec![1; 64], None)).await;
    assert_eq!(client.hear_error().await, (ErrorCode::ResumeRefused, false));
    let mut member = Member::join(address, &server.constitution(1, Mode::OpenLink)).await;
    member.offer(1).await;

    let first = soon(server.asked.recv()).await;
    let Some(MediaRequest::Offer { peer, .. }) = first else { panic!("{first:?}") };
    assert_eq!(peer.call, CallId(1), "the first call of this process");
}

#[tokio::test]
async fn who_comes_back_to_a_call_that_runs_has_nobody_else_looked_up() {
    let (server, store) = Server::with_hindered_store().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let _member = Member::join(address, &server.constitution(1, Mode::OpenLink)).await;
    let before = store.listed();

    let mut client = Client::greet(address).await;
    client.say(&resume(1, &token(99), vec![1; 64], None)).await;

    assert_eq!(client.hear_error().await, (ErrorCode::ResumeRefused, false));
    assert_eq!(store.listed(), before, "the call knows its own");
}

#[tokio::test]
async fn an_unknown_meeting_and_a_wrong_token_get_the_same_answer() {
    let server = Server::new().await;
    server.meeting(1).await;
    let mut client = Client::greet(server.listen().await).await;
    let ClientMessage::Join { meeting, presence, .. } = join(1) else { unreachable!() };

    client.say(&join(2)).await;
    let unknown = client.hear().await;
    let token = token(2);
    client.say(&ClientMessage::Join { meeting, token, presence }).await;
    let wrong = client.hear().await;

    assert_eq!(unknown, wrong);
    let ServerMessage::Error { code, fatal, .. } = unknown else { panic!("{unknown:?}") };
    assert_eq!((code, fatal), (ErrorCode::UnknownMeeting, false));
}

#[tokio::test]
async fn a_full_meeting_says_so() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::OpenLink);
    let mut inside = Vec::new();
    for _ in 0..3 {
        inside.push(Member::join(address, &constitution).await);
    }

    let mut late = Client::greet(address).await;
    late.say(&join(1)).await;
    assert_eq!(late.hear_error().await, (ErrorCode::MeetingFull, false));

    inside[0].say(&ClientMessage::Leave).await;
    assert_eq!(inside[0].client.hear_until_end().await, None);
    late.join(1).await;
}

#[tokio::test]
async fn an_offer_that_cannot_be_used_is_refused_and_another_is_taken() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let mut member = Member::join(address, &server.constitution(1, Mode::OpenLink)).await;

    let bad = Offer { sdp: "bad".to_owned(), ..offer(1) };
    member.say(&ClientMessage::Offer { offer: bad }).await;
    assert_eq!(member.client.hear_error().await, (ErrorCode::BadOffer, false));

    assert_eq!(member.offer(2).await.generation, 2);
}

#[tokio::test]
async fn malformed_frames_get_an_error_and_nobody_else_notices() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let mut good = Client::greet(address).await;
    good.join(1).await;
    let mut bad = Client::greet(address).await;

    for text in ["", "{", "[]", "{\"type\":\"fly\"}", "{\"type\":\"hello\",\"version\":1}"] {
        bad.say_text(text.to_owned()).await;
        assert_eq!(bad.hear_error().await, (ErrorCode::BadMessage, false), "{text}");
    }
    bad.say_frame(Message::binary(vec![0; 10])).await;
    assert_eq!(bad.hear_error().await, (ErrorCode::BadMessage, false));
    bad.join(1).await;

    good.say(&ClientMessage::Ping).await;
    good.hear_until(|message| (*message == ServerMessage::Pong).then_some(())).await;
}

#[tokio::test]
async fn an_oversize_frame_ends_its_own_session_alone() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let mut good = Client::greet(address).await;
    good.join(1).await;
    let mut bad = Client::greet(address).await;

    // The server reads no more of it than its head, so sending it may fail.
    let _ = bad.try_say("x".repeat(LIMITS.frame_bytes + 1)).await;

    assert_eq!(bad.hear_until_end().await, None);
    good.say(&ClientMessage::Ping).await;
    good.hear_until(|message| (*message == ServerMessage::Pong).then_some(())).await;
}

#[tokio::test]
async fn a_client_that_goes_on_with_nonsense_is_hung_up_on() {
    let server = Server::new().await;
    let mut client = Client::greet(server.listen().await).await;

    for _ in 0..21 {
        client.say_text("nonsense".to_owned()).await;
    }

    for _ in 0..20 {
        assert_eq!(client.hear_error().await, (ErrorCode::BadMessage, false));
    }
    assert_eq!(client.hear_error().await, (ErrorCode::BadMessage, true));
    assert_eq!(client.hear_or_end().await, None);
}

#[tokio::test]
async fn a_client_that_sends_too_much_is_told_and_then_hung_up_on() {
    let server = Server::new().await;
    let mut client = Client::greet(server.listen().await).await;

    for _ in 0..2_000 {
        let ping = serde_json::to_string(&ClientMessage::Ping).unwrap();
        if client.try_say(ping).await.is_err() {
            break;
        }
    }

    assert_eq!(client.hear_error().await, (ErrorCode::RateLimited, false));
    while let Some(message) = client.hear_or_end().await {
        if let ServerMessage::Error { fatal: true, code, .. } = message {
            assert_eq!(code, ErrorCode::RateLimited);
            return;
        }
    }
    panic!("hung up on without a word");
}

#[tokio::test]
async fn offers_are_fewer_than_other_messages() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let mut member = Member::join(address, &server.constitution(1, Mode::OpenLink)).await;

    for _ in 0..40 {
        member.say(&ClientMessage::Offer { offer: offer(1) }).await;
    }

    let limited = member.hear_until(|message| match message {
        ServerMessage::Error { code: ErrorCode::RateLimited, fatal, .. } => Some(*fatal),
        _ => None,
    });
    assert!(!limited.await);
}

#[tokio::test]
async fn hello_comes_first_and_in_the_servers_version() {
    let server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;

    let mut hasty = Client::connect(address).await;
    hasty.say(&join(1)).await;
    assert_eq!(hasty.hear_error().await, (ErrorCode::BadMessage, true));

    let mut newer = Client::connect(address).await;
    newer.say(&ClientMessage::Hello { version: 99 }).await;
    assert_eq!(newer.hear_error().await, (ErrorCode::UnsupportedVersion, true));
    assert_eq!(newer.hear_or_end().await, None);
}

#[tokio::test]
async fn a_socket_on_which_nothing_happens_is_closed() {
    let (short, long) = (Duration::from_millis(200), Duration::from_secs(3600));
    let silent = Server::new().await.with_patience(Patience { hello: short, join: long });
    let mut client = Client::connect(silent.listen().await).await;
    assert_eq!(client.hear_or_end().await, None);

    let server = Server::new().await.with_patience(Patience { hello: long, join: short });
    server.meeting(1).await;
    let address = server.listen().await;
    let mut inside = Client::greet(address).await;
    inside.join(1).await;
    let mut idle = Client::greet(address).await;
    assert_eq!(idle.hear_or_end().await, None);
    inside.say(&ClientMessage::Ping).await;
    inside.hear_until(|message| (*message == ServerMessage::Pong).then_some(())).await;
}

#[tokio::test]
async fn a_call_that_breaks_is_cleared_away_and_the_next_one_works() {
    let mut server = Server::broken_once().await;
    server.meeting(1).await;
    let address = server.listen().await;

    let mut first = Client::greet(address).await;
    first.say(&join(1)).await;
    assert_eq!(first.hear_until_end().await, None);
    let asked = soon(server.asked.recv()).await;
    assert_eq!(asked, Some(MediaRequest::End { call: CallId(1) }));

    let mut again = Member::join(address, &server.constitution(1, Mode::OpenLink)).await;
    again.offer(1).await;
    let asked = soon(server.asked.recv()).await;
    let Some(MediaRequest::Offer { peer, .. }) = asked else { panic!("{asked:?}") };
    assert_eq!(peer.call, CallId(2));
}

#[tokio::test]
async fn what_is_said_before_joining_is_refused() {
    let server = Server::new().await;
    let mut client = Client::greet(server.listen().await).await;

    client.say(&ClientMessage::Presence { presence: Presence { muted: true } }).await;

    assert_eq!(client.hear_error().await, (ErrorCode::BadMessage, false));
}

#[tokio::test]
async fn a_page_of_another_site_may_not_signal() {
    let server = Server::new().await;
    let address = server.listen().await;
    let mut request = format!("ws://{address}/api/v1/signal").into_client_request().unwrap();
    request.headers_mut().insert("origin", "https://evil.example".parse().unwrap());

    let refused = connect_async(request).await;

    let Err(Error::Http(response)) = refused else { panic!("it was let in") };
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn a_drain_tells_everybody_and_keeps_their_sessions_and_the_group() {
    let server = Server::new().await;
    let meeting = server.meeting(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::OpenLink);
    let mut inside = Member::join(address, &constitution).await;
    let before = inside.joined.clone();
    let mut outside = Client::greet(address).await;

    let calls = server.calls.clone();
    let drained = tokio::spawn(async move { calls.drain().await });
    for client in [&mut inside.client, &mut outside] {
        assert_eq!(client.hear_error().await, (ErrorCode::Draining, true));
        assert_eq!(client.hear_or_end().await, None);
    }
    soon(drained).await.unwrap();
    assert!(server.store.group(meeting).await.unwrap().is_some());
    let folder = server.folder.clone();
    drop(server);

    let server = Server::open(folder, 3).await;
    let after = inside.resume(server.listen().await, Some(offer(2))).await;
    assert_eq!(after.participant, before.participant);
    assert_eq!(after.admitted.unwrap().leaf, 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_fill_the_memory() {
    let mut server = Server::new().await;
    server.meeting(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::OpenLink);
    let slow = Member::join(address, &constitution).await;
    let mut good = Member::join(address, &constitution).await;
    good.offer(1).await;
    let MediaRequest::Offer { peer, .. } = soon(server.asked.recv()).await.unwrap() else {
        panic!("the offer comes first")
    };

    // Nobody reads `slow`: its socket fills up, then its queue, then it is cut.
    let speaking = vec![peer.participant; 5_000];
    let mut gone = false;
    while !gone {
        let event =
            MediaEvent::Speakers { call: peer.call, active: None, speaking: speaking.clone() };
        server.report.send(event).await.unwrap();
        loop {
            match soon(good.hear()).await {
                ServerMessage::Roster { present, .. } => {
                    gone |= present
                        .iter()
                        .any(|info| info.id == slow.joined.participant && !info.connected);
                }
                ServerMessage::Speakers { .. } => break,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_frame_may_be_as_large_as_its_sender_has_come() {
    let server = Server::new().await;
    server.lobby(1).await;
    let address = server.listen().await;
    let constitution = server.constitution(1, Mode::Lobby);
    let found = |kib: usize| {
        let (group_info, tree) = (MlsBytes::new(vec![7; kib * 768]), MlsBytes::new(Vec::new()));
        let request = GroupRequest::Found { group_info, tree };
        serde_json::to_string(&ClientMessage::Group { request }).unwrap()
    };

    let mut fresh = Client::connect(address).await;
    fresh.say_text(found(5)).await;
    assert_eq!(fresh.hear_error().await, (ErrorCode::BadMessage, true));
    let mut greeted = Client::greet(address).await;
    greeted.say_text(found(5)).await;
    assert_eq!(greeted.hear_error().await, (ErrorCode::BadMessage, false));
    greeted.say_text(found(300)).await;
    assert_eq!(greeted.hear_error().await, (ErrorCode::BadMessage, true));
    let mut waiter = Client::greet(address).await;
    waiter.join(1).await;
    waiter.say_text(found(300)).await;
    waiter
        .hear_until(|message| match message {
            ServerMessage::Group { news } => (*news == GroupNews::FoundLost).then_some(()),
            _ => None,
        })
        .await;
    waiter.say_text(found(600)).await;
    assert_eq!(waiter.hear_error().await, (ErrorCode::BadMessage, true));
    let mut host = Member::host(address, &constitution).await;
    host.client.say_text(found(600)).await;
    host.settle().await;
    let request = GroupRequest::App { message: MlsBytes::new(vec![7; 600 * 768]) };
    host.say(&ClientMessage::Group { request }).await;
    assert_eq!(host.client.hear_error().await, (ErrorCode::BadMessage, false));
}
