use std::collections::HashMap;
use std::net::SocketAddr;

use conclave_call_proto::media::PeerId;
use str0m::ice::StunMessage;

use crate::Transport;

/// Finds whose a datagram is, in one look-up each: by ICE user name for STUN, by remote address
/// for everything else.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    by_ufrag: HashMap<String, PeerId>,
    by_address: HashMap<(Transport, SocketAddr), PeerId>,
}

/// What a datagram is, and whose.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Route {
    /// A STUN request for this session, to be authenticated by it.
    Check(PeerId),
    /// DTLS, RTP or RTCP from an address that passed a check.
    Media(PeerId),
    /// None of ours.
    Garbage,
    /// Well-formed, but from nobody known.
    Stranger,
}

/// The name by which an ICE check calls the session that it is for; `None` if the datagram is
/// none. A check proves nothing yet: the session authenticates it.
pub fn checked_ufrag(datagram: &[u8]) -> Option<String> {
    let message = StunMessage::parse(datagram).ok().filter(StunMessage::is_binding_request)?;
    message.split_username().map(|(local, _)| local.to_owned())
}

impl Demux {
    /// Sorts a datagram by its first byte (RFC 7983 section 7).
    pub(crate) fn route(&self, transport: Transport, source: SocketAddr, bytes: &[u8]) -> Route {
        match bytes.first() {
            Some(0..=3) => self.route_stun(bytes),
            Some(20..=63 | 128..=191) => self
                .by_address
                .get(&(transport, source))
                .map_or(Route::Stranger, |peer| Route::Media(*peer)),
            Some(_) | None => Route::Garbage,
        }
    }

    fn route_stun(&self, bytes: &[u8]) -> Route {
        let Ok(message) = StunMessage::parse(bytes) else { return Route::Garbage };
        if !message.is_binding_request() {
            return Route::Stranger;
        }
        message
            .split_username()
            .and_then(|(local, _)| self.by_ufrag.get(local))
            .map_or(Route::Stranger, |peer| Route::Check(*peer))
    }

    pub(crate) fn add_ufrag(&mut self, ufrag: String, peer: PeerId) {
        self.by_ufrag.insert(ufrag, peer);
    }

    pub(crate) fn remove_ufrag(&mut self, ufrag: &str) {
        self.by_ufrag.remove(ufrag);
    }

    /// Returns whose the address was, if it changes hands.
    pub(crate) fn add_address(
        &mut self,
        transport: Transport,
        source: SocketAddr,
        peer: PeerId,
    ) -> Option<PeerId> {
        self.by_address.insert((transport, source), peer).filter(|before| *before != peer)
    }

    /// Forgets an address, if it is still this peer's.
    pub(crate) fn remove_address(
        &mut self,
        transport: Transport,
        source: SocketAddr,
        peer: PeerId,
    ) {
        if self.by_address.get(&(transport, source)) == Some(&peer) {
            self.by_address.remove(&(transport, source));
        }
    }

    /// Whose this address is.
    pub(crate) fn peer_at(&self, transport: Transport, source: SocketAddr) -> Option<PeerId> {
        self.by_address.get(&(transport, source)).copied()
    }
}
