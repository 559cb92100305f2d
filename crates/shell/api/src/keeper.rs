use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use conclave_call_proto::SessionRecord;
use conclave_model::{MeetingId, ParticipantId};
use conclave_store::{Session, Store, UnixMillis};
use tokio::sync::{mpsc, oneshot};

/// What a call asks its keeper.
#[derive(Debug)]
pub(crate) enum Keep {
    /// Forget the call's sessions, then say so.
    End(oneshot::Sender<()>),
    /// Say when all that was asked before is done.
    Flush(oneshot::Sender<()>),
    /// Forget one session.
    Forget(ParticipantId),
    /// Keep a session.
    Save(SessionRecord),
}

/// How many requests to take at once: those who come together share a transaction.
const BATCH: usize = 64;

/// Writes one call's sessions to the store, in order and apart from the call, which goes on
/// meanwhile. Each kept record is answered by `persisted`, even if the store failed: a call does
/// not stop because a disk is full, it only will not outlive the process.
pub(crate) async fn keep(
    meeting: MeetingId,
    store: Arc<dyn Store>,
    mut requests: mpsc::UnboundedReceiver<Keep>,
    persisted: mpsc::UnboundedSender<SessionRecord>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while requests.recv_many(&mut batch, BATCH).await > 0 {
        let mut saves = Vec::new();
        for request in batch.drain(..) {
            match request {
                Keep::Save(record) => saves.push(record),
                Keep::Forget(participant) => {
                    save(meeting, &*store, &mut saves, &persisted).await;
                    let done = store.forget_session(meeting, participant).await;
                    report("forget a session", done);
                }
                Keep::Flush(done) => {
                    save(meeting, &*store, &mut saves, &persisted).await;
                    // The call may be gone with the process.
                    let _ = done.send(());
                }
                Keep::End(ended) => {
                    save(meeting, &*store, &mut saves, &persisted).await;
                    report("end a call", store.end_call(meeting).await);
                    // The call may be gone with the process.
                    let _ = ended.send(());
                }
            }
        }
        save(meeting, &*store, &mut saves, &persisted).await;
    }
}

/// The time of day, as the store notes it.
pub(crate) fn unix_now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

async fn save(
    meeting: MeetingId,
    store: &dyn Store,
    saves: &mut Vec<SessionRecord>,
    persisted: &mpsc::UnboundedSender<SessionRecord>,
) {
    if saves.is_empty() {
        return;
    }
    let sessions = saves.iter().map(session_of).collect();
    report("keep sessions", store.save_sessions(meeting, sessions, unix_now()).await);
    for record in saves.drain(..) {
        // The call may be gone with the process.
        let _ = persisted.send(record);
    }
}

const fn session_of(record: &SessionRecord) -> Session {
    Session { participant: record.participant, token: record.token, proven: record.proven }
}

fn report(what: &str, done: Result<(), conclave_store::StoreError>) {
    if let Err(error) = done {
        metrics::counter!("conclave_store_failures_total").increment(1);
        tracing::error!(error = &error as &dyn std::error::Error, "the store cannot {what}");
    }
}
