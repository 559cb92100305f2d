//! Which processor core does what.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A core for what is measured and one for everything else, if this process may use two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cores(Option<[usize; 2]>);

impl Cores {
    /// The first two that the calling thread may use.
    pub(super) fn choose() -> Self {
        let Ok(allowed) = sched_getaffinity(None) else { return Self(None) };
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Self(cores.next().zip(cores.next()).map(<[usize; 2]>::from))
    }

    /// Whether what is measured has a core for itself.
    pub(super) const fn are_two(self) -> bool {
        self.0.is_some()
    }

    /// Puts the calling thread on the core for what is measured.
    pub(super) fn take_measured(self) {
        self.0.map(|[measured, _]| pin(measured));
    }

    /// Puts the calling thread on the other core.
    pub(super) fn take_other(self) {
        self.0.map(|[_, other]| pin(other));
    }
}

/// Binds the calling thread, and all that it starts from here on, to a processor core. Returns
/// whether that worked: where it is not allowed, figures are only noisier.
pub(super) fn pin(core: usize) -> bool {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).is_ok()
}
