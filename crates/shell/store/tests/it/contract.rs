//! What every store keeps to. A store is closed and opened again within the tests, so that what
//! is checked has been on disk.

use std::path::PathBuf;

use conclave_model::{MeetingId, ParticipantId, SealedBlob, TokenHash};
use conclave_store::{
    CreateMeetingError, GroupChange, Meeting, ServerKey, Session, Sessions, SqliteStore, Store,
    UnixMillis,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// A store on a real file that can be shut and opened again.
struct Fixture {
    _folder: TempDir,
    path: PathBuf,
    store: SqliteStore,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conclave.db");
        let store = SqliteStore::open(&path).await.unwrap();
        Self { _folder: folder, path, store }
    }

    async fn reopen(&mut self) {
        self.store.close().await;
        self.store = SqliteStore::open(&self.path).await.unwrap();
    }
}

fn meeting(n: u8) -> Meeting {
    Meeting {
        id: id(n),
        token_hash: hash(n),
        sealed_title: SealedBlob::new(vec![n; 40]).unwrap(),
        policy: format!("{{\"n\":{n}}}"),
        created: UnixMillis(1_000),
    }
}

const fn id(n: u8) -> MeetingId {
    MeetingId::from_bytes([n; 16])
}

const fn hash(n: u8) -> TokenHash {
    TokenHash::from_bytes([n; 32])
}

const fn session(participant: u32, token: u8, proven: Option<u8>) -> Session {
    let proven = match proven {
        None => None,
        Some(n) => Some(hash(n)),
    };
    Session { participant: ParticipantId(participant), token: hash(token), proven }
}

#[tokio::test]
async fn a_meeting_is_found_again_as_it_was_created() {
    let mut fixture = Fixture::new().await;
    fixture.store.create_meeting(meeting(1)).await.unwrap();

    fixture.reopen().await;

    assert_eq!(fixture.store.meeting(id(1)).await.unwrap(), Some(meeting(1)));
    assert_eq!(fixture.store.meeting(id(2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_second_meeting_of_the_same_id_is_refused_and_changes_nothing() {
    let fixture = Fixture::new().await;
    fixture.store.create_meeting(meeting(1)).await.unwrap();

    let second = fixture.store.create_meeting(Meeting { id: id(1), ..meeting(2) }).await;

    assert!(matches!(second, Err(CreateMeetingError::Exists)), "{second:?}");
    assert_eq!(fixture.store.meeting(id(1)).await.unwrap(), Some(meeting(1)));
}

#[tokio::test]
async fn sessions_are_found_again_and_their_ids_stay_taken() {
    let mut fixture = Fixture::new().await;
    fixture.store.create_meeting(meeting(1)).await.unwrap();
    let sessions = vec![session(1, 10, None), session(2, 20, Some(21)), session(3, 30, None)];
    fixture.store.save_sessions(id(1), sessions, UnixMillis(5)).await.unwrap();
    fixture
        .store
        .save_sessions(id(1), vec![session(2, 22, Some(20))], UnixMillis(6))
        .await
        .unwrap();
    fixture.store.forget_session(id(1), ParticipantId(3)).await.unwrap();

    fixture.reopen().await;

    let expected = Sessions {
        sessions: vec![session(1, 10, None), session(2, 22, Some(20))],
        next_participant: ParticipantId(4),
    };
    assert_eq!(fixture.store.sessions(id(1)).await.unwrap(), expected);
}

#[tokio::test]
async fn a_call_that_ended_leaves_no_trace_but_its_meeting() {
    let fixture = Fixture::new().await;
    fixture.store.create_meeting(meeting(1)).await.unwrap();
    fixture.store.create_meeting(meeting(2)).await.unwrap();
    for n in [1, 2] {
        let sessions = vec![session(7, 10, None)];
        fixture.store.save_sessions(id(n), sessions, UnixMillis(5)).await.unwrap();
    }

    fixture.store.end_call(id(1)).await.unwrap();

    let none = Sessions { sessions: Vec::new(), next_participant: ParticipantId(1) };
    assert_eq!(fixture.store.sessions(id(1)).await.unwrap(), none);
    assert_eq!(fixture.store.sessions(id(2)).await.unwrap().sessions.len(), 1);
    assert!(fixture.store.meeting(id(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn only_sessions_that_were_not_seen_expire() {
    let fixture = Fixture::new().await;
    for n in [1, 2] {
        fixture.store.create_meeting(meeting(n)).await.unwrap();
        let sessions = vec![session(1, n, None)];
        fixture.store.save_sessions(id(n), sessions, UnixMillis(100)).await.unwrap();
    }
    fixture.store.touch_sessions(vec![id(2)], UnixMillis(200)).await.unwrap();

    let expired = fixture.store.expire_sessions(UnixMillis(150)).await.unwrap();

    assert_eq!(expired, 1);
    let gone = fixture.store.sessions(id(1)).await.unwrap();
    assert_eq!((gone.sessions.len(), gone.next_participant), (0, ParticipantId(1)));
    let kept = fixture.store.sessions(id(2)).await.unwrap();
    assert_eq!((kept.sessions.len(), kept.next_participant), (1, ParticipantId(2)));
}

#[tokio::test]
async fn a_group_is_found_again_as_it_was_kept_last_and_goes_with_its_call() {
    let mut fixture = Fixture::new().await;
    for n in [1, 2] {
        fixture.store.create_meeting(meeting(n)).await.unwrap();
        let sessions = vec![session(1, n, None)];
        fixture.store.save_sessions(id(n), sessions, UnixMillis(100)).await.unwrap();
        fixture.store.save_group(id(n), group(vec![n; 10])).await.unwrap();
    }
    fixture.store.save_group(id(1), group(vec![9; 2_000_000])).await.unwrap();
    fixture.reopen().await;

    assert_eq!(fixture.state(1).await, Some(vec![9; 2_000_000]));
    assert_eq!(fixture.store.group(id(3)).await.unwrap(), None);
    fixture.store.end_call(id(1)).await.unwrap();
    assert_eq!(fixture.store.group(id(1)).await.unwrap(), None);
    assert_eq!(fixture.state(2).await, Some(vec![2; 10]));
    // Nobody came back to the other.
    fixture.store.expire_sessions(UnixMillis(200)).await.unwrap();
    assert_eq!(fixture.store.group(id(2)).await.unwrap(), None);
}

/// A group whose commits are forgotten.
fn group(state: Vec<u8>) -> GroupChange {
    GroupChange { state, log: Vec::new(), epochs: 0..0 }
}

impl Fixture {
    async fn state(&self, n: u8) -> Option<Vec<u8>> {
        self.store.group(id(n)).await.unwrap().map(|kept| kept.state)
    }
}

#[tokio::test]
async fn commits_are_kept_one_by_one_as_long_as_they_are_of_use() {
    let mut fixture = Fixture::new().await;
    for n in [1, 2] {
        fixture.store.create_meeting(meeting(n)).await.unwrap();
    }
    let change = |log: &[(u64, u8)], epochs| GroupChange {
        state: vec![1],
        log: log.iter().map(|(epoch, byte)| (*epoch, vec![*byte; 3])).collect(),
        epochs,
    };
    let other = change(&[(0, 90), (1, 91)], 0..2);
    fixture.store.save_group(id(2), other.clone()).await.unwrap();
    for (change, expected) in [
        (change(&[(0, 10), (1, 11), (2, 12)], 0..3), vec![10, 11, 12]),
        (change(&[(3, 13)], 2..4), vec![12, 13]),
        // The last one was void.
        (change(&[(3, 23)], 2..4), vec![12, 23]),
        (change(&[], 2..3), vec![12]),
        (change(&[], 0..0), vec![]),
    ] {
        fixture.store.save_group(id(1), change).await.unwrap();
        fixture.reopen().await;

        let kept = fixture.store.group(id(1)).await.unwrap().unwrap();
        assert_eq!(kept.log, expected.iter().map(|byte| vec![*byte; 3]).collect::<Vec<_>>());
    }
    let kept = fixture.store.group(id(2)).await.unwrap().unwrap();
    assert_eq!(kept.log.len(), 2, "another meeting's");
    fixture.store.end_call(id(2)).await.unwrap();
    fixture.store.save_group(id(2), GroupChange { log: Vec::new(), ..other }).await.unwrap();
    let kept = fixture.store.group(id(2)).await.unwrap().unwrap();
    assert!(kept.log.is_empty(), "they went with the call");
}

#[tokio::test]
async fn what_was_deleted_is_not_in_the_file_any_more() {
    let mut fixture = Fixture::new().await;
    fixture.store.create_meeting(meeting(1)).await.unwrap();
    let mark = b"a mark that is nowhere else in the file".repeat(3_000);
    let change = GroupChange { state: mark.clone(), log: vec![(0, mark.clone())], epochs: 0..1 };
    fixture.store.save_group(id(1), change).await.unwrap();
    fixture.reopen().await;
    let holds = |path: &std::path::Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(39).any(|window| mark.starts_with(window))
    };
    assert!(holds(&fixture.path));

    fixture.store.end_call(id(1)).await.unwrap();
    fixture.reopen().await;

    assert!(!holds(&fixture.path));
}

#[tokio::test]
async fn the_servers_keys_are_made_once() {
    let mut fixture = Fixture::new().await;
    let key = |n| Zeroizing::new([n; 32]);
    let first = fixture.store.server_key(ServerKey::Node, key(1)).await.unwrap();
    let other = fixture.store.server_key(ServerKey::Proposals, key(2)).await.unwrap();
    fixture.reopen().await;

    let again = fixture.store.server_key(ServerKey::Node, key(3)).await.unwrap();

    assert_eq!((first, other), (key(1), key(2)));
    assert_eq!(again, key(1));
}

#[tokio::test]
async fn only_meetings_that_nobody_used_expire() {
    let mut fixture = Fixture::new().await;
    for n in 1..=4 {
        fixture.store.create_meeting(meeting(n)).await.unwrap();
    }
    // The first is never entered, the second was, the third's call runs on, and the fourth has
    // a session to come back to.
    for n in [2, 3, 4] {
        let seen = UnixMillis(if n == 2 { 3_000 } else { 1_500 });
        fixture.store.save_sessions(id(n), vec![session(1, n, None)], seen).await.unwrap();
    }
    fixture.store.touch_sessions(vec![id(3)], UnixMillis(3_000)).await.unwrap();
    for n in [2, 3] {
        fixture.store.end_call(id(n)).await.unwrap();
    }
    fixture.reopen().await;

    let expired = fixture.store.expire_meetings(UnixMillis(2_000)).await.unwrap();

    assert_eq!(expired, 1);
    let mut left = Vec::new();
    for n in 1..=4 {
        left.extend(fixture.store.meeting(id(n)).await.unwrap().map(|_| n));
    }
    assert_eq!(left, [2, 3, 4]);
}

#[tokio::test]
async fn sessions_need_a_meeting() {
    let fixture = Fixture::new().await;

    let saved = fixture.store.save_sessions(id(9), vec![session(1, 1, None)], UnixMillis(1)).await;

    assert!(saved.is_err());
}

#[tokio::test]
async fn many_at_once_are_all_kept() {
    let fixture = Fixture::new().await;
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let store = fixture.store.clone();
            tokio::spawn(async move { store.create_meeting(meeting(n)).await })
        })
        .collect();

    for task in tasks {
        task.await.unwrap().unwrap();
    }

    for n in 0..50 {
        assert!(fixture.store.meeting(id(n)).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_change_that_cannot_be_kept_takes_no_other_with_it() {
    let mut fixture = Fixture::new().await;
    fixture.store.create_meeting(meeting(1)).await.unwrap();

    // Asked for together, they share a transaction.
    let save = |n| fixture.store.save_sessions(id(n), vec![session(1, n, None)], UnixMillis(1));
    let (kept, refused, forgotten) =
        tokio::join!(save(1), save(2), fixture.store.forget_session(id(1), ParticipantId(7)));

    assert!(kept.is_ok() && refused.is_err() && forgotten.is_ok());
    fixture.reopen().await;
    assert_eq!(fixture.store.sessions(id(1)).await.unwrap().sessions, [session(1, 1, None)]);
}

#[tokio::test]
async fn a_store_answers_whether_it_works() {
    let fixture = Fixture::new().await;
    fixture.store.check().await.unwrap();

    fixture.store.close().await;

    assert!(fixture.store.check().await.is_err());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conclave.db");
    std::fs::write(&path, "this is a letter, not a database, and it is quite long".repeat(50))
        .unwrap();

    assert!(SqliteStore::open(&path).await.is_err());
}
