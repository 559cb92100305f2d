//! What the clients' process finds out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::line::Way;
use super::load::Load;

/// The figures of one row.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bench) struct Measured {
    pub(in crate::bench) publishers: u32,
    pub(in crate::bench) subscribers: u32,
    /// Frames that a camera sends in a second.
    pub(in crate::bench) fps: u32,
    /// Packets of a frame.
    pub(in crate::bench) burst: u32,
    /// The subscribers' way to the server, where there is more than one.
    pub(in crate::bench) way: Option<Way>,
    /// How long it was measured.
    pub(in crate::bench) seconds: f64,
    /// How long it took until all subscribers got everything, if they ever did.
    pub(in crate::bench) warm_up_seconds: Option<f64>,
    /// Packets that the publishers sent.
    pub(in crate::bench) sent: u64,
    /// Packets that the subscribers got, of those that were sent in this time.
    pub(in crate::bench) delivered: u64,
    /// What they got of what they should have got.
    pub(in crate::bench) delivered_share: f64,
    /// What is missing among the sequence numbers that they got.
    pub(in crate::bench) loss_share: f64,
    /// Packets that the server forwarded in a second and that arrived.
    pub(in crate::bench) forwarded_per_second: f64,
    /// Payloads of RTP that arrived.
    pub(in crate::bench) megabits_per_second: f64,
    /// Processor time of the server, all threads, per packet that arrived.
    pub(in crate::bench) cpu_ns_per_packet: f64,
    /// The same the other way round.
    pub(in crate::bench) packets_per_cpu_second: f64,
    /// Calls of the system by the server's loop for each packet that it forwarded, by its own
    /// count; nothing if it was measured for less than two seconds.
    pub(in crate::bench) system_calls_per_packet: Option<f64>,
    /// How much of a processor core the server used.
    pub(in crate::bench) server_busy: f64,
    /// How much of a processor core the clients used.
    pub(in crate::bench) clients_busy: f64,
    /// From a packet's creation until it is read from the subscriber's socket.
    pub(in crate::bench) delay_us: Delay,
    /// What their ways through the TURN server cost, if they are relayed: the authentication, an
    /// allocation, and a channel for the media port.
    pub(in crate::bench) allocation: Option<Entry>,
    /// What the sessions of the subscribers cost.
    pub(in crate::bench) join: Entry,
    /// Memory of the server per subscriber after the measurement, in kilobytes.
    pub(in crate::bench) loaded_kb_per_subscriber: f64,
    pub(in crate::bench) pinned: Pinned,
    /// Why these figures say nothing about the server, if so.
    pub(in crate::bench) void: Vec<String>,
}

/// In microseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in crate::bench) struct Delay {
    pub(in crate::bench) p50: u32,
    pub(in crate::bench) p99: u32,
}

/// What a step of the subscribers' way in cost the server, while no media flowed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bench) struct Entry {
    /// From the first one's beginning until all were through.
    pub(in crate::bench) all_ms: f64,
    /// Processor time of the server for each.
    pub(in crate::bench) cpu_ms_each: f64,
    /// Memory of the server for each, in kilobytes.
    pub(in crate::bench) kb_each: f64,
}

/// What was bound to a processor core of its own.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in crate::bench) struct Pinned {
    pub(in crate::bench) server: bool,
    pub(in crate::bench) clients: bool,
}

/// What was counted while it was measured.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) time: Duration,
    /// Processor time of all threads of the server.
    pub(super) server_cpu: Duration,
    /// Processor time of all threads of the clients' process.
    pub(super) clients_cpu: Duration,
    /// Calls of the system by the server for each packet.
    pub(super) system_calls_per_packet: Option<f64>,
    /// Packets that the publishers sent.
    pub(super) sent: u64,
    /// Packets that the subscribers got, all together.
    pub(super) delivered: u64,
    /// Packets that they know they missed.
    pub(super) lost: u64,
    /// Payloads of what they got, in bytes.
    pub(super) bytes: u64,
    /// How long each packet was under way, in microseconds.
    pub(super) delays_us: Vec<u32>,
}

/// With less than this share sent or delivered, a row is void, and so it is when the clients are
/// busier than that.
const LEAST_SHARE: f64 = 0.99;
const MOST_BUSY: f64 = 0.95;

impl Measured {
    /// The figures of what was counted. Allocations, warming up and memory under load are still to be filled in.
    pub(super) fn new(load: &Load, totals: Totals, join: Entry, pinned: Pinned) -> Self {
        let Load { publishers, subscribers, fps, burst, way, .. } = *load;
        let Totals { sent, delivered, lost, .. } = totals;
        let seconds = totals.time.as_secs_f64();
        let server_seconds = totals.server_cpu.as_secs_f64();
        // Each subscriber shows one publisher, and all of them send alike.
        let expected = sent as f64 * f64::from(subscribers) / f64::from(publishers);
        let mut measured = Self {
            publishers,
            subscribers,
            fps,
            burst,
            way,
            seconds,
            warm_up_seconds: None,
            sent,
            delivered,
            delivered_share: delivered as f64 / expected,
            loss_share: lost as f64 / (delivered + lost).max(1) as f64,
            forwarded_per_second: delivered as f64 / seconds,
            megabits_per_second: totals.bytes as f64 * 8.0 / 1_000_000.0 / seconds,
            cpu_ns_per_packet: server_seconds * 1e9 / delivered.max(1) as f64,
            packets_per_cpu_second: delivered as f64 / server_seconds,
            system_calls_per_packet: totals.system_calls_per_packet,
            server_busy: server_seconds / seconds,
            clients_busy: totals.clients_cpu.as_secs_f64() / seconds,
            delay_us: Delay::of(totals.delays_us),
            allocation: None,
            join,
            loaded_kb_per_subscriber: 0.0,
            pinned,
            void: Vec::new(),
        };
        let due = load.packets_in(totals.time) * f64::from(publishers);
        measured.void = measured.reasons_against(sent as f64 / due);
        measured
    }

    /// Why these figures say nothing about the server, if so; given what was sent of what should
    /// have been.
    fn reasons_against(&self, sent_share: f64) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.clients_busy > MOST_BUSY {
            reasons.push(format!("the clients used {:.2} of a core", self.clients_busy));
        }
        if sent_share < LEAST_SHARE {
            reasons.push(format!("the publishers sent {sent_share:.3} of what they should have"));
        }
        if self.delivered_share < LEAST_SHARE {
            reasons.push(format!("{:.3} of the packets arrived", self.delivered_share));
        }
        reasons
    }
}

impl Delay {
    /// The middle one, and the one that 99 of 100 keep below.
    pub(in crate::bench) fn of(mut delays_us: Vec<u32>) -> Self {
        delays_us.sort_unstable();
        let at = |percent| delays_us.get(delays_us.len() * percent / 100).copied().unwrap_or(0);
        Self { p50: at(50), p99: at(99) }
    }
}
