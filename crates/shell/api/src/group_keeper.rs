use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_call_proto::Call;
use conclave_delivery::Snapshot;
use conclave_model::MeetingId;
use conclave_store::Store;
use tokio::task::JoinHandle;

use crate::call_task::sleep_until;

/// Writes one call's group to the store, apart from the call, which goes on meanwhile.
///
/// Only the newest state counts: however often the group changes, one write is under way, and for
/// most of the time none, be the group large and the disk slow.
pub(crate) struct GroupKeeper {
    meeting: MeetingId,
    store: Arc<dyn Store>,
    /// The group has changed since its state was last taken.
    changed: bool,
    /// Answers how long it took.
    writing: Option<JoinHandle<Duration>>,
    rest_until: Instant,
}

/// How many times longer than it wrote it rests.
const REST: u32 = 4;

impl GroupKeeper {
    pub(crate) fn new(meeting: MeetingId, store: Arc<dyn Store>) -> Self {
        Self { meeting, store, changed: false, writing: None, rest_until: Instant::now() }
    }

    /// Notes that the group has changed.
    pub(crate) const fn note_change(&mut self) {
        self.changed = true;
    }

    /// Waits until it is time to [`keep`](Self::keep) the group. May be dropped while it waits.
    pub(crate) async fn due(&mut self) {
        self.finish().await;
        if self.changed {
            sleep_until(Some(self.rest_until)).await;
        } else {
            std::future::pending().await
        }
    }

    /// Begins to write what the group is like now, if it has changed.
    pub(crate) fn keep(&mut self, call: &Call) {
        let changed = std::mem::take(&mut self.changed);
        if let Some(snapshot) = call.group_snapshot().filter(|_| changed) {
            let write = write(self.meeting, Arc::clone(&self.store), snapshot);
            self.writing = Some(tokio::spawn(write));
        }
    }

    /// Waits until what was begun is written.
    pub(crate) async fn finish(&mut self) {
        if let Some(writing) = &mut self.writing {
            let took = writing.await.unwrap_or_default();
            self.writing = None;
            self.rest_until = Instant::now() + took * REST;
        }
    }
}

async fn write(meeting: MeetingId, store: Arc<dyn Store>, snapshot: Snapshot) -> Duration {
    let started = Instant::now();
    let encoded = tokio::task::spawn_blocking(move || serde_json::to_vec(&snapshot)).await;
    match encoded {
        Ok(Ok(state)) => {
            if let Err(error) = store.save_group(meeting, state).await {
                metrics::counter!("conclave_store_failures_total").increment(1);
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the store cannot keep a group");
            }
        }
        Ok(Err(error)) => tracing::error!(%error, "a group's state cannot be written"),
        // The process ends.
        Err(_) => {}
    }
    started.elapsed()
}

/// Reads what was kept of a call's group. What cannot be read is as good as lost: its members come
/// in anew.
pub(crate) fn read(state: &[u8]) -> Option<Snapshot> {
    serde_json::from_slice(state)
        .inspect_err(|error| tracing::error!(%error, "a kept group cannot be read"))
        .ok()
}
