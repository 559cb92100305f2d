//! What the system tells of a process: its processor time and its memory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

/// The processor core of the server.
pub(in crate::bench) const SERVER_CORE: usize = 0;

/// The processor core of the clients.
pub(in crate::bench) const CLIENTS_CORE: usize = 1;

/// The processor time that all threads of a process have used so far.
pub(in crate::bench) fn cpu(process: u32) -> anyhow::Result<Duration> {
    let tasks = format!("/proc/{process}/task");
    let mut used = Duration::ZERO;
    for task in fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
        used += cpu_of_thread(&task?.path())?;
    }
    Ok(used)
}

/// The processor time that this machine has used so far, to 10 ms.
pub(super) fn machine_cpu() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let times: Vec<u64> =
        line.split_whitespace().skip(1).map_while(|time| time.parse().ok()).collect();
    // The fourth and fifth are what it was idle, and the last two are in the first two.
    let used = times.iter().take(8).enumerate().filter(|(place, _)| !(3..=4).contains(place));
    Ok(Duration::from_millis(10) * u32::try_from(used.map(|(_, time)| time).sum::<u64>())?)
}

fn cpu_of_thread(task: &Path) -> anyhow::Result<Duration> {
    let path = task.join("schedstat");
    // A thread that has just ended is no error.
    let text = fs::read_to_string(&path).unwrap_or_else(|_ended| "0".to_owned());
    let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse().ok());
    nanoseconds.map(Duration::from_nanos).with_context(|| format!("no time in {}", path.display()))
}

/// The memory that a process has in use, in kilobytes of 1,000 bytes.
pub(in crate::bench) fn resident_kb(process: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u32>().ok());
    kibibytes.map(|size| f64::from(size) * 1.024).with_context(|| format!("no VmRSS in {path}"))
}
