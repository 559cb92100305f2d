//! The server's process, as the clients' process sees it.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use super::control::{Event, Relay, Request};
use crate::bench::process;

/// A running server. It ends with this.
pub(in crate::bench) struct ServerProcess {
    child: Child,
    requests: ChildStdin,
    events: Receiver<Event>,
    /// Where it takes media.
    pub(in crate::bench) address: SocketAddr,
    /// Whether it is bound to its processor core.
    pub(in crate::bench) pinned: bool,
    /// Credentials of the TURN server beside it, if it has one.
    pub(in crate::bench) turn: Vec<Relay>,
}

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

impl ServerProcess {
    /// Starts a server that is nothing but a shard, and waits until it is ready.
    pub(in crate::bench) fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one that has a TURN server beside it, with so many credentials, and waits until it
    /// is ready.
    pub(in crate::bench) fn start_with_turn(credentials: u32) -> anyhow::Result<Self> {
        Self::start_with(&[&format!("--turn={credentials}")])
    }

    /// Starts one that has a TURN server and tells its metrics, and waits until it is ready.
    pub(in crate::bench) fn start_whole() -> anyhow::Result<Self> {
        Self::start_with(&["--turn=1", "--metrics"])
    }

    fn start_with(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe().context("cannot find this program")?);
        command
            .args(["bench", "media-server"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the server's process")?;
        let requests = child.stdin.take().context("no way to ask the server")?;
        let events = listen(child.stdout.take().context("no way to hear the server")?);
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Ready { address, pinned, turn }) => {
                Ok(Self { child, requests, events, address, pinned, turn })
            }
            other => {
                // It may have ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                anyhow::bail!("the server did not start: {other:?}")
            }
        }
    }

    /// Asks something of it.
    pub(in crate::bench) fn ask(&mut self, request: &Request) -> anyhow::Result<()> {
        let line = serde_json::to_string(request)?;
        writeln!(self.requests, "{line}").context("the server's process has ended")
    }

    /// What it has said meanwhile, one by one.
    pub(in crate::bench) fn hear(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// The processor time that it has used so far.
    pub(in crate::bench) fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.child.id())
    }

    /// The memory that it has in use, in kilobytes.
    pub(in crate::bench) fn resident_kb(&self) -> anyhow::Result<f64> {
        process::resident_kb(self.child.id())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads on a thread of its own, which ends with the server.
fn listen(output: ChildStdout) -> Receiver<Event> {
    let (events_in, events) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let Ok(event) = serde_json::from_str(&line) else { return };
            if events_in.send(event).is_err() {
                return;
            }
        }
    });
    events
}
