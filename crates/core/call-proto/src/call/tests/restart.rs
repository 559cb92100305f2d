//! A server that restarts goes on with the group.

use std::time::Duration;

use conclave_model::{ParticipantId, TrackSource};
use conclave_wire::{ErrorCode, ServerMessage};

use super::world::World;

#[test]
fn after_a_restart_a_member_is_the_same_participant_at_the_same_leaf() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[("0", TrackSource::Camera)]);
    assert!(world.group_changes >= 2);
    world.advance(Duration::from_secs(2));
    let epoch = world.call.delivery.epoch();
    world.restart();

    world.resume(2, 12, Some(2));

    let joined = world.joined(12).clone();
    assert_eq!(joined.participant, ParticipantId(2));
    assert_eq!(joined.answer.unwrap().generation, 2);
    let admitted = joined.admitted.unwrap();
    assert_eq!(admitted.leaf, 1);
    assert!(admitted.others.is_empty(), "who has not come back is not shown");
    assert_eq!(world.call.delivery.epoch(), epoch, "the group went on");

    world.resume(1, 11, None);
    assert_eq!(world.joined(11).admitted.as_ref().unwrap().others.len(), 1);
    assert!(!world.joined(11).media_alive);
    world.settle();
    let shown = world.sent(12).iter().any(|message| {
        matches!(message, ServerMessage::Roster { present, .. }
            if present.iter().any(|info| info.id == ParticipantId(1)))
    });
    assert!(shown);
    world.join(3, &[]);
    assert_eq!(world.joined(3).participant, ParticipantId(3), "no id is given out twice");
    assert_eq!(world.admitted(3).others.len(), 2);
}

#[test]
fn who_does_not_come_back_after_a_restart_is_gone_in_a_minute() {
    let mut world = World::new();
    world.join(1, &[]);
    world.join(2, &[]);
    world.restart();
    world.resume(1, 11, None);

    world.advance(Duration::from_secs(59));
    assert!(world.stored.contains_key(&ParticipantId(2)));
    world.advance(Duration::from_secs(2));

    assert!(!world.stored.contains_key(&ParticipantId(2)));
    world.resume_with(2, 12, "token 2", None);
    assert_eq!(world.errors(12), [(ErrorCode::ResumeRefused, false)]);
}

#[test]
fn a_call_to_which_nobody_comes_back_ends() {
    let mut world = World::new();
    world.join(1, &[]);
    world.restart();
    assert!(!world.empty);

    world.advance(Duration::from_secs(61));

    assert!(world.empty);
    assert!(world.stored.is_empty());
}

#[test]
fn who_waited_at_the_door_comes_to_it_anew_after_a_restart() {
    let mut world = World::lobby();
    world.admits = false;
    world.join(1, &[]);
    world.knock(2, None);

    world.restart();

    assert_eq!(world.stored.keys().collect::<Vec<_>>(), [&ParticipantId(1)]);
    world.resume_with(2, 12, "token 2", None);
    assert_eq!(world.errors(12), [(ErrorCode::ResumeRefused, false)]);
}

#[test]
fn a_group_that_cannot_be_read_is_begun_anew() {
    let mut world = World::new();
    world.join(1, &[]);
    // Another meeting's group is of no use.
    world.constitution.meeting = [8; 16];

    world.restart();

    assert!(world.stored.is_empty());
    assert_eq!(world.call.delivery.epoch(), None);
}
