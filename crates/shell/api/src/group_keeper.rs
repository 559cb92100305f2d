use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use conclave_call_proto::Call;
use conclave_delivery::{LogEntry, RestoreError, SaveError, Snapshot};
use conclave_model::MeetingId;
use conclave_store::{GroupChange, KeptGroup, Store};
use tokio::task::JoinHandle;

/// Writes one call's group to the store, apart from the call, which goes on meanwhile; what it has
/// to say of the change waits.
///
/// Only the newest state counts: one write is under way, and the next one is for all changes that
/// came in between. A store that fails keeps nobody waiting: the call goes on, it only will not
/// outlive the process.
pub(crate) struct GroupKeeper {
    meeting: MeetingId,
    store: Arc<dyn Store>,
    /// How often the group has changed.
    changes: u64,
    /// How many of these changes are written, or will be by what is under way.
    begun: u64,
    /// How many are written.
    kept: u64,
    writing: Option<JoinHandle<Vec<LogEntry>>>,
    /// The commits that are written.
    log: Vec<LogEntry>,
}

impl GroupKeeper {
    pub(crate) const fn new(meeting: MeetingId, store: Arc<dyn Store>) -> Self {
        Self { meeting, store, changes: 0, begun: 0, kept: 0, writing: None, log: Vec::new() }
    }

    /// Notes that the group has changed.
    pub(crate) const fn note_change(&mut self) {
        self.changes += 1;
    }

    /// How often the group has changed.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// How many of these changes are kept.
    pub(crate) const fn kept(&self) -> u64 {
        self.kept
    }

    /// Begins to write what the group is like now, if it has changed and no write is under way.
    /// Answers whether one is: [wait](Self::written), and ask again, until everything is kept.
    pub(crate) fn keep(&mut self, call: &Call) -> bool {
        if self.writing.is_none() && self.begun < self.changes {
            self.begun = self.changes;
            match call.group_snapshot() {
                Some(snapshot) => {
                    let known = std::mem::take(&mut self.log);
                    let write = write(self.meeting, Arc::clone(&self.store), snapshot, known);
                    self.writing = Some(tokio::spawn(write));
                }
                // There is no group any more: who comes back to the old one comes in anew.
                None => self.kept = self.begun,
            }
        }
        self.writing.is_some()
    }

    /// Waits until a write is done; for ever if none is under way. May be dropped while it waits.
    pub(crate) async fn written(&mut self) {
        match &mut self.writing {
            Some(writing) => {
                // An error means that the process ends.
                self.log = writing.await.unwrap_or_default();
                self.writing = None;
                self.kept = self.begun;
            }
            None => std::future::pending().await,
        }
    }
}

/// Writes the group's state, and those commits that are not `known` to be written. Answers which
/// are then; if the store fails, none, so that all are written the next time.
async fn write(
    meeting: MeetingId,
    store: Arc<dyn Store>,
    snapshot: Snapshot,
    known: Vec<LogEntry>,
) -> Vec<LogEntry> {
    let started = Instant::now();
    let encoded = tokio::task::spawn_blocking(move || encode(snapshot, &known)).await;
    let log = match encoded {
        Ok(Ok((change, log))) => match store.save_group(meeting, change).await {
            Ok(()) => log,
            Err(error) => {
                metrics::counter!("conclave_store_failures_total").increment(1);
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the store cannot keep a group");
                Vec::new()
            }
        },
        Ok(Err(error)) => {
            tracing::error!(%error, "a group's state cannot be written");
            Vec::new()
        }
        // The process ends.
        Err(_) => Vec::new(),
    };
    metrics::histogram!("conclave_group_keep_seconds").record(started.elapsed().as_secs_f64());
    log
}

fn encode(
    mut snapshot: Snapshot,
    known: &[LogEntry],
) -> Result<(GroupChange, Vec<LogEntry>), SaveError> {
    let log = snapshot.take_log();
    let known: BTreeMap<_, _> = known.iter().map(|entry| (entry.epoch(), entry)).collect();
    let new = log.iter().filter(|entry| known.get(&entry.epoch()) != Some(entry));
    let new = new.map(|entry| Ok((entry.epoch(), entry.to_bytes()?)));
    let epochs = match (log.first(), log.last()) {
        (Some(first), Some(last)) => first.epoch()..last.epoch() + 1,
        _ => 0..0,
    };
    let change = GroupChange {
        state: snapshot.to_bytes()?,
        log: new.collect::<Result<_, SaveError>>()?,
        epochs,
    };
    Ok((change, log))
}

/// Reads what was kept of a call's group. What cannot be read is as good as lost: its members come
/// in anew.
pub(crate) fn read(kept: &KeptGroup) -> Option<Snapshot> {
    let log = kept.log.iter().map(|entry| LogEntry::from_bytes(entry));
    let log: Result<Vec<_>, RestoreError> = log.collect();
    Snapshot::from_bytes(&kept.state)
        .and_then(|snapshot| Ok(snapshot.with_log(log?)))
        .inspect_err(|error| tracing::error!(%error, "a kept group cannot be read"))
        .ok()
}
