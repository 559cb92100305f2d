use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// How to log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// What to log: a level, or levels by module, as in `info,conclave_api=debug`.
    pub level: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For reading.
    Text,
}

/// These libraries put network addresses into what they say at INFO, or what strangers sent into
/// what they say at WARN.
const QUIET: &str = "warn,str0m=warn,str0m_proto=warn,is=warn,dimpl=warn,stun_types=off";

/// Logs to standard error from here on, for the whole process.
///
/// # Errors
///
/// [`LogError::Level`] if the level cannot be understood; [`LogError::Taken`] if the process
/// logs elsewhere.
pub fn init_log(config: &LogConfig) -> Result<(), LogError> {
    let filter = filter(&config.level)?;
    let ansi = std::io::stderr().is_terminal();
    subscriber(config.format, filter, ansi, std::io::stderr).try_init().map_err(LogError::Taken)
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    // Later directives of one target replace earlier ones: the administrator has the last word.
    EnvFilter::try_new(format!("{QUIET},{level}")).map_err(LogError::Level)
}

fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    ansi: bool,
    writer: W,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Json => Box::new(registry.with(layer.json().flatten_event(true))),
        LogFormat::Text => Box::new(registry.with(layer.with_ansi(ansi))),
    }
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level cannot be understood.
    #[error("the log level is a level (`info`) or levels by module (`info,conclave_api=debug`)")]
    Level(#[source] ParseError),
    /// The process logs elsewhere.
    #[error("the process has a logger")]
    Taken(#[source] TryInitError),
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn logged(format: LogFormat, level: &str, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let subscriber = subscriber(format, filter(level).unwrap(), false, lines.clone());
        tracing::subscriber::with_default(subscriber, work);
        lines.text()
    }

    #[test]
    fn a_json_line_is_one_object_with_its_fields() {
        let text = logged(LogFormat::Json, "info", || tracing::info!(call = 7, "call started"));

        assert_eq!(text.lines().count(), 1);
        assert!(text.starts_with('{') && text.contains(r#""call":7"#), "{text}");
        assert!(text.contains(r#""message":"call started""#), "{text}");
    }

    #[test]
    fn the_level_holds_back_what_is_below_it() {
        let text = logged(LogFormat::Text, "info", || {
            tracing::debug!("hidden");
            tracing::info!("shown");
        });

        assert!(text.contains("shown") && !text.contains("hidden"), "{text}");
    }

    #[test]
    fn libraries_that_name_addresses_are_quiet_unless_asked() {
        let speak = || tracing::info!(target: "str0m::ice", "candidate 192.0.2.7");

        assert_eq!(logged(LogFormat::Text, "info", speak), "");
        assert!(logged(LogFormat::Text, "info,str0m=info", speak).contains("192.0.2.7"));
    }

    #[test]
    fn a_library_that_warns_of_what_strangers_send_is_silent() {
        let speak = || tracing::warn!(target: "stun_types::message", "from 192.0.2.7");

        assert_eq!(logged(LogFormat::Text, "info", speak), "");
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!(matches!(filter("conclave=loud"), Err(LogError::Level(_))));
    }
}
