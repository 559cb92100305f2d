use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use conclave_model::{CallId, ParticipantId};
use conclave_wire::{Relay, RelayWay};

/// How the server relays media, and what makes the credentials for it. Whoever gives this keeps the
/// secret behind them.
#[derive(Clone)]
pub struct RelayAccess {
    ways: Vec<RelayWay>,
    issue: Arc<Issue>,
}

/// Makes user name and password at a time, for a holder.
type Issue = dyn Fn(Instant, &[u8]) -> (String, String) + Send + Sync;

impl RelayAccess {
    /// Takes the ways to the TURN server, and what makes user name and password for a holder: the
    /// same for the same holder, and saying nothing of it.
    pub fn new(
        ways: Vec<RelayWay>,
        issue: impl Fn(Instant, &[u8]) -> (String, String) + Send + Sync + 'static,
    ) -> Self {
        Self { ways, issue: Arc::new(issue) }
    }

    /// The ways to the TURN server.
    pub fn ways(&self) -> &[RelayWay] {
        &self.ways
    }

    /// What one participant may use.
    pub(crate) fn of(&self, now: Instant, call: CallId, participant: ParticipantId) -> Relay {
        let mut holder = call.0.to_be_bytes().to_vec();
        holder.extend(participant.0.to_be_bytes());
        let (username, password) = (self.issue)(now, &holder);
        Relay { ways: self.ways.clone(), username, password }
    }

    /// The ways, as the node states them: `udp 3478`.
    pub fn stated(&self) -> Vec<String> {
        self.ways.iter().map(RelayWay::to_string).collect()
    }
}

impl fmt::Debug for RelayAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayAccess").field("ways", &self.ways).finish_non_exhaustive()
    }
}
