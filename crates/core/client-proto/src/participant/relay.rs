//! The way through the server's TURN server, for a participant that is to take no other.

use std::net::SocketAddr;

use conclave_wire::{Relay, RelayWay};

use super::Participant;
use crate::io::{EndReason, Output};

/// How media is relayed, if it is.
#[derive(Debug, Default)]
pub(super) struct RelayPath {
    /// The way to the TURN server: the media node must have stated it.
    pub(super) way: Option<RelayWay>,
    /// The relayed address.
    pub(super) address: Option<SocketAddr>,
}

impl Participant {
    /// Asks for a relayed address, if it needs one and has none.
    pub(super) fn ask_relay(&mut self, relay: Option<Relay>) {
        let Some(protocol) = self.config.relay else { return };
        if self.relay.way.is_some() {
            return;
        }
        let way = relay.and_then(|relay| {
            let way = relay.ways.iter().find(|way| way.protocol == protocol).copied()?;
            Some((way, relay))
        });
        let Some((way, Relay { username, password, .. })) = way else {
            return self.end(EndReason::NotRelayed);
        };
        self.relay.way = Some(way);
        self.outputs.push_back(Output::Relay { way, username, password });
    }

    pub(super) fn handle_relay_lost(&mut self) {
        if self.relay.way.is_some() {
            self.end(EndReason::NotRelayed);
        }
    }

    /// Whether there may be media, and it has a path to try.
    pub(super) fn has_path(&self) -> bool {
        self.config.has_media() && (self.config.relay.is_none() || self.relay.address.is_some())
    }
}
