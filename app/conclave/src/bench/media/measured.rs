//! What the clients' process finds out.

use serde::{Deserialize, Serialize};

/// The figures of one row.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    pub(super) publishers: u32,
    pub(super) subscribers: u32,
    /// Frames that a camera sends in a second.
    pub(super) fps: u32,
    /// Packets of a frame.
    pub(super) burst: u32,
    /// How long it was measured.
    pub(super) seconds: f64,
    /// How long it took until all subscribers got everything, if they ever did.
    pub(super) warm_up_seconds: Option<f64>,
    /// Packets that the publishers sent.
    pub(super) sent: u64,
    /// Packets that the subscribers got, of those that were sent in this time.
    pub(super) delivered: u64,
    /// What they got of what they should have got.
    pub(super) delivered_share: f64,
    /// What is missing among the sequence numbers that they got.
    pub(super) loss_share: f64,
    /// Packets that the server forwarded in a second and that arrived.
    pub(super) forwarded_per_second: f64,
    /// Payloads of RTP that arrived.
    pub(super) megabits_per_second: f64,
    /// Processor time of the server, all threads, per packet that arrived.
    pub(super) cpu_ns_per_packet: f64,
    /// The same the other way round.
    pub(super) packets_per_cpu_second: f64,
    /// How much of a processor core the server used.
    pub(super) server_busy: f64,
    /// How much of a processor core the clients used.
    pub(super) clients_busy: f64,
    /// From a packet's creation until it is read from the subscriber's socket.
    pub(super) delay_us: Delay,
    pub(super) join: Join,
    /// Memory of the server per subscriber after the measurement, in kilobytes.
    pub(super) loaded_kb_per_subscriber: f64,
    /// Whether the server was bound to a processor core.
    pub(super) server_pinned: bool,
    /// Whether the clients were bound to another.
    pub(super) clients_pinned: bool,
    /// Why these figures say nothing about the server, if so.
    pub(super) void: Vec<String>,
}

/// In microseconds.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Delay {
    pub(super) p50: u32,
    pub(super) p99: u32,
}

/// What the joins of the subscribers cost the server, while no media flowed.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Join {
    /// From the first offer until all were connected.
    pub(super) all_ms: f64,
    /// Processor time for each.
    pub(super) cpu_ms_each: f64,
    /// Memory for each, in kilobytes.
    pub(super) kb_each: f64,
}

impl Delay {
    /// The middle one, and the one that 99 of 100 keep below.
    pub(super) fn of(mut delays_us: Vec<u32>) -> Self {
        delays_us.sort_unstable();
        let at = |percent| delays_us.get(delays_us.len() * percent / 100).copied().unwrap_or(0);
        Self { p50: at(50), p99: at(99) }
    }
}
