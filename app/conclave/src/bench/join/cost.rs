//! What a join costs the server, step by step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Client, Media, Meeting};
use super::server::ServerProcess;
use crate::bench::process;

/// How far a join goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Step {
    /// TLS, WebSocket, and the meeting's door, with a knock that nobody answers.
    Door,
    /// ... and the meeting's group.
    Group,
    /// ... and a media session.
    Media,
}

/// What a join costs that goes so far.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cost {
    pub(super) step: Step,
    /// Processor time of the server for each join, in milliseconds, without what it takes to keep
    /// those who are in.
    pub(super) cpu_ms: f64,
    /// What it takes to keep all of them for a second, once they are in, for each.
    pub(super) idle_cpu_ms_per_second: f64,
    /// Memory of the server for each, in kilobytes.
    pub(super) kb: f64,
    /// From the first one's start until all had come so far.
    pub(super) all_ms: f64,
    /// How much of a processor core the clients used.
    pub(super) clients_busy: f64,
    /// Whether the server was bound to its processor core.
    pub(super) pinned: bool,
}

/// Who join each meeting while it is measured, after one who is in already.
pub(super) const PER_MEETING: u32 = 4;

/// Clients that may be on their way in at a time: so few that no two of one meeting are.
const JOINING: usize = 8;

/// What the server does after the last one came in belongs to the joins, too.
const AFTERMATH: Duration = Duration::from_millis(500);

impl Step {
    pub(super) const ALL: [Self; 3] = [Self::Door, Self::Group, Self::Media];

    /// Where to, in words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Door => "to the door",
            Self::Group => "into the group",
            Self::Media => "with a media session",
        }
    }

    /// Lets one client come so far. It stays there.
    async fn join(self, meeting: &Meeting) -> anyhow::Result<Client> {
        let media = if self == Self::Media { Media::Silent } else { Media::None };
        let mut client = Client::start(meeting, media)?;
        match self {
            Self::Door => client.reach("the door", |report| report.joined_ms.is_some()).await?,
            Self::Group => client.reach("the group", |report| report.admitted_ms.is_some()).await?,
            Self::Media => client.connect().await?,
        }
        Ok(client)
    }
}

/// Lets so many join a server of their own, and sees what that costs it.
pub(super) async fn measure(step: Step, joins: u32, idle: Duration) -> anyhow::Result<Cost> {
    let server = ServerProcess::start()?;
    // Whoever knocks where no host has been waits at the door.
    let may_begin = step != Step::Door;
    let count = usize::try_from(joins.div_ceil(PER_MEETING))?;
    let meetings = server.meetings(count, may_begin).await?;
    // What the first ones of all cost, and of each meeting, is left out.
    let mut clients = join_all(step, &meetings, count).await?;
    sleep(AFTERMATH).await;

    let (began, cpu, kb) = (Instant::now(), server.cpu()?, server.resident_kb()?);
    let clients_cpu = process::cpu(std::process::id())?;
    clients.extend(join_all(step, &meetings, usize::try_from(joins)?).await?);
    let took = began.elapsed();
    let clients_cpu = process::cpu(std::process::id())?.saturating_sub(clients_cpu);
    sleep(AFTERMATH).await;
    let joined = server.cpu()?.saturating_sub(cpu);
    let kb = server.resident_kb()? - kb;

    let (settled, cpu) = (Instant::now(), server.cpu()?);
    sleep(idle).await;
    let idle = server.cpu()?.saturating_sub(cpu).as_secs_f64() / settled.elapsed().as_secs_f64();
    // Those who are in became more, evenly.
    let (before, each) = (count as f64, f64::from(joins));
    let share = f64::midpoint(before / (before + each), 1.0);
    let keeping = idle * (took.as_secs_f64() * share + AFTERMATH.as_secs_f64());

    for client in clients {
        client.leave().await?;
    }
    Ok(Cost {
        step,
        cpu_ms: (joined.as_secs_f64() - keeping) * 1000.0 / each,
        idle_cpu_ms_per_second: idle * 1000.0 / (before + each),
        kb: kb / each,
        all_ms: took.as_secs_f64() * 1000.0,
        clients_busy: clients_cpu.as_secs_f64() / took.as_secs_f64(),
        pinned: server.pinned,
    })
}

/// Lets so many join, one meeting after the other, a few at a time.
async fn join_all(
    step: Step,
    meetings: &[Arc<Meeting>],
    count: usize,
) -> anyhow::Result<Vec<Client>> {
    let mut places = meetings.iter().cycle().take(count);
    let mut joining = JoinSet::new();
    let mut joined = Vec::new();
    loop {
        while joining.len() < JOINING
            && let Some(meeting) = places.next()
        {
            let meeting = Arc::clone(meeting);
            joining.spawn(async move { step.join(&meeting).await });
        }
        match joining.join_next().await {
            Some(client) => joined.push(client.context("a client panicked")??),
            None => return Ok(joined),
        }
    }
}
