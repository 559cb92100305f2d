//! What was measured, for people and for programs.

use serde::Serialize;

use super::measured::Measured;
use crate::bench::machine::Machine;
use crate::bench::output::{self, Column, Render, number, percent, rows};

/// All that was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    machine: Machine,
    /// The control run, then the crowd.
    rows: [Row; 2],
    /// By how much the longest pause of any listener exceeds that of the control run, in
    /// milliseconds.
    beyond_control_ms: f64,
    limit_ms: f64,
    holds: bool,
}

/// One run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: &'static str,
    #[serde(flatten)]
    measured: Measured,
}

const PACKETS: &[Column<Row>] = &[
    ("run", |row| row.name.to_owned()),
    ("listeners", |row| row.measured.listeners.to_string()),
    ("packets/s", |row| format!("{:.0}", row.measured.forwarded_per_second)),
    ("each", |row| number(row.measured.each_per_second)),
    ("least", |row| number(row.measured.least_per_second)),
    ("lost", |row| percent(row.measured.loss_share, 3)),
    ("ns/packet", |row| format!("{:.0}", row.measured.cpu_ns_per_packet)),
    ("server busy", |row| percent(row.measured.server_busy, 1)),
    ("clients busy", |row| percent(row.measured.clients_busy, 1)),
];

const TIMES: &[Column<Row>] = &[
    ("run", |row| row.name.to_owned()),
    ("delay p50", |row| number(f64::from(row.measured.delay_us.p50) / 1000.0)),
    ("p99", |row| number(f64::from(row.measured.delay_us.p99) / 1000.0)),
    ("longest pause p50", |row| number(row.measured.gap_ms.p50)),
    ("p99", |row| number(row.measured.gap_ms.p99)),
    ("most", |row| number(row.measured.gap_ms.most)),
    ("longest turn", |row| number(row.measured.longest_turn_ms)),
    ("all in", |row| number(row.measured.join.all_ms)),
    ("join, CPU ms", |row| number(row.measured.join.cpu_ms_each)),
    ("kB by listener", |row| number(row.measured.kb_per_listener)),
];

/// How to read the figures.
const NOTES: &str = "\
Times are in milliseconds. A pause is the time between two packets at a listener, each of which has one
longest; it is looked at every 5 ms. Delay is from the making of a packet until it is read, at those who
open what they get, and every 0.5 ms unless others' packets are read meanwhile. A turn is the server
loop's, from an event until all that it led to was sent.
";

impl Report {
    /// Puts a control run and a crowd side by side.
    pub(super) fn new(machine: Machine, control: Measured, crowd: Measured, limit_ms: f64) -> Self {
        let beyond_control_ms = crowd.gap_ms.most - control.gap_ms.most;
        let rows =
            [Row { name: "control", measured: control }, Row { name: "crowd", measured: crowd }];
        let holds = beyond_control_ms <= limit_ms;
        Self { machine, rows, beyond_control_ms, limit_ms, holds }
    }

    /// What exceeds the limit, if anything does.
    pub(super) fn exceeded(&self) -> Option<String> {
        let Self { beyond_control_ms, limit_ms, .. } = self;
        (!self.holds).then(|| {
            format!("forwarding paused for {beyond_control_ms:.0} ms beyond the control run, of {limit_ms:.0}")
        })
    }
}

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let [_, Row { measured, .. }] = &self.rows;
        let Measured { publishers, cameras, opening, seconds, .. } = measured;
        let mut text = format!(
            "{publishers} publishers, {cameras} of them with a picture; {opening} listeners open what \
             they get; {seconds:.0} seconds. {}\n",
            self.machine
        );
        for columns in [PACKETS, TIMES] {
            text.push('\n');
            text.push_str(&render(&rows(columns, &self.rows)));
        }
        text.push('\n');
        for Row { name, measured } in &self.rows {
            if !measured.void.is_empty() {
                text.push_str(&format!("VOID, {name}: {}.\n", measured.void.join("; ")));
            }
        }
        text.push_str(
            &self.exceeded().map(|what| format!("EXCEEDED: {what}.\n")).unwrap_or_default(),
        );
        text.push_str(NOTES);
        text
    }
}
