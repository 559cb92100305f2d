//! What was measured, for people and for programs.

use anyhow::Context as _;
use serde::Serialize;

use crate::bench::machine::Machine;
use crate::bench::media;
use crate::bench::media::line::Way;
use crate::bench::media::measured::{Delay, Entry};
use crate::bench::output::{self, Column, Render, known, number, percent, rows};

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) rows: Vec<Row>,
}

/// One way at one load, and what it cost.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    #[serde(flatten)]
    forwarding: media::Row,
    /// Processor time of the server for each packet, in nanoseconds, in each of the rounds. This row
    /// is one of them.
    cpu_ns_of_rounds: Vec<f64>,
    /// What relaying adds, if it is relayed.
    added: Option<Added>,
}

/// What relaying adds to the direct way of the same run.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Added {
    /// How many times as much processor time of the server a packet costs.
    times_direct: f64,
    /// Processor time of the server, all threads, that a packet costs more, in nanoseconds.
    cpu_ns_per_packet: f64,
    /// How much later packets arrive, in microseconds: the usual one, and the one that 99 of 100 keep
    /// below. Less than nothing if they come sooner.
    delay_p50_us: i64,
    delay_p99_us: i64,
    /// Memory of the server for each client that it takes more under load, in kilobytes.
    kb_each: f64,
}

const COSTS: &[Column<Row>] = &[
    ("packets a frame", |row| row.forwarding.measured.burst.to_string()),
    ("way", Row::way),
    ("packets/s", |row| format!("{:.0}", row.forwarding.measured.forwarded_per_second)),
    ("ns/packet", |row| format!("{:.0}", row.forwarding.measured.cpu_ns_per_packet)),
    ("in all rounds", Row::spread),
    ("times direct", |row| known(row.added.map(|added| added.times_direct))),
    ("times the floor", |row| known(row.forwarding.times_floor)),
    ("server busy", |row| percent(row.forwarding.measured.server_busy, 1)),
    ("clients busy", |row| percent(row.forwarding.measured.clients_busy, 1)),
    ("delivered", |row| percent(row.forwarding.measured.delivered_share, 2)),
    ("lost", |row| percent(row.forwarding.measured.loss_share, 3)),
];

const DELAYS: &[Column<Row>] = &[
    ("packets a frame", |row| row.forwarding.measured.burst.to_string()),
    ("way", Row::way),
    ("delay p50", |row| milliseconds(row.delay().p50.into())),
    ("p99", |row| milliseconds(row.delay().p99.into())),
    ("added p50", |row| row.added.map_or_else(none, |added| milliseconds(added.delay_p50_us))),
    ("added p99", |row| row.added.map_or_else(none, |added| milliseconds(added.delay_p99_us))),
    ("allocation: CPU ms", |row| known(row.allocation().map(|entry| entry.cpu_ms_each))),
    ("join: CPU ms", |row| number(row.forwarding.measured.join.cpu_ms_each)),
    ("kB under load", |row| number(row.forwarding.measured.loaded_kb_per_subscriber)),
    ("added kB", |row| row.added.map_or_else(none, |added| format!("{:.0}", added.kb_each))),
];

/// How to read the figures.
const NOTES: &str = "\
Each row is the middle one of its rounds by ns/packet, of those that are not void if there are any.
Processor time is the server's, all threads, per packet that arrived: that of forwarding, and that of
relaying where it is relayed. Delay is in milliseconds, from the making of a packet until it is read, with
all that bench media has in it; what is added is the difference from the direct row above. An allocation is
the whole way to one: refused without a credential, allocated, and a channel for the media port. Memory is
for each subscriber, with its media session. All rows have the TURN server beside the shard; in the direct
ones nobody uses it.
";

impl Row {
    /// The middle one of several rounds by what a packet cost, leaving out those that are void unless
    /// all are.
    pub(super) fn of(mut rounds: Vec<media::Row>) -> anyhow::Result<Self> {
        let cpu_ns_of_rounds =
            rounds.iter().map(|round| round.measured.cpu_ns_per_packet).collect();
        if rounds.iter().any(is_sound) {
            rounds.retain(is_sound);
        }
        rounds.sort_by(|one, other| {
            one.measured.cpu_ns_per_packet.total_cmp(&other.measured.cpu_ns_per_packet)
        });
        let middle = rounds.len() / 2;
        let forwarding = rounds.into_iter().nth(middle).context("nothing was measured")?;
        Ok(Self { forwarding, cpu_ns_of_rounds, added: None })
    }

    /// This one, which is relayed, held against the direct way at the same load.
    pub(super) fn against(mut self, direct: &Self) -> Self {
        let (ours, theirs) = (&mut self.forwarding.measured, &direct.forwarding.measured);
        if !is_sound(&direct.forwarding) {
            ours.void.push("the direct row is void".to_owned());
        }
        let later =
            |of: fn(Delay) -> u32| i64::from(of(ours.delay_us)) - i64::from(of(theirs.delay_us));
        let added = Added {
            times_direct: ours.cpu_ns_per_packet / theirs.cpu_ns_per_packet,
            cpu_ns_per_packet: ours.cpu_ns_per_packet - theirs.cpu_ns_per_packet,
            delay_p50_us: later(|delay| delay.p50),
            delay_p99_us: later(|delay| delay.p99),
            kb_each: ours.loaded_kb_per_subscriber - theirs.loaded_kb_per_subscriber,
        };
        self.added = Some(added);
        self
    }

    fn way(&self) -> String {
        let way = match self.forwarding.measured.way {
            Some(Way::Tcp) => "TURN over TCP",
            Some(Way::Udp) => "TURN over UDP",
            Some(Way::Direct) | None => "direct",
        };
        way.to_owned()
    }

    /// The least and the most that a packet cost in a round.
    fn spread(&self) -> String {
        let rounds = || self.cpu_ns_of_rounds.iter().copied();
        let (least, most) = (rounds().fold(f64::INFINITY, f64::min), rounds().fold(0.0, f64::max));
        format!("{least:.0} to {most:.0}")
    }

    const fn delay(&self) -> Delay {
        self.forwarding.measured.delay_us
    }

    const fn allocation(&self) -> Option<&Entry> {
        self.forwarding.measured.allocation.as_ref()
    }

    fn verdict(&self) -> Option<String> {
        let (burst, void) = (self.forwarding.measured.burst, &self.forwarding.measured.void);
        let way = self.way();
        (!void.is_empty())
            .then(|| format!("VOID with {burst} a frame, {way}: {}.\n", void.join("; ")))
    }
}

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let load = self.rows.first().map(|row| row.forwarding.load()).unwrap_or_default();
        let mut text = format!("{load} {}\n", self.machine);
        for columns in [COSTS, DELAYS] {
            text.push('\n');
            text.push_str(&render(&rows(columns, &self.rows)));
        }
        text.push('\n');
        text.extend(self.rows.iter().filter_map(Row::verdict));
        text.push_str(NOTES);
        text
    }
}

fn is_sound(row: &media::Row) -> bool {
    row.measured.void.is_empty()
}

fn milliseconds(microseconds: i64) -> String {
    format!("{:.2}", microseconds as f64 / 1000.0)
}

fn none() -> String {
    known(None)
}
