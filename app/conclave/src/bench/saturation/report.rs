//! What was carried, for people and for programs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Load;
use crate::bench::machine::Machine;
use crate::bench::output::{self, Column, Render, number, rows};

/// All that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    pub(super) rows: Vec<Row>,
}

/// One load, and what came of it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    shards: u32,
    /// Whether they shared a call, and a camera.
    one_call: bool,
    /// Of each shard.
    subscribers: u32,
    /// Frames that a camera sends in a second.
    fps: u32,
    /// Packets of a frame.
    burst: u32,
    seconds: f64,
    /// Packets that the cameras sent, times their subscribers.
    wanted: u64,
    /// Packets that left.
    carried: u64,
    carried_per_second: f64,
    /// The share that did not leave.
    loss_share: f64,
    /// Whether each shard was bound to a core of its own.
    pinned: bool,
}

const COLUMNS: &[Column<Row>] = &[
    ("shards", |row| row.shards.to_string()),
    ("calls", |row| if row.one_call { 1 } else { row.shards }.to_string()),
    ("subscribers of each", |row| row.subscribers.to_string()),
    ("frames/s", |row| row.fps.to_string()),
    ("wanted packets/s", |row| format!("{:.0}", row.wanted as f64 / row.seconds)),
    ("carried packets/s", |row| format!("{:.0}", row.carried_per_second)),
    ("lost", |row| format!("{:.3} %", row.loss_share * 100.0)),
];

/// How to read the figures.
const NOTES: &str = "\
Frames of eight packets of 1,200 bytes. Packets are counted where they end, at the loopback's egress: all of
sending is in it but the way through the loopback, which between machines is not the server's. Nobody reads,
so that all processor time is the shards'. Those who send need a part of it, which is not taken off.
";

impl Row {
    /// What was carried, of what was wanted, in this time.
    pub(super) fn new(
        load: &Load,
        (carried, wanted): (u64, u64),
        time: Duration,
        pinned: bool,
    ) -> Self {
        let Load { shards, one_call, subscribers, fps, burst, .. } = *load;
        let seconds = time.as_secs_f64();
        Self {
            shards,
            one_call,
            subscribers,
            fps,
            burst,
            seconds,
            wanted,
            carried,
            carried_per_second: carried as f64 / seconds,
            loss_share: wanted.saturating_sub(carried) as f64 / wanted.max(1) as f64,
            pinned,
        }
    }
}

impl Report {
    /// What two shards carried, with a call each or with one together, as a multiple of what one carried
    /// with the same camera.
    fn ratio(&self, one_call: bool) -> Option<f64> {
        let two = self.rows.iter().find(|row| row.shards == 2 && row.one_call == one_call)?;
        let one = self.rows.iter().find(|row| row.shards == 1 && row.fps == two.fps)?;
        Some(two.carried_per_second / one.carried_per_second)
    }
}

impl output::Report for Report {
    fn tables(&self, render: Render) -> String {
        let mut text = format!("{}\n\n{}\n", self.machine, render(&rows(COLUMNS, &self.rows)));
        for (one_call, which) in [(false, "with a call each"), (true, "with one call")] {
            if let Some(ratio) = self.ratio(one_call) {
                let times = number(ratio);
                text.push_str(&format!("Two shards {which} carried {times} times what one did.\n"));
            }
        }
        if self.rows.iter().any(|row| !row.pinned) {
            text.push_str("VOID: a shard could not be bound to a core.\n");
        }
        text.push_str(NOTES);
        text
    }
}
