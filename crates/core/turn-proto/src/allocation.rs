use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use stun_types::message::{IntegrityKey, TransactionId};

/// How long a permission holds (RFC 8656 section 9).
const PERMISSION: Duration = Duration::from_secs(300);

/// How long a channel is bound (RFC 8656 section 12).
const CHANNEL: Duration = Duration::from_secs(600);

/// One client's relayed address, and whom it may reach from there.
///
/// Peers are the media node's addresses alone, so there are only so many permissions and channels.
#[derive(Debug)]
pub(crate) struct Allocation {
    pub(crate) relayed: SocketAddr,
    pub(crate) expires: Instant,
    /// The user name of the credential that it was made with.
    pub(crate) username: String,
    /// The network of the client.
    pub(crate) network: IpAddr,
    /// What its messages are protected with, as long as it lives.
    pub(crate) key: IntegrityKey,
    /// The request that made it: the same one may come again.
    pub(crate) made_by: TransactionId,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, Channel>,
}

/// A number that stands for a peer.
#[derive(Clone, Copy, Debug)]
struct Channel {
    peer: SocketAddr,
    until: Instant,
}

/// The number stands for another peer, or the peer has another number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Taken;

impl Allocation {
    pub(crate) const fn new(
        relayed: SocketAddr,
        expires: Instant,
        username: String,
        network: IpAddr,
        key: IntegrityKey,
        made_by: TransactionId,
    ) -> Self {
        Self {
            relayed,
            expires,
            username,
            network,
            key,
            made_by,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
        }
    }

    pub(crate) fn permit(&mut self, now: Instant, peer: IpAddr) {
        self.permissions.insert(peer, now + PERMISSION);
    }

    pub(crate) fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permissions.get(&peer).is_some_and(|until| *until > now)
    }

    /// Binds a channel, or keeps it bound, which permits its peer.
    pub(crate) fn bind(
        &mut self,
        now: Instant,
        number: u16,
        peer: SocketAddr,
    ) -> Result<(), Taken> {
        self.channels.retain(|_, channel| channel.until > now);
        let clashes =
            |(other, channel): (&u16, &Channel)| (*other == number) != (channel.peer == peer);
        if self.channels.iter().any(clashes) {
            return Err(Taken);
        }
        self.channels.insert(number, Channel { peer, until: now + CHANNEL });
        self.permit(now, peer.ip());
        Ok(())
    }

    /// The peer that a channel stands for.
    pub(crate) fn peer(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        self.channels.get(&number).filter(|channel| channel.until > now).map(|channel| channel.peer)
    }

    /// The channel that stands for a peer.
    pub(crate) fn channel(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        let mut live = self.channels.iter().filter(|(_, channel)| channel.until > now);
        live.find(|(_, channel)| channel.peer == peer).map(|(number, _)| *number)
    }
}
