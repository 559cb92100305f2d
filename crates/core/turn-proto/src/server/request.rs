//! Requests: who asks, and for what.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stun_types::attribute::{AttributeStaticType as _, MessageIntegrity, Nonce, Realm, Username};
use stun_types::message::{BINDING, IntegrityKey, Message, MessageClass};

use super::Server;
use crate::allocation::Allocation;
use crate::io::{ClientId, Output};
use crate::message::{
    self, ALLOCATE, CHANNEL_BIND, CHANNEL_NUMBER, CREATE_PERMISSION, Draft, LIFETIME, REFRESH,
    REQUESTED_ADDRESS_FAMILY, REQUESTED_TRANSPORT, SEND, UDP, XOR_PEER_ADDRESS,
    XOR_RELAYED_ADDRESS,
};
use crate::refusal::Refusal;
use crate::throttle::network_of;

/// What credentials are for. Short, because each refusal says it.
pub(crate) const REALM: &str = "conclave";

/// Channels that clients may bind (RFC 8656 section 12).
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x4fff;

/// Who has shown a credential: its user name, and the key of what is said with it.
struct Holder {
    username: String,
    key: IntegrityKey,
}

/// A client and its end of the way.
#[derive(Clone, Copy)]
struct Asker {
    client: ClientId,
    source: SocketAddr,
}

impl Server {
    pub(super) fn handle_message(&mut self, client: ClientId, source: SocketAddr, bytes: &[u8]) {
        let Some(message) = message::parse(bytes) else {
            self.stats.garbage += 1;
            return;
        };
        let asker = Asker { client, source };
        match message.class() {
            MessageClass::Indication if message.method() == SEND => {
                self.handle_send(client, &message);
            }
            MessageClass::Request if message.method() == BINDING => {
                self.handle_binding(asker, &message)
            }
            MessageClass::Request => self.handle_request(asker, &message),
            MessageClass::Error | MessageClass::Indication | MessageClass::Success => {
                self.stats.garbage += 1;
            }
        }
    }

    /// Says where the client is seen (RFC 8489 section 3). It shows no credential for that.
    fn handle_binding(&mut self, asker: Asker, request: &Message<'_>) {
        let answer = Draft::answer(request, MessageClass::Success).with_mapped(asker.source).open();
        self.answer_stranger(asker, answer);
    }

    fn handle_request(&mut self, asker: Asker, request: &Message<'_>) {
        let holder = match self.authenticate(asker, request) {
            Ok(holder) => holder,
            Err(refusal) => return self.refuse_stranger(asker, request, refusal),
        };
        let unknown = message::unknown(request);
        let answer = if unknown.is_empty() {
            match request.method() {
                ALLOCATE => self.allocate(asker, request, &holder),
                CHANNEL_BIND => self.bind_channel(asker.client, request),
                CREATE_PERMISSION => self.create_permission(asker.client, request),
                REFRESH => self.refresh(asker.client, request),
                _ => Err(Refusal::BadRequest),
            }
        } else {
            Err(Refusal::UnknownAttribute)
        };
        let draft = answer.unwrap_or_else(|refusal| {
            self.count(refusal);
            let draft = Draft::answer(request, MessageClass::Error).with_code(refusal.code());
            if refusal == Refusal::UnknownAttribute { draft.with_unknown(&unknown) } else { draft }
        });
        let bytes = draft.sealed(&holder.key);
        self.outputs.push_back(Output::Transmit { client: asker.client, bytes });
    }

    /// Finds whose request it is (RFC 8489 section 9.2.4). An allocation is its holder's for as long
    /// as it lives; the credential's time is over when nothing new is allocated with it.
    fn authenticate(&self, asker: Asker, request: &Message<'_>) -> Result<Holder, Refusal> {
        if !message::has(request, MessageIntegrity::TYPE) {
            return Err(Refusal::Unauthorized);
        }
        let username = request.attribute::<Username>().map_err(|_| Refusal::BadRequest)?;
        let realm = request.attribute::<Realm>().map_err(|_| Refusal::BadRequest)?;
        let nonce = request.attribute::<Nonce>().map_err(|_| Refusal::BadRequest)?;
        if !self.nonces.holds(self.now, asker.source, nonce.nonce()) {
            return Err(Refusal::StaleNonce);
        }
        if realm.realm() != REALM {
            return Err(Refusal::Unauthorized);
        }
        let username = username.username();
        let key = match self.allocations.get(&asker.client) {
            Some(allocation) if allocation.username == username => allocation.key.clone(),
            Some(_) => return Err(Refusal::WrongCredentials),
            None => {
                let found = self.config.issuer.find(self.now, username);
                found.ok_or(Refusal::Unauthorized)?.key(REALM)
            }
        };
        match request.validate_integrity_with_key(&key) {
            Ok(_) => Ok(Holder { username: username.to_owned(), key }),
            Err(_) => Err(Refusal::Unauthorized),
        }
    }

    fn allocate(
        &mut self,
        asker: Asker,
        request: &Message<'_>,
        holder: &Holder,
    ) -> Result<Draft, Refusal> {
        let Asker { client, source } = asker;
        if let Some(allocation) = self.allocations.get(&client) {
            // The answer was lost, and the same request came again.
            return if allocation.made_by == request.transaction_id() {
                Ok(allocated(request, allocation, source, self.now))
            } else {
                Err(Refusal::AllocationMismatch)
            };
        }
        match message::value::<1>(request, REQUESTED_TRANSPORT) {
            Some([UDP]) => {}
            Some(_) => return Err(Refusal::UnsupportedTransport),
            None => return Err(Refusal::BadRequest),
        }
        let is_ipv4 = self.family(request)?;
        let network = network_of(source.ip());
        let limits = self.config.limits;
        let of_username = self.by_username.get(&holder.username).copied().unwrap_or_default();
        let of_network = self.by_network.get(&network).copied().unwrap_or_default();
        if of_username >= limits.per_credential || of_network >= limits.per_network {
            return Err(Refusal::Quota);
        }
        if self.allocations.len() >= limits.allocations {
            return Err(Refusal::Full);
        }
        let relayed = self.free_address(is_ipv4).ok_or(Refusal::Full)?;
        let allocation = Allocation::new(
            relayed,
            self.now + limits.lifetime,
            holder.username.clone(),
            network,
            holder.key.clone(),
            request.transaction_id(),
        );
        let answer = allocated(request, &allocation, source, self.now);
        self.keep(client, allocation);
        Ok(answer)
    }

    /// The family of the relayed address: the one asked for. Where none is, RFC 8656 has IPv4; a
    /// node without it takes what it has, since nothing else would be of use.
    fn family(&self, request: &Message<'_>) -> Result<bool, Refusal> {
        let has = |is_ipv4| self.config.peers.iter().any(|peer| peer.is_ipv4() == is_ipv4);
        let is_ipv4 = match message::value::<1>(request, REQUESTED_ADDRESS_FAMILY) {
            Some([1]) => true,
            Some([2]) => false,
            Some(_) => return Err(Refusal::FamilyNotSupported),
            None => has(true),
        };
        if has(is_ipv4) { Ok(is_ipv4) } else { Err(Refusal::FamilyNotSupported) }
    }

    fn refresh(&mut self, client: ClientId, request: &Message<'_>) -> Result<Draft, Refusal> {
        let allocation = self.allocations.get_mut(&client).ok_or(Refusal::AllocationMismatch)?;
        let family = message::value::<1>(request, REQUESTED_ADDRESS_FAMILY);
        if family.is_some_and(|[family]| (family == 1) != allocation.relayed.is_ipv4()) {
            return Err(Refusal::PeerFamilyMismatch);
        }
        let lifetime = if message::value(request, LIFETIME) == Some([0; 4]) {
            self.release(client);
            Duration::ZERO
        } else {
            self.expiries.remove(&(allocation.expires, client));
            allocation.expires = self.now + self.config.limits.lifetime;
            self.expiries.insert((allocation.expires, client));
            self.config.limits.lifetime
        };
        let draft = Draft::answer(request, MessageClass::Success);
        Ok(draft.with_value(LIFETIME, &seconds(lifetime)))
    }

    fn create_permission(
        &mut self,
        client: ClientId,
        request: &Message<'_>,
    ) -> Result<Draft, Refusal> {
        let allocation = self.allocations.get_mut(&client).ok_or(Refusal::AllocationMismatch)?;
        let peers = message::peers(request).filter(|peers| !peers.is_empty());
        let peers = peers.ok_or(Refusal::BadRequest)?;
        // A permission is for an address, whatever the port (RFC 8656 section 9.1).
        let is_ours = |peer: &SocketAddr| self.config.peers.iter().any(|it| it.ip() == peer.ip());
        if !peers.iter().all(is_ours) {
            return Err(Refusal::Forbidden);
        }
        if peers.iter().any(|peer| peer.is_ipv4() != allocation.relayed.is_ipv4()) {
            return Err(Refusal::PeerFamilyMismatch);
        }
        peers.iter().for_each(|peer| allocation.permit(self.now, peer.ip()));
        Ok(Draft::answer(request, MessageClass::Success))
    }

    fn bind_channel(&mut self, client: ClientId, request: &Message<'_>) -> Result<Draft, Refusal> {
        let allocation = self.allocations.get_mut(&client).ok_or(Refusal::AllocationMismatch)?;
        let number = message::value(request, CHANNEL_NUMBER).map(u16::from_be_bytes);
        let peer = message::address(request, XOR_PEER_ADDRESS);
        let (number, peer) = number.zip(peer).ok_or(Refusal::BadRequest)?;
        if !self.config.peers.contains(&peer) {
            return Err(Refusal::Forbidden);
        }
        if peer.is_ipv4() != allocation.relayed.is_ipv4() {
            return Err(Refusal::PeerFamilyMismatch);
        }
        if !CHANNELS.contains(&number) {
            return Err(Refusal::BadRequest);
        }
        allocation.bind(self.now, number, peer).map_err(|_taken| Refusal::BadRequest)?;
        Ok(Draft::answer(request, MessageClass::Success))
    }

    /// Refuses somebody who has shown no credential that holds.
    fn refuse_stranger(&mut self, asker: Asker, request: &Message<'_>, refusal: Refusal) {
        self.count(refusal);
        let mut draft = Draft::answer(request, MessageClass::Error).with_code(refusal.code());
        if refusal.asks_for_credentials() {
            let nonce = self.nonces.make(self.now, asker.source);
            if let (Ok(realm), Ok(nonce)) = (Realm::new(REALM), Nonce::new(&nonce)) {
                draft = draft.with(&realm).with(&nonce);
            }
        }
        self.answer_stranger(asker, draft.open());
    }

    fn answer_stranger(&mut self, asker: Asker, bytes: Vec<u8>) {
        let Asker { client, source } = asker;
        let is_stream = matches!(client, ClientId::Stream(_));
        if self.throttle.take(self.now, source.ip(), is_stream) {
            self.outputs.push_back(Output::Transmit { client, bytes });
        } else {
            self.stats.silenced += 1;
        }
    }

    const fn count(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Forbidden => self.stats.forbidden += 1,
            Refusal::Full | Refusal::Quota => self.stats.over_quota += 1,
            Refusal::StaleNonce | Refusal::Unauthorized | Refusal::WrongCredentials => {
                self.stats.unauthorized += 1;
            }
            Refusal::AllocationMismatch
            | Refusal::BadRequest
            | Refusal::FamilyNotSupported
            | Refusal::PeerFamilyMismatch
            | Refusal::UnknownAttribute
            | Refusal::UnsupportedTransport => {}
        }
    }
}

/// Says what is allocated.
fn allocated(
    request: &Message<'_>,
    allocation: &Allocation,
    client: SocketAddr,
    now: Instant,
) -> Draft {
    Draft::answer(request, MessageClass::Success)
        .with_address(XOR_RELAYED_ADDRESS, allocation.relayed)
        .with_value(LIFETIME, &seconds(allocation.expires.saturating_duration_since(now)))
        .with_mapped(client)
}

fn seconds(lifetime: Duration) -> [u8; 4] {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX).to_be_bytes()
}
