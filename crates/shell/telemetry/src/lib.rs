//! Logs and metrics without personal data.
//!
//! What identifies people (names, tokens, meeting ids, addresses) is logged below INFO, if at
//! all; calls and participants are told apart by serial numbers. Metrics carry no label that a
//! person could be found by.

mod log;
mod metric;
mod panics;

pub use log::{LogConfig, LogError, LogFormat, init_log};
pub use metric::{Metrics, MetricsError};
pub use panics::watch_panics;
