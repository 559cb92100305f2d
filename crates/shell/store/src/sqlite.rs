mod writer;

use std::path::Path;
use std::time::Duration;

use conclave_model::{MeetingId, ParticipantId, SealedBlob, TokenHash};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, Transaction};
use zeroize::{Zeroize as _, Zeroizing};

use self::writer::{Change, Writer};
use crate::store::{
    CreateMeetingError, GroupChange, KeptGroup, Meeting, ServerKey, Session, Sessions, Store,
    StoreError, UnixMillis,
};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Makes participants count from one again where a call has no session left.
const FORGET_COUNTS: &str = "UPDATE meetings SET next_participant = 1 WHERE next_participant > 1 \
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.meeting = meetings.id)";

const EXPIRE_MEETINGS: &str = "DELETE FROM meetings WHERE id IN (SELECT id FROM meetings \
     WHERE used_ms < $1 \
     AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.meeting = meetings.id) LIMIT $2)";

/// Forgets groups that nobody can come back to.
const FORGET_GROUPS: &str = "DELETE FROM group_states \
     WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.meeting = group_states.meeting)";

/// Meetings to forget at once: nobody who enters meanwhile waits noticeably.
const EXPIRE_AT_ONCE: i64 = 1000;

/// A store in one SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the file, creates it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`OpenError`] tells a file that cannot be opened from one of another version.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .journal_mode(SqliteJournalMode::Wal)
            // Each commit reaches the disk before it is answered.
            .synchronous(SqliteSynchronous::Full)
            // What is deleted is not left in free pages.
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            // There is no network between. One that an error came of was tested when it was given back.
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(OpenError::Open)?;
        MIGRATIONS.run(&pool).await.map_err(OpenError::Migrate)?;
        Ok(Self { writer: Writer::start(pool.clone()), pool })
    }

    /// Finishes what is under way and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn insert_meeting(&self, meeting: Meeting) -> Result<(), CreateMeetingError> {
        let done = sqlx::query(
            "INSERT INTO meetings (id, token_hash, sealed_title, policy, created_ms, used_ms) \
             VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id_bytes(&meeting.id))
        .bind(hash_bytes(&meeting.token_hash))
        .bind(meeting.sealed_title.as_bytes())
        .bind(&meeting.policy)
        .bind(meeting.created.0)
        .execute(&self.pool)
        .await
        .map_err(StoreError::Database)?;
        if done.rows_affected() == 0 {
            return Err(CreateMeetingError::Exists);
        }
        Ok(())
    }

    async fn select_meeting(&self, id: MeetingId) -> Result<Option<Meeting>, StoreError> {
        let row = sqlx::query(
            "SELECT token_hash, sealed_title, policy, created_ms FROM meetings WHERE id = $1",
        )
        .bind(id_bytes(&id))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| meeting_of(id, &row)).transpose()
    }

    async fn select_sessions(&self, meeting: MeetingId) -> Result<Sessions, StoreError> {
        let next: Option<i64> =
            sqlx::query_scalar("SELECT next_participant FROM meetings WHERE id = $1")
                .bind(id_bytes(&meeting))
                .fetch_optional(&self.pool)
                .await?;
        let rows = sqlx::query(
            "SELECT participant, token_hash, proven_hash FROM sessions WHERE meeting = $1 \
             ORDER BY participant",
        )
        .bind(id_bytes(&meeting))
        .fetch_all(&self.pool)
        .await?;
        Ok(Sessions {
            sessions: rows.iter().map(session_of).collect::<Result<_, _>>()?,
            next_participant: participant_of(next.unwrap_or(1), "next_participant")?,
        })
    }

    async fn update_seen(
        &self,
        meetings: Vec<MeetingId>,
        seen: UnixMillis,
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        for meeting in meetings {
            sqlx::query("UPDATE sessions SET seen_ms = $2 WHERE meeting = $1")
                .bind(id_bytes(&meeting))
                .bind(seen.0)
                .execute(&mut *transaction)
                .await?;
            note_use(&mut transaction, &meeting, seen).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn select_group(&self, meeting: MeetingId) -> Result<Option<KeptGroup>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let state = sqlx::query_scalar("SELECT state FROM group_states WHERE meeting = $1")
            .bind(id_bytes(&meeting))
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(state) = state else { return Ok(None) };
        let log =
            sqlx::query_scalar("SELECT entry FROM group_log WHERE meeting = $1 ORDER BY epoch")
                .bind(id_bytes(&meeting))
                .fetch_all(&mut *transaction)
                .await?;
        Ok(Some(KeptGroup { state, log }))
    }

    async fn find_or_keep_key(
        &self,
        key: ServerKey,
        fresh: Zeroizing<[u8; 32]>,
    ) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let name = match key {
            ServerKey::Node => "node",
            ServerKey::Proposals => "proposals",
        };
        sqlx::query(
            "INSERT INTO server_keys (name, seed) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(fresh.as_slice())
        .execute(&self.pool)
        .await?;
        let mut kept: Vec<u8> = sqlx::query_scalar("SELECT seed FROM server_keys WHERE name = $1")
            .bind(name)
            .fetch_one(&self.pool)
            .await?;
        let seed = kept.as_slice().try_into().map(Zeroizing::new);
        kept.zeroize();
        seed.map_err(|_| StoreError::Malformed { column: "seed" })
    }

    async fn delete_stale_sessions(&self, before: UnixMillis) -> Result<u64, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let done = sqlx::query("DELETE FROM sessions WHERE seen_ms < $1")
            .bind(before.0)
            .execute(&mut *transaction)
            .await?;
        if done.rows_affected() > 0 {
            sqlx::query(FORGET_COUNTS).execute(&mut *transaction).await?;
            sqlx::query(FORGET_GROUPS).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    async fn delete_unused_meetings(&self, before: UnixMillis) -> Result<u64, StoreError> {
        let done =
            sqlx::query(EXPIRE_MEETINGS).bind(before.0).bind(EXPIRE_AT_ONCE).execute(&self.pool);
        Ok(done.await?.rows_affected())
    }

    async fn select_one(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

impl Store for SqliteStore {
    fn create_meeting(&self, meeting: Meeting) -> BoxFuture<'_, Result<(), CreateMeetingError>> {
        self.insert_meeting(meeting).boxed()
    }

    fn meeting(&self, id: MeetingId) -> BoxFuture<'_, Result<Option<Meeting>, StoreError>> {
        self.select_meeting(id).boxed()
    }

    fn sessions(&self, meeting: MeetingId) -> BoxFuture<'_, Result<Sessions, StoreError>> {
        self.select_sessions(meeting).boxed()
    }

    fn save_sessions(
        &self,
        meeting: MeetingId,
        sessions: Vec<Session>,
        seen: UnixMillis,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write(Change::SaveSessions { meeting, sessions, seen }).boxed()
    }

    fn forget_session(
        &self,
        meeting: MeetingId,
        participant: ParticipantId,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write(Change::ForgetSession { meeting, participant }).boxed()
    }

    fn touch_sessions(
        &self,
        meetings: Vec<MeetingId>,
        seen: UnixMillis,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.update_seen(meetings, seen).boxed()
    }

    fn group(&self, meeting: MeetingId) -> BoxFuture<'_, Result<Option<KeptGroup>, StoreError>> {
        self.select_group(meeting).boxed()
    }

    fn save_group(
        &self,
        meeting: MeetingId,
        change: GroupChange,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write(Change::SaveGroup { meeting, change }).boxed()
    }

    fn end_call(&self, meeting: MeetingId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.writer.write(Change::EndCall { meeting }).boxed()
    }

    fn expire_sessions(&self, before: UnixMillis) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.delete_stale_sessions(before).boxed()
    }

    fn expire_meetings(&self, before: UnixMillis) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.delete_unused_meetings(before).boxed()
    }

    fn server_key(
        &self,
        key: ServerKey,
        fresh: Zeroizing<[u8; 32]>,
    ) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, StoreError>> {
        self.find_or_keep_key(key, fresh).boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.select_one().boxed()
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The schema cannot be brought up to date: a newer version wrote this file, or it is
    /// damaged.
    #[error("cannot bring the database's schema up to date")]
    Migrate(#[source] MigrateError),
    /// The file cannot be opened or created.
    #[error("cannot open the database")]
    Open(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Notes that a meeting is in use.
async fn note_use(
    transaction: &mut Transaction<'_, Sqlite>,
    meeting: &MeetingId,
    seen: UnixMillis,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE meetings SET used_ms = $2 WHERE id = $1 AND used_ms < $2")
        .bind(id_bytes(meeting))
        .bind(seen.0)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn meeting_of(id: MeetingId, row: &SqliteRow) -> Result<Meeting, StoreError> {
    let sealed_title: Vec<u8> = row.try_get("sealed_title")?;
    Ok(Meeting {
        id,
        token_hash: hash_of(row.try_get("token_hash")?, "token_hash")?,
        sealed_title: SealedBlob::new(sealed_title)
            .map_err(|_| StoreError::Malformed { column: "sealed_title" })?,
        policy: row.try_get("policy")?,
        created: UnixMillis(row.try_get("created_ms")?),
    })
}

fn session_of(row: &SqliteRow) -> Result<Session, StoreError> {
    let proven: Option<Vec<u8>> = row.try_get("proven_hash")?;
    Ok(Session {
        participant: participant_of(row.try_get("participant")?, "participant")?,
        token: hash_of(row.try_get("token_hash")?, "token_hash")?,
        proven: proven.map(|bytes| hash_of(bytes, "proven_hash")).transpose()?,
    })
}

fn participant_of(value: i64, column: &'static str) -> Result<ParticipantId, StoreError> {
    u32::try_from(value).map(ParticipantId).map_err(|_| StoreError::Malformed { column })
}

fn hash_of(bytes: Vec<u8>, column: &'static str) -> Result<TokenHash, StoreError> {
    bytes.try_into().map(TokenHash::from_bytes).map_err(|_| StoreError::Malformed { column })
}

fn id_bytes(id: &MeetingId) -> &[u8] {
    id.as_bytes()
}

fn hash_bytes(hash: &TokenHash) -> &[u8] {
    hash.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn house_keeping_looks_at_no_meeting_that_it_need_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("conclave.db")).await.unwrap();

        for (statement, index) in
            [(FORGET_COUNTS, "meetings_in_call"), (EXPIRE_MEETINGS, "meetings_used")]
        {
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
                .bind(0)
                .bind(0)
                .fetch_all(&store.pool)
                .await
                .unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();

            assert!(plan.iter().any(|step| step.contains(index)), "{plan:?}");
            assert!(!plan.contains(&"SCAN meetings".to_owned()), "{plan:?}");
        }
    }
}
