//! What a participant does with a server's word, and with its silence.

use std::time::Duration;

use conclave_client_proto::{EndReason, Event, Sends};
use conclave_e2ee::{ConstitutionFault, Failure};
use conclave_model::ParticipantId;
use conclave_node_statement::Fault;
use conclave_wire::{
    ClientMessage, ErrorCode, GroupNews, GroupRequest, LeaveReason, ServerMessage,
};
use ed25519_dalek::SigningKey;

use crate::world::{World, config, other};

const BOTH: Sends = Sends { microphone: true, camera: true };

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn refuse(world: &mut World, code: ErrorCode) {
    world.tell(ServerMessage::Error { code, detail: String::new(), fatal: false });
}

fn offered(message: &ClientMessage) -> Option<u32> {
    match message {
        ClientMessage::Offer { offer } => Some(offer.generation),
        ClientMessage::Resume { offer, .. } => offer.as_ref().map(|offer| offer.generation),
        _ => None,
    }
}

fn offers(world: &World) -> Vec<u32> {
    world.said.iter().filter_map(offered).collect()
}

fn requests(world: &World) -> Vec<&GroupRequest> {
    let mut requests = Vec::new();
    for message in &world.said {
        if let ClientMessage::Group { request } = message {
            requests.push(request);
        }
    }
    requests
}

#[test]
fn at_the_door_nothing_is_offered_and_a_guest_knocks() {
    let mut world = World::new();
    world.server_mut().admits = false;
    world.run_for(secs(5));

    assert_eq!(world.participant.report().participant, Some(ParticipantId(1)));
    assert_eq!(world.participant.report().group.state, "waitingForHost");
    assert!(offers(&world).is_empty());
    assert!(matches!(requests(&world)[..], [GroupRequest::Knock { .. }]), "{:?}", world.said);
}

#[test]
fn whoever_has_the_host_link_founds_the_group() {
    let mut world = World::of(conclave_client_proto::Config {
        host: Some(crate::world::host()),
        ..config(BOTH)
    });
    world.server_mut().admits = false;
    world.run_for(secs(1));
    assert!(matches!(requests(&world)[..], [GroupRequest::Found { .. }]), "{:?}", world.said);

    world.tell(ServerMessage::Group { news: GroupNews::Founded });
    let report = world.participant.report();
    assert_eq!((report.group.state.as_str(), report.group.leaf), ("inGroup", Some(0)));
    assert_eq!(report.group.roster, ["Ada"]);
    assert_eq!(report.group.safety_code.map(|code| code.len()), Some(35));
}

#[test]
fn what_cannot_be_sealed_is_not_sent_however_well_the_server_speaks_of_it() {
    let mut world = World::new();
    world.run_for(secs(5));

    let report = world.participant.report();
    assert!(report.media_connected_ms.is_some(), "{report:?}");
    assert_eq!((report.published.audio_frames, report.published.video_frames), (0, 0));
    assert!(report.published.unsealed_frames["notInGroup"] >= 400, "{report:?}");
    assert_eq!(world.server_mut().packets, 0);
}

#[test]
fn who_neither_sends_nor_receives_is_inside_without_media() {
    let mut world = World::of(conclave_client_proto::Config {
        audio_slots: 0,
        video_slots: 0,
        ..config(Sends { microphone: false, camera: false })
    });
    world.run_for(secs(5));

    assert!(world.participant.report().admitted_ms.is_some());
    assert!(offers(&world).is_empty(), "{:?}", world.said);
    assert_eq!(world.end(), None);
}

#[test]
fn a_knock_that_is_turned_away_ends_it() {
    let mut world = World::new();
    world.server_mut().admits = false;
    world.run_for(secs(1));
    world.tell(ServerMessage::Group { news: GroupNews::Denied });
    assert_eq!(world.end(), Some(EndReason::Denied));
}

#[test]
fn it_waits_at_the_door_as_long_as_it_is_to_and_no_longer() {
    let config = conclave_client_proto::Config { patience: Some(secs(20)), ..config(BOTH) };
    let mut world = World::of(config.clone());
    world.server_mut().admits = false;
    world.run_for(secs(19));
    assert_eq!(world.end(), None);
    world.run_for(secs(1));
    assert_eq!(world.end(), Some(EndReason::Waited));

    let mut world = World::of(config);
    world.run_for(secs(30));
    assert_eq!(world.end(), None, "it is inside");
}

#[test]
fn a_constitution_that_is_not_the_links_ends_it() {
    let mut world = World::of(conclave_client_proto::Config {
        constitution: config(BOTH).constitution.replace("lobby", "open-link"),
        ..config(BOTH)
    });
    world.run_for(secs(1));
    let fault = Failure::Constitution(ConstitutionFault::Digest);
    assert_eq!(world.end(), Some(EndReason::NotIn(fault)));
    assert!(requests(&world).is_empty());
}

#[test]
fn a_node_that_the_constitution_does_not_name_gets_no_datagram() {
    let mut world = World::new();
    world.server_mut().node_key = SigningKey::from_bytes(&[66; 32]);
    world.run_for(secs(5));
    assert_eq!(world.end(), Some(EndReason::Untrusted(Fault::Signature)));
    assert_eq!(world.sent, 0);
}

#[test]
fn a_participant_states_the_view_once_and_again_only_when_it_changes() {
    let mut world = World::new();
    world.run_for(secs(1));
    let views = |world: &World| -> Vec<Vec<u32>> {
        let wants = |message: &ClientMessage| match message {
            ClientMessage::View { wants } => Some(wants.iter().map(|w| w.publication.0).collect()),
            _ => None,
        };
        world.said.iter().filter_map(wants).collect()
    };
    assert_eq!(views(&world), [[21, 31]], "as many as there are tiles");

    world.tell(ServerMessage::Roster { present: vec![other(5)], left: vec![] });
    assert_eq!(views(&world).len(), 1, "a fifth person changes nothing on display");

    let left = vec![(ParticipantId(2), LeaveReason::Left)];
    world.tell(ServerMessage::Roster { present: vec![], left });
    assert_eq!(views(&world), [[21, 31], [31, 41]]);
}

#[test]
fn a_restarted_server_that_knows_the_session_gets_a_new_media_session() {
    let mut world = World::new();
    world.run_for(secs(3));
    world.kill_server();
    world.run_for(Duration::from_millis(4500));
    assert!(world.connect_refused() >= 2, "it keeps trying");
    world.start_server();
    world.run_for(secs(5));

    let report = world.participant.report();
    assert_eq!((report.resumed, report.rejoined, report.generations), (1, 0, 2), "{report:?}");
    assert_eq!(offers(&world), [1, 2]);
}

#[test]
fn a_server_that_forgot_the_session_is_joined_anew_on_the_same_socket() {
    let mut world = World::new();
    world.run_for(secs(3));
    world.kill_server();
    world.start_server();
    world.server_mut().is_forgetful = true;
    world.run_for(secs(5));

    let report = world.participant.report();
    assert_eq!((report.resumed, report.rejoined), (0, 1), "{report:?}");
    let hellos = world.said.iter().filter(|m| matches!(m, ClientMessage::Hello { .. }));
    assert_eq!(hellos.count(), 2);
}

#[test]
fn a_lost_socket_alone_does_not_touch_media() {
    let mut world = World::new();
    world.run_for(secs(3));
    world.lose_socket();
    world.run_for(secs(3));

    let report = world.participant.report();
    assert_eq!((report.resumed, report.generations), (1, 1), "{report:?}");
}

#[test]
fn media_that_falls_silent_is_replaced() {
    let mut world = World::new();
    world.run_for(secs(3));
    world.lose_each = Some(1);
    world.run_for(secs(9));
    world.lose_each = None;
    world.run_for(secs(5));
    let report = world.participant.report();
    assert!(report.generations >= 2, "{report:?}");
    assert_eq!(report.sockets_lost, 0);
}

#[test]
fn a_silent_socket_is_given_up_and_opened_again() {
    let mut world = World::new();
    world.run_for(secs(7));
    let pings = world.said.iter().filter(|m| matches!(m, ClientMessage::Ping)).count();
    assert!(pings >= 1);
    assert_eq!(world.participant.report().sockets_lost, 0, "the pong came");

    // A server that is there but says nothing.
    world.server_mut().is_mute = true;
    world.run_for(secs(11));
    assert_eq!(world.participant.report().sockets_lost, 1);
    world.server_mut().is_mute = false;
    world.run_for(secs(11));
    assert_eq!(world.participant.report().resumed, 1);
}

#[test]
fn a_refusal_ends_it() {
    let mut world = World::new();
    world.run_for(secs(1));
    refuse(&mut world, ErrorCode::UnknownMeeting);
    assert!(world.participant.is_ended());
    let ended = Event::Ended { reason: EndReason::Refused(ErrorCode::UnknownMeeting) };
    assert_eq!(world.events.last(), Some(&ended));
    let said = world.said.len();
    world.run_for(secs(10));
    assert_eq!(world.said.len(), said);
}

#[test]
fn an_offer_that_is_refused_is_made_anew() {
    let mut world = World::new();
    world.run_for(secs(3));
    refuse(&mut world, ErrorCode::BadOffer);
    world.run_for(secs(3));
    assert_eq!(world.end(), None);
    assert_eq!(offers(&world), [1, 2]);
}

#[test]
fn an_answer_that_is_not_one_kills_the_session_and_another_is_offered() {
    let mut world = World::new();
    world.server_mut().is_mute = true;
    world.run_for(secs(1));
    world.server_mut().is_mute = false;
    world.run_for(secs(10));
    let before = world.participant.report().generations;
    world.run_for(secs(3));

    let sdp = "v=0\r\na=fingerprint:sha-256 AB:CD\r\n".to_owned();
    let answer = world.server_mut().answer(before, sdp);
    world.server_mut().is_mute = true;
    refuse(&mut world, ErrorCode::BadOffer);
    world.run_for(secs(3));
    let generation = world.participant.report().generations;
    assert!(generation > before);
    world.tell(ServerMessage::Answer { answer: conclave_wire::Answer { generation, ..answer } });
    world.run_for(secs(3));
    assert_eq!(world.end(), None);
    assert!(world.participant.report().generations > generation);
}

#[test]
fn a_listener_offers_no_track() {
    let mut world = World::of(config(Sends { microphone: false, camera: false }));
    world.run_for(secs(2));
    let muted = |message: &ClientMessage| match message {
        ClientMessage::Join { presence, .. } => Some(presence.muted),
        _ => None,
    };
    assert_eq!(world.said.iter().find_map(muted), Some(true));
    let Some(ClientMessage::Offer { offer }) =
        world.said.iter().find(|m| matches!(m, ClientMessage::Offer { .. }))
    else {
        panic!("{:?}", world.said);
    };
    assert!(offer.tracks.is_empty());
    assert!(!offer.sdp.contains("a=sendonly"));
    assert_eq!(offer.sdp.matches("a=recvonly").count(), 5);
    assert_eq!(world.participant.report().published, Default::default());
}
