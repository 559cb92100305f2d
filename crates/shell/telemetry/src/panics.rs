use std::panic::{PanicHookInfo, set_hook};

/// Counts and logs panics from here on, for the whole process, also those that are contained where
/// foreign bytes meet a library.
///
/// Logged is where it happened, and what was said only if the program's text says it: a message
/// that was put together may quote what somebody sent.
pub fn watch_panics() {
    set_hook(Box::new(report));
}

fn report(panic: &PanicHookInfo<'_>) {
    metrics::counter!("conclave_panics_total").increment(1);
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload().downcast_ref::<&'static str>().copied();
    let message = message.unwrap_or("(withheld: it may quote what was sent)");
    tracing::error!(at, message, "a panic");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::panic::catch_unwind;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_logged_by_its_place_and_without_what_was_sent() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let sent = "Ada Lovelace".to_owned();

        tracing::subscriber::with_default(subscriber, || {
            let before = std::panic::take_hook();
            watch_panics();
            assert!(catch_unwind(|| panic!("cannot read {sent}")).is_err());
            assert!(catch_unwind(|| panic!("a fixed text")).is_err());
            set_hook(before);
        });

        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("panics.rs:").count(), 2, "{text}");
        assert!(text.contains("a fixed text") && !text.contains("Ada"), "{text}");
    }
}
