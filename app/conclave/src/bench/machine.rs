use std::fmt;

use serde::Serialize;

/// Where it was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) processor: String,
    /// How many threads run at a time.
    pub(super) threads: usize,
    /// Whether the build is optimised.
    pub(super) release: bool,
    pub(super) version: &'static str,
}

impl Machine {
    /// The one that this runs on.
    pub(super) fn this() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.and_then(|rest| rest.split_once(':')).map(|(_, name)| name.trim());
        Self {
            processor: model.unwrap_or("unknown").to_owned(),
            threads: std::thread::available_parallelism().map_or(1, Into::into),
            release: !cfg!(debug_assertions),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = if self.release { "release" } else { "development" };
        write!(f, "A {build} build on {} threads of {}.", self.threads, self.processor)
    }
}
