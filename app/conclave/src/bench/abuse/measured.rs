//! What the clients' process finds out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::case::Case;
use crate::bench::media::measured::Delay;

/// What one manner of abuse did.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    pub(super) case: Case,
    /// Datagrams that the attacker sent in a second.
    pub(super) sent_per_second: f64,
    /// Before, meanwhile and afterwards.
    pub(super) phases: [Phase; 3],
    /// Packets that never came, of those that were sent to the bystanders in all three phases.
    pub(super) lost: u64,
    /// What the server counted meanwhile of what it drops, refuses or is worn out by.
    pub(super) counted: BTreeMap<String, u64>,
    /// Why these figures say nothing about the server, if so.
    pub(super) void: Vec<String>,
}

/// How the bystanders fared for a while.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Phase {
    /// From just before a packet was sealed and sent until the kernel had it for the bystander.
    pub(super) delay_us: Delay,
    /// The same of a datagram that goes from one socket to another with no server between.
    pub(super) floor_us: Delay,
    /// How much of a processor core the server used, and how much the process of clients and
    /// attackers.
    pub(super) server_busy: f64,
    pub(super) clients_busy: f64,
    /// Packets that reached the bystanders, and those that should have.
    pub(super) delivered: u64,
    pub(super) expected: u64,
}

/// The delay that a server adds while it has half of what it can do.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HalfLoad {
    /// Calls, each with a camera.
    pub(super) calls: u32,
    /// Of each call.
    pub(super) subscribers: u32,
    /// Packets of a frame.
    pub(super) burst: u32,
    /// Packets that the server forwarded in a second and that arrived.
    pub(super) forwarded_per_second: f64,
    pub(super) phase: Phase,
    pub(super) void: Vec<String>,
}

/// What the clients' process says.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Outcome {
    Case(Box<Measured>),
    HalfLoad(Box<HalfLoad>),
}

/// When the clients are busier than this, or the publisher sent less, it voids a row.
const MOST_BUSY: f64 = 0.95;
pub(super) const LEAST_SENT: f64 = 0.99;

impl Measured {
    /// By how many microseconds packets came later meanwhile, at the 99th percentile.
    pub(super) fn added_us(&self) -> i64 {
        let [before, meanwhile, after] =
            self.phases.each_ref().map(|phase| i64::from(phase.delay_us.p99));
        meanwhile - i64::midpoint(before, after)
    }

    /// Whether the bystanders lost nothing and the delay stayed within its bound.
    pub(super) fn holds(&self) -> bool {
        self.lost == 0 && i128::from(self.added_us()) <= self.case.bound().as_micros().cast_signed()
    }
}

impl Phase {
    /// Why it says nothing about the server, if so.
    pub(super) fn reason_against(&self) -> Option<String> {
        (self.clients_busy > MOST_BUSY)
            .then(|| format!("the clients used {:.2} of a core", self.clients_busy))
    }
}
