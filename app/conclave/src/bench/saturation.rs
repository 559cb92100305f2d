//! What one processor core carries, and what two carry: `conclave bench saturation`.

mod load;
mod report;
mod sink;

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

pub(super) use load::{Load, run as run_load};

use super::machine::Machine;
use super::output::{Form, progress};
use report::{Report, Row};

/// Arguments of `conclave bench saturation`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It needs nft and ip, and the right to make a network of its own: root, or \
    user namespaces. What is dropped there is dropped nowhere else."
)]
pub(crate) struct Args {
    /// Clients that show the camera, for each shard. Where shards share a call, at least 110.
    #[arg(long, default_value_t = 550, value_parser = clap::value_parser!(u32).range(1..=2000))]
    subscribers: u32,
    /// How long each row is measured.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=8))]
    seconds: u32,
    #[command(flatten)]
    form: Form,
    /// Ten subscribers for a second: whether it works, not what it carries.
    #[arg(long, conflicts_with_all = ["subscribers", "seconds"])]
    quick: bool,
}

/// Packets of a frame.
const BURST: u32 = 8;

/// A call of so many for each shard is on two.
const SPREAD_FROM: u32 = 110;

/// Frames a second of the camera where a core can bear it, and where it cannot.
const BEARABLE: u32 = 60;
const UNBEARABLE: u32 = 300;

/// Measures, and reports.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let (subscribers, seconds) =
        if args.quick { (10, 1) } else { (args.subscribers, args.seconds) };
    let load = |shards, fps| {
        let (one_call, burst) = (false, BURST);
        Load { shards, one_call, subscribers, seconds, fps, burst }
    };
    // With fewer, one shard would have them all.
    let subscribers = subscribers.max(SPREAD_FROM);
    let spread = Load { one_call: true, subscribers, ..load(2, UNBEARABLE) };
    let mut rows = Vec::new();
    for load in [load(1, BEARABLE), load(1, UNBEARABLE), load(2, UNBEARABLE), spread] {
        let Load { shards, fps, one_call, subscribers, .. } = load;
        let calls = if one_call { "one call" } else { "a call each" };
        progress(&format!(
            "{shards} shards, {calls}, {subscribers} subscribers each, {fps} frames a second"
        ));
        rows.push(run_apart(&load)?);
    }
    args.form.say(&Report { machine: Machine::this(), rows })
}

/// Runs a load in a process and a network of its own.
fn run_apart(load: &Load) -> anyhow::Result<Row> {
    let this = env::current_exe().context("cannot find this program")?;
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    command.arg(this).args(["bench", "saturation-load"]).args(load.arguments());
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start `unshare`, which util-linux brings")?;
    anyhow::ensure!(output.status.success(), "the process that measures failed");
    serde_json::from_slice(&output.stdout).context("its figures are not understood")
}

impl Load {
    /// This load as arguments of the process that makes it.
    fn arguments(&self) -> Vec<String> {
        let Self { shards, one_call, subscribers, seconds, fps, burst } = self;
        let options = [
            ("shards", shards),
            ("subscribers", subscribers),
            ("seconds", seconds),
            ("fps", fps),
            ("burst", burst),
        ];
        let mut arguments: Vec<String> =
            options.map(|(name, value)| format!("--{name}={value}")).into();
        arguments.extend(one_call.then(|| "--one-call".to_owned()));
        arguments
    }

    const fn time(&self) -> Duration {
        Duration::from_secs(self.seconds as u64)
    }
}
