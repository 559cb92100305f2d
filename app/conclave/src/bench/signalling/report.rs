//! What was measured, for people and for programs.

use std::time::Duration;

use serde::Serialize;

use super::changes::{Kind, Told};
use crate::bench::machine::Machine;
use crate::bench::output::{self, Column, Render, number, rows};

/// All that was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    machine: Machine,
    returned: Return,
    rows: Vec<Row>,
    limits: Limits,
    /// Whether every row keeps within the limits.
    holds: bool,
}

/// What is asked of each row.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Limits {
    /// Until all know of 99 of 100 changes, in milliseconds.
    pub(super) all_ms: f64,
    /// What a message costs, as a multiple of the bare loop.
    pub(super) times: f64,
}

/// All members took their sessions up on a server that had just started.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Return {
    pub(super) members: usize,
    /// From the first socket until the last member was in the call, in milliseconds.
    pub(super) all_ms: f64,
    /// Processor time of the server for each, its start included.
    pub(super) cpu_ms_each: f64,
    /// Memory of the whole server, by the number of members.
    pub(super) kb_each: f64,
    /// How much of a core the server takes while nothing changes.
    pub(super) idle_busy: f64,
}

/// Changes of one kind, and what they cost.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    kind: Kind,
    members: usize,
    changes: usize,
    /// Messages that the members got.
    deliveries: u64,
    /// Bytes of a message, without TLS.
    bytes: usize,
    /// From a change until the last of the others knew of it, in milliseconds.
    all_ms: Spread,
    /// Processor time of the server, all threads, for each message that arrived.
    cpu_ns_per_message: f64,
    /// The same of the bare loop, before and after; nothing where the server does more than tell.
    floor_ns: Option<[f64; 2]>,
    times_floor: Option<f64>,
    server_busy: f64,
    /// How much of a core the members' sockets took.
    clients_busy: f64,
    /// Whether server and members were bound to a core each.
    pinned: bool,
    /// Why these figures say nothing about the server, if so.
    void: Vec<String>,
}

/// Over many changes, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Spread {
    p50: f64,
    p99: f64,
    most: f64,
}

/// What came of the changes of one kind, and what it took.
#[derive(Debug)]
pub(super) struct Spent {
    pub(super) kind: Kind,
    pub(super) told: Told,
    pub(super) server_cpu: Duration,
    pub(super) clients_cpu: Duration,
}

/// A floor that differs by more from one end of the run to the other voids a row.
const MOST_APART: f64 = 0.2;

/// Members that are busier than this void a row: what they hear, they hear late.
const MOST_BUSY: f64 = 0.95;

impl Row {
    /// A row, with the floor before and after it.
    pub(super) fn new(
        (members, bytes, pinned): (usize, usize, bool),
        spent: Spent,
        floor: Option<(f64, f64)>,
    ) -> Self {
        let Spent { kind, told, server_cpu, clients_cpu } = spent;
        let seconds = told.took.as_secs_f64();
        let cpu_ns = server_cpu.as_secs_f64() * 1e9 / told.deliveries.max(1) as f64;
        let mut row = Self {
            kind,
            members,
            changes: told.all.len(),
            deliveries: told.deliveries,
            bytes,
            all_ms: Spread::of(told.all),
            cpu_ns_per_message: cpu_ns,
            floor_ns: floor.map(Into::into),
            times_floor: floor.map(|(before, after)| cpu_ns / f64::midpoint(before, after)),
            server_busy: server_cpu.as_secs_f64() / seconds,
            clients_busy: clients_cpu.as_secs_f64() / seconds,
            pinned,
            void: Vec::new(),
        };
        row.void = row.reasons_against();
        row
    }

    fn reasons_against(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some([before, after]) = self.floor_ns
            && (before - after).abs() / before.min(after) > MOST_APART
        {
            reasons.push(format!("the floor was {before:.0} ns before and {after:.0} after"));
        }
        if self.clients_busy > MOST_BUSY {
            reasons.push(format!("the members' sockets used {:.2} of a core", self.clients_busy));
        }
        reasons
    }

    const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Confirmation => "a microphone, as all confirm new keys",
            Kind::Hand => "a hand: a message to all",
            Kind::Microphone => "a microphone: news of the roster",
        }
    }

    /// What is exceeded of the limits.
    fn exceeds(&self, limits: Limits) -> Vec<String> {
        let name = self.name();
        let mut exceeded = Vec::new();
        if self.all_ms.p99 > limits.all_ms {
            exceeded.push(format!("{name}: all knew after {:.0} ms (p99)", self.all_ms.p99));
        }
        if let Some(times) = self.times_floor.filter(|times| *times > limits.times)
            && self.void.is_empty()
        {
            exceeded.push(format!("{name}: {times:.1} times the floor"));
        }
        exceeded
    }
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        Self { p50: at(50), p99: at(99), most: at(100) }
    }
}

const ROWS: &[Column<Row>] = &[
    ("change", |row| row.name().to_owned()),
    ("members", |row| row.members.to_string()),
    ("changes", |row| row.changes.to_string()),
    ("all know, ms p50", |row| number(row.all_ms.p50)),
    ("p99", |row| number(row.all_ms.p99)),
    ("most", |row| number(row.all_ms.most)),
    ("bytes", |row| row.bytes.to_string()),
    ("messages", |row| row.deliveries.to_string()),
    ("µs/message", |row| format!("{:.1}", row.cpu_ns_per_message / 1000.0)),
    ("floor, µs", |row| {
        let middle = row.floor_ns.map(|[before, after]| f64::midpoint(before, after) / 1000.0);
        known(middle)
    }),
    ("times the floor", |row| known(row.times_floor)),
    ("server busy", |row| percent(row.server_busy)),
    ("members busy", |row| percent(row.clients_busy)),
];

const RETURN: &[Column<Return>] = &[
    ("members", |back| back.members.to_string()),
    ("all back, ms", |back| number(back.all_ms)),
    ("CPU ms each", |back| format!("{:.2}", back.cpu_ms_each)),
    ("server's kB by member", |back| number(back.kb_each)),
    ("busy when idle", |back| percent(back.idle_busy)),
];

/// How to read the figures.
const NOTES: &str = "\
A change begins when a member's socket is given it, and ends when the last of the others has read of it:
TLS and the reading of all sockets on the other core are in it. Processor time is the server's, all
threads, with its pings, per message that arrived. The floor writes as many bytes to as many TLS
connections in a loop. Coming back is from a server's start: TLS, the session's proof, and being told
who else is there.
";

impl Report {
    /// Puts what was measured together.
    pub(super) fn new(machine: Machine, returned: Return, rows: Vec<Row>, limits: Limits) -> Self {
        let holds = rows.iter().all(|row| row.exceeds(limits).is_empty());
        Self { machine, returned, rows, limits, holds }
    }

    /// What exceeds the limits.
    pub(super) fn exceeded(&self) -> Vec<String> {
        self.rows.iter().flat_map(|row| row.exceeds(self.limits)).collect()
    }
}

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let mut text = format!("{}\n\n", self.machine);
        text.push_str(&render(&rows(ROWS, &self.rows)));
        text.push('\n');
        text.push_str(&render(&rows(RETURN, std::slice::from_ref(&self.returned))));
        text.push('\n');
        for row in self.rows.iter().filter(|row| !row.void.is_empty()) {
            text.push_str(&format!("VOID, {}: {}.\n", row.name(), row.void.join("; ")));
        }
        for exceeded in self.exceeded() {
            text.push_str(&format!("EXCEEDED: {exceeded}.\n"));
        }
        text.push_str(NOTES);
        text
    }
}

fn known(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
