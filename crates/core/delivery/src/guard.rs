use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls into the library with foreign bytes; a panic in there is that message's refusal and
/// nobody's end.
///
/// The library promises errors for whatever comes in. Should it be wrong once, the members of the
/// call must not pay for what one of them sent. The caller sees to it that nothing half-changed is
/// used after a panic; the process's panic hook counts and reports it.
///
/// A build that aborts on panic has no such boundary: the server's profiles unwind.
pub(crate) fn call<T>(library: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(library)).map_err(|_| Panicked)
}

/// The library broke.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Panicked;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_anything_else_passes() {
        assert_eq!(call(|| 1), Ok(1));
        assert_eq!(call(|| -> u32 { panic!("planted") }), Err(Panicked));
    }
}
