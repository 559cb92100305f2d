//! Data: from clients to the media node and back.

use std::net::SocketAddr;

use stun_types::message::{Message, MessageClass};

use super::Server;
use crate::io::{ClientId, Output};
use crate::message::{self, DATA, Draft, XOR_PEER_ADDRESS};

impl Server {
    /// A channel's data (RFC 8656 section 12.6).
    pub(super) fn handle_channel_data(&mut self, client: ClientId, bytes: &[u8]) {
        let parts = bytes.split_first_chunk::<4>();
        let found = parts.and_then(|(&[n0, n1, l0, l1], rest)| {
            let payload = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
            Some((u16::from_be_bytes([n0, n1]), payload))
        });
        let Some((number, payload)) = found else {
            self.stats.garbage += 1;
            return;
        };
        let way = self
            .allocations
            .get(&client)
            .and_then(|allocation| Some((allocation.relayed, allocation.peer(self.now, number)?)));
        match way {
            Some((relayed, peer)) => self.relay(relayed, peer, payload.to_vec()),
            None => self.stats.stray += 1,
        }
    }

    /// An indication: data to be sent. Nothing answers it, whatever becomes of it.
    pub(super) fn handle_send(&mut self, client: ClientId, message: &Message<'_>) {
        let told = message::address(message, XOR_PEER_ADDRESS).zip(message::payload(message));
        let Some((peer, payload)) = told else {
            self.stats.garbage += 1;
            return;
        };
        let allowed = self.allocations.get(&client).filter(|allocation| {
            self.config.peers.contains(&peer) && allocation.permits(self.now, peer.ip())
        });
        match allowed.map(|allocation| allocation.relayed) {
            Some(relayed) => self.relay(relayed, peer, payload),
            None => self.stats.stray += 1,
        }
    }

    fn relay(&mut self, source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) {
        self.stats.datagrams_in += 1;
        self.stats.bytes_in += bytes.len() as u64;
        self.outputs.push_back(Output::Relay { source, destination, bytes });
    }

    /// What the media node sends to a client.
    pub(super) fn handle_peer(&mut self, peer: SocketAddr, relayed: SocketAddr, bytes: &[u8]) {
        let client = self.by_relayed.get(&relayed).copied();
        let found = client.and_then(|client| Some((client, self.allocations.get(&client)?)));
        let Some((client, allocation)) = found.filter(|(_, it)| it.permits(self.now, peer.ip()))
        else {
            self.stats.stray += 1;
            return;
        };
        let packet = match allocation.channel(self.now, peer) {
            Some(number) => channel_data(number, bytes, client),
            None => Draft::new(MessageClass::Indication, DATA, self.random.transaction())
                .with_address(XOR_PEER_ADDRESS, peer)
                .with_payload(bytes)
                .open(),
        };
        self.stats.datagrams_out += 1;
        self.stats.bytes_out += bytes.len() as u64;
        self.outputs.push_back(Output::Transmit { client, bytes: packet });
    }
}

/// A channel's data; on a connection, what follows begins at a multiple of four.
fn channel_data(number: u16, payload: &[u8], client: ClientId) -> Vec<u8> {
    // No datagram of the node is longer than the field can say.
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let mut packet = Vec::with_capacity(payload.len() + 8);
    packet.extend(number.to_be_bytes());
    packet.extend(len.to_be_bytes());
    packet.extend_from_slice(payload.get(..usize::from(len)).unwrap_or(payload));
    if matches!(client, ClientId::Stream(_)) {
        packet.resize(packet.len().next_multiple_of(4), 0);
    }
    packet
}
