//! What was measured, for people and for programs.

use serde::Serialize;

use super::churn::Churn;
use super::cost::{Cost, PER_MEETING, Step};
use super::floor::Floor;
use super::storm::{Spread, Storm};
use crate::bench::machine::Machine;
use crate::bench::output::{self, Column, Render, number, percent, rows};

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    machine: Machine,
    cost: Option<CostReport>,
    storm: Option<Storm>,
    churn: Option<Churn>,
}

/// What a join costs the server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CostReport {
    #[serde(flatten)]
    steps: Steps,
    /// A whole join, as so many times the floor.
    times_floor: f64,
    /// The same without the group's part of it.
    times_floor_without_group: f64,
    /// Whether that keeps to the goal.
    met: bool,
    /// Why these figures say nothing about the server, if so.
    void: Vec<String>,
}

/// The floor, and the steps of a join.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Steps {
    pub(super) joins: u32,
    /// How often each step was measured.
    pub(super) rounds: u32,
    pub(super) before: Floor,
    pub(super) after: Floor,
    /// One for each of [`Step::ALL`], each with all that the one before it has: the middle one of the rounds.
    pub(super) costs: Vec<Cost>,
}

/// How many times the floor a join may cost.
const MOST_TIMES_FLOOR: f64 = 1.3;

/// A floor that differs by more from one end of a run to the other voids it.
const MOST_APART: f64 = 0.2;

const STEPS: &[Column<Cost>] = &[
    ("a join …", |cost| cost.step.words().to_owned()),
    ("CPU ms", |cost| precise(cost.cpu_ms)),
    ("kB", |cost| number(cost.kb)),
    ("then, CPU ms/s", |cost| precise(cost.idle_cpu_ms_per_second)),
    ("all in, ms", |cost| number(cost.all_ms)),
    ("clients busy", |cost| percent(cost.clients_busy, 0)),
];

const STORM: &[Column<(&str, Spread)>] = &[
    ("from the start until", |(what, _)| (*what).to_owned()),
    ("p50, ms", |(_, spread)| spread.p50.to_string()),
    ("p99", |(_, spread)| spread.p99.to_string()),
    ("worst", |(_, spread)| spread.worst.to_string()),
];

const MEMORY: &[Column<(String, f64)>] =
    &[("server's memory", |(when, _)| when.clone()), ("MB", |(_, kb)| number(kb / 1000.0))];

/// How to read the figures.
const NOTES: &str = "\
Processor time is the server's, all threads, without what it takes to keep those who are in. Each step
has all that the one before has, but for a knock that nobody answers, with which the first one ends; the
group's part is the second less the first. All clients are one source, which the server is set to allow
more attempts a minute than usual; all else is as an operator has it.
";

impl Report {
    pub(super) fn new(
        machine: Machine,
        steps: Option<Steps>,
        storm: Option<Storm>,
        churn: Option<Churn>,
    ) -> Self {
        Self { machine, cost: steps.map(CostReport::new), storm, churn }
    }
}

impl CostReport {
    fn new(steps: Steps) -> Self {
        let floor = steps.floor_ms();
        let times_floor = steps.whole_ms() / floor;
        let times_floor_without_group = (steps.whole_ms() - steps.group_ms()) / floor;
        let met = times_floor <= MOST_TIMES_FLOOR;
        let void = steps.reasons_against();
        Self { steps, times_floor, times_floor_without_group, met, void }
    }
}

impl Steps {
    fn floor_ms(&self) -> f64 {
        f64::midpoint(self.before.all_ms(), self.after.all_ms())
    }

    fn cpu_ms(&self, step: Step) -> f64 {
        let cost = self.costs.iter().find(|cost| cost.step == step);
        cost.map_or(0.0, |cost| cost.cpu_ms)
    }

    fn whole_ms(&self) -> f64 {
        self.cpu_ms(Step::Media)
    }

    fn group_ms(&self) -> f64 {
        self.cpu_ms(Step::Group) - self.cpu_ms(Step::Door)
    }

    /// Why the figures say nothing about the server, if so.
    fn reasons_against(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let (before, after) = (self.before.all_ms(), self.after.all_ms());
        if (before - after).abs() / before.min(after) > MOST_APART {
            reasons.push(format!("the floor was {before:.2} ms before and {after:.2} after"));
        }
        let unmeasured = self.costs.iter().find(|cost| cost.cpu_ms <= 0.0);
        if let Some(cost) = unmeasured {
            reasons.push(format!("too few joined {} to be measured", cost.step.words()));
        }
        reasons
    }
}

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let mut text = format!("{}\n", self.machine);
        if let Some(cost) = &self.cost {
            text.push_str(&cost.tables(render));
        }
        if let Some(storm) = &self.storm {
            text.push_str(&storm.tables(render));
        }
        if let Some(churn) = &self.churn {
            text.push_str(&churn.tables(render));
        }
        text.push('\n');
        text.push_str(NOTES);
        text
    }
}

impl CostReport {
    fn tables(&self, render: Render) -> String {
        let Steps { joins, rounds, before, after, costs } = &self.steps;
        let bound = bound(costs.iter().all(|cost| cost.pinned));
        let table = render(&rows(STEPS, costs));
        let floor =
            |floor: &Floor| format!("{} + {}", precise(floor.media_ms), precise(floor.tls_ms));
        format!(
            "\n{joins} joins, {PER_MEETING} to a meeting in which somebody is, the middle of {rounds} rounds; {bound}.\n\n{table}\n\
             Floor: bare media session and bare TLS handshake, {} ms before and {} ms after.\n\
             A whole join is {:.2} times that, and {:.2} times without the group's part; \
             goal {MOST_TIMES_FLOOR}: {}.\n{}",
            floor(before),
            floor(after),
            self.times_floor,
            self.times_floor_without_group,
            verdict(self.met),
            void(&self.void),
        )
    }
}

impl Storm {
    fn tables(&self, render: Render) -> String {
        let spreads = [
            ("the door", self.at_door_ms),
            ("the group", self.in_group_ms),
            ("a media session", self.connected_ms),
            ("the first sound, opened", self.first_sound_ms),
        ];
        let table = render(&rows(STORM, &spreads));
        let bound = bound(self.pinned);
        format!(
            "\n{} joins in {:.1} s, to {} meetings in each of which one speaks; {bound}.\
             \n\n{table}\n\
             {} failed. Of {} packets for those who were in before, {} were lost ({}), and {} frames \
             came without their keys.\n\
             The server used {} of its core, the clients {}, everything else {}; the latest newcomer \
             set out {:.0} ms late.\n\
             Goal (none failed, p99 of the first sound below 1 s, less than 0.1 % lost): {}.\n{}",
            self.joins,
            self.seconds,
            self.meetings,
            self.failed,
            self.packets,
            self.lost,
            percent(self.loss_share, 3),
            self.unopened,
            percent(self.server_busy, 0),
            percent(self.clients_busy, 0),
            percent(self.others_busy, 0),
            self.latest_start_ms,
            verdict(self.met),
            void(&self.void),
        )
    }
}

impl Churn {
    fn tables(&self, render: Render) -> String {
        let tenths = (1..).zip(&self.samples_kb);
        let of = |tenth: usize| self.joins as usize * tenth / self.samples_kb.len().max(1);
        let start = ("before anybody came".to_owned(), self.start_kb);
        let base = (format!("after {} came and went: the base", self.warm_up), self.base_kb);
        let samples = tenths.map(|(tenth, kb)| (format!("after {} more", of(tenth)), *kb));
        let end = ("at the end".to_owned(), self.end_kb);
        let memory: Vec<_> = [start, base].into_iter().chain(samples).chain([end]).collect();
        format!(
            "\n{} joins and leaves in {:.0} s; {} of them began a call and ended it; {} failed.\n\n{}\n\
             At the end {} more than the base; goal 10 %: {}.\n",
            self.joins,
            self.seconds,
            self.began_calls,
            self.failed,
            render(&rows(MEMORY, &memory)),
            percent(self.growth, 1),
            verdict(self.met),
        )
    }
}

const fn bound(pinned: bool) -> &'static str {
    if pinned { "server and clients bound to a core each" } else { "nothing bound to a core" }
}

const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

fn void(reasons: &[String]) -> String {
    if reasons.is_empty() { String::new() } else { format!("VOID: {}.\n", reasons.join("; ")) }
}

fn precise(value: f64) -> String {
    format!("{value:.2}")
}
