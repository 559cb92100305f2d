use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use conclave_e2ee::Now;
use rustix::time::{ClockId, clock_gettime};

/// The real time, of which what is only waited for can be left out: pauses that the protocol keeps
/// between commits.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    start_unix_s: u64,
    skipped_ms: AtomicU64,
}

impl Clock {
    pub(super) fn new() -> anyhow::Result<Self> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let start_unix_s = unix.context("the system's clock is before 1970")?.as_secs();
        Ok(Self { start: Instant::now(), start_unix_s, skipped_ms: AtomicU64::new(0) })
    }

    /// Since the meeting began, with what was skipped.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed() + Duration::from_millis(self.skipped_ms.load(Ordering::Relaxed))
    }

    pub(super) fn instant(&self) -> Instant {
        self.start + self.elapsed()
    }

    pub(super) fn now(&self) -> Now {
        let at = self.elapsed();
        Now { at, unix_s: self.start_unix_s + at.as_secs() }
    }

    /// Lets time pass at once.
    pub(super) fn skip(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or_default();
        self.skipped_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

/// The processor time that this thread has used.
pub(super) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// What a thread has used so far, for others to read.
#[derive(Debug, Default)]
pub(super) struct Used(AtomicU64);

impl Used {
    /// Notes what the calling thread has used.
    pub(super) fn note(&self) {
        self.0.store(u64::try_from(cpu().as_micros()).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}
