use std::thread::ScopedJoinHandle;
use std::time::Duration;

use super::cores::Cores;
use super::machine::Machine;
use super::output::{Form, progress};

mod port;
mod publisher;
mod receivers;
mod report;
mod sample;
mod sending;
mod srtp;
mod toy;

pub(super) use publisher::FRAMES_A_SECOND;
use publisher::Pace;
use report::{Report, Row, Work};
pub(super) use sample::Sample;

/// Arguments of `conclave bench limit`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 if it was measured, 1 if something fails. Rows of which less \
    than 99 % arrived are marked as void. The figures want two idle cores and a release build."
)]
pub(crate) struct Args {
    #[command(flatten)]
    form: Form,
    /// A moment for each row: whether it works, not what it costs.
    #[arg(long, conflicts_with = "seconds")]
    quick: bool,
    /// How long each row is measured, over all rounds together.
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
}

/// How long it is measured.
struct Plan {
    /// How often each row is measured. The rows take turns, so that a bad moment of the machine
    /// falls on all.
    rounds: u32,
    /// How long each row is measured, over all rounds.
    length: Duration,
}

const QUICK: Plan = Plan { rounds: 2, length: Duration::from_millis(200) };

/// In how many rounds, unless it is quick.
const ROUNDS: u32 = 5;

/// To how many sockets each packet goes.
const DESTINATIONS: usize = 100;

/// How many packets a frame has, and how many go to a destination in one burst.
const BURSTS: [usize; 3] = [1, 4, 8];

/// No measurement sends more packets than this, however long it takes.
const MOST_PACKETS: u64 = 500_000_000;

/// Measures, and reports.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let plan = if args.quick {
        QUICK
    } else {
        Plan { rounds: ROUNDS, length: Duration::from_secs(args.seconds.into()) }
    };
    let report = measure(&plan)?;
    args.form.say(&report)
}

/// The floor, to be measured in turns with what is held against it: a toy of a media node gets 60
/// frames a second of `burst` packets of 1200 bytes, each of which it opens once and then renumbers,
/// seals and sends to so many `destinations`, a burst each. `length` is how long it gets them.
///
/// It runs on threads of its own. If the calling thread may use two cores or more, the toy has one
/// of them for itself, as far as this process goes.
pub(super) fn floor(burst: usize, destinations: usize, length: Duration) -> anyhow::Result<Sample> {
    toy::measure(Pace::Paced, burst, destinations, length)
}

fn measure(plan: &Plan) -> anyhow::Result<Report> {
    let cases = Work::ALL.into_iter().flat_map(|work| BURSTS.map(|burst| (work, burst)));
    let mut cases: Vec<_> = cases.map(|(work, burst)| (work, burst, Vec::new())).collect();
    for round in 1..=plan.rounds {
        progress(&format!("round {round} of {}", plan.rounds));
        for (work, burst, samples) in &mut cases {
            samples.push(sample(*work, *burst, plan.length / plan.rounds)?);
        }
    }
    let row = |(work, burst, samples): &(Work, usize, Vec<Sample>)| Row::of(*work, *burst, samples);
    Ok(Report {
        machine: Machine::this(),
        own_core: Cores::choose().are_two(),
        destinations: DESTINATIONS,
        datagram_bytes: srtp::DATAGRAM,
        rounds: plan.rounds,
        seconds: plan.length.as_secs_f64(),
        rows: cases.iter().map(row).collect(),
    })
}

fn sample(work: Work, burst: usize, length: Duration) -> anyhow::Result<Sample> {
    let sample = match work {
        Work::Send => sending::measure(false, burst, DESTINATIONS, length)?,
        Work::SealAndSend => sending::measure(true, burst, DESTINATIONS, length)?,
        Work::FloorPaced => floor(burst, DESTINATIONS, length)?,
        Work::FloorSaturated => toy::measure(Pace::Saturated, burst, DESTINATIONS, length)?,
    };
    anyhow::ensure!(sample.delivered > 0, "nothing arrives over loopback");
    Ok(sample)
}

/// What a thread of a measurement came to.
fn joined<T>(thread: ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("a thread of the measurement panicked"))?
}
