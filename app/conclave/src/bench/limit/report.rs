//! What was measured, for people and for programs.

use serde::Serialize;

use super::sample::Sample;
use crate::bench::machine::Machine;
use crate::bench::output::{self, Column, Render, number, rows};

/// All that was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) machine: Machine,
    /// Whether the measured thread had a core that no other thread of the measurement used.
    pub(super) own_core: bool,
    pub(super) destinations: usize,
    /// The size of each datagram, with its tag.
    pub(super) datagram_bytes: usize,
    pub(super) rounds: u32,
    /// How long each row was measured, over all rounds.
    pub(super) seconds: f64,
    pub(super) rows: Vec<Row>,
}

/// What is done with packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Work {
    /// They are sent as they are.
    Send,
    /// For each destination they are copied, renumbered, sealed and sent.
    SealAndSend,
    /// The floor, with 60 frames a second.
    FloorPaced,
    /// The floor, as fast as it can.
    FloorSaturated,
}

/// One work with bursts of one length, over all rounds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) work: Work,
    /// Packets that go to a destination at once.
    pub(super) burst: usize,
    /// Processor time for each packet that arrived, in nanoseconds.
    pub(super) cpu_ns: Spread,
    /// Packets that one core could send in a second, by the median.
    pub(super) packets_per_core_second: f64,
    /// Packets that arrived in a second, in the median round; only where it is the measured thread
    /// that sets the pace.
    pub(super) packets_per_second: Option<f64>,
    /// The share that arrived, from 0 to 1, in the worst round.
    pub(super) delivered_share: f64,
    /// Whether too little arrived, in one round at least, for the row to mean something.
    pub(super) void: bool,
    /// Whether bursts left the process as one. If not, the kernel cannot do that (GSO).
    pub(super) whole_bursts: bool,
}

/// The least of several, and the middle one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
}

const COLUMNS: &[Column<Row>] = &[
    ("work", |row| row.work.name().to_owned()),
    ("burst", |row| row.burst.to_string()),
    ("ns, least", |row| number(row.cpu_ns.least)),
    ("ns, median", |row| number(row.cpu_ns.median)),
    ("packets/s of a core", |row| number(row.packets_per_core_second)),
    ("arrived/s", |row| row.packets_per_second.map_or_else(String::new, number)),
    ("delivered", |row| format!("{:.1} %", row.delivered_share * 100.0)),
    ("remark", Row::remark),
];

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let Self { machine, destinations, datagram_bytes, rounds, seconds, .. } = self;
        let core = if self.own_core { "a core of its own" } else { "no core of its own" };
        format!(
            "{machine}\n\nProcessor time of one thread, with {core}, for each packet that arrived. \
             {destinations} destinations, datagrams of {datagram_bytes} bytes, {rounds} rounds, \
             {seconds} seconds a row.\n\n{}\n",
            render(&rows(COLUMNS, &self.rows))
        )
    }
}

impl Work {
    pub(super) const ALL: [Self; 4] =
        [Self::Send, Self::SealAndSend, Self::FloorPaced, Self::FloorSaturated];

    const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::SealAndSend => "seal and send",
            Self::FloorPaced => "floor, paced",
            Self::FloorSaturated => "floor, saturated",
        }
    }
}

impl Row {
    /// What the rounds gave.
    pub(super) fn of(work: Work, burst: usize, samples: &[Sample]) -> Self {
        let spread = |figure: fn(&Sample) -> f64| Spread::of(samples.iter().map(figure).collect());
        let cpu_ns = spread(Sample::cpu_ns);
        let pace = spread(Sample::packets_per_second).median;
        Self {
            work,
            burst,
            cpu_ns,
            packets_per_core_second: (1e9 / cpu_ns.median.max(1.0)).round(),
            packets_per_second: (work == Work::FloorSaturated).then(|| pace.round()),
            delivered_share: spread(Sample::delivered_share).least,
            void: samples.iter().any(Sample::is_void),
            whole_bursts: samples.iter().all(|sample| sample.whole_bursts),
        }
    }

    fn remark(&self) -> String {
        let void = self.void.then_some("VOID: packets were lost");
        let single = (!self.whole_bursts).then_some("one by one: no GSO here");
        void.into_iter().chain(single).collect::<Vec<_>>().join("; ")
    }
}

impl Spread {
    fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_unstable_by(f64::total_cmp);
        Self {
            least: figures.first().copied().unwrap_or_default(),
            median: figures.get(figures.len() / 2).copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sample(cpu_us: u64, delivered: u64) -> Sample {
        let (cpu, wall) = (Duration::from_micros(cpu_us), Duration::from_secs(2));
        Sample { cpu, wall, expected: 1000, delivered, whole_bursts: true }
    }

    #[test]
    fn a_row_has_the_least_and_the_middle_of_its_rounds_whatever_their_order() {
        let row = Row::of(Work::FloorSaturated, 8, &[3000, 1000, 2000].map(|us| sample(us, 1000)));
        assert_eq!(row.cpu_ns, Spread { least: 1000.0, median: 2000.0 });
        assert_eq!(row.packets_per_core_second, 500_000.0);
        assert_eq!(row.packets_per_second, Some(500.0));
        assert!(!row.void);
    }

    #[test]
    fn one_round_that_lost_too_much_voids_the_row_and_time_counts_for_what_arrived() {
        let row = Row::of(Work::FloorPaced, 1, &[sample(1000, 1000), sample(1000, 989)]);
        assert!(row.void);
        assert_eq!(row.delivered_share, 0.989);
        assert_eq!(row.remark(), "VOID: packets were lost");
        let kept = Row::of(Work::FloorPaced, 1, &[sample(500, 995)]);
        assert!(!kept.void);
        assert!((kept.cpu_ns.least - 502.5).abs() < 0.1);
    }
}
