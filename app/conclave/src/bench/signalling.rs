//! What it costs to tell a thousand people something: `conclave bench signalling`.

mod changes;
mod floor;
mod group;
mod members;
mod report;
mod server;
mod site;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use conclave_wire::{GroupNews, GroupRequest, ParticipantInfo, Presence, ServerMessage};
use tempfile::TempDir;
use tokio::runtime;

pub(super) use floor::{Load as FloorLoad, run as run_floor};

use super::cores::pin;
use super::machine::Machine;
use super::output::{Form, progress};
use super::process;
use changes::{Kind, Told};
use members::{Members, What};
use report::{Limits, Report, Return, Row, Spent};
use server::Process;
use site::Site;

/// Arguments of `conclave bench signalling`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 if the limits hold, 1 if one is exceeded or something \
    fails. The figures are meant for two idle cores and a release build: the server is bound to the \
    first one, the members' sockets to the second.")]
pub(crate) struct Args {
    /// Members of the call, each with a socket.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(2..=4000))]
    members: u16,
    /// Changes of each kind.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u16).range(1..=1000))]
    changes: u16,
    /// Changes in a second, on average.
    #[arg(long, default_value_t = 5.0)]
    per_second: f64,
    /// Within how many milliseconds all must know of 99 of 100 changes.
    #[arg(long, value_name = "MS", default_value_t = 250.0)]
    limit_ms: f64,
    /// How many times the bare loop a message may cost.
    #[arg(long, value_name = "TIMES", default_value_t = 3.0)]
    limit_times: f64,
    #[command(flatten)]
    form: Form,
    /// A few members and changes: whether it works, not what it costs.
    #[arg(long, conflicts_with_all = ["members", "changes", "per_second"])]
    quick: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Plan {
    members: usize,
    changes: usize,
    per_second: f64,
    /// How often in a second all confirm their keys.
    confirmations_per_second: f64,
    /// How long each run of the floor takes, about.
    floor: Duration,
    /// For how long the server is left alone, to see what it takes then.
    idle: Duration,
}

const QUICK: Plan = Plan {
    members: 8,
    changes: 6,
    per_second: 10.0,
    confirmations_per_second: 10.0,
    floor: Duration::from_millis(200),
    idle: Duration::from_millis(200),
};

/// The kinds of change whose messages are held against the floor.
const KINDS: [Kind; 2] = [Kind::Microphone, Kind::Hand];

/// How often all confirm their keys.
const CONFIRMATIONS: usize = 5;

/// How long all may take to come back.
const RETURN_PATIENCE: Duration = Duration::from_secs(60);

/// After they are back, they are still told of each other for a moment.
const SETTLING: Duration = Duration::from_secs(2);

/// Measures, and reports.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let (plan, machine) = (args.plan(), Machine::this());
    // A thread of its own: there it is bound to a core, and may wait.
    let measuring = thread::spawn(move || {
        let pinned = pin(process::CLIENTS_CORE);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(measure(plan, pinned))
    });
    let measured = measuring.join().map_err(|_| anyhow::anyhow!("the measurement panicked"))?;
    let (returned, rows) = measured?;
    let limits = Limits { all_ms: args.limit_ms, times: args.limit_times };
    let report = Report::new(machine, returned, rows, limits);
    args.form.say(&report)?;
    let exceeded = report.exceeded();
    anyhow::ensure!(exceeded.is_empty(), "{}", exceeded.join("; "));
    Ok(())
}

impl Args {
    fn plan(&self) -> Plan {
        if self.quick {
            return QUICK;
        }
        Plan {
            members: self.members.into(),
            changes: self.changes.into(),
            per_second: self.per_second,
            confirmations_per_second: 0.5,
            floor: Duration::from_secs(5),
            idle: Duration::from_secs(5),
        }
    }
}

async fn measure(plan: Plan, pinned: bool) -> anyhow::Result<(Return, Vec<Row>)> {
    let Plan { members: count, changes, .. } = plan;
    progress(&format!("making a group of {count}"));
    let mut site = Site::of(count).await?;
    let hands = site.group.hands(changes)?;
    let sizes = KINDS.map(|kind| message_bytes(kind, &hands));
    let before = floors(plan, sizes).await?;

    progress(&format!("the return of {count}"));
    let (server, endpoint) = server::serve(site.folder(), count)?;
    let mut members = Members::come_back(&endpoint, &mut site);
    let returned = come_back(&mut members, &server, plan).await?;

    let epoch = site.group.epoch();
    let mut told = Vec::new();
    for kind in KINDS {
        let make = changes::make(&mut members, kind, &hands, plan.per_second, epoch);
        told.push(spend(kind, &server, make).await?);
    }
    let few = hands.get(..CONFIRMATIONS.min(hands.len())).unwrap_or_default();
    let (kind, pace) = (Kind::Confirmation, plan.confirmations_per_second);
    let make = changes::make(&mut members, kind, few, pace, epoch);
    let confirming = spend(kind, &server, make).await?;
    let pinned = server.pinned && pinned;
    drop((members, server));

    let after = floors(plan, sizes).await?;
    let floors = before.into_iter().zip(after);
    let rows = told.into_iter().zip(floors).map(|(spent, floor)| (spent, Some(floor)));
    let rows =
        rows.chain([(confirming, None)]).zip(sizes.into_iter().chain(sizes.first().copied()));
    let rows = rows.map(|((spent, floor), bytes)| Row::new((count, bytes, pinned), spent, floor));
    Ok((returned, rows.collect()))
}

/// Makes changes of one kind, and says what that took.
async fn spend(
    kind: Kind,
    server: &Process,
    make: impl Future<Output = anyhow::Result<Told>>,
) -> anyhow::Result<Spent> {
    progress(&format!("changes: {kind:?}"));
    let (server_before, own_before) = (server.cpu()?, own_cpu()?);
    let told = make.await?;
    let server_cpu = server.cpu()?.saturating_sub(server_before);
    let clients_cpu = own_cpu()?.saturating_sub(own_before);
    Ok(Spent { kind, told, server_cpu, clients_cpu })
}

/// Waits until all are back, and until the server has told everybody of it.
async fn come_back(members: &mut Members, server: &Process, plan: Plan) -> anyhow::Result<Return> {
    let began = Instant::now();
    let mut back = 0;
    let all_back = async {
        while back < members.len() {
            back += usize::from(matches!(members.hear().await?.what, What::Back));
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(RETURN_PATIENCE, all_back).await.context("not all came back")??;
    let all = began.elapsed();
    let cpu = server.cpu()?;
    listen_for(members, SETTLING.min(plan.idle * 2)).await?;

    let before = server.cpu()?;
    let idle = Instant::now();
    listen_for(members, plan.idle).await?;
    let idle_cpu = server.cpu()?.saturating_sub(before);
    Ok(Return {
        members: plan.members,
        all_ms: all.as_secs_f64() * 1000.0,
        cpu_ms_each: cpu.as_secs_f64() * 1000.0 / plan.members as f64,
        kb_each: server.resident_kb()? / plan.members as f64,
        idle_busy: idle_cpu.as_secs_f64() / idle.elapsed().as_secs_f64(),
    })
}

/// Lets the members hear what there is to hear for a while.
async fn listen_for(members: &mut Members, time: Duration) -> anyhow::Result<()> {
    let until = tokio::time::Instant::now() + time;
    while let Ok(heard) = tokio::time::timeout_at(until, members.hear()).await {
        heard?;
    }
    Ok(())
}

/// What a message costs at the least, for each of these sizes, in nanoseconds.
async fn floors(plan: Plan, sizes: [usize; 2]) -> anyhow::Result<Vec<f64>> {
    let folder: TempDir = tempfile::tempdir().context("cannot make a folder")?;
    let mut floors = Vec::new();
    for bytes in sizes {
        progress(&format!("the floor with messages of {bytes} bytes"));
        let load = FloorLoad {
            connections: plan.members,
            bytes,
            rounds: (plan.floor.as_secs_f64() * plan.per_second).ceil() as u32,
            per_second: plan.per_second,
            folder: folder.path().to_owned(),
        };
        floors.push(floor::measure(&load).await?);
    }
    Ok(floors)
}

/// The bytes of a message that tells of such a change, with WebSocket's frame around it.
fn message_bytes(kind: Kind, hands: &[GroupRequest]) -> usize {
    let message = match (kind, hands.first()) {
        (Kind::Hand, Some(GroupRequest::App { message })) => {
            let news = GroupNews::App { message: message.clone() };
            ServerMessage::Group { news }
        }
        (Kind::Confirmation | Kind::Hand | Kind::Microphone, _) => {
            let changed = ParticipantInfo {
                id: conclave_model::ParticipantId(500),
                leaf: 499,
                presence: Presence { muted: false },
                connected: true,
                publications: Vec::new(),
            };
            ServerMessage::Roster { present: vec![changed], left: Vec::new() }
        }
    };
    let text = serde_json::to_string(&message).unwrap_or_default();
    // RFC 6455, section 5.2: two bytes of head, or four for more than 125 bytes.
    text.len() + if text.len() > 125 { 4 } else { 2 }
}

fn own_cpu() -> anyhow::Result<Duration> {
    process::cpu(std::process::id())
}
