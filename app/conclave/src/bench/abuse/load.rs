//! The clients' process: lets a call be disturbed, and measures how it fares.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attack::{self, Surroundings};
use super::case::{Case, Place};
use super::flood::Flood;
use super::measured::{HalfLoad, LEAST_SENT, Measured, Outcome, Phase};
use super::scene::{self, BYSTANDER, FPS, PUBLISHER, Reading, Scene};
use crate::bench::media::measured::Delay;
use crate::serve::say;

/// What is measured, and for how long.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::bench) struct Load {
    /// The manner of abuse. Without, the delay is measured that the server adds by itself.
    #[arg(long)]
    pub(super) case: Option<Case>,
    /// Calls of bystanders, each with a camera.
    #[arg(long)]
    pub(super) calls: u32,
    /// Clients that show a call's camera.
    #[arg(long)]
    pub(super) subscribers: u32,
    /// Packets of a frame.
    #[arg(long)]
    pub(super) burst: u32,
    /// How long each phase is measured, in milliseconds.
    #[arg(long)]
    pub(super) milliseconds: u64,
    /// Datagrams that an attacker sends in a second.
    #[arg(long)]
    pub(super) rate: u32,
}

/// What is read of a phase at both its ends, and how long datagrams took without a server.
struct Read {
    before: Reading,
    after: Reading,
    floor_us: Vec<u32>,
}

/// How long what was sent may still arrive, retransmissions included.
const LAST_ARRIVALS: Duration = Duration::from_millis(500);

/// Counters that tell of what the server refuses, drops, or is worn out by.
const TELLING: [&str; 7] = [
    "conclave_media_drops_total",
    "conclave_media_budgets_spent_total",
    "conclave_media_sessions_failed_total",
    "conclave_plis_total",
    "conclave_turn_refused_total",
    "conclave_turn_allocations_total",
    "conclave_turn_datagrams_total",
];

/// Measures, and writes the figures as a line of JSON.
pub(in crate::bench) fn run(load: &Load) -> anyhow::Result<()> {
    let outcome = match load.case {
        Some(case) => Outcome::Case(Box::new(disturb(load, case)?)),
        None => Outcome::HalfLoad(Box::new(leave_alone(load)?)),
    };
    say(&serde_json::to_string(&outcome)?)
}

impl Load {
    /// This load as arguments of the process that makes it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let case = self.case.map(|case| format!("--case={}", case.name()));
        let numbers = [
            ("calls", u64::from(self.calls)),
            ("subscribers", self.subscribers.into()),
            ("burst", self.burst.into()),
            ("milliseconds", self.milliseconds),
            ("rate", self.rate.into()),
        ];
        case.into_iter().chain(numbers.map(|(name, value)| format!("--{name}={value}"))).collect()
    }

    const fn scene(&self) -> scene::Load {
        scene::Load { calls: self.calls, subscribers: self.subscribers, burst: self.burst }
    }

    const fn phase(&self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

/// Before, meanwhile, and afterwards.
fn disturb(load: &Load, case: Case) -> anyhow::Result<Measured> {
    let mut scene = Scene::open(load.scene(), case.place())?;
    let before = measure(&mut scene, load.phase())?;
    let counted_before = scene.count()?;

    let flood = begin(&mut scene, load, case)?;
    let meanwhile = measure(&mut scene, load.phase())?;
    let sent_per_second = flood.map(Flood::stop).transpose()?.unwrap_or_default();
    scene.let_intruder_listen(true);

    let counted = risen(&counted_before, scene.count()?);
    let after = measure(&mut scene, load.phase())?;
    scene.go_on_for(LAST_ARRIVALS)?;

    let phases = finish(&scene, [before, meanwhile, after]);
    let lost = phases.iter().map(|phase| phase.expected.saturating_sub(phase.delivered)).sum();
    let mut void = reasons_against(load, &phases);
    if load.rate > 0 && sent_per_second < f64::from(load.rate) * LEAST_SENT {
        void.push(format!("the attacker sent only {sent_per_second:.0} a second"));
    }
    Ok(Measured { case, sent_per_second, phases, lost, counted, void })
}

/// Nothing but media.
fn leave_alone(load: &Load) -> anyhow::Result<HalfLoad> {
    let mut scene = Scene::open(load.scene(), Place::Nowhere)?;
    let read = measure(&mut scene, load.phase())?;
    scene.go_on_for(LAST_ARRIVALS)?;
    let phases = finish(&scene, [read]);
    let void = reasons_against(load, &phases);
    let [phase] = phases;
    Ok(HalfLoad {
        calls: load.calls,
        subscribers: load.subscribers,
        burst: load.burst,
        forwarded_per_second: phase.delivered as f64 / load.phase().as_secs_f64(),
        phase,
        void,
    })
}

/// Lets the attacker begin.
fn begin(scene: &mut Scene, load: &Load, case: Case) -> anyhow::Result<Option<Flood>> {
    if case == Case::NeverReads {
        scene.let_intruder_listen(false);
    }
    let publishes =
        matches!(case, Case::ReplayedMedia | Case::TruncatedMedia | Case::LargeExtensions);
    let around = Surroundings {
        server: scene.server.address,
        relay: scene.server.turn.first(),
        publisher: scene.client(PUBLISHER)?,
        bystander: scene.client(BYSTANDER)?,
        own: scene.attacker(publishes),
    };
    let weapon = attack::prepare(case, &around)?;
    Ok(weapon.map(|weapon| Flood::start(load.rate, weapon)))
}

fn measure(scene: &mut Scene, time: Duration) -> anyhow::Result<Read> {
    scene.ping.take();
    let before = scene.read()?;
    scene.open_window();
    scene.go_on_for(time)?;
    scene.close_window();
    let after = scene.read()?;
    Ok(Read { before, after, floor_us: scene.ping.take() })
}

/// What became of the phases, in order.
fn finish<const N: usize>(scene: &Scene, reads: [Read; N]) -> [Phase; N] {
    let mut place = 0;
    reads.map(|Read { before, after, floor_us }| {
        let windows = || scene.bystanders().filter_map(|client| client.tally.windows().get(place));
        let delays_us = windows().flat_map(|window| window.delays_us.iter().copied()).collect();
        let time = (after.at - before.at).as_secs_f64();
        let share = |after: Duration, before| after.saturating_sub(before).as_secs_f64() / time;
        let phase = Phase {
            delay_us: Delay::of(delays_us),
            floor_us: Delay::of(floor_us),
            server_busy: share(after.server_cpu, before.server_cpu),
            clients_busy: share(after.clients_cpu, before.clients_cpu),
            delivered: windows().map(super::tally::Window::delivered).sum(),
            expected: after.due - before.due,
        };
        place += 1;
        phase
    })
}

fn reasons_against(load: &Load, phases: &[Phase]) -> Vec<String> {
    let mut reasons: Vec<String> = phases.iter().filter_map(Phase::reason_against).collect();
    let packets = FPS * load.burst * load.subscribers * load.calls;
    let due = load.phase().as_secs_f64() * f64::from(packets);
    let sent = phases.iter().map(|phase| phase.expected as f64 / due);
    let least = sent.fold(f64::INFINITY, f64::min);
    if least < LEAST_SENT {
        reasons.push(format!("the publisher sent {least:.3} of what it should have"));
    }
    reasons
}

/// What of the telling counters has risen, and by how much.
fn risen(before: &BTreeMap<String, u64>, after: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let is_telling = |name: &str| TELLING.iter().any(|telling| name.starts_with(telling));
    after
        .into_iter()
        .filter(|(name, _)| is_telling(name))
        .map(|(name, count)| {
            let risen = count.saturating_sub(before.get(&name).copied().unwrap_or_default());
            (name, risen)
        })
        .filter(|(_, risen)| *risen > 0)
        .collect()
}
