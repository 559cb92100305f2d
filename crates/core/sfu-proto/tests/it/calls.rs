use std::collections::BTreeSet;
use std::time::Duration;

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_model::{ParticipantId, TrackSource};

use crate::client::{Received, Setup};
use crate::continuity::assert_continuous;
use crate::world::{CALL, World, peer, publication};

const SECOND: Duration = Duration::from_secs(1);
const CAMERA: TrackSource = TrackSource::Camera;

#[test]
pub(crate) fn two_peers_see_and_hear_each_other() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.view(b, &[(a, CAMERA, 320, 180)]);
    let since = world.now;
    world.run(2 * SECOND);
    for (me, other) in [(a, b), (b, a)] {
        let client = &world.clients[me];
        let video = client.video_from(other, since);
        assert!(video.len() > 40, "client {me} got {} video packets", video.len());
        assert!(video[0].keyframe, "the first packet of a picture starts a key frame");
        assert_continuous(&video);
        let audio = client.audio_from(other, since);
        assert!(audio.len() > 90, "client {me} got {} audio packets", audio.len());
        assert_continuous(&audio);
        assert!(client.received.iter().all(|r| r.from == other), "nobody gets itself back");
    }
}

/// Its estimate of the path would fall as on a full network, and with it what browsers send.
#[test]
pub(crate) fn a_sender_does_not_pay_for_what_the_node_was_busy_with() {
    let mut world = World::new();
    let a = world.join(Setup { estimates: true, ..Setup::new() });
    let b = world.join(Setup::new());
    world.view(b, &[(a, CAMERA, 1280, 720)]);
    world.run(5 * SECOND);
    let (before, _) = world.clients[a].estimate.take().expect("an estimate");

    // For two seconds it falls behind, further and further.
    for _ in 0..40 {
        world.lateness += Duration::from_millis(10);
        world.run(Duration::from_millis(50));
    }
    world.run(SECOND);

    let (_, least) = world.clients[a].estimate.unwrap_or((before, before));
    assert!(least * 10 >= before * 9, "the estimate fell from {before} to {least}");
}

#[test]
pub(crate) fn nothing_is_sent_of_what_nobody_shows() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.run(SECOND);
    assert_eq!(world.clients[a].video_from(b, world.now - SECOND).len(), 0);
    assert!(world.clients[b].asked.is_empty(), "nobody waits for a key frame");
}

/// A call of people who listen is large, and they mostly listen: what each of them costs by being
/// there is what it costs.
#[test]
pub(crate) fn who_is_shown_nothing_is_sent_the_sound_and_little_else() {
    let mut world = World::new();
    for _ in 0..2 {
        world.join(Setup::new());
    }
    let (sent, wakes) = (world.stats().datagrams_out, world.wakes);
    world.run(10 * SECOND);
    let (sent, wakes) = (world.stats().datagrams_out - sent, world.wakes - wakes);

    // For each of both: fifty packets of sound a second, a report on what was received every 50 ms,
    // and what keeps the session.
    assert!(sent < 2 * 10 * (50 + 20 + 5), "{sent} datagrams");
    assert!(wakes < 2 * 10 * (20 + 20), "{wakes} wakes");
}

/// To find out what a path carries takes more datagrams than all else of a join.
#[test]
pub(crate) fn a_path_is_probed_once_there_is_a_picture_for_it() {
    let mut world = World::new();
    let a = world.join(Setup { sends: Vec::new(), ..Setup::new() });
    let b = world.join(Setup::new());
    world.clients[b].silent = true;
    world.view(a, &[(b, CAMERA, 1280, 720)]);
    let before = world.stats().datagrams_out;
    world.run(10 * SECOND);
    let covered = world.stats().datagrams_out - before;
    // For each of both: a report a second, and what keeps the path.
    assert!(covered < 2 * 10 * 3, "{covered} datagrams while the camera was covered");

    world.clients[b].silent = false;
    let since = world.now;
    world.until("the picture comes in full", |world| {
        world.clients[a].video_from(b, since).last().is_some_and(|packet| packet.layer == 2)
    });
    assert!(world.now - since < 2 * SECOND, "it took {:?}", world.now - since);
}

/// How many layers of its picture a client was told to encode; nothing if all of them.
fn demanded(world: &World, client: usize) -> Option<u8> {
    world.clients[client].demanded.values().next().copied()
}

#[test]
pub(crate) fn what_nobody_shows_is_not_encoded() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    assert_eq!(demanded(&world, b), None, "for the first seconds, somebody may come");
    world.until("nothing is to be encoded", |w| demanded(w, b) == Some(0));
    world.run(2 * SECOND);

    world.view(a, &[(b, CAMERA, 1280, 720)]);
    let since = world.now;
    assert_eq!(demanded(&world, b), None, "all of it, at once");
    world.until("the picture comes", |w| !w.clients[a].video_from(b, since).is_empty());
    assert!(world.now - since < SECOND / 2, "it took {:?}", world.now - since);
}

#[test]
pub(crate) fn layers_that_no_tile_can_use_are_not_encoded() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    let c = world.join(Setup::new());
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.view(c, &[(b, CAMERA, 640, 360)]);
    world.until("two layers do", |w| demanded(w, b) == Some(2));
    world.leave(c);
    world.until("one does", |w| demanded(w, b) == Some(1));

    let since = world.now;
    world.run(3 * SECOND);
    let video = world.clients[a].video_from(b, since);
    assert!(video.len() > 60, "the small one goes on: {}", video.len());
    assert_continuous(&video);

    world.view(a, &[(b, CAMERA, 1280, 720)]);
    let enlarged = world.now;
    world.until("the large layer comes", |w| {
        w.clients[a].video_from(b, enlarged).last().is_some_and(|r| r.layer == 2)
    });
    assert!(world.now - enlarged < SECOND, "it took {:?}", world.now - enlarged);
    assert_continuous(&world.clients[a].video_from(b, since));
}

#[test]
pub(crate) fn a_new_session_encodes_in_full_until_it_is_told() {
    let mut world = World::new();
    let (_, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.until("nothing is to be encoded", |w| demanded(w, b) == Some(0));
    world.replace(b, Setup::new(), 2);
    world.run(SECOND);
    assert_eq!(demanded(&world, b), None);
    world.until("it is told anew", |w| demanded(w, b) == Some(0));
}

#[test]
pub(crate) fn the_layer_follows_the_size_of_the_tile() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.run(SECOND);
    world.view(a, &[(b, CAMERA, 200, 120)]);
    world.run(2 * SECOND);
    world.view(a, &[(b, CAMERA, 1280, 720)]);
    let enlarged = world.now;
    world.until("the large layer comes", |w| {
        w.clients[a].video_from(b, enlarged).last().is_some_and(|r| r.layer == 2)
    });
    world.view(a, &[(b, CAMERA, 200, 120)]);
    let reduced = world.now;
    world.until("the small layer comes", |w| {
        w.clients[a].video_from(b, reduced).last().is_some_and(|r| r.layer == 0)
    });
    let all = world.clients[a].video_from(b, enlarged - 2 * SECOND);
    assert_eq!(all[0].layer, 0);
    assert_continuous(&all);
    for pair in all.windows(2) {
        assert!(
            pair[0].layer == pair[1].layer || pair[1].keyframe,
            "a layer is entered by a key frame"
        );
    }
    assert!(world.stats().layer_switches >= 2);
}

#[test]
pub(crate) fn a_tile_that_is_small_for_a_moment_keeps_its_layer() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 1280, 720)]);
    world.until("the large layer comes", |w| {
        w.clients[a].video_from(b, w.now - SECOND).last().is_some_and(|r| r.layer == 2)
    });
    world.run(SECOND);
    let since = world.now;
    for _ in 0..3 {
        world.view(a, &[(b, CAMERA, 200, 120)]);
        world.run(4 * SECOND);
        world.view(a, &[(b, CAMERA, 1280, 720)]);
        world.run(SECOND);
    }
    let video = world.clients[a].video_from(b, since);
    let other = video.iter().find(|r| r.layer != 2);
    assert!(other.is_none(), "{:?}", other.map(|r| (r.layer, r.at - since)));
}

#[test]
pub(crate) fn a_layer_that_falls_silent_is_replaced_by_one_that_lives() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 1280, 720)]);
    world.until("the large layer comes", |w| {
        w.clients[a].video_from(b, w.now - SECOND).last().is_some_and(|r| r.layer == 2)
    });
    world.clients[b].off = vec!["f", "h"];
    world.run(3 * SECOND);
    let recent = world.clients[a].video_from(b, world.now - SECOND);
    assert!(recent.len() > 15, "video goes on");
    assert!(recent.iter().all(|r| r.layer == 0));
}

#[test]
pub(crate) fn frame_numbers_of_the_dependency_descriptor_are_continuous_too() {
    let mut world = World::new();
    let described = Setup { descriptor: true, ..Setup::new() };
    let (a, b) = (world.join(described.clone()), world.join(described));
    world.view(a, &[(b, CAMERA, 200, 120)]);
    world.run(2 * SECOND);
    world.view(a, &[(b, CAMERA, 1280, 720)]);
    world.run(3 * SECOND);
    let all = world.clients[a].video_from(b, world.now - 5 * SECOND);
    assert!(all.iter().any(|r| r.layer == 0) && all.iter().any(|r| r.layer == 2));
    assert_continuous(&all);
    for pair in all.windows(2) {
        let (x, y) = (pair[0].frame_number.unwrap(), pair[1].frame_number.unwrap());
        assert!(y.wrapping_sub(x) <= 1, "frame numbers jump from {x} to {y}");
    }
}

#[test]
pub(crate) fn a_call_of_twenty_one_costs_no_further_offer() {
    let mut world = World::new();
    let viewer = Setup { sends: Vec::new(), audio_slots: 3, video_slots: 2, ..Setup::new() };
    let a = world.join(viewer);
    let sender = || Setup { audio_slots: 0, video_slots: 0, simulcast: false, ..Setup::new() };
    let others: Vec<usize> = (0..20).map(|_| world.join(sender())).collect();
    for pair in others.chunks(2) {
        let wants: Vec<_> = pair.iter().map(|other| (*other, CAMERA, 320, 180)).collect();
        world.view(a, &wants);
        let since = world.now;
        world.run(SECOND);
        for other in pair {
            let video = world.clients[a].video_from(*other, since);
            assert!(video.len() > 20, "{} packets of {other}", video.len());
            assert!(video[0].keyframe);
        }
    }
    assert_eq!(world.clients[a].offers, 1);
    let mids: BTreeSet<_> = world.clients[a]
        .received
        .iter()
        .filter(|r| r.picture_id.is_some())
        .map(|r| r.mid.clone())
        .collect();
    assert_eq!(mids.len(), 2, "all of them came through the same two slots");
    for mid in mids {
        let slot: Vec<&Received> =
            world.clients[a].received.iter().filter(|r| r.mid == mid).collect();
        assert_continuous(&slot);
    }
}

#[test]
pub(crate) fn the_loudest_are_heard_when_slots_are_few() {
    let mut world = World::new();
    let listener = Setup { sends: Vec::new(), audio_slots: 2, ..Setup::new() };
    let a = world.join(listener);
    let quiet = || Setup {
        sends: vec![TrackSource::Microphone],
        audio_slots: 0,
        video_slots: 0,
        level: -90,
        ..Setup::new()
    };
    let others: Vec<usize> = (0..5).map(|_| world.join(quiet())).collect();
    world.run(3 * SECOND);
    world.clients[others[4]].set_level(-20);
    world.run(2 * SECOND);
    let heard = world.clients[a].audio_from(others[4], world.now - SECOND);
    assert!(heard.len() > 40, "the speaker is heard");
    assert_eq!(world.slots(a).0.len(), 2);

    let speakers = world.events.iter().rev().find_map(|event| match event {
        MediaEvent::Speakers { active, speaking, .. } => Some((*active, speaking.clone())),
        _ => None,
    });
    let speaker = ParticipantId(others[4] as u32);
    assert_eq!(speakers, Some((Some(speaker), vec![speaker])));
}

#[test]
pub(crate) fn the_sound_of_a_shared_screen_always_has_a_slot() {
    let mut world = World::new();
    let a = world.join(Setup { sends: Vec::new(), audio_slots: 2, ..Setup::new() });
    let loud = |sends| Setup { sends, audio_slots: 0, video_slots: 0, level: -15, ..Setup::new() };
    for _ in 0..4 {
        world.join(loud(vec![TrackSource::Microphone]));
    }
    world.run(2 * SECOND);
    let sharer = world.join(loud(vec![TrackSource::ScreenAudio]));
    world.run(2 * SECOND);
    let carried: Vec<_> = world.slots(a).0.into_iter().map(|(_, id)| id).collect();
    assert!(carried.contains(&publication(sharer, TrackSource::ScreenAudio)));
    assert_eq!(carried.len(), 2);
    assert!(world.clients[a].audio_from(sharer, world.now - SECOND).len() > 40);
}

#[test]
pub(crate) fn a_new_generation_replaces_the_session_and_its_publications_go_on() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.view(b, &[(a, CAMERA, 320, 180)]);
    world.run(2 * SECOND);
    let slot = world.video_slot(a, publication(b, CAMERA));

    world.replace(b, Setup::new(), 2);
    let since = world.now;
    world.run(3 * SECOND);
    let renewed = b + 200;
    let video = world.clients[a].video_from(renewed, since);
    assert!(video.len() > 30, "{} packets after the change", video.len());
    assert!(video[0].keyframe);
    assert_eq!(world.video_slot(a, publication(b, CAMERA)), slot, "in the slot it had");
    let whole: Vec<&Received> =
        world.clients[a].received.iter().filter(|r| r.picture_id.is_some()).collect();
    assert_continuous(&whole);
    assert!(world.clients[b].video_from(a, since).len() > 30, "the view of before still holds");
    let connected = world
        .events
        .iter()
        .filter(|e| matches!(e, MediaEvent::Connected { peer: p, generation: 2 } if *p == peer(b)));
    assert_eq!(connected.count(), 1);
    assert_eq!(world.sessions(), 2, "the session of before is gone");
}

#[test]
pub(crate) fn a_further_offer_adds_slots_and_disturbs_nothing() {
    let mut world = World::new();
    let a = world.join(Setup { video_slots: 1, ..Setup::new() });
    let (b, c) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 320, 180), (c, CAMERA, 320, 180)]);
    world.run(2 * SECOND);
    assert_eq!(world.slots(a).1.len(), 1);

    world.clients[a].grow(3);
    world.offer(a, 1);
    world.run(2 * SECOND);
    assert_eq!(world.slots(a).1.len(), 2);
    assert!(world.clients[a].video_from(c, world.now - SECOND).len() > 20);
    assert_continuous(&world.clients[a].video_from(b, world.now - 5 * SECOND));
}

#[test]
pub(crate) fn one_who_publishes_again_and_again_moves_slots_now_and_then() {
    let mut world = World::new();
    let (alice, bob) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(bob, &[(alice, TrackSource::Camera, 640, 360)]);
    world.run(Duration::from_secs(1));
    let camera = publication(alice, TrackSource::Camera);
    assert!(world.video_slot(bob, camera).is_some());
    let tracks = world.tracks(alice);
    world.events.clear();

    for _ in 0..50 {
        world.request(MediaRequest::Publish { peer: peer(alice), tracks: Vec::new() });
        world.request(MediaRequest::Publish { peer: peer(alice), tracks: tracks.clone() });
    }
    world.run(Duration::from_millis(25));
    let moved = world.events.iter().filter(|event| matches!(event, MediaEvent::Slots { .. }));
    let moved = moved.count();
    let since = world.now;
    world.run(Duration::from_secs(1));

    assert!(moved <= 4, "{moved}");
    assert!(world.video_slot(bob, camera).is_some());
    assert!(world.clients[bob].video_from(alice, since).len() > 20);
    assert!(world.clients[bob].audio_from(alice, since).len() > 20);
}

#[test]
pub(crate) fn a_call_that_ends_leaves_nothing_behind() {
    let mut world = World::new();
    world.join(Setup::new());
    world.join(Setup::new());

    world.request(MediaRequest::End { call: CALL });

    let stats = world.stats();
    assert_eq!((stats.calls, stats.peers, stats.sessions, stats.publications), (0, 0, 0, 0));
    world.clients.clear();
    world.join(Setup::new());
    assert_eq!(world.sessions(), 1);
}

#[test]
pub(crate) fn who_leaves_is_gone_from_every_slot() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.run(SECOND);
    assert_eq!(world.slots(a).1.len(), 1);
    world.leave(b);
    world.run(SECOND);
    assert_eq!(world.slots(a), (Vec::new(), Vec::new()));
    assert_eq!((world.stats().peers, world.stats().publications), (1, 2));
    world.leave(a);
    assert_eq!((world.stats().peers, world.stats().calls), (0, 0));
}

/// How many packets of a small picture came, and how many are missing, after one of so many was
/// lost for some seconds.
fn after_loss(lose_every: u64) -> (usize, u64) {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.run(2 * SECOND);
    world.lose_every = Some(lose_every);
    let since = world.now;
    world.run(4 * SECOND);
    world.lose_every = None;
    world.run(SECOND);
    let seqs: BTreeSet<u64> = world.clients[a].video_from(b, since).iter().map(|r| r.seq).collect();
    let span = seqs.last().unwrap() - seqs.first().unwrap() + 1;
    (seqs.len(), span - seqs.len() as u64)
}

#[test]
pub(crate) fn lost_packets_are_sent_again() {
    let (came, missing) = after_loss(25);
    assert!(came > 80);
    assert_eq!(missing, 0, "every packet came in the end");
}

#[test]
pub(crate) fn lost_packets_are_sent_again_even_if_they_are_a_large_share_of_a_little() {
    let (came, missing) = after_loss(7);
    assert!(came > 80);
    assert_eq!(missing, 0, "every packet came in the end");
}

#[test]
pub(crate) fn a_publisher_is_asked_for_a_key_frame_once_however_many_wait() {
    let mut world = World::new();
    let viewer = || Setup { sends: Vec::new(), ..Setup::new() };
    let b = world.join(Setup { simulcast: false, ..Setup::new() });
    let viewers: Vec<usize> = (0..8).map(|_| world.join(viewer())).collect();
    world.run(SECOND);
    for viewer in &viewers {
        world.view(*viewer, &[(b, CAMERA, 320, 180)]);
    }
    world.run(2 * SECOND);
    for viewer in &viewers {
        assert!(world.clients[*viewer].video_from(b, world.now - SECOND).len() > 20);
    }
    let asked: usize = world.clients[b].asked.values().sum();
    assert!((1..=2).contains(&asked), "asked {asked} times");
}

#[test]
pub(crate) fn a_narrow_link_gets_less_and_a_wide_one_more_again() {
    let mut world = World::new();
    let viewer = Setup { sends: Vec::new(), ..Setup::new() };
    let a = world.join(viewer);
    let (b, c) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 1280, 720), (c, CAMERA, 1280, 720)]);
    world.until("both come large", |w| {
        [b, c].iter().all(|from| {
            w.clients[a].video_from(*from, w.now - SECOND).last().is_some_and(|r| r.layer == 2)
        })
    });
    let rate = |world: &World| {
        let since = world.now - 2 * SECOND;
        [b, c].map(|from| world.clients[a].video_from(from, since).len() as u64 * 850 * 8 / 2)
    };

    world.limit = Some(600_000);
    world.run(15 * SECOND);
    let [from_b, from_c] = rate(&world);
    assert!(from_b + from_c < 560_000, "{from_b} + {from_c} bit/s");
    assert!(from_b > 80_000, "the first picture goes on: {from_b} bit/s");
    let heard = world.clients[a].audio_from(b, world.now - 2 * SECOND).len();
    assert!(heard > 90, "sound comes first: {heard} packets in two seconds");

    world.limit = None;
    world.until("both come large again", |w| {
        [b, c].iter().all(|from| {
            w.clients[a].video_from(*from, w.now - SECOND).last().is_some_and(|r| r.layer == 2)
        })
    });
}

#[test]
pub(crate) fn what_does_not_fit_is_told_to_be_paused() {
    let mut world = World::new();
    world.limit = Some(150_000);
    let a = world.join(Setup { sends: Vec::new(), ..Setup::new() });
    let (b, c) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 320, 180), (c, CAMERA, 320, 180)]);
    let paused = |event: &MediaEvent| match event {
        MediaEvent::Slots { peer: p, video, .. } if *p == peer(a) => {
            Some(video.iter().map(|slot| slot.paused).collect::<Vec<_>>())
        }
        _ => None,
    };
    world.until("one of two is paused", |w| {
        w.events.iter().rev().find_map(paused) == Some(vec![false, true])
    });
}

#[test]
pub(crate) fn who_changes_the_network_goes_on_after_a_restart_of_ice() {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.view(b, &[(a, CAMERA, 320, 180)]);
    world.run(2 * SECOND);
    world.clients[a].roam("10.99.0.1:6000".parse().unwrap());
    world.offer(a, 1);
    let since = world.now;
    world.run(4 * SECOND);
    assert!(world.clients[a].video_from(b, since).len() > 50, "it receives");
    assert!(world.clients[b].video_from(a, since).len() > 50, "it is seen");
    assert_eq!(world.sessions(), 2);
    let packets = world.clients[a].video_from(b, since);
    let seqs: BTreeSet<u64> = packets.iter().map(|r| r.seq).collect();
    let span = seqs.last().unwrap() - seqs.first().unwrap() + 1;
    assert_eq!(seqs.len() as u64, span, "what went to the old address is sent again");
}
