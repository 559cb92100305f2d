//! What forwarding costs: `conclave bench media`.

pub(in crate::bench) mod camera;
mod client;
pub(in crate::bench) mod control;
mod crowd;
pub(in crate::bench) mod line;
mod load;
pub(in crate::bench) mod measured;
mod report;
mod server;
pub(in crate::bench) mod server_process;
mod tally;

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

pub(super) use client::Client;
pub(super) use crowd::{
    Args as CrowdArgs, Load as CrowdLoad, run as run_crowd, run_load as run_crowd_load,
};
pub(super) use load::{Load, run as run_load};
pub(super) use report::Row;
pub(super) use server::{Server, run as run_server};

use super::limit;
use super::machine::Machine;
use super::output::{Form, progress};
use measured::Measured;
use report::{Floor, Report};

/// Arguments of `conclave bench media`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The figures are meant for two idle cores and a release build: the server \
    is bound to the first one, its clients to the second. A row says so if it is void.")]
pub(crate) struct Args {
    /// Clients that publish a camera.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    publishers: u32,
    /// Clients that show one of the cameras each.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
    subscribers: u32,
    /// How long each row is measured.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// Frames that a camera sends in a second.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    /// Packets of a frame. Rows for 1, 4 and 8 if it isn't given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=32))]
    burst: Option<u32>,
    #[command(flatten)]
    form: Form,
    /// Three subscribers for a second: whether it works, not what it costs.
    #[arg(long, conflicts_with_all = ["publishers", "subscribers", "seconds", "fps", "burst"])]
    quick: bool,
}

/// The packets of a frame for which rows are measured if nothing else is asked for.
const BURSTS: [u32; 3] = [1, 4, 8];

/// Measures, and reports.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for load in args.loads() {
        rows.push(measure(&load)?);
    }
    let report = Report { machine: Machine::this(), rows };
    args.form.say(&report)
}

impl Args {
    fn loads(&self) -> Vec<Load> {
        if self.quick {
            return vec![Load {
                publishers: 1,
                subscribers: 3,
                seconds: 1,
                fps: 60,
                burst: 4,
                way: None,
            }];
        }
        let bursts = self.burst.map_or_else(|| BURSTS.to_vec(), |burst| vec![burst]);
        let load = |burst| Load {
            publishers: self.publishers,
            subscribers: self.subscribers,
            seconds: self.seconds,
            fps: self.fps,
            burst,
            way: None,
        };
        bursts.into_iter().map(load).collect()
    }
}

/// One row: the floor, what a server of ours takes, and the floor again.
pub(super) fn measure(load: &Load) -> anyhow::Result<Row> {
    let Load { publishers, subscribers, fps, burst, way, .. } = load;
    let way = way.map(|way| format!(", {}", way.word())).unwrap_or_default();
    progress(&format!("{publishers} to {subscribers}, {burst} packets {fps} times a second{way}"));
    let before = floor_ns(load)?;
    let measured = run_clients(load)?;
    let floor = before.zip(floor_ns(load)?).map(|(before, after)| Floor::new(before, after));
    Ok(Row::new(measured, floor))
}

/// What a delivered packet of such a load costs at the very least, in nanoseconds of processor
/// time: measured just before and just after our own row, so that all three see the same machine.
/// Nothing for a load that the floor's toy does not know, or if too little arrived.
fn floor_ns(load: &Load) -> anyhow::Result<Option<f64>> {
    if load.publishers != 1 || load.fps != limit::FRAMES_A_SECOND {
        return Ok(None);
    }
    let length = Duration::from_secs(load.seconds.into()) / 2;
    let sample = limit::floor(load.burst as usize, load.subscribers as usize, length)?;
    Ok((!sample.is_void()).then(|| sample.cpu_ns()))
}

/// Runs the clients in a process of their own, which starts the server's.
fn run_clients(load: &Load) -> anyhow::Result<Measured> {
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command.args(["bench", "media-load"]).args(load.arguments());
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the process of the clients")?;
    anyhow::ensure!(output.status.success(), "the process of the clients failed");
    serde_json::from_slice(&output.stdout).context("the clients' figures are not understood")
}
