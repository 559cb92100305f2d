use conclave_sfu_proto::NodeStats;
use conclave_turn_proto::Stats as TurnStats;
use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

/// What a shard tells about itself, with the handles held: nothing is looked up per packet.
pub(crate) struct Meter {
    told: Figures,
    counters: Vec<Told<Counter>>,
    gauges: Vec<Told<Gauge>>,
}

/// A metric, and the figure that it tells.
struct Told<M> {
    metric: M,
    read: fn(&Figures) -> u64,
}

const fn told<M>(metric: M, read: fn(&Figures) -> u64) -> Told<M> {
    Told { metric, read }
}

/// The figures of a shard at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) node: NodeStats,
    pub(crate) sends: u64,
    pub(crate) turn: TurnStats,
    pub(crate) send_failures: u64,
    pub(crate) receives: u64,
    pub(crate) turns: u64,
    pub(crate) tcp_connections: u64,
    pub(crate) tcp_refused: u64,
    pub(crate) tcp_overflowed: u64,
    pub(crate) relay_overflowed: u64,
    pub(crate) budgets_spent: u64,
}

impl Meter {
    pub(crate) fn new() -> Self {
        describe();
        let drops =
            |reason: &'static str| counter!("conclave_media_drops_total", "reason" => reason);
        let mut counters: Vec<Told<Counter>> = vec![
            told(counter!("conclave_rtp_packets_total", "dir" => "in"), |f| {
                f.node.packets_received
            }),
            told(counter!("conclave_rtp_packets_total", "dir" => "out"), |f| {
                f.node.packets_forwarded
            }),
            told(counter!("conclave_rtp_bytes_total", "dir" => "out"), |f| f.node.bytes_forwarded),
            told(counter!("conclave_media_datagrams_total", "dir" => "in"), |f| {
                f.node.datagrams_in
            }),
            told(counter!("conclave_media_datagrams_total", "dir" => "out"), |f| {
                f.node.datagrams_out
            }),
            told(counter!("conclave_media_bytes_total", "dir" => "in"), |f| f.node.bytes_in),
            told(counter!("conclave_media_bytes_total", "dir" => "out"), |f| f.node.bytes_out),
            told(counter!("conclave_media_system_calls_total", "call" => "send"), |f| f.sends),
            told(counter!("conclave_media_system_calls_total", "call" => "receive"), |f| {
                f.receives
            }),
            told(counter!("conclave_media_system_calls_total", "call" => "wait"), |f| f.turns),
            told(counter!("conclave_plis_total"), |f| f.node.keyframe_requests),
            told(counter!("conclave_layer_switches_total"), |f| f.node.layer_switches),
            told(counter!("conclave_media_offers_refused_total"), |f| f.node.offers_refused),
            told(counter!("conclave_media_sessions_failed_total"), |f| f.node.sessions_failed),
            told(counter!("conclave_media_budgets_spent_total"), |f| f.budgets_spent),
            told(drops("garbage"), |f| f.node.drops.garbage),
            told(drops("stranger"), |f| f.node.drops.stranger),
            told(drops("forged"), |f| f.node.drops.forged),
            told(drops("unpublished"), |f| f.node.drops.unpublished),
            told(drops("malformed"), |f| f.node.drops.malformed),
            told(drops("otherCodec"), |f| f.node.drops.other_codec),
            told(drops("feedback"), |f| f.node.drops.feedback),
            told(drops("replayed"), |f| f.node.drops.replayed),
            told(drops("unauthentic"), |f| f.node.drops.unauthentic),
            told(drops("excess"), |f| f.node.drops.excess),
            told(drops("unneeded"), |f| f.node.drops.unneeded),
            told(drops("send_failed"), |f| f.send_failures),
            told(drops("tcp_refused"), |f| f.tcp_refused),
            told(drops("tcp_overflowed"), |f| f.tcp_overflowed),
            told(drops("relay_overflowed"), |f| f.relay_overflowed),
        ];
        counters.extend(turn_counters());
        let gauges: Vec<Told<Gauge>> = vec![
            told(gauge!("conclave_media_calls"), |f| f.node.calls),
            told(gauge!("conclave_media_peers"), |f| f.node.peers),
            told(gauge!("conclave_media_sessions"), |f| f.node.sessions),
            told(gauge!("conclave_tracks"), |f| f.node.publications),
            told(gauge!("conclave_media_tcp_connections"), |f| f.tcp_connections),
            told(gauge!("conclave_turn_allocations"), |f| f.turn.allocations),
            told(gauge!("conclave_turn_connections"), |f| f.turn.streams),
        ];
        Self { told: Figures::default(), counters, gauges }
    }

    /// Tells what has changed since the last time. Several shards add up.
    #[expect(clippy::cast_precision_loss, reason = "gauges are small counts")]
    pub(crate) fn tell(&mut self, figures: Figures) {
        for Told { metric, read } in &self.counters {
            metric.increment(read(&figures).saturating_sub(read(&self.told)));
        }
        for Told { metric, read } in &self.gauges {
            metric.increment(read(&figures) as f64 - read(&self.told) as f64);
        }
        self.told = figures;
    }
}

/// A shard that ends has nothing left.
impl Drop for Meter {
    fn drop(&mut self) {
        let told = self.told;
        let mut nothing = told;
        nothing.node.calls = 0;
        nothing.node.peers = 0;
        nothing.node.sessions = 0;
        nothing.node.publications = 0;
        nothing.tcp_connections = 0;
        nothing.turn.allocations = 0;
        nothing.turn.streams = 0;
        self.tell(nothing);
    }
}

fn turn_counters() -> Vec<Told<Counter>> {
    let refused =
        |reason: &'static str| counter!("conclave_turn_refused_total", "reason" => reason);
    vec![
        told(counter!("conclave_turn_allocations_total"), |f| f.turn.allocated),
        told(counter!("conclave_turn_datagrams_total", "dir" => "in"), |f| f.turn.datagrams_in),
        told(counter!("conclave_turn_datagrams_total", "dir" => "out"), |f| f.turn.datagrams_out),
        told(counter!("conclave_turn_bytes_total", "dir" => "in"), |f| f.turn.bytes_in),
        told(counter!("conclave_turn_bytes_total", "dir" => "out"), |f| f.turn.bytes_out),
        told(refused("forbidden"), |f| f.turn.forbidden),
        told(refused("garbage"), |f| f.turn.garbage),
        told(refused("over_quota"), |f| f.turn.over_quota),
        told(refused("silenced"), |f| f.turn.silenced),
        told(refused("stray"), |f| f.turn.stray),
        told(refused("unauthorized"), |f| f.turn.unauthorized),
    ]
}

fn describe() {
    describe_counter!("conclave_rtp_packets_total", "RTP packets from publishers, and into slots");
    describe_counter!("conclave_rtp_bytes_total", "Payload bytes of RTP packets put into slots");
    describe_counter!("conclave_media_datagrams_total", "Datagrams on the media ports");
    describe_counter!("conclave_media_bytes_total", "Bytes of datagrams on the media ports");
    describe_counter!("conclave_media_drops_total", "Datagrams and packets dropped, by reason");
    describe_counter!(
        "conclave_media_system_calls_total",
        "Calls of the system by the media loop: sends and receives on UDP, and waits"
    );
    describe_counter!("conclave_plis_total", "Key frames asked of publishers");
    describe_counter!("conclave_layer_switches_total", "Slots that changed to another layer");
    describe_counter!("conclave_media_offers_refused_total", "Offers that could not be used");
    describe_counter!("conclave_media_sessions_failed_total", "Media sessions that failed");
    describe_counter!(
        "conclave_media_budgets_spent_total",
        "Turns of the media loop that left datagrams waiting"
    );
    describe_gauge!("conclave_media_calls", "Calls on this node");
    describe_gauge!("conclave_media_peers", "Participants on this node");
    describe_gauge!("conclave_media_sessions", "Media sessions on this node");
    describe_gauge!("conclave_tracks", "Published tracks on this node");
    describe_gauge!("conclave_media_tcp_connections", "Media connections over TCP");
    describe_counter!("conclave_turn_allocations_total", "Relayed addresses given out");
    describe_counter!("conclave_turn_datagrams_total", "Datagrams relayed to media and back");
    describe_counter!("conclave_turn_bytes_total", "Bytes of datagrams relayed");
    describe_counter!("conclave_turn_refused_total", "What the TURN server refused, by reason");
    describe_gauge!("conclave_turn_allocations", "Relayed addresses in use");
    describe_gauge!("conclave_turn_connections", "TURN connections over TCP and TLS");
}
