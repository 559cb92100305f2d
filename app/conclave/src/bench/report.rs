//! What was measured, for people and for programs.

use std::time::Duration;

use serde::Serialize;

use super::device::Sealed;
use super::machine::Machine;
use super::meeting::Tally;
use super::operations::{Change, Rush};
use super::seen::{Part, Work};

/// All that was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) groups: Vec<Group>,
    pub(super) crowds: Vec<Crowd>,
    /// Whether the largest call keeps within what is asked of it.
    pub(super) limits: Vec<Limit>,
}

/// One group, and what its changes cost.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) members: usize,
    /// How many of them run a session.
    pub(super) live: usize,
    pub(super) key_package_bytes: usize,
    /// CPU time of making a stay's keys.
    pub(super) key_package_cpu_ms: f64,
    /// A guest knocks and is let in.
    pub(super) join: Cost,
    /// A host comes in by a commit of its own.
    pub(super) join_alone: Cost,
    /// Someone leaves and is removed.
    pub(super) removal: Cost,
    pub(super) catch_up: CatchUp,
    pub(super) snapshot: SnapshotCost,
    pub(super) frames: Vec<FrameCost>,
}

/// What one kind of change costs. CPU times are medians, of one thread.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    /// Until all members are in the new epoch.
    pub(super) all_ms: Spread,
    /// From the commit's acceptance until all have opened a frame of the new epoch.
    pub(super) switch_ms: Spread,
    pub(super) commit_bytes: usize,
    pub(super) group_info_bytes: usize,
    /// One newcomer's Welcome.
    pub(super) welcome_bytes: Option<usize>,
    /// The tree that a newcomer gets.
    pub(super) tree_bytes: Option<usize>,
    /// Making the commit.
    pub(super) commit_cpu_ms: f64,
    /// The committer's putting it into effect.
    pub(super) confirm_cpu_ms: f64,
    /// Another member's taking it in.
    pub(super) follow_cpu_ms: f64,
    /// A newcomer's taking its Welcome in.
    pub(super) enter_cpu_ms: Option<f64>,
    /// The server's checking it.
    pub(super) check_cpu_ms: f64,
    /// All that the server did about it.
    pub(super) server_cpu_ms: f64,
    /// All that the devices did about it, together.
    pub(super) devices_cpu_ms: f64,
}

/// What a member who missed two commits needs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CatchUp {
    pub(super) commits: usize,
    pub(super) bytes: usize,
    pub(super) ms: f64,
    pub(super) cpu_ms: f64,
}

/// What the server keeps of the group over a restart.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SnapshotCost {
    pub(super) bytes: usize,
    /// Taking it, on the call's thread.
    pub(super) take_cpu_ms: f64,
    /// Writing it as JSON, on another.
    pub(super) write_cpu_ms: f64,
}

/// One frame of media.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FrameCost {
    pub(super) bytes: usize,
    pub(super) seal_cpu_us: f64,
    pub(super) open_cpu_us: f64,
}

/// Many who come at once.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Crowd {
    pub(super) meeting: &'static str,
    pub(super) newcomers: usize,
    /// From the first knock until all are in, and in one epoch.
    pub(super) all_ms: f64,
    /// From a newcomer's knock until it is in.
    pub(super) wait_ms: Spread,
    pub(super) commits: usize,
    pub(super) refused_commits: usize,
    pub(super) server_cpu_ms: f64,
    pub(super) devices_cpu_ms: f64,
}

/// The middle one of several, and the worst.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) worst: f64,
}

/// What the largest call must keep to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Limit {
    pub(super) what: &'static str,
    pub(super) members: usize,
    pub(super) limit_ms: f64,
    pub(super) worst_ms: f64,
    pub(super) holds: bool,
}

/// What a group's figures are made of.
pub(super) struct GroupParts {
    pub(super) members: usize,
    pub(super) live: usize,
    pub(super) joins: Vec<Change>,
    pub(super) removals: Vec<Change>,
    pub(super) alone: Vec<Change>,
    /// How long a member took to catch up.
    pub(super) took: Duration,
    pub(super) missed: Tally,
    pub(super) sample: Tally,
}

/// How many commits the member missed.
const MISSED: usize = 2;

impl Group {
    pub(super) fn new(parts: &GroupParts) -> Self {
        let knocks: Vec<_> = parts.joins.iter().flat_map(|change| &change.tally.bytes).collect();
        let packages = knocks.iter().filter(|(part, _)| **part == Part::KeyPackage);
        let join = Cost::of(&parts.joins, Work::Commit);
        Self {
            members: parts.members,
            live: parts.live,
            key_package_bytes: packages.flat_map(|(_, sizes)| *sizes).copied().max().unwrap_or(0),
            key_package_cpu_ms: cpu_ms(&parts.joins, Work::Knock).unwrap_or(0.0),
            join,
            join_alone: Cost::of(&parts.alone, Work::ComeAlone),
            removal: Cost::of(&parts.removals, Work::Commit),
            catch_up: CatchUp {
                commits: MISSED,
                bytes: largest(&parts.missed, Part::Log).unwrap_or(0),
                ms: ms(parts.took),
                cpu_ms: median_of(&parts.missed, Work::ReadLog).unwrap_or(0.0),
            },
            snapshot: SnapshotCost {
                bytes: largest(&parts.sample, Part::Snapshot).unwrap_or(0),
                take_cpu_ms: cpu_ms(&parts.joins, Work::Snapshot).unwrap_or(0.0),
                write_cpu_ms: median_of(&parts.sample, Work::WriteSnapshot).unwrap_or(0.0),
            },
            frames: vec![
                FrameCost::of(parts, Sealed::Sound),
                FrameCost::of(parts, Sealed::Picture),
            ],
        }
    }
}

impl Cost {
    fn of(changes: &[Change], made: Work) -> Self {
        let all = |time: fn(&Change) -> Duration| Spread::of(changes.iter().map(time).collect());
        let bytes = |part| changes.iter().filter_map(|change| largest(&change.tally, part)).max();
        let cpu = |work| cpu_ms(changes, work);
        Self {
            all_ms: all(|change| change.all),
            switch_ms: all(|change| change.switch),
            commit_bytes: bytes(Part::Commit).unwrap_or(0),
            group_info_bytes: bytes(Part::GroupInfo).unwrap_or(0),
            welcome_bytes: bytes(Part::Welcome),
            tree_bytes: bytes(Part::Tree),
            commit_cpu_ms: cpu(made).unwrap_or(0.0),
            confirm_cpu_ms: cpu(Work::Confirm).unwrap_or(0.0),
            follow_cpu_ms: cpu(Work::Follow).unwrap_or(0.0),
            enter_cpu_ms: cpu(Work::Enter),
            check_cpu_ms: cpu(Work::Check).unwrap_or(0.0),
            server_cpu_ms: all(|change| change.server).median,
            devices_cpu_ms: all(|change| change.devices).median,
        }
    }
}

impl FrameCost {
    fn of(parts: &GroupParts, kind: Sealed) -> Self {
        let us = |work| median_of(&parts.sample, work).unwrap_or(0.0) * 1000.0;
        Self {
            bytes: kind.len(),
            seal_cpu_us: us(kind.seal_work()),
            open_cpu_us: us(kind.open_work()),
        }
    }
}

impl Crowd {
    pub(super) fn new(meeting: &'static str, newcomers: usize, rush: &Rush) -> Self {
        Self {
            meeting,
            newcomers,
            all_ms: ms(rush.all),
            wait_ms: Spread::of(rush.waits.clone()),
            commits: rush.tally.accepted.len(),
            refused_commits: rush.tally.rejected,
            server_cpu_ms: ms(rush.server),
            devices_cpu_ms: ms(rush.devices),
        }
    }
}

impl Limit {
    /// What is asked of a call.
    pub(super) fn of(group: &Group, limit: Duration) -> Vec<Self> {
        let of = |what, spread: Spread| Self {
            what,
            members: group.members,
            limit_ms: ms(limit),
            worst_ms: spread.worst,
            holds: spread.worst <= ms(limit),
        };
        vec![
            of("join", group.join.all_ms),
            of("join by an external commit", group.join_alone.all_ms),
            of("removal", group.removal.all_ms),
            of("change of keys after a removal", group.removal.switch_ms),
        ]
    }
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self {
            median: ms(times.get(times.len() / 2).copied().unwrap_or_default()),
            worst: ms(times.last().copied().unwrap_or_default()),
        }
    }
}

/// The median CPU time of a step over several changes, in milliseconds.
fn cpu_ms(changes: &[Change], work: Work) -> Option<f64> {
    let times = changes.iter().filter_map(|change| change.tally.work.get(&work)).flatten();
    let times: Vec<_> = times.copied().collect();
    (!times.is_empty()).then(|| Spread::of(times).median)
}

fn median_of(tally: &Tally, work: Work) -> Option<f64> {
    tally.work.get(&work).map(|times| Spread::of(times.clone()).median)
}

fn largest(tally: &Tally, part: Part) -> Option<usize> {
    tally.bytes.get(&part)?.iter().copied().max()
}

/// Milliseconds, to the microsecond.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
