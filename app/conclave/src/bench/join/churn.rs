//! What stays in the server's memory of those who joined and left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Client, Media, Meeting};
use super::server::ServerProcess;
use crate::bench::output::progress;

/// How many come and go, and how long the server is left alone before its memory is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Before what is called the base.
    pub(super) warm_up: u32,
    /// After it.
    pub(super) joins: u32,
    pub(super) settle: Duration,
}

/// A call keeps its last 512 commits, for who was away for a moment; each who comes and goes makes one
/// or two, for several may be removed at once. So after so many in all, every second one of which comes
/// to a lasting call, these are full.
pub(super) const WARM_UP: u32 = 2500;

/// Longer than the server waits for anybody's verdict on the last commit: 5 s.
pub(super) const SETTLE: Duration = Duration::from_secs(8);

/// What came of it. Memory is the server's, in kilobytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Churn {
    pub(super) joins: u32,
    pub(super) warm_up: u32,
    /// Who came into a call in which nobody else was; the others found one that lasts.
    pub(super) began_calls: u32,
    /// Who did not get as far as media, or did not stay until leaving.
    pub(super) failed: u32,
    pub(super) seconds: f64,
    /// Before anybody came.
    pub(super) start_kb: f64,
    /// After the warm-up.
    pub(super) base_kb: f64,
    /// After each tenth of the joins, without waiting.
    pub(super) samples_kb: Vec<f64>,
    /// At the end.
    pub(super) end_kb: f64,
    /// How much more than the base that is, as a share.
    pub(super) growth: f64,
    pub(super) pinned: bool,
    pub(super) met: bool,
}

/// What may stay, as a share of the base.
const MOST_GROWTH: f64 = 0.1;

/// Calls that last, for somebody who speaks stays in them, and calls that end with their only
/// participant.
const LASTING: usize = 2;
const PASSING: usize = 20;

/// Clients that are under way at a time.
const AT_ONCE: usize = 10;

/// Lets so many join and leave a server of their own.
pub(super) async fn measure(plan: Plan) -> anyhow::Result<Churn> {
    let server = ServerProcess::start()?;
    let start_kb = server.resident_kb()?;
    let places = Places::open(&server).await?;
    let mut failed = places.visit(0..plan.warm_up).await?;
    sleep(plan.settle).await;
    let base_kb = server.resident_kb()?;

    let began = Instant::now();
    let tenth = plan.joins.div_ceil(10).max(1);
    let mut samples_kb = Vec::new();
    let mut done = 0;
    while done < plan.joins {
        let next = plan.joins.min(done + tenth);
        failed += places.visit(done..next).await?;
        done = next;
        samples_kb.push(server.resident_kb()?);
        progress(&format!("{done} came and went"));
    }
    let seconds = began.elapsed().as_secs_f64();
    sleep(plan.settle).await;
    let end_kb = server.resident_kb()?;
    places.close().await?;

    let growth = end_kb / base_kb - 1.0;
    Ok(Churn {
        joins: plan.joins,
        warm_up: plan.warm_up,
        began_calls: plan.joins / 2,
        failed,
        seconds,
        start_kb,
        base_kb,
        samples_kb,
        end_kb,
        growth,
        pinned: server.pinned,
        met: growth < MOST_GROWTH,
    })
}

/// Where they go.
struct Places {
    lasting: Vec<Arc<Meeting>>,
    passing: Vec<Arc<Meeting>>,
    residents: Vec<Client>,
}

impl Places {
    async fn open(server: &ServerProcess) -> anyhow::Result<Self> {
        let lasting = server.meetings(LASTING, true).await?;
        let passing = server.meetings(PASSING, true).await?;
        let mut residents = Vec::new();
        for meeting in &lasting {
            let mut resident = Client::start(meeting, Media::Speaks)?;
            resident.connect().await?;
            residents.push(resident);
        }
        Ok(Self { lasting, passing, residents })
    }

    /// Lets those with these numbers join and leave, some at a time. Gives how many failed.
    async fn visit(&self, numbers: std::ops::Range<u32>) -> anyhow::Result<u32> {
        let mut visits: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let mut failed = 0;
        for number in numbers {
            while visits.len() >= AT_ONCE
                && let Some(visit) = visits.join_next().await
            {
                failed += u32::from(visit.context("a client panicked")?.is_err());
            }
            visits.spawn(visit(self.place(number)?, number.is_multiple_of(2)));
        }
        while let Some(visit) = visits.join_next().await {
            failed += u32::from(visit.context("a client panicked")?.is_err());
        }
        Ok(failed)
    }

    /// Every second one comes to a call that lasts.
    fn place(&self, number: u32) -> anyhow::Result<Arc<Meeting>> {
        let places = if number.is_multiple_of(2) { &self.lasting } else { &self.passing };
        let turn = usize::try_from(number / 2)?;
        let place = places.get(turn % places.len().max(1)).context("there is no meeting")?;
        Ok(Arc::clone(place))
    }

    async fn close(self) -> anyhow::Result<()> {
        for resident in self.residents {
            resident.leave().await.context("who was to stay did not")?;
        }
        Ok(())
    }
}

/// Comes, stays until media flows, and leaves.
async fn visit(meeting: Arc<Meeting>, is_lasting: bool) -> anyhow::Result<()> {
    let mut client = Client::start(&meeting, Media::Silent)?;
    if is_lasting {
        client.hear().await?;
    } else {
        client.connect().await?;
    }
    client.leave().await.map(drop)
}
