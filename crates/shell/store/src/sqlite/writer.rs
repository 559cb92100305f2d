//! What calls change all the time, written by one hand: changes that come while others are on their
//! way to the disk share the next way there. A disk takes milliseconds for each, and when many
//! people come at once, each of them would wait for all before.

use std::fmt;

use conclave_model::{MeetingId, ParticipantId};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, Sqlite, Transaction};
use tokio::sync::{mpsc, oneshot};

use super::{hash_bytes, id_bytes};
use crate::store::{GroupChange, Session, StoreError, UnixMillis};

/// Changes that may wait before those who ask for more have to.
const QUEUE: usize = 256;

/// Changes in one transaction: as many as take no noticeable time.
const BATCH: usize = 128;

/// What calls change.
pub(super) enum Change {
    /// Forget the group and all sessions of a meeting's call.
    EndCall { meeting: MeetingId },
    /// Forget one session.
    ForgetSession { meeting: MeetingId, participant: ParticipantId },
    /// Keep what has changed of a call's group.
    SaveGroup { meeting: MeetingId, change: GroupChange },
    /// Keep sessions.
    SaveSessions { meeting: MeetingId, sessions: Vec<Session>, seen: UnixMillis },
}

/// The way to the writing hand, which works in a task of its own as long as there is a way to it.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Write>,
}

/// A change that somebody waits for.
struct Write {
    change: Change,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    /// Starts to write to a database.
    pub(super) fn start(pool: SqlitePool) -> Self {
        let (queue, changes) = mpsc::channel(QUEUE);
        tokio::spawn(write_batches(pool, changes));
        Self { queue }
    }

    /// Makes a change, after all that were asked for before. Once this has answered, it is on disk.
    pub(super) async fn write(&self, change: Change) -> Result<(), StoreError> {
        let gone = || StoreError::Database(sqlx::Error::WorkerCrashed);
        let (done, written) = oneshot::channel();
        self.queue.send(Write { change, done }).await.map_err(|_| gone())?;
        written.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Write(..)")
    }
}

/// Writes whatever waits, again and again.
async fn write_batches(pool: SqlitePool, mut changes: mpsc::Receiver<Write>) {
    // Listens from here on: one that began to listen at each turn could miss it.
    let mut closed = pool.close_event();
    let mut hand = Hand { connection: None, pool: pool.clone() };
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let taken = tokio::select! {
            biased;
            // The pool waits for its connections before it closes.
            () = &mut closed, if hand.connection.is_some() => {
                hand.connection = None;
                continue;
            }
            taken = changes.recv_many(&mut batch, BATCH) => taken,
        };
        if taken == 0 {
            return;
        }
        let together = batch.len() > 1 && hand.write(&batch).await.is_ok();
        for write in batch.drain(..) {
            // One that cannot be written does not take the others with it.
            let done =
                if together { Ok(()) } else { hand.write(std::slice::from_ref(&write)).await };
            // Whoever asked may be gone.
            let _ = write.done.send(done);
        }
    }
}

/// What writes.
struct Hand {
    /// Kept from one write to the next: to take one from the pool and to give it back takes as long as
    /// to write.
    connection: Option<PoolConnection<Sqlite>>,
    pool: SqlitePool,
}

impl Hand {
    /// Makes changes in one transaction: all of them, or none.
    async fn write(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        // After a failure the pool finds out whether the connection is of use still.
        write_all(&mut connection, writes).await?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// Makes changes in one transaction: all of them, or none.
async fn write_all(
    connection: &mut PoolConnection<Sqlite>,
    writes: &[Write],
) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    for Write { change, .. } in writes {
        match change {
            Change::EndCall { meeting } => end_call(&mut transaction, meeting).await?,
            Change::ForgetSession { meeting, participant } => {
                forget_session(&mut transaction, meeting, *participant).await?;
            }
            Change::SaveGroup { meeting, change } => {
                save_group(&mut transaction, meeting, change).await?;
            }
            Change::SaveSessions { meeting, sessions, seen } => {
                save_sessions(&mut transaction, meeting, sessions, *seen).await?;
            }
        }
    }
    Ok(transaction.commit().await?)
}

async fn save_sessions(
    transaction: &mut Transaction<'_, Sqlite>,
    meeting: &MeetingId,
    sessions: &[Session],
    seen: UnixMillis,
) -> Result<(), StoreError> {
    for session in sessions {
        // Two statements on one way to the thread that works on the file: the way is most of it.
        sqlx::query(
            "INSERT INTO sessions (meeting, participant, token_hash, proven_hash, seen_ms) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (meeting, participant) DO UPDATE SET \
             token_hash = excluded.token_hash, proven_hash = excluded.proven_hash, \
             seen_ms = excluded.seen_ms; \
             UPDATE meetings SET \
             next_participant = CASE WHEN next_participant <= $2 THEN $2 + 1 ELSE next_participant END, \
             used_ms = CASE WHEN used_ms < $5 THEN $5 ELSE used_ms END WHERE id = $1",
        )
        .bind(id_bytes(meeting))
        .bind(i64::from(session.participant.0))
        .bind(hash_bytes(&session.token))
        .bind(session.proven.as_ref().map(hash_bytes))
        .bind(seen.0)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

async fn forget_session(
    transaction: &mut Transaction<'_, Sqlite>,
    meeting: &MeetingId,
    participant: ParticipantId,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM sessions WHERE meeting = $1 AND participant = $2")
        .bind(id_bytes(meeting))
        .bind(i64::from(participant.0))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn end_call(
    transaction: &mut Transaction<'_, Sqlite>,
    meeting: &MeetingId,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM sessions WHERE meeting = $1; \
         UPDATE meetings SET next_participant = 1 WHERE id = $1; \
         DELETE FROM group_states WHERE meeting = $1",
    )
    .bind(id_bytes(meeting))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn save_group(
    transaction: &mut Transaction<'_, Sqlite>,
    meeting: &MeetingId,
    change: &GroupChange,
) -> Result<(), StoreError> {
    let GroupChange { state, log, epochs } = change;
    sqlx::query(
        "INSERT INTO group_states (meeting, state) VALUES ($1, $2) \
         ON CONFLICT (meeting) DO UPDATE SET state = excluded.state; \
         DELETE FROM group_log WHERE meeting = $1 AND (epoch < $3 OR epoch >= $4)",
    )
    .bind(id_bytes(meeting))
    .bind(state)
    .bind(number_of(epochs.start)?)
    .bind(number_of(epochs.end)?)
    .execute(&mut **transaction)
    .await?;
    for (epoch, entry) in log {
        sqlx::query(
            "INSERT INTO group_log (meeting, epoch, entry) VALUES ($1, $2, $3) \
             ON CONFLICT (meeting, epoch) DO UPDATE SET entry = excluded.entry",
        )
        .bind(id_bytes(meeting))
        .bind(number_of(*epoch)?)
        .bind(entry)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// A number as a column holds it. Epochs count commits: none comes near the limit.
fn number_of(epoch: u64) -> Result<i64, StoreError> {
    i64::try_from(epoch).map_err(|_| StoreError::Malformed { column: "epoch" })
}
