//! What a group costs, as tables.

use std::fmt::Write as _;

use super::output::{self, Column, Render, number, rows};
use super::report::{Cost, Group, Report};

/// How long each change takes.
const TIMES: &[Column<Group>] = &[
    ("members", members),
    ("join", |group| spread(&group.join, |cost| cost.all_ms)),
    ("keys in use", |group| spread(&group.join, |cost| cost.switch_ms)),
    ("join alone", |group| spread(&group.join_alone, |cost| cost.all_ms)),
    ("removal", |group| spread(&group.removal, |cost| cost.all_ms)),
    ("keys in use", |group| spread(&group.removal, |cost| cost.switch_ms)),
    ("catch-up", |group| number(group.catch_up.ms)),
];

/// How many bytes each change takes.
const SIZES: &[Column<Group>] = &[
    ("members", members),
    ("key package", |group| kilobytes(group.key_package_bytes)),
    ("Add", |group| kilobytes(group.join.commit_bytes)),
    ("Welcome", |group| kilobytes(group.join.welcome_bytes.unwrap_or(0))),
    ("tree", |group| kilobytes(group.join.tree_bytes.unwrap_or(0))),
    ("description", |group| kilobytes(group.join.group_info_bytes)),
    ("external commit", |group| kilobytes(group.join_alone.commit_bytes)),
    ("Remove", |group| kilobytes(group.removal.commit_bytes)),
    ("catch-up", |group| kilobytes(group.catch_up.bytes)),
    ("kept by the server", |group| kilobytes(group.snapshot.bytes)),
];

/// The processor time of who takes part in a change.
const WORK: &[Column<Group>] = &[
    ("members", members),
    ("Add: commit", |group| number(group.join.commit_cpu_ms)),
    ("follow", |group| number(group.join.follow_cpu_ms)),
    ("enter", |group| number(group.join.enter_cpu_ms.unwrap_or(0.0))),
    ("check", |group| number(group.join.check_cpu_ms)),
    ("external: commit", |group| number(group.join_alone.commit_cpu_ms)),
    ("follow", |group| number(group.join_alone.follow_cpu_ms)),
    ("check", |group| number(group.join_alone.check_cpu_ms)),
    ("Remove: commit", |group| number(group.removal.commit_cpu_ms)),
    ("follow", |group| number(group.removal.follow_cpu_ms)),
    ("check", |group| number(group.removal.check_cpu_ms)),
    ("snapshot", |group| number(group.snapshot.take_cpu_ms)),
];

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let mut text = format!("{}\n", self.machine);
        let mut section = |title: &str, rows: &[Vec<String>]| {
            let _ = write!(text, "\n{title}\n\n{}", render(rows));
        };
        section("Times in milliseconds, median and worst.", &rows(TIMES, &self.groups));
        section("Sizes in kilobytes of MLS.", &rows(SIZES, &self.groups));
        section("Processor time in milliseconds, median.", &rows(WORK, &self.groups));
        section("Frames of media: processor time in microseconds.", &self.frames());
        section("Crowds that come within a second: times in milliseconds.", &self.crowds());
        text.push('\n');
        text
    }

    fn text(&self) -> String {
        let mut text = self.tables(output::render_text);
        for limit in &self.limits {
            let verdict = if limit.holds { "holds" } else { "EXCEEDED" };
            let (what, members) = (limit.what, limit.members);
            let _ = writeln!(
                text,
                "{what} among {members}: at worst {:.0} ms of {:.0}: {verdict}",
                limit.worst_ms, limit.limit_ms
            );
        }
        text
    }
}

impl Report {
    fn frames(&self) -> Vec<Vec<String>> {
        let mut rows = vec![words(&["members", "bytes", "seal", "open"])];
        for group in &self.groups {
            for frame in &group.frames {
                rows.push(vec![
                    members(group),
                    frame.bytes.to_string(),
                    number(frame.seal_cpu_us),
                    number(frame.open_cpu_us),
                ]);
            }
        }
        rows
    }

    fn crowds(&self) -> Vec<Vec<String>> {
        let head = ["meeting", "newcomers", "all in", "wait of one", "commits", "refused"];
        let mut rows = vec![words(&head)];
        rows.extend(self.crowds.iter().map(|crowd| {
            vec![
                crowd.meeting.to_owned(),
                crowd.newcomers.to_string(),
                number(crowd.all_ms),
                format!("{} / {}", number(crowd.wait_ms.median), number(crowd.wait_ms.worst)),
                crowd.commits.to_string(),
                crowd.refused_commits.to_string(),
            ]
        }));
        rows
    }
}

/// A row of these words.
fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn members(group: &Group) -> String {
    if group.live == group.members {
        group.members.to_string()
    } else {
        format!("{} ({} live)", group.members, group.live)
    }
}

fn spread(cost: &Cost, of: fn(&Cost) -> super::report::Spread) -> String {
    let spread = of(cost);
    format!("{} / {}", number(spread.median), number(spread.worst))
}

fn kilobytes(bytes: usize) -> String {
    number(bytes as f64 / 1000.0)
}
