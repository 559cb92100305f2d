//! What attackers and bad neighbours do to somebody else's call: `conclave bench abuse`.

mod attack;
mod case;
mod client;
mod flood;
mod inbox;
mod load;
mod measured;
mod ping;
mod report;
mod scene;
mod seen;
mod tally;
mod tap;

use std::env;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::Context as _;

use super::machine::Machine;
use super::output::{Form, progress};
use case::Case;
pub(super) use load::{Load, run as run_load};
use measured::{HalfLoad, Measured, Outcome};
use report::Report;

/// Arguments of `conclave bench abuse`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The figures are meant for two idle cores and a release build: the server \
    is bound to the first one; the bystanders, the attackers and the floor are on the second. A row \
    says so if it is void.")]
pub(crate) struct Args {
    /// Measures this manner of abuse; may be given more than once. All if it isn't given.
    #[arg(long, value_enum)]
    case: Vec<Case>,
    /// Leaves out the delay at half load.
    #[arg(long)]
    no_half_load: bool,
    /// Clients that show the bystander's camera.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    subscribers: u32,
    /// How long each row is measured: before, meanwhile, and afterwards.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Datagrams that an attacker sends in a second. Each manner has its own if it isn't given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    rate: Option<u32>,
    /// Clients that show a camera of eight packets a frame, at half load: all the same one, or each
    /// tenth of them another.
    #[arg(long, default_value_t = 240, value_parser = clap::value_parser!(u32).range(10..=400))]
    half_load_subscribers: u32,
    #[command(flatten)]
    form: Form,
    /// Two subscribers, a few datagrams, and all at a time: whether it works, not what it costs.
    #[arg(long, conflicts_with_all = ["subscribers", "seconds", "rate", "half_load_subscribers"])]
    quick: bool,
}

/// Packets of a bystander's frame, and of one at half load.
const BURST: u32 = 4;
const HALF_LOAD_BURST: u32 = 8;

/// Calls at half load: one large one, and many as they usually are.
const HALF_LOAD_CALLS: [u32; 2] = [1, 10];

/// What `quick` measures with.
const QUICK_SUBSCRIBERS: u32 = 2;
const QUICK_MILLISECONDS: u64 = 200;
const QUICK_RATE: u32 = 200;

/// Measures, reports, and fails if a bound is not kept.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let loads = args.loads();
    let outcomes = if args.quick { all_at_once(&loads)? } else { one_by_one(&loads)? };
    let (cases, half_load) = sort(outcomes);
    let broken: Vec<String> =
        cases.iter().filter(|row| row.is_broken()).map(|row| row.case.name()).collect();
    args.form.say(&Report { machine: Machine::this(), cases, half_load })?;
    let is_kept = args.quick || broken.is_empty();
    anyhow::ensure!(is_kept, "bounds are not kept: {}", broken.join(", "));
    Ok(())
}

impl Args {
    fn loads(&self) -> Vec<Load> {
        let cases = if self.case.is_empty() { Case::all() } else { &self.case };
        let mut loads: Vec<Load> = cases.iter().map(|case| self.load(*case)).collect();
        if !self.no_half_load {
            loads.extend(HALF_LOAD_CALLS.map(|calls| self.half_load(calls)));
        }
        loads
    }

    fn load(&self, case: Case) -> Load {
        let usual = if self.quick { case.rate().min(QUICK_RATE) } else { case.rate() };
        let rate = self.rate.filter(|_| usual > 0).unwrap_or(usual);
        Load {
            case: Some(case),
            calls: 1,
            subscribers: if self.quick { QUICK_SUBSCRIBERS } else { self.subscribers },
            burst: BURST,
            milliseconds: self.milliseconds(),
            rate,
        }
    }

    fn half_load(&self, calls: u32) -> Load {
        let subscribers = if self.quick { calls } else { self.half_load_subscribers };
        Load {
            case: None,
            calls,
            subscribers: subscribers / calls,
            burst: HALF_LOAD_BURST,
            milliseconds: self.milliseconds() * 2,
            rate: 0,
        }
    }

    fn milliseconds(&self) -> u64 {
        if self.quick { QUICK_MILLISECONDS } else { u64::from(self.seconds) * 1000 }
    }
}

fn one_by_one(loads: &[Load]) -> anyhow::Result<Vec<Outcome>> {
    loads.iter().map(run_clients).collect()
}

fn all_at_once(loads: &[Load]) -> anyhow::Result<Vec<Outcome>> {
    thread::scope(|scope| {
        let running: Vec<_> = loads.iter().map(|load| scope.spawn(|| run_clients(load))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
            .collect()
    })
}

/// Runs the clients of one row in a process of their own, which starts the server's.
fn run_clients(load: &Load) -> anyhow::Result<Outcome> {
    let what = load.case.map_or("half load", Case::words);
    progress(what);
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command.args(["bench", "abuse-load"]).args(load.arguments());
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the process of the clients")?;
    anyhow::ensure!(output.status.success(), "the process of the clients failed: {what}");
    serde_json::from_slice(&output.stdout).context("the clients' figures are not understood")
}

fn sort(outcomes: Vec<Outcome>) -> (Vec<Measured>, Vec<HalfLoad>) {
    let (mut cases, mut half_load) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Case(row) => cases.push(*row),
            Outcome::HalfLoad(row) => half_load.push(*row),
        }
    }
    (cases, half_load)
}
