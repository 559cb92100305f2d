use std::collections::HashMap;
use std::net::SocketAddr;

use conclave_call_proto::media::PeerId;
use str0m::ice::StunMessage;
use str0m::rtp::Ssrc;

use crate::Transport;
use crate::echo::asks_for_echo;

/// Finds whose a datagram is: by ICE user name for STUN, by remote address for everything else, and
/// media from an address that nobody has been at by its SSRC.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    by_ufrag: HashMap<String, PeerId>,
    by_address: HashMap<(Transport, SocketAddr), PeerId>,
    by_ssrc: HashMap<Ssrc, PeerId>,
}

/// What a datagram is, and whose.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Route {
    /// A STUN request for this session, to be authenticated by it.
    Check(PeerId, Nominates),
    /// Somebody asks whether the node is there.
    Echo,
    /// DTLS, RTP or RTCP from an address that passed a check, or RTP with an SSRC of this session's
    /// peer, to be authenticated by it.
    Media(PeerId),
    /// None of ours.
    Garbage,
    /// Well-formed, but from nobody known.
    Stranger,
}

/// Whether a check says that the path is the one to use (RFC 8445 section 7.1.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Nominates(pub(crate) bool);

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
                .or_else(|| self.by_ssrc.get(&ssrc(bytes)?))
                .map_or(Route::Stranger, |peer| Route::Media(*peer)),
            Some(_) | None => Route::Garbage,
        }
    }

    fn route_stun(&self, bytes: &[u8]) -> Route {
        let Ok(message) = StunMessage::parse(bytes) else {
            return if asks_for_echo(bytes) { Route::Echo } else { Route::Garbage };
        };
        if !message.is_binding_request() {
            return Route::Stranger;
        }
        let nominates = Nominates(message.use_candidate());
        message
            .split_username()
            .and_then(|(local, _)| self.by_ufrag.get(local))
            .map_or(Route::Stranger, |peer| Route::Check(*peer, nominates))
    }

    /// An SSRC is this peer's, as far as anybody can say who has not authenticated the packet.
    pub(crate) fn add_ssrc(&mut self, ssrc: Ssrc, peer: PeerId) {
        self.by_ssrc.insert(ssrc, peer);
    }

    /// Forgets an SSRC, if it is still this peer's.
    pub(crate) fn remove_ssrc(&mut self, ssrc: Ssrc, peer: PeerId) {
        if self.by_ssrc.get(&ssrc) == Some(&peer) {
            self.by_ssrc.remove(&ssrc);
        }
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

/// The SSRC of an RTP packet (RFC 3550 section 5.1); `None` for what is none. RTCP shares the port,
/// with packet types from 192 to 223 (RFC 5761 section 4).
fn ssrc(datagram: &[u8]) -> Option<Ssrc> {
    let (128..=191, &kind) = (*datagram.first()?, datagram.get(1)?) else { return None };
    if (192..=223).contains(&kind) {
        return None;
    }
    let bytes = datagram.get(8..12)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes).into())
}
