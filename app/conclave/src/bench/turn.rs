//! What relaying costs: `conclave bench turn`.

mod report;

use super::limit;
use super::machine::Machine;
use super::media::line::Way;
use super::media::{self, Load};
use super::output::Form;
use report::{Report, Row};

/// Arguments of `conclave bench turn`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The figures are meant for two idle cores and a release build: the server \
    is bound to the first one, its clients to the second. A row says so if it is void.")]
pub(crate) struct Args {
    /// Clients that show the camera. They come from one address, and the TURN server takes only so
    /// many newcomers of one.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=120))]
    subscribers: u32,
    /// How often each row is measured. The middle one is reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// How long each row is measured in a round.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    #[command(flatten)]
    form: Form,
    /// Three subscribers for a second: whether it works, not what it costs.
    #[arg(long, conflicts_with_all = ["subscribers", "rounds", "seconds"])]
    quick: bool,
}

/// The packets of a frame for which rows are measured.
const BURSTS: &[u32] = &[1, 8];
const QUICK_BURSTS: &[u32] = &[4];

/// The direct way, and those that are held against it.
const WAYS: [Way; 3] = [Way::Direct, Way::Udp, Way::Tcp];

/// Measures, and reports.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let (bursts, rounds) = if args.quick { (QUICK_BURSTS, 1) } else { (BURSTS, args.rounds) };
    for burst in bursts {
        // The ways take turns, so that a bad moment of the machine falls on all of them.
        let mut measured = WAYS.map(|way| (way, Vec::new()));
        for _ in 0..rounds {
            for (way, rounds) in &mut measured {
                rounds.push(media::measure(&args.load(*burst, *way))?);
            }
        }
        let [direct, udp, tcp] = measured.map(|(_, rounds)| Row::of(rounds));
        let direct = direct?;
        let relayed = [udp?.against(&direct), tcp?.against(&direct)];
        rows.push(direct);
        rows.extend(relayed);
    }
    args.form.say(&Report { machine: Machine::this(), rows })
}

impl Args {
    fn load(&self, burst: u32, way: Way) -> Load {
        let (subscribers, seconds) =
            if self.quick { (3, 1) } else { (self.subscribers, self.seconds) };
        let (fps, way) = (limit::FRAMES_A_SECOND, Some(way));
        Load { publishers: 1, subscribers, seconds, fps, burst, way }
    }
}
