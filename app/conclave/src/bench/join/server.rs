//! `conclave serve` in a process of its own, as an operator runs it.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use conclave_client::{Endpoint, Trust};
use conclave_commit_rules::Mode;
use conclave_link::{LinkKeys, Origin};
use serde::Deserialize;
use tempfile::TempDir;

use super::client::Meeting;
use crate::bench::cores::pin;
use crate::bench::process;
use crate::meeting::{self, Wish};

/// A running server, its data in a folder of its own. Both end with this.
pub(super) struct ServerProcess {
    child: Child,
    origin: Origin,
    /// Whether it is bound to its processor core.
    pub(super) pinned: bool,
    _folder: TempDir,
}

/// What it says once it is ready, as far as it is of use here.
#[derive(Deserialize)]
struct Ready {
    url: String,
}

/// All clients are one source to the server, which an operator may allow more than the usual for.
const LIMITS: [(&str, &str); 2] = [
    ("CONCLAVE__LIMITS__LOOKUPS_PER_MINUTE", "10000000"),
    ("CONCLAVE__LIMITS__MEETINGS_PER_MINUTE", "10000000"),
];

impl ServerProcess {
    /// Starts a server at free ports, bound to its processor core, and waits until it is ready.
    pub(super) fn start() -> anyhow::Result<Self> {
        let folder = TempDir::new().context("no folder for the server's data")?;
        let mut command = Command::new(env::current_exe().context("cannot find this program")?);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("CONCLAVE__") {
                command.env_remove(name);
            }
        }
        let settings = folder.path().join("conclave.toml");
        std::fs::write(&settings, "").context("cannot write the server's settings")?;
        command
            .args(["serve", "--json", "--log-level", "warn", "--config"])
            .arg(settings)
            .args(["--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0"])
            .args(["--udp-port", "0", "--tcp-port", "0", "--advertise", "127.0.0.1"])
            .args(["--turn-udp-port", "0", "--turn-tcp-port", "0", "--data"])
            .arg(folder.path())
            .envs(LIMITS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        // A process is bound where the thread is that starts it.
        let started = thread::spawn(move || (pin(process::SERVER_CORE), command.spawn())).join();
        let (pinned, child) = started.map_err(|_| anyhow::anyhow!("a thread panicked"))?;
        let mut child = child.context("cannot start the server's process")?;
        match read_origin(&mut child) {
            Ok(origin) => Ok(Self { child, origin, pinned, _folder: folder }),
            Err(error) => {
                end(&mut child);
                Err(error.context("the server did not start"))
            }
        }
    }

    /// Has it keep so many meetings that whoever has the link may enter, at once or after a host.
    pub(super) async fn meetings(
        &self,
        count: usize,
        may_begin: bool,
    ) -> anyhow::Result<Vec<Arc<Meeting>>> {
        let endpoint = Endpoint::new(self.origin.clone(), &Trust::Loopback)?;
        let wish = Wish {
            title: String::new(),
            mode: if may_begin { Mode::OpenLink } else { Mode::Lobby },
            join_before_host: may_begin,
            max_members: 1000,
        };
        let mut meetings = Vec::new();
        for _ in 0..count {
            let (link, constitution) =
                meeting::create(&endpoint, self.origin.clone(), &wish).await?;
            let keys = LinkKeys::of(&link);
            meetings.push(Arc::new(Meeting { link, keys, constitution }));
        }
        Ok(meetings)
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

impl Drop for ServerProcess {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

/// Waits for the line with the server's addresses.
fn read_origin(child: &mut Child) -> anyhow::Result<Origin> {
    let output = child.stdout.take().context("no way to hear the server")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let ready: Ready = serde_json::from_str(&line)?;
    let (_, port) = ready.url.rsplit_once(':').context("an address without a port")?;
    // Not by name, which each client would have to look up.
    Ok(format!("https://127.0.0.1:{port}").parse()?)
}
