//! A lecture: `conclave bench crowd`.

mod client;
mod load;
mod measured;
mod report;
mod tally;

use std::env;
use std::process::{Command, Stdio};

use anyhow::Context as _;

pub(in crate::bench) use load::{Load, run as run_load};

use crate::bench::machine::Machine;
use crate::bench::output::{Form, progress};
use measured::Measured;
use report::Report;

/// Arguments of `conclave bench crowd`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 if the limit holds, 1 if it is exceeded or something fails. \
    The figures are meant for two idle cores and a release build: the server is bound to the first \
    one, its clients to the second."
)]
pub(crate) struct Args {
    /// Clients that listen, and show one of the cameras each.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=4000))]
    listeners: u32,
    /// How many of them open what they get and report on it as browsers do. The others count.
    #[arg(long, default_value_t = 50)]
    opening: u32,
    /// Clients that speak, one after the other.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=100))]
    publishers: u32,
    /// How many of them show themselves.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    cameras: u32,
    /// Pictures that a camera sends in a second.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=60))]
    fps: u32,
    /// Packets of a picture.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=32))]
    burst: u32,
    /// How long it is measured.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=120))]
    seconds: u32,
    /// Listeners of the control run.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=4000))]
    control: u32,
    /// By how many milliseconds the longest pause of any listener may exceed that of the control run.
    #[arg(long, value_name = "MS", default_value_t = 100.0)]
    limit_ms: f64,
    #[command(flatten)]
    form: Form,
    /// A few listeners for two seconds: whether it works, not what it costs.
    #[arg(long, conflicts_with_all = ["listeners", "publishers", "seconds", "control"])]
    quick: bool,
}

/// Measures, and reports.
pub(in crate::bench) fn run(args: &Args) -> anyhow::Result<()> {
    let (control, crowd) = args.loads();
    let report = Report::new(Machine::this(), measure(&control)?, measure(&crowd)?, args.limit_ms);
    args.form.say(&report)?;
    let exceeded = report.exceeded();
    anyhow::ensure!(exceeded.is_none(), "{}", exceeded.unwrap_or_default());
    Ok(())
}

impl Args {
    /// The control run's load, and the crowd's.
    fn loads(&self) -> (Load, Load) {
        let Self { opening, publishers, cameras, fps, burst, seconds, .. } = *self;
        let load = |listeners| Load {
            listeners,
            opening: opening.min(listeners),
            publishers,
            cameras: cameras.min(publishers),
            fps,
            burst,
            seconds,
        };
        if self.quick {
            let quick = |listeners| {
                let load = load(listeners);
                Load { opening: 2, publishers: 3, cameras: 2, seconds: 2, ..load }
            };
            return (quick(2), quick(6));
        }
        (load(self.control), load(self.listeners))
    }
}

/// Runs the clients in a process of their own, which starts the server's.
fn measure(load: &Load) -> anyhow::Result<Measured> {
    let Load { listeners, publishers, .. } = load;
    progress(&format!("{listeners} listen to {publishers}"));
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command.args(["bench", "crowd-load"]).args(load.arguments());
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the process of the clients")?;
    anyhow::ensure!(output.status.success(), "the process of the clients failed");
    serde_json::from_slice(&output.stdout).context("the clients' figures are not understood")
}
