//! Calls as meetings of a group: who is let in, who is removed, and what is opened.

use std::collections::BTreeSet;
use std::time::Duration;

use conclave_client_proto::{Command, EndReason, Say};
use conclave_commit_rules::{CredentialId, Mute};
use conclave_model::TrackSource::{Camera, Microphone};
use conclave_sim::{DeviceId, DeviceSetup, LinkSetup, MeetingSetup, World};

use crate::{all_meet, secs};

/// A guest whom a simulation of many can bear.
const SMALL: DeviceSetup = DeviceSetup {
    camera: Some(conclave_sim::CameraSetup::SMALL),
    video_slots: 2,
    viewport: conclave_sim::Viewport { tiles: 2, width: 320, height: 180 },
    ..DeviceSetup::USUAL
};

fn is_in(world: &World, device: DeviceId) -> bool {
    world.report(device).admitted_ms.is_some() && world.report(device).group.epoch.is_some()
}

/// Whether all have the same keys: the same epoch, people and safety code.
fn all_agree(world: &World, devices: &[DeviceId]) -> bool {
    let groups = devices.iter().map(|&device| world.report(device).group);
    let seen: BTreeSet<_> =
        groups.map(|group| (group.epoch, group.roster, group.safety_code)).collect();
    seen.len() == 1 && seen.iter().all(|(epoch, _, code)| epoch.is_some() && code.is_some())
}

/// The credential of somebody, as another sees it.
fn credential(world: &World, of: DeviceId) -> CredentialId {
    world.credential(of).expect("a member has one")
}

#[test]
fn a_host_lets_people_in_and_all_read_the_same_safety_code() {
    let mut world = World::of(MeetingSetup::LOBBY);
    let early = world.add(DeviceSetup::USUAL);
    world.run(secs(3));
    assert_eq!(world.report(early).group.state, "waitingForHost");
    assert_eq!(world.report(early).generations, 0, "nothing is offered at the door");

    let host = world.add(DeviceSetup::HOST);
    let late = [(); 2].map(|()| world.add(DeviceSetup::USUAL));
    let all = [early, host, late[0], late[1]];
    world.run_until(secs(6), "all let in", |world| all.iter().all(|&d| is_in(world, d)));
    world.run_until(secs(5), "all together", |world| all_meet(world, &all));
    assert!(all_agree(&world, &all));
    assert_eq!(world.report(host).group.roster.len(), 4);

    world.command(late[0], Command::Say(Say::Chat("Good morning".to_owned())));
    world.run(secs(1));
    let said = [("Device 2".to_owned(), "Good morning".to_owned())];
    for listener in [early, host, late[1]] {
        assert_eq!(world.chat(listener), said);
    }
}

#[test]
fn who_is_turned_away_stays_outside() {
    let mut world = World::of(MeetingSetup::LOBBY);
    let host = world.add(DeviceSetup { admits: false, ..DeviceSetup::HOST });
    let guest = world.add(DeviceSetup::USUAL);
    world.run_until(secs(5), "the knock", |world| !world.knocks(host).is_empty());

    let knock = world.knocks(host)[0];
    world.command(host, Command::Deny(knock));
    world.run(secs(2));

    assert_eq!(world.end(guest), Some(EndReason::Denied));
    assert_eq!(world.report(guest).generations, 0);
    assert_eq!(world.report(host).others, 0);
}

#[test]
fn whoever_is_removed_hears_and_sees_nothing_from_then_on() {
    let mut world = World::of(MeetingSetup::LOBBY);
    let (host, stays) = (world.add(DeviceSetup::HOST), world.add(DeviceSetup::USUAL));
    let goes = world.add(DeviceSetup::USUAL);
    let all = [host, stays, goes];
    world.run_until(secs(8), "all together", |world| all_meet(world, &all));
    let before = world.report(stays).group.epoch;

    world.command(host, Command::Kick(credential(&world, goes)));
    world.run_until(secs(1), "removed", |world| world.end(goes) == Some(EndReason::Removed));
    world.run(Duration::from_millis(200));
    let opened = world.report(goes).opened_frames;
    world.restart_counts();
    world.run(secs(5));

    assert_eq!(world.report(goes).opened_frames, opened);
    assert_eq!(world.node_stats().peers, 2, "the node sends it nothing");
    assert!(all_agree(&world, &[host, stays]));
    assert!(world.report(stays).group.epoch > before, "with other keys than it has");
    for (a, b) in [(host, stays), (stays, host)] {
        let sound = world.observed(a, b, Microphone);
        assert!(sound.frames >= 248, "250 sent: {sound:?}");
        assert!(world.observed(a, b, Camera).frames >= 145, "150 sent");
        assert_eq!(world.observed(a, goes, Microphone).frames, 0);
    }
}

#[test]
fn people_come_and_go_over_bad_lines_and_those_who_stay_miss_no_frame_for_want_of_a_key() {
    let mut world = World::of(MeetingSetup::LOBBY);
    let lossy = LinkSetup { loss: 0.02, ..LinkSetup::GOOD };
    let small = DeviceSetup { up: lossy, down: lossy, ..SMALL };
    let host = world.add(DeviceSetup { host: true, admits: true, ..small });
    let stays = [(); 2].map(|()| world.add(small));
    let mut stayers = vec![host];
    stayers.extend(stays);
    world.run_until(secs(10), "all together", |world| all_meet(world, &stayers));
    world.run(secs(3));

    let before: Vec<_> = stayers.iter().map(|&device| world.report(device)).collect();
    let mut guests: Vec<DeviceId> = Vec::new();
    for round in 0..12 {
        guests.push(world.add(small));
        world.run(Duration::from_millis(700 + 130 * (round % 3)));
        if round % 2 == 1 {
            let gone = guests.remove(0);
            world.leave(gone);
        }
    }
    world.run(secs(5));

    for (device, before) in stayers.iter().zip(before) {
        let after = world.report(*device);
        assert!(after.group.epoch >= before.group.epoch.map(|epoch| epoch + 8), "{after:?}");
        assert!(after.opened_frames > before.opened_frames + 1000, "{after:?}");
        let dropped: u64 = after.dropped_frames.values().sum::<u64>()
            - before.dropped_frames.values().sum::<u64>();
        // Frames of whoever had the slot before come after the news: they are another's.
        let late = after.dropped_frames.get("wrongLeaf").copied().unwrap_or_default()
            + after.dropped_frames.get("unassigned").copied().unwrap_or_default();
        assert!(dropped <= late, "{after:#?}");
        assert!(late <= 40, "{after:#?}");
        assert_eq!(after.published.unsealed_frames, before.published.unsealed_frames);
    }
    assert!(all_agree(&world, &stayers));
    assert_eq!(world.report(host).group.roster.len(), 3 + guests.len());
}

#[test]
fn who_is_muted_by_a_host_is_not_heard() {
    let mut world = World::of(MeetingSetup::LOBBY);
    let (host, guest) = (world.add(DeviceSetup::HOST), world.add(DeviceSetup::USUAL));
    world.run_until(secs(8), "together", |world| all_meet(world, &[host, guest]));

    let mute = Mute::Microphone(credential(&world, guest));
    world.command(host, Command::Mute(mute, true));
    world.run(secs(1));
    world.restart_counts();
    world.run(secs(3));
    assert_eq!(world.observed(host, guest, Microphone).frames, 0);
    assert!(world.observed(host, guest, Camera).frames > 80);
    assert!(world.report(guest).published.unsealed_frames["muted"] > 100);

    world.command(host, Command::Mute(mute, false));
    world.run(secs(1));
    world.restart_counts();
    world.run(secs(3));
    assert!(world.observed(host, guest, Microphone).frames > 140);
}
