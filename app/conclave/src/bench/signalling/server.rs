//! `conclave serve` in a process of its own, as in production.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use conclave_client::{Endpoint, Trust};
use conclave_link::Origin;
use serde::Deserialize;

use crate::bench::cores::pin;
use crate::bench::process;

/// A process on the core for what is measured. It ends with this.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Whether it is bound to its core.
    pub(super) pinned: bool,
    output: BufReader<ChildStdout>,
}

/// What a server says when it can be reached.
#[derive(Debug, Deserialize)]
struct Ready {
    url: String,
}

impl Process {
    /// Starts this program with other arguments.
    pub(super) fn start(arguments: impl FnOnce(&mut Command)) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe().context("cannot find this program")?);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("CONCLAVE__") {
                command.env_remove(name);
            }
        }
        arguments(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        // A process begins on the core of the thread that starts it.
        let spawning = thread::spawn(move || (pin(process::SERVER_CORE), command.spawn()));
        let spawned = spawning.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
        let (pinned, mut child) = (spawned.0, spawned.1.context("cannot start a process")?);
        let output = child.stdout.take().context("no way to hear the process")?;
        Ok(Self { child, pinned, output: BufReader::new(output) })
    }

    /// Waits for a line of JSON on its standard output.
    pub(super) fn line<T: for<'de> Deserialize<'de>>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the process said `{}`", line.trim()))
    }

    /// The processor time that it has used so far.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.child.id())
    }

    /// The memory that it has in use, in kilobytes.
    pub(super) fn resident_kb(&self) -> anyhow::Result<f64> {
        process::resident_kb(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server on its data, which lets so many into a call, and waits until it can be reached.
pub(super) fn serve(folder: &Path, members: usize) -> anyhow::Result<(Process, Endpoint)> {
    let settings = folder.join("conclave.toml");
    // All of them come from one address, within a minute.
    let lookups = 10 * members.max(1000);
    fs::write(&settings, format!("[limits]\nlookups_per_minute = {lookups}\n"))?;
    let most = members.to_string();
    let mut process = Process::start(|command| {
        command.args(["serve", "--json", "--log-level", "error", "--max-participants", &most]);
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(["--udp-port", "0", "--tcp-port", "0", "--advertise", "127.0.0.1"]);
        command.args(["--turn-udp-port", "0", "--turn-tcp-port", "0"]);
        command.arg("--config").arg(&settings).arg("--data").arg(folder);
    })?;
    let ready: Ready = process.line().context("the server did not start")?;
    Ok((process, endpoint(&ready.url)?))
}

/// The server on this machine whose address ends like that.
pub(super) fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    let (_, port) = url.rsplit_once(':').context("an address without a port")?;
    let origin: Origin = format!("https://127.0.0.1:{port}").parse()?;
    let trust = Trust::of(&origin);
    Ok(Endpoint::new(origin, &trust)?)
}
