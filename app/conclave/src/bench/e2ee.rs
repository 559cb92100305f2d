use std::time::Duration;

use conclave_commit_rules::Mode;

use super::crew::Order;
use super::machine::Machine;
use super::meeting::{Meeting, Who};
use super::output::{Form, progress};
use super::report::{Crowd, Group, GroupParts, Limit, Report};

/// Arguments of `conclave bench e2ee`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 if all limits hold, 1 if one is exceeded or something \
    fails. The limits are meant for two idle cores and a release build.")]
pub(crate) struct Args {
    #[command(flatten)]
    form: Form,
    /// A few members only: whether it works, not what it costs.
    #[arg(long)]
    quick: bool,
    /// No call and no group of more members than this.
    #[arg(long, value_name = "MEMBERS", default_value_t = usize::MAX, hide_default_value = true)]
    up_to: usize,
    /// What a join, a removal and a change of keys may take in the largest call, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    limit_ms: u64,
}

/// What is measured.
struct Plan {
    /// Members of the calls in which everybody runs a session.
    calls: &'static [usize],
    /// Leaves of a group in which few do, if there is one.
    large: Option<usize>,
    /// How many come at once.
    crowd: usize,
    /// How often each change is made.
    rounds: usize,
}

const FULL: Plan =
    Plan { calls: &[2, 5, 10, 25, 50, 100], large: Some(1000), crowd: 100, rounds: 5 };

const QUICK: Plan = Plan { calls: &[2, 5], large: None, crowd: 5, rounds: 1 };

/// Of so many leaves of a large group, one runs a session.
const LIVE_EACH: usize = 64;

/// While a large group is filled, of so many leaves one runs a session: those that fill the tree's
/// paths (`crates/core/e2ee`).
const WARM_EACH: usize = 32;

/// How long those take with their new paths.
const WARM_UP: Duration = Duration::from_secs(12);

/// Measures, and reports.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let plan = if args.quick { QUICK } else { FULL };
    let report = measure(&plan, args.up_to, Duration::from_millis(args.limit_ms))?;
    args.form.say(&report)?;
    let exceeded = report.limits.iter().filter(|limit| !limit.holds).count();
    anyhow::ensure!(exceeded == 0, "{exceeded} of {} limits are exceeded", report.limits.len());
    Ok(())
}

fn measure(plan: &Plan, up_to: usize, limit: Duration) -> anyhow::Result<Report> {
    let mut groups = Vec::new();
    let mut meeting = Meeting::open(Mode::Lobby, false)?;
    for &members in plan.calls.iter().filter(|members| **members <= up_to) {
        progress(&format!("a call of {members}"));
        meeting.fill(members - 1, |_| Who::Guest)?;
        groups.push(measure_group(&mut meeting, members, plan.rounds)?);
    }
    meeting.close()?;
    let limits = groups.last().map_or_else(Vec::new, |largest| Limit::of(largest, limit));

    if let Some(leaves) = plan.large.filter(|leaves| *leaves <= up_to) {
        progress(&format!("a group of {leaves}"));
        groups.push(measure_large(leaves, plan.rounds)?);
    }

    let mut crowds = Vec::new();
    let crowd = plan.crowd.min(up_to);
    for (name, mode, has_host) in [
        ("lobby, and a host who lets everybody in", Mode::Lobby, true),
        ("open-link, with a host", Mode::OpenLink, true),
        ("open-link, with nobody who may admit", Mode::OpenLink, false),
    ] {
        progress(&format!("{crowd} come at once: {name}"));
        crowds.push(Crowd::new(name, crowd, &Meeting::rush(mode, has_host, crowd)?));
    }
    Ok(Report { machine: Machine::this(), groups, crowds, limits })
}

/// A group of which few members run a session.
fn measure_large(leaves: usize, rounds: usize) -> anyhow::Result<Group> {
    let mut meeting = Meeting::open(Mode::Lobby, false)?;
    let warms = |number: usize| number.is_multiple_of(WARM_EACH);
    meeting.fill(leaves - 1, |number| if warms(number) { Who::Guest } else { Who::Sleeper })?;
    meeting.skip(WARM_UP)?;
    for device in meeting.live() {
        if !device.is_multiple_of(LIVE_EACH) {
            meeting.order(device, Order::Sleep);
        }
    }
    let group = measure_group(&mut meeting, leaves, rounds)?;
    meeting.close()?;
    Ok(group)
}

/// Measures each change from one member fewer, and ends with `members`.
fn measure_group(meeting: &mut Meeting, members: usize, rounds: usize) -> anyhow::Result<Group> {
    let (mut joins, mut removals, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    let mut guest: Option<usize> = None;
    for round in 0..rounds {
        if let Some(guest) = guest.take() {
            meeting.remove(guest)?;
        }
        let (device, change) = meeting.join(Who::Guest)?;
        joins.push(change);
        // Somebody in the middle of the tree goes, but for a call of two.
        let all: Vec<_> = meeting.devices.keys().copied().filter(|other| *other != 0).collect();
        let middle = all.get((all.len() + round) / 2).copied().unwrap_or(device);
        removals.push(meeting.remove(middle)?);
        let (host, change) = meeting.join(Who::Host)?;
        alone.push(change);
        guest = Some(host);
    }
    let (took, missed) = meeting.catch_up()?;
    let sample = meeting.sample()?;
    let live = meeting.live().len();
    let parts = GroupParts { members, live, joins, removals, alone, took, missed, sample };
    let group = Group::new(&parts);
    if let Some(host) = guest {
        meeting.remove(host)?;
    }
    meeting.join(Who::Guest)?;
    Ok(group)
}
