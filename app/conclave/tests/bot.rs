//! Native participants and a real server, over real sockets on this machine.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as loudly as tests")]

#[path = "bot/process.rs"]
mod process;

use std::time::Duration;

use conclave_client_proto::{ReceivedReport, Report};
use conclave_model::TrackSource;
use process::{Bots, Server};

/// Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn three_bots_see_and_hear_one_another() {
    let server = Server::start();
    let link = server.create_meeting();
    let mut bots = Bots::start(&link, 3, &["--tile-size", "320x180"]);
    bots.wait_until(PATIENCE, |report| {
        tracks(report, TrackSource::Camera, 45) == 2
            && tracks(report, TrackSource::Microphone, 150) == 2
    });
    let reports = bots.interrupt(PATIENCE);

    assert_eq!(reports.len(), 3);
    for (name, report) in &reports {
        assert_eq!(report.others, 2, "{name}: {report:?}");
        assert_eq!((report.sockets_lost, report.generations), (0, 1), "{name}: {report:?}");
        assert!(report.published.video_frames > 100, "{name}: {report:?}");
        for video in report.received.iter().filter(|r| r.source == Some(TrackSource::Camera)) {
            assert!(video.keyframes >= 1, "{name}: {video:?}");
            assert!(video.width >= 320 && video.height >= 180, "{name}: {video:?}");
            let whole = video.frames - video.undecodable_frames;
            assert!(whole * 10 >= video.frames * 9, "{name}: nine of ten decode: {video:?}");
        }
    }
}

#[test]
fn a_bot_that_only_listens_is_not_seen() {
    let server = Server::start();
    let link = server.create_meeting();
    let mut listener = Bots::start(&link, 1, &["--listen-only"]);
    let mut speaker = Bots::start(&link, 1, &["--no-video", "--name", "Speaker"]);
    listener.wait_until(PATIENCE, |report| tracks(report, TrackSource::Microphone, 100) == 1);
    let heard = listener.interrupt(PATIENCE);
    let spoke = speaker.interrupt(PATIENCE);
    assert_eq!(tracks(&heard["Bot"], TrackSource::Camera, 0), 0);
    assert!(spoke["Speaker"].received.is_empty(), "{spoke:?}");
}

#[test]
fn a_bot_that_is_interrupted_says_goodbye() {
    let server = Server::start();
    let link = server.create_meeting();
    let mut staying = Bots::start(&link, 1, &["--listen-only"]);
    let mut leaving = Bots::start(&link, 1, &["--listen-only"]);
    staying.wait_until(PATIENCE, |report| report.others == 1);
    leaving.interrupt(PATIENCE);
    // One that vanishes has some seconds to come back, and stays in the list for so long.
    staying.wait_until(Duration::from_secs(3), |report| report.others == 0);
    staying.interrupt(PATIENCE);
}

#[test]
#[expect(clippy::print_stderr, reason = "figures to look at, with --nocapture")]
fn after_the_server_is_killed_and_started_again_media_is_back_within_five_seconds() {
    let mut server = Server::start();
    let link = server.create_meeting();
    let mut bots = Bots::start(&link, 3, &["--tile-size", "320x180"]);
    bots.wait_until(PATIENCE, |report| {
        tracks(report, TrackSource::Camera, 30) == 2
            && tracks(report, TrackSource::Microphone, 100) == 2
    });
    server.kill_and_start_again();
    bots.wait_until(PATIENCE, |report| !report.outages_ms.is_empty());
    let reports = bots.interrupt(PATIENCE);

    for (name, report) in &reports {
        let outages = &report.outages_ms;
        eprintln!(
            "{name}: outages {outages:?} ms, resumed {}, rejoined {}",
            report.resumed, report.rejoined
        );
        assert!(outages.iter().all(|&ms| ms < 5000), "{name}: {report:?}");
        assert_eq!((report.resumed, report.rejoined), (1, 0), "{name}: {report:?}");
        assert_eq!(report.others, 2, "{name}: {report:?}");
    }
}

#[test]
fn bots_that_are_relayed_by_each_way_see_and_hear_one_that_is_not() {
    let server = Server::start_with_turn();
    let link = server.create_meeting();
    let certificate = server.certificate();
    let mut direct = Bots::start(&link, 1, &["--tile-size", "320x180"]);
    for way in ["udp", "tcp", "tls"] {
        let mut relayed =
            Bots::start(&link, 1, &["--tile-size", "320x180", "--turn", way, "--ca", &certificate]);
        relayed.wait_until(PATIENCE, |report| {
            tracks(report, TrackSource::Camera, 20) >= 1
                && tracks(report, TrackSource::Microphone, 50) >= 1
        });
        direct.wait_until(PATIENCE, |report| {
            report.others == 1 && tracks(report, TrackSource::Camera, 20) >= 1
        });
        relayed.interrupt(PATIENCE);
        direct.wait_until(PATIENCE, |report| report.others == 0);
    }
    direct.interrupt(PATIENCE);
}

#[test]
fn a_bot_that_is_to_be_relayed_where_nothing_is_says_so() {
    let server = Server::start();
    let link = server.create_meeting();
    let mut bots = Bots::start(&link, 1, &["--turn", "udp"]);
    let (code, errors) = bots.wait(PATIENCE);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("media is not relayed"), "{errors}");
}

#[test]
fn a_link_with_another_secret_is_refused_with_a_reason() {
    let server = Server::start();
    let link = server.create_meeting();
    let (address, fragment) = link.split_once('#').unwrap();
    let [version, secret, digest] = fragment.split('.').collect::<Vec<_>>()[..] else {
        panic!("not a link: {link}");
    };
    let other: String = secret.chars().rev().skip(1).chain(['A']).collect();
    let mut bots = Bots::start(&format!("{address}#{version}.{other}.{digest}"), 1, &[]);
    let (code, errors) = bots.wait(PATIENCE);
    assert_ne!(code, Some(0));
    assert!(errors.contains("the server does not show the meeting"), "{errors}");
    assert!(!errors.contains(secret) && !errors.contains(&other), "no secret in what is shown");
}

#[test]
fn a_host_lets_guests_in_and_all_read_the_same_safety_code() {
    let server = Server::start();
    let [guest, host] = server.create_lobby();
    assert!(host.starts_with(&guest), "the host's link is the guests' and a seed");
    let mut guests = Bots::start(&guest, 2, &["--tile-size", "320x180", "--name", "Guest"]);
    let mut host = Bots::start(&host, 1, &["--admit", "--name", "Host", "--no-video"]);

    let inside = |report: &Report| {
        report.group.roster.len() == 3 && tracks(report, TrackSource::Microphone, 50) == 2
    };
    guests.wait_until(PATIENCE, inside);
    host.wait_until(PATIENCE, inside);
    let mut groups: Vec<_> =
        guests.latest().chain(host.latest()).map(|r| r.group.clone()).collect();
    for group in &mut groups {
        assert_eq!(group.state, "inGroup");
        group.leaf = None;
    }
    assert!(groups.iter().all(|group| group.safety_code.is_some() && *group == groups[0]));
    // While people come in, slots are given to others: a few frames are quicker than that news, or
    // slower, and a newcomer is sent a last few of the epoch before its own, whose keys it never
    // had. Nothing else is dropped.
    for report in guests.latest().chain(host.latest()) {
        let moved = ["unassigned", "wrongLeaf", "wrongTrack", "pastEpoch"];
        let few = report
            .dropped_frames
            .iter()
            .all(|(reason, count)| moved.contains(&reason.as_str()) && *count <= 100);
        assert!(few, "{:?}", report.dropped_frames);
    }
    guests.interrupt(PATIENCE);
    host.interrupt(PATIENCE);
}

#[test]
fn what_is_written_is_read_by_all_who_are_inside() {
    let server = Server::start();
    let link = server.create_meeting();
    let mut listener = Bots::start(&link, 1, &["--listen-only"]);
    listener.wait_until(PATIENCE, |report| report.group.state == "inGroup");
    let mut writer = Bots::start(&link, 1, &["--listen-only", "--say", "Good morning"]);
    listener.wait_until(PATIENCE, |report| report.group.chat_messages == 1);
    writer.interrupt(PATIENCE);
    listener.interrupt(PATIENCE);
}

#[test]
fn a_guest_whom_nobody_lets_in_gives_up_and_says_so() {
    let server = Server::start();
    let [guest, _host] = server.create_lobby();
    let mut bots = Bots::start(&guest, 1, &["--patience", "2"]);
    let (code, errors) = bots.wait(PATIENCE);
    assert_eq!(code, Some(4), "{errors}");
    assert!(errors.contains("nobody let this device in"), "{errors}");
}

/// How many publications of `source` were received with at least so many frames.
fn tracks(report: &Report, source: TrackSource, frames: u64) -> usize {
    let is_one = |r: &&ReceivedReport| r.source == Some(source) && r.frames >= frames;
    report.received.iter().filter(is_one).count()
}
