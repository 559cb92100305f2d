use std::time::Duration;

/// What one measurement gave.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Sample {
    /// Processor time of the thread that is measured.
    pub(in crate::bench) cpu: Duration,
    /// From the first packet's departure to the last one's arrival, as a clock on the wall has it.
    pub(in crate::bench) wall: Duration,
    /// How many packets had to arrive, at all destinations together.
    pub(in crate::bench) expected: u64,
    /// How many did.
    pub(in crate::bench) delivered: u64,
    /// Whether each burst left the process as one (GSO). One packet always does.
    pub(in crate::bench) whole_bursts: bool,
}

/// A share of delivered packets below this voids a measurement.
const ENOUGH: f64 = 0.99;

impl Sample {
    /// Processor time for each packet that arrived, in nanoseconds.
    pub(in crate::bench) fn cpu_ns(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e9 / (self.delivered as f64).max(1.0)
    }

    /// Packets that arrived in a second, at all destinations together.
    pub(in crate::bench) fn packets_per_second(&self) -> f64 {
        self.delivered as f64 / self.wall.as_secs_f64().max(1e-9)
    }

    /// Which share of the packets arrived, from 0 to 1.
    pub(in crate::bench) fn delivered_share(&self) -> f64 {
        self.delivered as f64 / (self.expected as f64).max(1.0)
    }

    /// Whether too few arrived for the figures to mean something.
    pub(in crate::bench) fn is_void(&self) -> bool {
        self.delivered_share() < ENOUGH
    }
}
