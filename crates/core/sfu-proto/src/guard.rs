use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls into a session; a panic inside is that session's end and nobody else's.
///
/// str0m promises that input causes no panic. Should it be wrong once, the other sessions of the
/// node must not pay for it. The session is thrown away after a panic, so a broken invariant in
/// it is never seen.
pub(crate) fn call<T>(session: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(session)).map_err(|_| Panicked)
}

/// The session broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Panicked;
