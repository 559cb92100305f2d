use std::time::Duration;

use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_model::TrackSource;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::client::{Client, Setup};
use crate::world::{World, peer};

const SECOND: Duration = Duration::from_secs(1);
const CAMERA: TrackSource = TrackSource::Camera;

/// Two peers that see each other.
fn running() -> World {
    let mut world = World::new();
    let (a, b) = (world.join(Setup::new()), world.join(Setup::new()));
    world.view(a, &[(b, CAMERA, 320, 180)]);
    world.view(b, &[(a, CAMERA, 320, 180)]);
    world.run(SECOND);
    world
}

fn assert_still_runs(world: &mut World) {
    let since = world.now;
    world.run(2 * SECOND);
    for (me, other) in [(0, 1), (1, 0)] {
        let packets = world.clients[me].video_from(other, since).len();
        assert!(packets > 30, "client {me} got {packets}");
    }
}

fn refusals(world: &World) -> Vec<String> {
    world
        .events
        .iter()
        .filter_map(|event| match event {
            MediaEvent::OfferRefused { detail, .. } => Some(detail.clone()),
            _ => None,
        })
        .collect()
}

/// An offer that only the running session finds wrong: one that set up a data channel early, and
/// then says nothing of it.
#[test]
fn a_session_that_breaks_at_a_further_offer_ends() {
    let mut world = running();
    let mut rtc = str0m::Rtc::builder().set_snap_enabled(true).build(world.now);
    let mut api = rtc.sdp_api();
    api.add_channel("data".to_owned());
    let kind = str0m::media::MediaKind::Audio;
    api.add_media(kind, str0m::media::Direction::SendOnly, None, None, None);
    let first = api.apply().unwrap().0.to_sdp_string();
    assert!(first.contains("a=sctp-init:"), "{first}");
    let is_kept = |line: &&str| !line.starts_with("a=sctp-init:");
    let further: String = first.split_inclusive('\n').filter(is_kept).collect();

    world.request(MediaRequest::Offer { peer: peer(2), generation: 1, sdp: first });
    assert_eq!(world.stats().sessions, 3, "{:?}", refusals(&world));
    world.request(MediaRequest::Offer { peer: peer(2), generation: 1, sdp: further });

    assert_eq!(world.stats().sessions, 2);
    assert_eq!(refusals(&world).len(), 1);
    let ended = MediaEvent::Disconnected { peer: peer(2), generation: 1 };
    assert!(world.events.contains(&ended));
    assert_still_runs(&mut world);
}

#[test]
fn garbage_from_strangers_is_counted_and_dropped() {
    let mut world = running();
    let stranger = "203.0.113.9:9".parse().unwrap();
    let before = world.stats();
    world.inject(stranger, &[]);
    world.inject(stranger, &[0xff; 40]);
    world.inject(stranger, &[0; 19]);
    world.inject(stranger, &[22; 100]);
    world.inject(stranger, &[0x80; 100]);
    let after = world.stats();
    assert_eq!(after.drops.garbage - before.drops.garbage, 3);
    assert_eq!(after.drops.stranger - before.drops.stranger, 2);
    assert_eq!(after.datagrams_in - before.datagrams_in, 5);
    assert_still_runs(&mut world);
}

#[test]
fn garbage_from_a_peers_own_address_disturbs_nobody() {
    let mut world = running();
    let from = world.clients[0].address();
    for len in 1..300usize {
        for first in [0x00, 0x01, 0x14, 0x16, 0x17, 0x80, 0x90, 0xb0] {
            let mut bytes: Vec<u8> = (0..len).map(|i| (i * 37 + len) as u8).collect();
            bytes[0] = first;
            world.inject(from, &bytes);
        }
    }
    assert_still_runs(&mut world);
}

/// Streams find their SSRC by the media section that their first packets name. A forged packet that
/// names another SSRC, from the peer's own address, must not take the stream from it.
#[test]
fn nobody_else_moves_a_peers_stream_to_another_ssrc() {
    let mut world = World::new();
    let victim = world.join(Setup { simulcast: false, ..Setup::new() });
    let other = world.join(Setup::new());
    world.view(other, &[(victim, CAMERA, 320, 180)]);
    world.view(victim, &[(other, CAMERA, 320, 180)]);
    world.run(SECOND);

    let tracks = world.tracks(victim);
    let mid = tracks.iter().find(|track| track.source == CAMERA).unwrap().mid;
    let mid = mid.as_str().as_bytes();
    assert_eq!(mid.len(), 3, "the extension below is one word");
    // RTP with the one-byte header extension (RFC 8285), in which number 4 is the media section's.
    let mut forged = vec![0x90, 96, 0, 1, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef, 0xbe, 0xde, 0, 1];
    forged.push(0x42);
    forged.extend(mid);
    forged.extend([7; 100]);
    let from = world.clients[victim].address();
    for _ in 0..3 {
        world.inject(from, &forged);
        world.run(SECOND / 10);
    }
    assert_still_runs(&mut world);
    assert_eq!(world.stats().drops.unauthentic, 3);
}

#[test]
fn what_is_replayed_or_changed_on_its_way_is_counted_and_the_genuine_packets_still_count() {
    let mut world = running();
    let from = world.clients[0].address();
    let is_rtp =
        |bytes: &Vec<u8>| (128..192).contains(&bytes[0]) && !(192..224).contains(&bytes[1]);
    let mut genuine = Vec::new();
    while genuine.is_empty() {
        world.run(SECOND / 1000);
        genuine = world.on_the_way(0);
        genuine.retain(is_rtp);
    }
    let before = world.stats();

    for packet in &genuine {
        let mut changed = packet.clone();
        *changed.last_mut().unwrap() ^= 1;
        world.inject(from, &changed);
    }
    // Feedback that somebody else made up.
    world.inject(from, &[&[0x8f, 205, 0, 9][..], &[7; 60]].concat());
    world.run(SECOND / 10);
    let after = world.stats();
    let count = genuine.len() as u64;
    assert_eq!(after.drops.unauthentic - before.drops.unauthentic, count + 1);
    assert_eq!(after.drops.replayed, before.drops.replayed, "the genuine ones were taken");

    genuine.iter().for_each(|packet| world.inject(from, packet));
    assert_eq!(world.stats().drops.replayed - after.drops.replayed, count);
    assert_still_runs(&mut world);
}

#[test]
fn numbers_for_feedback_may_come_from_anywhere() {
    let mut world = World::new();
    let wild = world.join(Setup { wild_numbers: true, ..Setup::new() });
    let tame = world.join(Setup::new());
    world.view(tame, &[(wild, CAMERA, 320, 180)]);
    world.view(wild, &[(tame, CAMERA, 320, 180)]);
    world.run(SECOND);

    assert_still_runs(&mut world);
    assert_eq!(world.stats().sessions, 2);
}

#[test]
fn who_reports_without_end_is_heard_a_thousand_times_a_second() {
    let mut world = running();
    let (now, from) = (world.now, world.clients[0].address());
    let begging = world.clients[0].beg(now, 3000);
    assert!(begging.len() >= 3000, "{}", begging.len());
    let before = world.stats();

    begging.iter().for_each(|bytes| world.inject(from, bytes));

    let refused = world.stats().drops.feedback - before.drops.feedback;
    let heard = begging.len() as u64 - refused;
    assert!((900..=1000).contains(&heard), "{heard}");
    let asked = world.stats().keyframe_requests - before.keyframe_requests;
    assert!(asked <= 3, "{asked} key frames are asked of publishers");
    assert_still_runs(&mut world);
    assert_eq!(world.stats().drops.feedback - before.drops.feedback, refused);
}

#[test]
fn an_offer_that_is_not_one_is_refused_and_what_runs_goes_on() {
    let mut world = running();
    let good = Client::new(50, Setup::new(), world.now).offer();
    let without = |what: &str| -> String {
        good.lines().filter(|l| !l.starts_with(what)).map(|l| format!("{l}\r\n")).collect()
    };
    let bad = [
        String::new(),
        "hello".to_owned(),
        "v=0\r\n".to_owned(),
        without("a=fingerprint"),
        without("a=ice-ufrag"),
        without("a=mid"),
        good.replace("a=mid:", "a=mid:-"),
        "m=".repeat(10_000),
    ];
    for (i, sdp) in bad.iter().enumerate() {
        for generation in [1, 2] {
            let sdp = sdp.clone();
            world.request(MediaRequest::Offer { peer: peer(0), generation, sdp });
        }
        assert_eq!(refusals(&world).len(), 2 * (i + 1), "offer {i} must be refused");
    }
    assert_still_runs(&mut world);
    assert_eq!(world.stats().offers_refused, 2 * bad.len() as u64);
}

#[test]
fn an_offer_of_endless_lines_is_refused() {
    let mut world = running();
    let good = Client::new(50, Setup::new(), world.now).offer();

    let sdp = format!("{good}{}", "a=extmap:\r\n".repeat(1024));
    world.request(MediaRequest::Offer { peer: peer(0), generation: 2, sdp });

    let refused = refusals(&world).pop();
    assert_eq!(refused.as_deref(), Some("more lines, candidates or SSRCs than are allowed"));
    assert_still_runs(&mut world);
}

#[test]
fn another_devices_offer_cannot_take_over_a_session() {
    let mut world = running();
    let sdp = Client::new(50, Setup::new(), world.now).offer();
    world.request(MediaRequest::Offer { peer: peer(0), generation: 1, sdp });
    assert!(refusals(&world)[0].contains("generation"), "{:?}", refusals(&world));
    assert_still_runs(&mut world);
}

#[test]
fn an_offer_of_too_many_slots_is_refused() {
    let mut world = running();
    let setup = Setup { video_slots: 65, ..Setup::new() };
    let sdp = Client::new(50, setup, world.now).offer();
    world.request(MediaRequest::Offer { peer: peer(9), generation: 1, sdp });
    assert!(refusals(&world)[0].contains("sections"), "{:?}", refusals(&world));
    assert_still_runs(&mut world);
}

#[test]
fn an_offer_of_endless_candidates_or_ssrcs_is_refused() {
    let mut world = running();
    let candidate = |n| format!("a=candidate:1 1 udp 1 192.0.2.1 {n} typ host\r\n");
    let ssrc = |n| format!("a=ssrc:{n} cname:x\r\n");
    let endless: [String; 2] = [(1..1000).map(candidate).collect(), (1..1000).map(ssrc).collect()];
    for lines in endless {
        let sdp = Client::new(50, Setup::new(), world.now).offer() + &lines;
        world.request(MediaRequest::Offer { peer: peer(0), generation: 2, sdp });
    }

    let refused = refusals(&world);
    assert_eq!(refused, ["more lines, candidates or SSRCs than are allowed"; 2]);
    assert_still_runs(&mut world);
}

#[test]
fn a_late_offer_of_an_older_generation_is_dropped() {
    let mut world = running();
    world.replace(0, Setup::new(), 3);
    world.run(SECOND);
    let (events, sdp) = (world.events.len(), Client::new(50, Setup::new(), world.now).offer());
    world.request(MediaRequest::Offer { peer: peer(0), generation: 2, sdp });
    assert_eq!(world.events.len(), events);
}

#[test]
fn a_peer_that_vanishes_is_told_and_disturbs_nobody() {
    let mut world = running();
    let c = world.join(Setup::new());
    world.clients[c].kill();
    world.until("the vanished peer is told", |w| {
        w.events.iter().any(
            |e| matches!(e, MediaEvent::Disconnected { peer: p, generation: 1 } if *p == peer(c)),
        )
    });
    assert_still_runs(&mut world);
    assert_eq!(world.stats().sessions, 2);
}

#[test]
fn what_nobody_announced_is_not_forwarded() {
    let mut world = running();
    world.request(MediaRequest::Publish { peer: peer(0), tracks: Vec::new() });
    let since = world.now + Duration::from_millis(100);
    world.run(SECOND);
    assert_eq!(world.clients[1].video_from(0, since).len(), 0);
    assert_eq!(world.clients[1].audio_from(0, since).len(), 0);
    assert!(world.stats().drops.unpublished > 0);
}

#[test]
fn nobody_can_publish_under_anothers_id() {
    let mut world = running();
    let stolen = world.tracks(1);
    let mut tracks = world.tracks(0);
    tracks[1].publication = stolen[1].publication;
    world.request(MediaRequest::Publish { peer: peer(0), tracks });
    let since = world.now + Duration::from_millis(100);
    world.run(SECOND);
    let seen = world.clients[0].video_from(1, since).len();
    assert!(seen > 15, "the owner is still seen: {seen}");
    assert_eq!(world.stats().publications, 3, "the camera of the thief is withdrawn");
}

/// One change to the lines of a session description.
#[derive(Clone, Debug)]
enum Edit {
    Cut(usize),
    Double(usize),
    Drop(usize),
    Move(usize, usize),
    Replace(usize, String),
}

fn edit() -> impl Strategy<Value = Edit> {
    let line = 0..400usize;
    let text = "(m=|a=|a=mid:|a=rid:|a=extmap:|a=fmtp:|a=ssrc:|a=candidate:|o=)?[ -~]{0,40}";
    prop_oneof![
        line.clone().prop_map(Edit::Cut),
        line.clone().prop_map(Edit::Double),
        line.clone().prop_map(Edit::Drop),
        (line.clone(), line.clone()).prop_map(|(from, to)| Edit::Move(from, to)),
        (line, text).prop_map(|(at, text)| Edit::Replace(at, text)),
    ]
}

fn apply(sdp: &str, edits: &[Edit]) -> String {
    let mut lines: Vec<String> = sdp.lines().map(str::to_owned).collect();
    for edit in edits {
        let Some(last) = lines.len().checked_sub(1) else { break };
        match edit {
            Edit::Cut(at) => lines.truncate(at % (last + 1)),
            Edit::Double(at) => lines.insert(at % (last + 1), lines[at % (last + 1)].clone()),
            Edit::Drop(at) => drop(lines.remove(at % (last + 1))),
            Edit::Move(from, to) => {
                let line = lines.remove(from % (last + 1));
                lines.insert(to % (last + 1), line);
            }
            Edit::Replace(at, text) => lines[at % (last + 1)].clone_from(text),
        }
    }
    lines.join("\r\n") + "\r\n"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Whatever a device offers, it gets one answer or one refusal, and the node goes on.
    #[test]
    fn every_offer_is_answered_or_refused(edits in vec(edit(), 0..6), generation in 1..3u32) {
        let mut world = World::new();
        let sdp = Client::new(50, Setup::new(), world.now).offer();
        world.request(MediaRequest::Offer { peer: peer(0), generation: 1, sdp: sdp.clone() });
        let sdp = apply(&sdp, &edits);
        let before = world.events.len();
        world.request(MediaRequest::Offer { peer: peer(0), generation, sdp });
        let replies = world.events[before..].iter().filter(|event| {
            matches!(event, MediaEvent::Answer { .. } | MediaEvent::OfferRefused { .. })
        });
        prop_assert_eq!(replies.count(), 1);
        prop_assert_eq!(world.stats().sessions, 1, "the one session is still there");
        world.leave_without_client(0);
        prop_assert_eq!((world.stats().peers, world.stats().sessions), (0, 0));
    }

    /// Whatever comes from wherever, it is counted, and the node goes on.
    #[test]
    fn every_datagram_is_counted(
        datagrams in vec((vec(any::<u8>(), 0..200), any::<u16>()), 1..50),
    ) {
        let mut world = World::new();
        for (bytes, port) in &datagrams {
            world.inject(([192, 0, 2, 1], *port).into(), bytes);
        }
        let stats = world.stats();
        prop_assert_eq!(stats.datagrams_in, datagrams.len() as u64);
        prop_assert_eq!(stats.drops.garbage + stats.drops.stranger, datagrams.len() as u64);
    }
}
