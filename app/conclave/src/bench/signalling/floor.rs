//! The floor: the least that telling many something can cost. A loop that writes the same bytes to
//! as many TLS connections, of the same library, and does nothing else.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustls::{ServerConfig, ServerConnection};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;

use super::server::{Process, endpoint};
use crate::bench::clock::cpu;
use crate::certificate;
use crate::serve::say;

/// How many are told how much and how often.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::bench) struct Load {
    /// Connections.
    #[arg(long)]
    pub(super) connections: usize,
    /// Bytes of each message.
    #[arg(long)]
    pub(super) bytes: usize,
    /// How often all are told something.
    #[arg(long)]
    pub(super) rounds: u32,
    /// How often in a second.
    #[arg(long)]
    pub(super) per_second: f64,
    /// A folder for its certificate.
    #[arg(long)]
    pub(super) folder: PathBuf,
}

/// Where the loop's process can be reached.
#[derive(Debug, Deserialize, Serialize)]
struct Ready {
    url: String,
}

/// What the loop took.
#[derive(Debug, Deserialize, Serialize)]
struct Spent {
    cpu_ns: u64,
}

/// What a message costs at the very least, in nanoseconds of processor time: measured in a process
/// of its own, while this one reads.
pub(super) async fn measure(load: &Load) -> anyhow::Result<f64> {
    let mut process = Process::start(|command| load.give_to(command))?;
    let ready: Ready = process.line().context("the floor's process did not start")?;
    let endpoint = endpoint(&ready.url)?;
    let read = Arc::new(AtomicU64::new(0));
    for _ in 0..load.connections {
        let mut connection = endpoint.dial().await?;
        let read = Arc::clone(&read);
        tokio::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(bytes @ 1..) = connection.read(&mut buffer).await {
                read.fetch_add(bytes as u64, Ordering::Relaxed);
            }
        });
    }
    // The process speaks again when it is done; this thread reads meanwhile.
    let spent = tokio::task::spawn_blocking(move || process.line::<Spent>()).await??;
    let messages = u64::from(load.rounds) * load.connections as u64;
    let expected = messages * load.bytes as u64;
    let deadline = Instant::now() + Duration::from_secs(5);
    while read.load(Ordering::Relaxed) < expected && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let read = read.load(Ordering::Relaxed);
    anyhow::ensure!(read == expected, "{read} of {expected} bytes of the floor's arrived");
    Ok(spent.cpu_ns as f64 / messages as f64)
}

impl Load {
    fn give_to(&self, command: &mut Command) {
        let Self { connections, bytes, rounds, per_second, folder } = self;
        command.args(["bench", "signalling-floor"]);
        command.arg(format!("--connections={connections}"));
        command.arg(format!("--bytes={bytes}"));
        command.arg(format!("--rounds={rounds}"));
        command.arg(format!("--per-second={per_second}"));
        command.arg("--folder").arg(folder);
    }
}

/// The loop's process.
pub(in crate::bench) fn run(load: &Load) -> anyhow::Result<()> {
    let config = Arc::new(config(&load.folder)?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    say(&serde_json::to_string(&Ready { url: format!("https://localhost:{port}") })?)?;
    let accept = |_| Connection::accept(&listener, &config);
    let mut connections = (0..load.connections).map(accept).collect::<Result<Vec<_>, _>>()?;

    let message = vec![0x5a; load.bytes];
    let gap = Duration::from_secs_f64(1.0 / load.per_second);
    let mut due = Instant::now();
    let before = cpu();
    for _ in 0..load.rounds {
        due += gap;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        for connection in &mut connections {
            connection.write(&message)?;
        }
    }
    let spent = cpu().saturating_sub(before);
    let cpu_ns = u64::try_from(spent.as_nanos())?;
    say(&serde_json::to_string(&Spent { cpu_ns })?)?;
    // The other process ends this one when it has read everything.
    for connection in &mut connections {
        let _ = connection.stream.read(&mut [0; 64]);
    }
    Ok(())
}

fn config(folder: &Path) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    certificate::self_signed(folder, &[], provider)
}

/// One connection of the loop.
struct Connection {
    tls: ServerConnection,
    stream: TcpStream,
}

impl Connection {
    fn accept(listener: &TcpListener, config: &Arc<ServerConfig>) -> anyhow::Result<Self> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut tls = ServerConnection::new(Arc::clone(config))?;
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut stream)?;
        }
        Ok(Self { tls, stream })
    }

    fn write(&mut self, message: &[u8]) -> anyhow::Result<()> {
        self.tls.writer().write_all(message)?;
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}
