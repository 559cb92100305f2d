//! The server's process: one media shard, as in production, and no control plane.

use std::io::{self, BufRead as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use anyhow::Context as _;
use conclave_call_proto::media::{MediaEvent, MediaRequest};
use conclave_sfu::{Shard, ShardConfig, ShardFigures};
use tokio::runtime;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;

use super::control::{Event, Request};
use crate::bench::cores::pin;
use crate::bench::process;
use crate::serve::say;

/// Runs a shard on loopback until standard input ends.
pub(in crate::bench) fn run() -> anyhow::Result<()> {
    let pinned = pin(process::SERVER_CORE);
    let udp = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let shard = Shard::spawn(&ShardConfig { udp, tcp: None, ..ShardConfig::default() })?;
    let address = *shard.udp.first().context("the shard has no address")?;
    tell(&Event::Ready { address, pinned })?;

    let (requests, events, figures) = (shard.requests, shard.events, shard.figures);
    let listener = thread::spawn(move || listen(&requests));
    let teller = thread::spawn(move || tell_all(events));
    let counter = thread::spawn(move || tell_figures(figures));
    let results = [listener.join(), teller.join(), counter.join()];
    anyhow::ensure!(shard.running.join(), "the shard panicked");
    for result in results {
        result.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))?;
    }
    Ok(())
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
fn tell_figures(mut figures: watch::Receiver<ShardFigures>) -> anyhow::Result<()> {
    let runtime = runtime::Builder::new_current_thread().build()?;
    while runtime.block_on(figures.changed()).is_ok() {
        let ShardFigures { packets_forwarded, system_calls } = *figures.borrow_and_update();
        tell(&Event::Figures { packets_forwarded, system_calls })?;
    }
    Ok(())
}

fn tell(event: &Event) -> anyhow::Result<()> {
    say(&serde_json::to_string(event)?)
}
