//! The server's process: one media shard, as in production, and no control plane.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Instant;

use anyhow::Context as _;
use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_sfu::{Shard, ShardConfig, ShardFigures, ShardHandle, TurnConfig};
use conclave_telemetry::Metrics;
use conclave_turn_proto::{Credential, Issuer, Limits};
use tokio::runtime;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;

use super::control::{Event, Relay, Request};
use crate::bench::cores::pin;
use crate::bench::process;
use crate::serve::say;

/// Arguments of the server's process.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::bench) struct Server {
    /// With a TURN server beside it, and so many credentials for it.
    #[arg(long, default_value_t = 0)]
    turn: u32,
    /// With its metrics told once a second.
    #[arg(long)]
    metrics: bool,
}

/// Runs a shard on loopback until standard input ends.
pub(in crate::bench) fn run(server: Server) -> anyhow::Result<()> {
    let pinned = pin(process::SERVER_CORE);
    let metrics =
        server.metrics.then(|| Metrics::install(env!("CARGO_PKG_VERSION"))).transpose()?;
    let (shard, turn) = start(server.turn)?;
    let address = *shard.udp.first().context("the shard has no address")?;
    tell(&Event::Ready { address, pinned, turn })?;

    let (requests, events, figures) = (shard.requests, shard.events, shard.figures);
    let listener = thread::spawn(move || listen(&requests));
    let teller = thread::spawn(move || tell_all(events));
    let counter = thread::spawn(move || tell_figures(figures, metrics.as_ref()));
    let results = [listener.join(), teller.join(), counter.join()];
    anyhow::ensure!(shard.running.join(), "the shard panicked");
    for result in results {
        result.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))?;
    }
    Ok(())
}

/// Starts a shard, with a TURN server if there shall be credentials for it.
fn start(credentials: u32) -> anyhow::Result<(ShardHandle, Vec<Relay>)> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = ShardConfig { udp: any, tcp: None, ..ShardConfig::default() };
    if credentials == 0 {
        return Ok((Shard::spawn(&config)?, Vec::new()));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the system gives no random bytes")?;
    let issuer = Issuer::new(&secret, Instant::now(), 0);
    let credential = |holder: u32| issuer.issue(Instant::now(), &holder.to_be_bytes());
    let issued: Vec<_> = (0..credentials).map(credential).collect();
    let limits = Limits::default();
    let turn = TurnConfig { udp: Some(any), tcp: Some(any), issuer, limits };
    let shard = Shard::spawn(&ShardConfig { turn: Some(turn), ..config })?;
    let turn = shard.turn.as_ref().context("no TURN server")?;
    let at = |port: Option<u16>| port.map(|port| SocketAddr::new(any.ip(), port));
    let (udp, tcp) = at(turn.udp).zip(at(turn.tcp)).context("no ports of the TURN server")?;
    let relay = |Credential { username, password }| Relay { udp, tcp, username, password };
    let relays = issued.into_iter().map(relay).collect();
    Ok((shard, relays))
}

/// Passes requests on until there are no more; then the shard ends, for want of them.
fn listen(requests: &Sender<MediaRequest>) -> anyhow::Result<()> {
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        requests.blocking_send(request.into()).context("the shard has ended")?;
    }
    Ok(())
}

fn tell_all(mut events: Receiver<MediaEvent>) -> anyhow::Result<()> {
    while let Some(event) = events.blocking_recv() {
        if let Some(event) = Event::of(event) {
            tell(&event)?;
        }
    }
    Ok(())
}

/// Tells what the shard has done, until it ends.
fn tell_figures(
    mut figures: watch::Receiver<ShardFigures>,
    metrics: Option<&Metrics>,
) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_current_thread().build()?;
    while runtime.block_on(figures.changed()).is_ok() {
        let told = *figures.borrow_and_update();
        let ShardFigures { packets_forwarded, system_calls, longest_turn } = told;
        let longest_turn_us = u64::try_from(longest_turn.as_micros())?;
        tell(&Event::Figures { packets_forwarded, system_calls, longest_turn_us })?;
        if let Some(metrics) = metrics {
            tell(&Event::Counted(read(&metrics.render())))?;
        }
    }
    Ok(())
}

/// The metrics in what Prometheus would read, but for those that are no whole numbers.
fn read(text: &str) -> BTreeMap<String, u64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let metric = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    lines.filter_map(metric).collect()
}

fn tell(event: &Event) -> anyhow::Result<()> {
    say(&serde_json::to_string(event)?)
}
