//! A participant that is told anything, in any order.

use std::net::SocketAddr;
use std::time::Duration;

use conclave_client_proto::{Input, MediaFrame, Output, Participant, Transmit};
use conclave_model::{MediaKind, Mid, ParticipantId, PublicationId, TrackSource};
use conclave_wire::{
    Admitted, AudioSlot, ClientMessage, ErrorCode, GroupNews, Joined, LIMITS, MlsBytes,
    PROTOCOL_VERSION, ServerMessage, VideoSlot, decode_client_message,
};
use proptest::prelude::*;

use crate::server::{Server, meeting};
use crate::world::{World, other};

/// The address that the participant's candidate states.
const LOCAL: &str = "10.0.0.1:1111";

#[derive(Clone, Debug)]
enum Op {
    Advance(u16),
    Datagram(Vec<u8>),
    Frame(MediaKind, Vec<u8>),
    Lost,
    Message(Box<ServerMessage>),
    Open,
}

fn sdp() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("v=0".to_owned()),
        Just("m=audio 9 UDP/TLS/RTP/SAVPF 111".to_owned()),
        Just("m=video 9 UDP/TLS/RTP/SAVPF 96 97".to_owned()),
        Just("a=mid:0".to_owned()),
        Just("a=ice-lite".to_owned()),
        "[a-z]=[ -~]{0,30}",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\r\n"))
}

fn message() -> impl Strategy<Value = ServerMessage> {
    let answer = || {
        let server = Server::new("10.0.0.2:2222".parse().unwrap());
        (0..4_u32, sdp()).prop_map(move |(generation, sdp)| server.answer(generation, sdp))
    };
    let joined = (0..4_u32, prop::option::of(answer()), any::<bool>(), 0..6_u32).prop_map(
        |(participant, answer, media_alive, others)| Joined {
            participant: ParticipantId(participant),
            resume_token: "t".repeat(LIMITS.token_chars),
            admitted: (others > 0).then(|| inside(others)),
            answer,
            media_alive,
        },
    );
    let slots = (0..4_u32, "[a-z0-9]{1,3}", 0..50_u32, any::<bool>()).prop_map(
        |(generation, mid, publication, paused)| {
            let (mid, publication) = (Mid::new(&mid).unwrap(), PublicationId(publication));
            ServerMessage::Slots {
                generation,
                audio: vec![AudioSlot { mid, publication }],
                video: vec![VideoSlot { mid, publication, paused }],
            }
        },
    );
    let code = prop::sample::select(vec![
        ErrorCode::BadMessage,
        ErrorCode::BadOffer,
        ErrorCode::Draining,
        ErrorCode::Internal,
        ErrorCode::RateLimited,
        ErrorCode::ResumeRefused,
    ]);
    prop_oneof![
        3 => Just(ServerMessage::Welcome {
            version: PROTOCOL_VERSION,
            challenge: "A".repeat(43),
        }),
        3 => news(),
        2 => (0..4_u32).prop_map(|others| ServerMessage::Admitted { admitted: inside(others) }),
        3 => joined.prop_map(|joined| ServerMessage::Joined { joined }),
        2 => answer().prop_map(|answer| ServerMessage::Answer { answer }),
        1 => slots,
        1 => (0..6_u32).prop_map(|id| ServerMessage::Roster { present: vec![other(id)], left: vec![] }),
        1 => (code, any::<bool>()).prop_map(|(code, fatal)| {
            ServerMessage::Error { code, detail: String::new(), fatal }
        }),
        1 => Just(ServerMessage::Pong),
    ]
}

fn inside(others: u32) -> Admitted {
    let others = (0..others).map(other).collect();
    Admitted { leaf: 0, others, publications: vec![], relay: None }
}

fn news() -> impl Strategy<Value = ServerMessage> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..64).prop_map(MlsBytes::new);
    let news = prop_oneof![
        bytes().prop_map(|message| GroupNews::App { message }),
        bytes().prop_map(|commit| GroupNews::Commit { commit }),
        bytes().prop_map(|proposal| GroupNews::Proposal { proposal }),
        (bytes(), bytes()).prop_map(|(welcome, tree)| GroupNews::Welcome { welcome, tree }),
        (bytes(), bytes()).prop_map(|(group_info, tree)| GroupNews::Group { group_info, tree }),
        prop::collection::vec(bytes(), 0..3).prop_map(|messages| GroupNews::Log { messages }),
        (0..3_u64).prop_map(|epoch| GroupNews::Rejected { epoch }),
        Just(GroupNews::KnockAgain),
        Just(GroupNews::FoundLost),
        Just(GroupNews::Founded),
    ];
    prop_oneof![Just(meeting()), news.prop_map(|news| ServerMessage::Group { news })]
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..64);
    let kind = prop::sample::select(vec![MediaKind::Audio, MediaKind::Video]);
    prop_oneof![
        4 => (0..12_000_u16).prop_map(Op::Advance),
        2 => bytes().prop_map(Op::Datagram),
        1 => (kind, bytes()).prop_map(|(kind, data)| Op::Frame(kind, data)),
        1 => Just(Op::Lost),
        6 => message().prop_map(|message| Op::Message(Box::new(message))),
        3 => Just(Op::Open),
    ]
}

/// Drains it, and returns what it said.
fn drain(
    participant: &mut Participant,
    deadline: &mut Option<std::time::Instant>,
) -> Vec<ClientMessage> {
    let mut said = Vec::new();
    for _ in 0..10_000 {
        match participant.poll_output() {
            Output::Timeout(at) => {
                *deadline = at;
                return said;
            }
            Output::Signal(message) => said.push(message),
            Output::Transmit(Transmit { source, .. }) => assert_eq!(source, LOCAL.parse().unwrap()),
            Output::Connect | Output::Disconnect | Output::Event(_) | Output::Relay { .. } => {}
        }
    }
    panic!("it never comes to rest");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_it_is_told_it_comes_to_rest_and_says_only_what_servers_take(
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let World { mut now, mut participant, .. } = World::new();
        let (mut deadline, mut said) = (None, Vec::new());
        let (source, destination): (SocketAddr, SocketAddr) =
            ("10.0.0.2:2222".parse().unwrap(), LOCAL.parse().unwrap());
        for op in ops {
            match op {
                Op::Advance(ms) => {
                    let end = now + Duration::from_millis(ms.into());
                    let mut wakes = 0;
                    while let Some(at) = deadline.filter(|&at| at <= end) {
                        now = now.max(at);
                        participant.handle_input(now, Input::Timeout);
                        said.extend(drain(&mut participant, &mut deadline));
                        wakes += 1;
                        prop_assert!(wakes < 3000, "it spins");
                    }
                    now = end;
                }
                Op::Datagram(contents) => {
                    let contents = &contents;
                    participant.handle_input(now, Input::Datagram { source, destination, contents });
                }
                Op::Frame(kind, data) => {
                    let source = match kind {
                        MediaKind::Audio => TrackSource::Microphone,
                        MediaKind::Video => TrackSource::Camera,
                    };
                    let frame = MediaFrame { source, layer: None, time: Duration::ZERO, data: data.into() };
                    participant.handle_input(now, Input::Media(frame));
                }
                Op::Lost => participant.handle_input(now, Input::SignalLost),
                Op::Message(message) => participant.handle_input(now, Input::Signal(*message)),
                Op::Open => participant.handle_input(now, Input::SignalOpen),
            }
            said.extend(drain(&mut participant, &mut deadline));
        }
        for message in said {
            let text = serde_json::to_string(&message).unwrap();
            prop_assert!(decode_client_message(&text).is_ok(), "{}", text);
        }
    }
}
