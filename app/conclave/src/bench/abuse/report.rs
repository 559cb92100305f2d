//! What was measured, for people and for programs.

use serde::Serialize;

use super::measured::{HalfLoad, Measured};
use crate::bench::machine::Machine;
use crate::bench::output::{self, Column, Render, number, rows};

/// All that was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) cases: Vec<Measured>,
    pub(super) half_load: Vec<HalfLoad>,
}

const CASES: &[Column<Measured>] = &[
    ("abuse", |row| row.case.words().to_owned()),
    ("datagrams/s", |row| format!("{:.0}", row.sent_per_second)),
    ("delay p50 / p99, before", |row| delay(row, 0)),
    ("meanwhile", |row| delay(row, 1)),
    ("afterwards", |row| delay(row, 2)),
    ("added p99", |row| format!("{:.2}", row.added_us() as f64 / 1000.0)),
    ("bound", |row| row.case.bound().as_millis().to_string()),
    ("lost", |row| row.lost.to_string()),
    ("server busy, before", |row| busy(row, 0)),
    ("meanwhile", |row| busy(row, 1)),
    ("kept", |row| row.verdict().to_owned()),
];

const COUNTED: &[Column<Measured>] = &[
    ("abuse", |row| row.case.words().to_owned()),
    ("counted by the server", |row| {
        let name = |name: &str| name.trim_start_matches("conclave_").replace('"', "");
        let counts = row.counted.iter().map(|(metric, count)| format!("{} {count}", name(metric)));
        counts.collect::<Vec<_>>().join(", ")
    }),
];

const HALF_LOAD: &[Column<HalfLoad>] = &[
    ("cameras", |row| row.calls.to_string()),
    ("each to", |row| row.subscribers.to_string()),
    ("packets a frame", |row| row.burst.to_string()),
    ("packets/s", |row| format!("{:.0}", row.forwarded_per_second)),
    ("server busy", |row| percent(row.phase.server_busy)),
    ("clients busy", |row| percent(row.phase.clients_busy)),
    ("delay p50 / p99", |row| {
        let delay = &row.phase.delay_us;
        format!("{} / {}", milliseconds(delay.p50), milliseconds(delay.p99))
    }),
    ("floor p50 / p99", |row| {
        let floor = &row.phase.floor_us;
        format!("{} / {}", milliseconds(floor.p50), milliseconds(floor.p99))
    }),
    ("added p50 / p99", |row| {
        let (delay, floor) = (&row.phase.delay_us, &row.phase.floor_us);
        let added = |delay: u32, floor| milliseconds(delay.saturating_sub(floor));
        format!("{} / {}", added(delay.p50, floor.p50), added(delay.p99, floor.p99))
    }),
    ("lost", |row| row.phase.expected.saturating_sub(row.phase.delivered).to_string()),
];

/// How to read the figures.
const NOTES: &str = "\
Delays are in milliseconds, of every packet to every bystander: from just before its publisher seals
and sends it until the kernel has it for the bystander's socket, whenever that is read. Added is how
much later packets came at the 99th percentile than the mean of before and afterwards. Lost is what
never came, retransmissions included, in all three phases. Counters are told once a second, so they
have up to a second of ordinary work in them. The floor is a datagram from one socket to another.
";

impl Measured {
    /// Whether it says that a bound is not kept.
    pub(super) fn is_broken(&self) -> bool {
        self.void.is_empty() && !self.holds()
    }

    fn verdict(&self) -> &'static str {
        match (self.void.is_empty(), self.holds()) {
            (false, _) => "void",
            (true, false) => "NO",
            (true, true) => "yes",
        }
    }
}

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let mut text = format!("{}\n\n", self.machine);
        if !self.cases.is_empty() {
            text.push_str(&render(&rows(CASES, &self.cases)));
            text.push('\n');
            text.push_str(&render(&rows(COUNTED, &self.cases)));
            text.push('\n');
        }
        if !self.half_load.is_empty() {
            text.push_str(&render(&rows(HALF_LOAD, &self.half_load)));
            text.push('\n');
        }
        let voids = self.cases.iter().map(|row| (row.case.words(), &row.void));
        let half_load = self.half_load.iter().map(|row| ("half load", &row.void));
        for (what, void) in voids.chain(half_load).filter(|(_, void)| !void.is_empty()) {
            text.push_str(&format!("VOID, {what}: {}.\n", void.join("; ")));
        }
        text.push_str(NOTES);
        text
    }
}

fn delay(row: &Measured, phase: usize) -> String {
    let delay = row.phases.get(phase).map(|phase| &phase.delay_us);
    delay
        .map(|delay| format!("{} / {}", milliseconds(delay.p50), milliseconds(delay.p99)))
        .unwrap_or_default()
}

fn busy(row: &Measured, phase: usize) -> String {
    row.phases.get(phase).map(|phase| percent(phase.server_busy)).unwrap_or_default()
}

fn milliseconds(microseconds: u32) -> String {
    number(f64::from(microseconds) / 1000.0)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
