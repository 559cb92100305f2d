//! Many who join within seconds, while others are in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use conclave_client_proto::Report;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::client::{Client, Media, Meeting};
use super::server::ServerProcess;
use crate::bench::process;

/// How many come, within which time, to how many meetings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) joins: u32,
    pub(super) within: Duration,
    pub(super) meetings: usize,
}

/// Into how many meetings a storm is spread: each member's device follows each newcomer's commit,
/// and all devices share one processor core here.
pub(super) const MEETINGS: usize = 125;

/// In one of so many meetings somebody listens who was in before.
const LISTENER_EACH: usize = 5;

/// What came of a storm.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Storm {
    pub(super) joins: u32,
    pub(super) seconds: f64,
    pub(super) meetings: usize,
    /// Who never heard anything, or had to try again.
    pub(super) failed: u32,
    /// From a newcomer's start until it has heard the first packet, opened, in milliseconds.
    pub(super) first_sound_ms: Spread,
    /// The same until it was at the door, in the group, and had a media session.
    pub(super) at_door_ms: Spread,
    pub(super) in_group_ms: Spread,
    pub(super) connected_ms: Spread,
    /// Packets that those got who had been in before.
    pub(super) packets: u64,
    /// Packets that they know they missed.
    pub(super) lost: u64,
    /// Frames that came, but not in time with their keys.
    pub(super) unopened: u64,
    pub(super) loss_share: f64,
    /// How much of a processor core server and clients used while they came.
    pub(super) server_busy: f64,
    pub(super) clients_busy: f64,
    /// The same of everything else on this machine.
    pub(super) others_busy: f64,
    /// How late the latest newcomer set out: the clients had too much to do.
    pub(super) latest_start_ms: f64,
    pub(super) pinned: bool,
    pub(super) met: bool,
    pub(super) void: Vec<String>,
}

/// The middle one of several, the one that 99 of 100 keep below, and the worst.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Spread {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) worst: u64,
}

/// What is asked for: the first packet for 99 of 100, and what those may lose who are in.
const FIRST_SOUND_MS: u64 = 1000;
const MOST_LOST: f64 = 0.001;

/// Busier clients would be what is measured.
const MOST_BUSY: f64 = 0.95;

/// More work of others on this machine would be, too. Some is the system's for server and clients.
const MOST_OTHERS: f64 = 0.3;

/// How long those who are in hear each other before the storm, and after it.
const BEFORE: Duration = Duration::from_millis(500);

/// What came of one who joined.
type Joined = anyhow::Result<Client>;

/// Lets a storm come over a server of its own.
pub(super) async fn measure(plan: Plan) -> anyhow::Result<Storm> {
    let server = ServerProcess::start()?;
    let meetings = server.meetings(plan.meetings, true).await?;
    let mut inside = Vec::new();
    for (number, meeting) in meetings.iter().enumerate() {
        inside.extend(occupy(meeting, number.is_multiple_of(LISTENER_EACH)).await?);
    }
    sleep(BEFORE).await;

    let (began, cpu) = (Instant::now(), server.cpu()?);
    let clients_cpu = process::cpu(std::process::id())?;
    let machine_cpu = process::machine_cpu()?;
    let (joined, latest_start) = come(plan, &meetings).await?;
    let took = began.elapsed().as_secs_f64();
    let busy = |used: Duration, before| used.saturating_sub(before).as_secs_f64() / took;
    let server_busy = busy(server.cpu()?, cpu);
    let clients_busy = busy(process::cpu(std::process::id())?, clients_cpu);
    let all_busy = busy(process::machine_cpu()?, machine_cpu);
    sleep(BEFORE).await;

    let newcomers = leave(joined).await;
    let mut residents = Vec::new();
    for client in inside {
        residents.push(client.leave().await.context("who was in before did not stay")?);
    }
    let figures = Figures {
        plan,
        server_busy,
        clients_busy,
        others_busy: (all_busy - server_busy - clients_busy).max(0.0),
        latest_start,
        pinned: server.pinned,
    };
    Ok(figures.storm(&newcomers, &residents))
}

/// Puts somebody into a meeting who speaks, and somebody who listens.
async fn occupy(meeting: &Meeting, has_listener: bool) -> anyhow::Result<Vec<Client>> {
    let mut speaker = Client::start(meeting, Media::Speaks)?;
    speaker.connect().await?;
    let mut inside = vec![speaker];
    if has_listener {
        let mut listener = Client::start(meeting, Media::Silent)?;
        listener.hear().await?;
        inside.push(listener);
    }
    Ok(inside)
}

/// Lets all come, evenly, each to the next meeting. Gives how late the latest one set out.
async fn come(plan: Plan, meetings: &[Arc<Meeting>]) -> anyhow::Result<(Vec<Joined>, Duration)> {
    let began = Instant::now();
    let mut joining = JoinSet::new();
    let mut latest = Duration::ZERO;
    for (number, meeting) in (0..plan.joins).zip(meetings.iter().cycle()) {
        let at = began + plan.within * number / plan.joins;
        sleep_until(at.into()).await;
        latest = latest.max(at.elapsed());
        let meeting = Arc::clone(meeting);
        joining.spawn(async move {
            let mut client = Client::start(&meeting, Media::Silent)?;
            client.hear().await?;
            Ok(client)
        });
    }
    let joined = joining.join_all().await;
    Ok((joined, latest))
}

/// Lets newcomers leave. Gives what they went through; nothing for those who did not come in.
async fn leave(joined: Vec<Joined>) -> Vec<Option<Report>> {
    let mut reports = Vec::new();
    for client in joined {
        let report = match client {
            Ok(client) => client.leave().await,
            Err(error) => Err(error),
        };
        reports.push(report.ok());
    }
    reports
}

/// What was measured beside what the clients tell.
struct Figures {
    plan: Plan,
    server_busy: f64,
    clients_busy: f64,
    others_busy: f64,
    latest_start: Duration,
    pinned: bool,
}

impl Figures {
    fn storm(self, newcomers: &[Option<Report>], residents: &[Report]) -> Storm {
        let Self { plan, server_busy, clients_busy, others_busy, latest_start, pinned } = self;
        let is_smooth = |report: &&Report| {
            report.first_audio_frame_ms.is_some()
                && report.sockets_lost == 0
                && report.rejoined == 0
                && report.generations == 1
        };
        let came = newcomers.iter().flatten();
        let failed = newcomers.len() - came.clone().filter(is_smooth).count();
        let spread = |time: fn(&Report) -> Option<u64>| Spread::of(came.clone().map(time));
        let received = residents.iter().flat_map(|report| &report.received);
        let packets = received.clone().map(|received| received.frames).sum::<u64>();
        let lost = received.map(|received| received.lost_packets).sum::<u64>();
        let unopened = residents.iter().flat_map(|report| report.dropped_frames.values()).sum();
        let first_sound_ms = spread(|report| report.first_audio_frame_ms);
        let loss_share = lost as f64 / (packets + lost).max(1) as f64;
        let mut void = Vec::new();
        if clients_busy > MOST_BUSY {
            void.push(format!("the clients used {clients_busy:.2} of a core"));
        }
        if others_busy > MOST_OTHERS {
            void.push(format!("something else used {others_busy:.2} of a core"));
        }
        Storm {
            joins: plan.joins,
            seconds: plan.within.as_secs_f64(),
            meetings: plan.meetings,
            failed: u32::try_from(failed).unwrap_or(u32::MAX),
            first_sound_ms,
            at_door_ms: spread(|report| report.joined_ms),
            in_group_ms: spread(|report| report.admitted_ms),
            connected_ms: spread(|report| report.media_connected_ms),
            packets,
            lost,
            unopened,
            loss_share,
            server_busy,
            clients_busy,
            others_busy,
            latest_start_ms: latest_start.as_secs_f64() * 1000.0,
            pinned,
            met: failed == 0 && first_sound_ms.p99 < FIRST_SOUND_MS && loss_share < MOST_LOST,
            void,
        }
    }
}

impl Spread {
    fn of(times: impl Iterator<Item = Option<u64>>) -> Self {
        let mut times: Vec<u64> = times.flatten().collect();
        times.sort_unstable();
        let at = |percent| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        Self { p50: at(50), p99: at(99), worst: times.last().copied().unwrap_or_default() }
    }
}
