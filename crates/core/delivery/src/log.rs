use std::collections::VecDeque;
use std::sync::Arc;

use crate::limits::{MAX_LOG_COMMITS, MAX_LOG_LEN};
use crate::message::CommitHash;

/// The latest commits, for members that missed some.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Entry>,
    len: usize,
}

/// One epoch's end.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The epoch that the commit was made in.
    pub(crate) epoch: u64,
    pub(crate) hash: CommitHash,
    /// What was proposed before: the commit may refer to it.
    pub(crate) proposals: Vec<Arc<[u8]>>,
    pub(crate) commit: Arc<[u8]>,
}

impl Entry {
    fn len(&self) -> usize {
        self.commit.len() + self.proposals.iter().map(|proposal| proposal.len()).sum::<usize>()
    }
}

impl Log {
    pub(crate) fn push(&mut self, entry: Entry) {
        self.len += entry.len();
        self.entries.push_back(entry);
        while self.entries.len() > MAX_LOG_COMMITS || self.len > MAX_LOG_LEN {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.len -= oldest.len();
        }
    }

    /// Takes back the last commit, which is void.
    pub(crate) fn pop(&mut self) {
        if let Some(last) = self.entries.pop_back() {
            self.len -= last.len();
        }
    }

    /// What leads from `epoch` to `now`; nothing if it is not all there.
    pub(crate) fn since(&self, epoch: u64, now: u64) -> Option<Vec<Arc<[u8]>>> {
        let missing: Vec<_> = self.entries.iter().filter(|entry| entry.epoch >= epoch).collect();
        if u64::try_from(missing.len()).ok()? != now.checked_sub(epoch)? {
            return None;
        }
        let messages = missing
            .into_iter()
            .flat_map(|entry| entry.proposals.iter().chain(Some(&entry.commit)))
            .cloned();
        Some(messages.collect())
    }

    pub(crate) fn contains(&self, hash: CommitHash) -> bool {
        self.entries.iter().any(|entry| entry.hash == hash)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}
