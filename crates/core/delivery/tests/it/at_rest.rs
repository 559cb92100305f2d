//! What is kept of a call, and what is read of bytes that nobody wrote.

use conclave_commit_rules::Mode;
use conclave_delivery::{
    DeliveryService, Input, LogEntry, RestoreError, Snapshot, ToDevice, VANISH_AFTER,
};
use conclave_mls::Group;
use conclave_model::ParticipantId;
use proptest::prelude::*;

use crate::world::{HOST, World, guest, key_package_of, unix_now};

const TWO: ParticipantId = ParticipantId(2);
const SEVEN: ParticipantId = ParticipantId(7);
const EIGHT: ParticipantId = ParticipantId(8);
const THIRTY: ParticipantId = ParticipantId(30);

/// A group of some size with a removal that is proposed and not yet committed. Its tree has blank
/// leaves, and parents with keys and without.
fn used_group() -> (World, Vec<(ParticipantId, Group)>) {
    let mut world = World::new(Mode::Lobby);
    let mut members: Vec<_> = (1..).map(ParticipantId).zip(world.meeting(19)).collect();
    world.give(Input::Leave { who: SEVEN });
    members.retain(|(who, _)| *who != SEVEN);
    sync(&mut world, &mut members);
    let outgoing = members[0].1.commit_pending(unix_now()).unwrap();
    world.submit(HOST, &outgoing);
    sync(&mut world, &mut members);
    let outgoing = members[1].1.update(unix_now()).unwrap();
    world.submit(TWO, &outgoing);
    sync(&mut world, &mut members);
    world.give(Input::Disconnected { who: EIGHT });
    world.pass(VANISH_AFTER);
    members.retain(|(who, _)| *who != EIGHT);
    sync(&mut world, &mut members);
    (world, members)
}

fn sync(world: &mut World, members: &mut [(ParticipantId, Group)]) {
    for (who, member) in members {
        world.sync(*who, member);
    }
}

/// Restarts the service, and says whether it is as it was, also to a member that asks.
fn is_same_after_a_restart(world: &mut World, members: &mut [(ParticipantId, Group)]) -> bool {
    let before = (world.service.snapshot(), told(world));
    world.restart();
    let snapshot = world.service.snapshot();
    for (who, member) in members {
        world.resume(*who, member);
    }
    before == (snapshot, told(world))
}

/// Description and tree, as the service tells a member.
fn told(world: &mut World) -> ToDevice {
    world.give(Input::FetchGroup { from: HOST });
    let received = world.take(HOST);
    let [group @ ToDevice::Group { .. }] = &received[..] else { panic!("{received:?}") };
    group.clone()
}

#[test]
fn a_restored_group_is_the_same_and_goes_on_with_what_was_proposed() {
    let (mut world, mut members) = used_group();
    assert!(is_same_after_a_restart(&mut world, &mut members));

    assert_eq!(members[0].1.pending_removes(), [7], "it was proposed before the restart");
    let outgoing = members[0].1.commit_pending(unix_now()).unwrap();
    world.submit(HOST, &outgoing);
    sync(&mut world, &mut members);
    assert!(is_same_after_a_restart(&mut world, &mut members));

    let device = world.knock(THIRTY);
    let received = world.take(HOST);
    let knock = received.iter().find(|m| matches!(m, ToDevice::Knock { .. })).unwrap();
    let verified = members[0].1.verify(&key_package_of(knock), guest).unwrap();
    let outgoing = members[0].1.admit(unix_now(), vec![verified]).unwrap();
    world.submit(HOST, &outgoing);
    let newcomer = world.enter(THIRTY, device);
    sync(&mut world, &mut members);
    members.push((THIRTY, newcomer));
    assert!(is_same_after_a_restart(&mut world, &mut members));
    let mark = members[0].1.fork_mark();
    assert!(members.iter().all(|(_, member)| member.fork_mark() == mark));
    assert_eq!(members[0].1.members().unwrap().len(), 19);
}

#[test]
fn a_log_that_is_kept_by_itself_makes_the_snapshot_whole_again() {
    let (world, _) = used_group();
    let whole = world.service.snapshot().unwrap();
    let mut rest = whole.clone();
    let log = rest.take_log().into_iter().map(|entry| entry.to_bytes().unwrap());
    let log: Vec<_> = log.map(|bytes| LogEntry::from_bytes(&bytes).unwrap()).collect();
    assert_eq!(log.iter().map(LogEntry::epoch).collect::<Vec<_>>(), [0, 1, 2]);
    let rest = Snapshot::from_bytes(&rest.to_bytes().unwrap()).unwrap();
    assert_eq!(rest.with_log(log), whole);
}

#[test]
fn bytes_of_another_version_and_json_of_before_are_refused() {
    let (world, _) = used_group();
    let mut snapshot = world.service.snapshot().unwrap();
    let entry = snapshot.take_log().remove(0);
    let (mut snapshot, mut entry) = (snapshot.to_bytes().unwrap(), entry.to_bytes().unwrap());
    for version in (0..=u8::MAX).filter(|version| *version != 3) {
        snapshot[0] = version;
        entry[0] = version;
        assert_eq!(Snapshot::from_bytes(&snapshot), Err(RestoreError));
        assert_eq!(LogEntry::from_bytes(&entry), Err(RestoreError));
    }
    let snapshot = br#"{"version":2,"groupId":"BwcH","group":{"tree":"{}","context":"{}",
        "transcriptHash":"[]","confirmationTag":"[]","proposals":[]},"groupInfo":"AAAA","log":[],
        "proposals":{},"unwanted":[],"updates":{},"members":[{"who":1,"leaf":0}]}"#;
    assert_eq!(Snapshot::from_bytes(snapshot), Err(RestoreError));
    let entry = br#"{"epoch":0,"proposals":[],"commit":"AAAA"}"#;
    assert_eq!(LogEntry::from_bytes(entry), Err(RestoreError));
}

#[test]
fn cut_bytes_trailing_bytes_and_lengths_that_lie_are_refused_and_take_little_memory() {
    let mut world = World::new(Mode::Lobby);
    world.meeting(1);
    let mut snapshot = world.service.snapshot().unwrap();
    let entry = snapshot.clone().take_log().remove(0).to_bytes().unwrap();
    refuses_what_is_spoilt(&entry, LogEntry::from_bytes);
    refuses_what_is_spoilt(&snapshot.to_bytes().unwrap(), Snapshot::from_bytes);
    snapshot.take_log();
    refuses_what_is_spoilt(&snapshot.to_bytes().unwrap(), Snapshot::from_bytes);
}

fn refuses_what_is_spoilt<T: std::fmt::Debug + PartialEq>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, RestoreError>,
) {
    assert!(read(bytes).is_ok());
    let trailing = [bytes, &[0]].concat();
    assert_eq!(read(&trailing), Err(RestoreError));
    for len in 0..bytes.len() {
        let cut = &bytes[..len];
        assert_eq!(read(cut), Err(RestoreError));
        // Where a length is due, it says 2³² - 1; elsewhere this is a number, or five bytes.
        let lying = [cut, &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
        let info = allocation_counter::measure(|| drop(read(&lying)));
        assert!(info.bytes_max <= 4 * lying.len() as u64, "{} of {len}", info.bytes_max);
    }
}

#[test]
fn no_bytes_at_rest_break_the_service() {
    let (world, _) = used_group();
    let mut snapshot = world.service.snapshot().unwrap();
    snapshot.take_log();
    let bytes = snapshot.to_bytes().unwrap();
    let config = ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let change = (1..bytes.len(), any::<u8>());
    let result = runner.run(&change, |(at, byte)| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        if let Ok(snapshot) = Snapshot::from_bytes(&bytes) {
            let (constitution, key) = (world.constitution.clone(), world.proposal_key());
            // It may be a group like any other: a name can be anything.
            let _ = DeliveryService::restore(constitution, key, &snapshot, world.now, unix_now());
        }
        Ok(())
    });
    result.unwrap();
}
