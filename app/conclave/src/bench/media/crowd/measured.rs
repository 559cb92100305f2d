//! What the clients' process finds out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::load::Load;
use crate::bench::media::measured::Delay;

/// The figures of one crowd.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    pub(super) listeners: u32,
    /// How many of them open what they get.
    pub(super) opening: u32,
    pub(super) publishers: u32,
    /// How many of those show themselves.
    pub(super) cameras: u32,
    /// How long it was measured.
    pub(super) seconds: f64,
    /// Packets that arrived in a second, at all listeners together.
    pub(super) forwarded_per_second: f64,
    /// The same at each listener, on average, and at the one that got the least.
    pub(super) each_per_second: f64,
    pub(super) least_per_second: f64,
    /// What is missing among the sequence numbers that they got.
    pub(super) loss_share: f64,
    /// Processor time of the server, all threads, per packet that arrived.
    pub(super) cpu_ns_per_packet: f64,
    /// How much of a processor core the server used, and the clients.
    pub(super) server_busy: f64,
    pub(super) clients_busy: f64,
    /// From a packet's creation until it is read, at those who open what they get.
    pub(super) delay_us: Delay,
    /// The longest time without a packet, over the listeners, in milliseconds.
    pub(super) gap_ms: Gap,
    /// The longest turn of the server's loop, by its own count, in milliseconds.
    pub(super) longest_turn_ms: f64,
    pub(super) join: Join,
    /// Memory of the server for each listener after the measurement, in kilobytes.
    pub(super) kb_per_listener: f64,
    /// Whether server and clients were bound to a processor core each.
    pub(super) pinned: bool,
    /// Why these figures say nothing about the server, if so.
    pub(super) void: Vec<String>,
}

/// Over the listeners, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Gap {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) most: f64,
}

/// What it took until all listeners were connected, while no media flowed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Join {
    pub(super) all_ms: f64,
    /// Processor time of the server for each.
    pub(super) cpu_ms_each: f64,
}

/// What was counted while it was measured.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) time: Duration,
    pub(super) server_cpu: Duration,
    pub(super) clients_cpu: Duration,
    /// Packets that the server says it forwarded, in about that time.
    pub(super) forwarded: u64,
    pub(super) longest_turn: Duration,
    pub(super) received: u64,
    /// What the listener got that got the least.
    pub(super) least_received: u64,
    pub(super) lost: u64,
    /// The longest time without a packet of each listener.
    pub(super) gaps: Vec<Duration>,
    pub(super) delays_us: Vec<u32>,
    pub(super) join_time: Duration,
    pub(super) join_cpu: Duration,
    /// Memory that the server took for the listeners, in kilobytes.
    pub(super) grown_kb: f64,
}

/// Clients that are busier than this see late what came in time.
const MOST_BUSY: f64 = 0.95;

impl Measured {
    /// The figures of what was counted.
    pub(super) fn new(load: &Load, totals: Totals, pinned: bool) -> Self {
        let Load { listeners, opening, publishers, cameras, .. } = *load;
        let Totals { received, lost, .. } = totals;
        let seconds = totals.time.as_secs_f64();
        let each = f64::from(listeners);
        let mut measured = Self {
            listeners,
            opening,
            publishers,
            cameras,
            seconds,
            forwarded_per_second: received as f64 / seconds,
            each_per_second: received as f64 / seconds / each,
            least_per_second: totals.least_received as f64 / seconds,
            loss_share: lost as f64 / (received + lost).max(1) as f64,
            cpu_ns_per_packet: totals.server_cpu.as_secs_f64() * 1e9 / received.max(1) as f64,
            server_busy: totals.server_cpu.as_secs_f64() / seconds,
            clients_busy: totals.clients_cpu.as_secs_f64() / seconds,
            delay_us: Delay::of(totals.delays_us),
            gap_ms: Gap::of(totals.gaps),
            longest_turn_ms: ms(totals.longest_turn),
            join: Join { all_ms: ms(totals.join_time), cpu_ms_each: ms(totals.join_cpu) / each },
            kb_per_listener: totals.grown_kb / each,
            pinned,
            void: Vec::new(),
        };
        measured.void = measured.reasons_against(totals.forwarded);
        measured
    }

    fn reasons_against(&self, forwarded: u64) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.clients_busy > MOST_BUSY {
            reasons.push(format!("the clients used {:.2} of a core", self.clients_busy));
        }
        if self.least_per_second <= 0.0 {
            reasons.push("somebody got nothing".to_owned());
        }
        if forwarded == 0 {
            reasons.push("the server says that it forwarded nothing".to_owned());
        }
        reasons
    }
}

impl Gap {
    fn of(mut gaps: Vec<Duration>) -> Self {
        gaps.sort_unstable();
        let at = |percent: usize| {
            let place = (gaps.len() * percent / 100).min(gaps.len().saturating_sub(1));
            gaps.get(place).copied().map_or(0.0, ms)
        };
        Self { p50: at(50), p99: at(99), most: at(100) }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
