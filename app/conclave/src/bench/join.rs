//! What joining costs: `conclave bench join`.

mod churn;
mod client;
mod cost;
mod dtls;
mod floor;
mod report;
mod server;
mod storm;

use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use tokio::runtime;

use super::cores::pin;
use super::machine::Machine;
use super::output::{Form, progress};
use super::process;
use cost::{Cost, Step};
use floor::Floor;
use report::{Report, Steps};

/// Arguments of `conclave bench join`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 if it was measured, 1 if something fails. The report says \
    which goals are met. The figures are meant for two idle cores and a release build: the server \
    is bound to the first one, its clients to the second.")]
pub(crate) struct Args {
    /// Joins over which the cost of one is averaged.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
    joins: u32,
    /// Joins of the storm.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=2000))]
    storm: u32,
    /// How long the storm lasts.
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=600))]
    storm_seconds: u32,
    /// Joins and leaves after which the server's memory is to be what it was.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    churn: u32,
    /// Measures this part alone.
    #[arg(long, value_enum)]
    only: Option<Part>,
    #[command(flatten)]
    form: Form,
    /// A few joins of each kind: whether it works, not what it costs.
    #[arg(long, conflicts_with_all = ["joins", "storm", "storm_seconds", "churn"])]
    quick: bool,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// What a join costs the server.
    Cost,
    /// Many joins at once.
    Storm,
    /// Memory after many joins and leaves.
    Churn,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Plan {
    joins: u32,
    /// How often each step of a join is measured, by turns.
    rounds: u32,
    /// Handshakes of each floor, before and after.
    handshakes: u32,
    /// How long a server is watched that has nothing to do but to keep those who are in.
    idle: Duration,
    storm: storm::Plan,
    churn: churn::Plan,
}

impl Plan {
    const QUICK: Self = Self {
        joins: 4,
        rounds: 1,
        handshakes: 2,
        idle: Duration::from_millis(200),
        storm: storm::Plan { joins: 6, within: Duration::from_millis(500), meetings: 2 },
        churn: churn::Plan { warm_up: 6, joins: 12, settle: Duration::from_millis(200) },
    };

    /// What is measured unless it is to be quick.
    const fn of(args: &Args) -> Self {
        let within = Duration::from_secs(args.storm_seconds as u64);
        let meetings = storm::MEETINGS;
        Self {
            joins: args.joins,
            rounds: 3,
            handshakes: 200,
            idle: Duration::from_secs(4),
            storm: storm::Plan { joins: args.storm, within, meetings },
            churn: churn::Plan {
                warm_up: churn::WARM_UP,
                joins: args.churn,
                settle: churn::SETTLE,
            },
        }
    }
}

/// Measures, and reports.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let plan = if args.quick { Plan::QUICK } else { Plan::of(args) };
    let is_wanted = |part| args.only.is_none_or(|only| only == part);

    let steps = is_wanted(Part::Cost).then(|| measure_steps(plan)).transpose()?;
    let storm = is_wanted(Part::Storm).then(|| {
        progress(&format!("a storm of {} joins", plan.storm.joins));
        as_clients(move || storm::measure(plan.storm))
    });
    let churn = is_wanted(Part::Churn).then(|| {
        progress(&format!("memory after {} joins and leaves", plan.churn.joins));
        as_clients(move || churn::measure(plan.churn))
    });
    let (storm, churn) = (storm.transpose()?, churn.transpose()?);
    args.form.say(&Report::new(Machine::this(), steps, storm, churn))
}

/// What a join costs, step by step, with the floor before and after. The steps take turns, and of each the
/// middle round counts: what the group costs is a difference of two, in which the machine is heard twice.
fn measure_steps(plan: Plan) -> anyhow::Result<Steps> {
    progress("bare handshakes");
    let before = Floor::measure(plan.handshakes)?;
    let mut rounds: Vec<Cost> = Vec::new();
    for _ in 0..plan.rounds {
        for step in Step::ALL {
            progress(&format!("{} joins {}", plan.joins, step.words()));
            rounds.push(as_clients(move || cost::measure(step, plan.joins, plan.idle))?);
        }
    }
    progress("bare handshakes");
    let after = Floor::measure(plan.handshakes)?;
    let costs = Step::ALL.into_iter().filter_map(|step| middle(step, &rounds)).collect();
    Ok(Steps { joins: plan.joins, rounds: plan.rounds, before, after, costs })
}

/// The round of a step that is neither the cheapest nor the dearest.
fn middle(step: Step, rounds: &[Cost]) -> Option<Cost> {
    let mut costs: Vec<Cost> = rounds.iter().filter(|cost| cost.step == step).copied().collect();
    costs.sort_by(|a, b| a.cpu_ms.total_cmp(&b.cpu_ms));
    costs.get(costs.len() / 2).copied()
}

/// Runs clients, all on one thread, on their core.
fn as_clients<T: Send + 'static, F: Future<Output = anyhow::Result<T>>>(
    measure: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<T> {
    let run = move || {
        pin(process::CLIENTS_CORE);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(measure())
    };
    let thread = thread::Builder::new().name("clients".to_owned()).spawn(run);
    let result = thread.context("no thread can be started")?.join();
    result.map_err(|_| anyhow::anyhow!("the clients panicked"))?
}
