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
use conclave_turn_proto::{Issuer, Limits};
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
    /// With a TURN server beside it, and with its metrics told once a second.
    #[arg(long)]
    whole: bool,
}

/// Runs a shard on loopback until standard input ends.
pub(in crate::bench) fn run(server: Server) -> anyhow::Result<()> {
    let pinned = pin(process::SERVER_CORE);
    let metrics = server.whole.then(|| Metrics::install(env!("CARGO_PKG_VERSION"))).transpose()?;
    let (shard, turn) = start(server)?;
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

/// Starts a shard, and the TURN server if there shall be one.
fn start(server: Server) -> anyhow::Result<(ShardHandle, Option<Relay>)> {
    let udp = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = ShardConfig { udp, tcp: None, ..ShardConfig::default() };
    if !server.whole {
        return Ok((Shard::spawn(&config)?, None));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the system gives no random bytes")?;
    let issuer = Issuer::new(&secret, Instant::now(), 0);
    let credential = issuer.issue(Instant::now(), b"the attacker");
    let turn = TurnConfig { udp: Some(udp), tcp: None, issuer, limits: Limits::default() };
    let shard = Shard::spawn(&ShardConfig { turn: Some(turn), ..config })?;
    let port = shard.turn.as_ref().and_then(|turn| turn.udp).context("no TURN server")?;
    let relay = Relay {
        address: SocketAddr::new(udp.ip(), port),
        username: credential.username,
        password: credential.password,
    };
    Ok((shard, Some(relay)))
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
