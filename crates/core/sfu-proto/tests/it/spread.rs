//! Calls whose peers are on several nodes.

use std::time::Duration;

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_model::TrackSource;

use crate::calls;
use crate::client::Setup;
use crate::continuity::assert_continuous;
use crate::world::{Carried, World, peer, publication, spread_over};

const SECOND: Duration = Duration::from_secs(1);
const CAMERA: TrackSource = TrackSource::Camera;
const MICROPHONE: TrackSource = TrackSource::Microphone;

/// What a call is to do, wherever its peers are.
const PROMISES: &[fn()] = &[
    calls::two_peers_see_and_hear_each_other,
    calls::a_sender_does_not_pay_for_what_the_node_was_busy_with,
    calls::nothing_is_sent_of_what_nobody_shows,
    calls::who_is_shown_nothing_is_sent_the_sound_and_little_else,
    calls::a_path_is_probed_once_there_is_a_picture_for_it,
    calls::what_nobody_shows_is_not_encoded,
    calls::layers_that_no_tile_can_use_are_not_encoded,
    calls::a_new_session_encodes_in_full_until_it_is_told,
    calls::the_layer_follows_the_size_of_the_tile,
    calls::a_tile_that_is_small_for_a_moment_keeps_its_layer,
    calls::a_layer_that_falls_silent_is_replaced_by_one_that_lives,
    calls::frame_numbers_of_the_dependency_descriptor_are_continuous_too,
    calls::a_call_of_twenty_one_costs_no_further_offer,
    calls::the_loudest_are_heard_when_slots_are_few,
    calls::the_sound_of_a_shared_screen_always_has_a_slot,
    calls::a_new_generation_replaces_the_session_and_its_publications_go_on,
    calls::a_further_offer_adds_slots_and_disturbs_nothing,
    calls::one_who_publishes_again_and_again_moves_slots_now_and_then,
    calls::a_call_that_ends_leaves_nothing_behind,
    calls::who_leaves_is_gone_from_every_slot,
    calls::lost_packets_are_sent_again,
    calls::lost_packets_are_sent_again_even_if_they_are_a_large_share_of_a_little,
    calls::a_publisher_is_asked_for_a_key_frame_once_however_many_wait,
    calls::a_narrow_link_gets_less_and_a_wide_one_more_again,
    calls::what_does_not_fit_is_told_to_be_paused,
    calls::who_changes_the_network_goes_on_after_a_restart_of_ice,
];

#[test]
fn what_holds_on_one_node_holds_on_two() {
    for promise in PROMISES {
        spread_over(2, *promise);
    }
}

#[test]
fn what_holds_on_one_node_holds_on_three() {
    for promise in PROMISES {
        spread_over(3, *promise);
    }
}

#[test]
fn a_packet_goes_to_another_node_once_however_many_show_it_there() {
    spread_over(2, || {
        let mut world = World::new();
        let a = world.join(Setup::new());
        let viewer = || Setup { sends: Vec::new(), ..Setup::new() };
        let viewers: Vec<usize> = (0..7).map(|_| world.join(viewer())).collect();
        for viewer in &viewers {
            world.view(*viewer, &[(a, CAMERA, 1280, 720)]);
        }
        world.run(3 * SECOND);

        let (since, received) = (world.now, world.stats().packets_received);
        let relayed = world.relayed_packets;
        world.run(2 * SECOND);

        let received = world.stats().packets_received - received;
        assert_eq!(world.relayed_packets - relayed, received);
        for viewer in viewers {
            let video = world.clients[viewer].video_from(a, since);
            assert!(video.len() > 40, "client {viewer} got {} packets", video.len());
            assert_continuous(&video);
        }
    });
}

#[test]
fn who_leaves_or_ends_a_publication_is_gone_from_slots_elsewhere() {
    spread_over(2, || {
        let mut world = World::new();
        let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
        let c = world.join(Setup::new());
        world.view(b, &[(a, CAMERA, 320, 180), (c, CAMERA, 320, 180)]);
        world.run(SECOND);
        assert_eq!(world.slots(b).1.len(), 2);

        let mut tracks = world.tracks(a);
        tracks.retain(|track| track.source != CAMERA);
        world.request(MediaRequest::Publish { peer: peer(a), tracks });
        world.run(SECOND);
        let of = |who: usize, source| publication(who, source);
        let carried = |world: &World| -> (Vec<_>, Vec<_>) {
            let (audio, video) = world.slots(b);
            let ids = |slots: Carried| slots.into_iter().map(|(_, id)| id).collect();
            (ids(audio), ids(video))
        };
        let (mut audio, video) = carried(&world);
        audio.sort_unstable();
        assert_eq!(audio, [of(a, MICROPHONE), of(c, MICROPHONE)]);
        assert_eq!(video, [of(c, CAMERA)]);

        world.leave(c);
        world.run(SECOND);
        assert_eq!(carried(&world), (vec![of(a, MICROPHONE)], Vec::new()));
    });
}

/// Requests and what nodes say to each other wait in different queues.
#[test]
fn who_comes_back_on_another_node_before_the_first_has_taken_the_leave_is_seen_there() {
    spread_over(2, || {
        let mut world = World::new();
        let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
        let c = world.join(Setup::new());
        for viewer in [b, c] {
            world.view(viewer, &[(a, CAMERA, 320, 180)]);
        }
        world.run(SECOND);

        world.moved.insert(a, 1);
        world.replace(a, Setup::new(), 2);
        world.request_of(0, MediaRequest::Leave { peer: peer(a) });
        world.until("connected", |world| {
            let is_back = |e: &MediaEvent| matches!(e, MediaEvent::Connected { peer: p, generation: 2 } if *p == peer(a));
            world.events.iter().any(is_back)
        });
        let since = world.now;
        world.run(3 * SECOND);

        for viewer in [b, c] {
            let who = format!("client {viewer}");
            assert!(world.clients[viewer].video_from(a + 200, since).len() > 40, "{who} sees it");
            assert!(world.clients[viewer].audio_from(a + 200, since).len() > 90, "{who} hears it");
        }
    });
}

#[test]
fn what_a_node_says_that_has_left_the_call_is_not_taken() {
    spread_over(2, || {
        let mut world = World::new();
        let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
        world.run(SECOND);
        assert_eq!(world.slots(a).0.len(), 1);

        world.tell_spread(0, &[0]);
        let tracks = world.tracks(b);
        world.request(MediaRequest::Publish { peer: peer(b), tracks });
        world.tell_spread(1, &[0]);
        world.request_of(1, MediaRequest::Leave { peer: peer(b) });
        world.run(SECOND);

        assert_eq!(world.slots(a), (Vec::new(), Vec::new()));
    });
}

#[test]
fn who_speaks_is_told_by_another_node_when_the_first_has_left() {
    spread_over(2, || {
        let mut world = World::new();
        let a = world.join(Setup { level: -90, ..Setup::new() });
        let b = world.join(Setup { level: -20, ..Setup::new() });
        world.join(Setup { level: -90, ..Setup::new() });
        let d = world.join(Setup { level: -90, ..Setup::new() });
        world.run(3 * SECOND);
        for gone in [a, a + 2] {
            world.leave(gone);
        }
        world.clients[b].set_level(-90);
        world.clients[d].set_level(-20);
        world.run(3 * SECOND);

        let active = world.events.iter().rev().find_map(|event| match event {
            MediaEvent::Speakers { active, .. } => Some(*active),
            _ => None,
        });
        assert_eq!(active, Some(Some(peer(d).participant)));
    });
}

#[test]
fn what_comes_late_from_another_node_is_left_out_and_what_follows_is_not() {
    spread_over(2, || {
        let mut world = World::new();
        let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
        world.view(b, &[(a, CAMERA, 320, 180)]);
        world.run(SECOND);

        // The node of the second one is busy with something else for a second.
        world.holds_relays = true;
        world.run(SECOND);
        world.holds_relays = false;
        world.deliver_relays();
        let since = world.now;
        world.run(3 * SECOND);

        let sound = world.clients[b].audio_from(a, since);
        assert!((140..170).contains(&sound.len()), "{} packets of three seconds", sound.len());
        assert!(!world.clients[b].video_from(a, world.now - SECOND).is_empty());
    });
}

#[test]
fn nothing_is_passed_on_in_a_call_that_one_node_has() {
    spread_over(2, || {
        let mut world = World::new();
        let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
        world.leave(b);
        let c = world.clients.len();
        assert_eq!(c % 2, 0, "on the node of the first one");
        world.join(Setup::new());
        world.view(c, &[(a, CAMERA, 320, 180)]);
        let relayed = world.relayed_packets;
        world.run(SECOND);
        assert_eq!(world.relayed_packets, relayed);
        assert!(!world.clients[c].video_from(a, world.now - SECOND).is_empty());
    });
}

#[test]
fn who_speaks_is_told_by_one_node() {
    let told = || {
        let mut world = World::new();
        let a = world.join(Setup { level: -20, ..Setup::new() });
        let b = world.join(Setup { level: -90, ..Setup::new() });
        world.run(2 * SECOND);
        world.clients[a].set_level(-90);
        world.clients[b].set_level(-20);
        world.run(3 * SECOND);
        let is_told = |event: &&MediaEvent| matches!(event, MediaEvent::Speakers { .. });
        let told: Vec<_> = world.events.iter().filter(is_told).cloned().collect();
        assert!(told.len() >= 2 && told.windows(2).all(|two| two[0] != two[1]), "{told:?}");
    };
    told();
    spread_over(2, told);
}
