//! What was measured, for people and for programs.

use serde::Serialize;

use super::measured::Measured;
use crate::bench::machine::Machine;
use crate::bench::output::{self, Column, Render, known, number, percent, rows};

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) rows: Vec<Row>,
}

/// One load, and what it cost.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bench) struct Row {
    #[serde(flatten)]
    pub(in crate::bench) measured: Measured,
    /// The least that it could have cost, if that was measured in the same run.
    floor: Option<Floor>,
    /// How many times the floor a packet cost.
    pub(in crate::bench) times_floor: Option<f64>,
}

/// What a packet costs at the very least: processor time in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Floor {
    before_ns: f64,
    after_ns: f64,
}

/// A floor that differs by more from one end of a row to the other voids the row.
const MOST_APART: f64 = 0.2;

const COSTS: &[Column<Row>] = &[
    ("packets a frame", |row| row.measured.burst.to_string()),
    ("packets/s", |row| format!("{:.0}", row.measured.forwarded_per_second)),
    ("ns/packet", |row| format!("{:.0}", row.measured.cpu_ns_per_packet)),
    ("times the floor", |row| known(row.times_floor)),
    ("packets/CPU s", |row| format!("{:.0}", row.measured.packets_per_cpu_second)),
    ("system calls", |row| known(row.measured.system_calls_per_packet)),
    ("server busy", |row| percent(row.measured.server_busy, 1)),
    ("clients busy", |row| percent(row.measured.clients_busy, 1)),
    ("delivered", |row| percent(row.measured.delivered_share, 2)),
    ("lost", |row| percent(row.measured.loss_share, 3)),
    ("delay p50", |row| number(f64::from(row.measured.delay_us.p50) / 1000.0)),
    ("p99", |row| number(f64::from(row.measured.delay_us.p99) / 1000.0)),
];

const JOINS: &[Column<Row>] = &[
    ("packets a frame", |row| row.measured.burst.to_string()),
    ("join: CPU ms", |row| number(row.measured.join.cpu_ms_each)),
    ("join: kB", |row| number(row.measured.join.kb_each)),
    ("kB under load", |row| number(row.measured.loaded_kb_per_subscriber)),
    ("all in, ms", |row| number(row.measured.join.all_ms)),
    ("warm after, s", |row| known(row.measured.warm_up_seconds)),
];

/// How to read the figures.
const NOTES: &str = "\
Processor time is the server's, all threads, per packet that arrived. Loopback's delivery is in it, and
the segmenting of bursts, as for all receivers without GRO. Delay is in milliseconds, from the making of
a packet until it is read: the publisher's sealing and sending, the server with its pacing, the kernel
twice, and up to 0.2 ms until the subscriber looks, or more while others' packets are opened.
System calls are those of the server's loop for each packet, by its own count. What a
join costs is without media, and without what the first one of all costs. DTLS 1.2, and
AEAD_AES_256_GCM, which both ends prefer; TWCC, NACK and reports are on.
";

impl Row {
    /// A row with or without the floor of its run.
    pub(super) fn new(mut measured: Measured, floor: Option<Floor>) -> Self {
        measured.void.extend(floor.and_then(Floor::reason_against));
        let times_floor = floor.map(|floor| measured.cpu_ns_per_packet / floor.mean_ns());
        Self { measured, floor, times_floor }
    }

    /// What was asked of the server, in a sentence, and where it ran.
    pub(in crate::bench) fn load(&self) -> String {
        let Measured { publishers, subscribers, fps, pinned, .. } = &self.measured;
        let bound = match (pinned.server, pinned.clients) {
            (true, true) => "server and clients bound to a core each",
            (true, false) => "the server bound to a core, the clients not",
            (false, true) => "the clients bound to a core, the server not",
            (false, false) => "nothing bound to a core",
        };
        format!("{publishers} to {subscribers} at {fps} frames a second, {bound}.")
    }

    fn verdict(&self) -> Option<String> {
        let Measured { burst, void, .. } = &self.measured;
        (!void.is_empty()).then(|| format!("VOID with {burst} a frame: {}.\n", void.join("; ")))
    }
}

impl Floor {
    /// What was measured just before and just after, in nanoseconds.
    pub(super) const fn new(before_ns: f64, after_ns: f64) -> Self {
        Self { before_ns, after_ns }
    }

    /// Why nothing can be held against it, if so: the machine was not the same before and after.
    fn reason_against(self) -> Option<String> {
        let Self { before_ns, after_ns } = self;
        let apart = (before_ns - after_ns).abs() / before_ns.min(after_ns);
        (apart > MOST_APART)
            .then(|| format!("the floor was {before_ns:.0} ns before and {after_ns:.0} after"))
    }

    const fn mean_ns(self) -> f64 {
        f64::midpoint(self.before_ns, self.after_ns)
    }
}

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let load = self.rows.first().map(Row::load).unwrap_or_default();
        let mut text = format!("{load} {}\n", self.machine);
        for columns in [COSTS, JOINS] {
            text.push('\n');
            text.push_str(&render(&rows(columns, &self.rows)));
        }
        text.push('\n');
        text.extend(self.rows.iter().filter_map(Row::verdict));
        text.push_str(NOTES);
        text
    }
}
