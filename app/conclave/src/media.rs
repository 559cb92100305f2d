//! The media plane: its shards, set up from the settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::thread;

use anyhow::Context as _;
use conclave_call_proto::RelayAccess;
use conclave_sfu::{Addresses, Plane, PlaneHandle, ShardConfig, TurnConfig, TurnHandle};
use conclave_turn_proto::{Credential, Issuer, Limits};
use conclave_wire::{MediaShard, RelayProtocol, RelayWay};

use crate::settings::{Media, Turn};

/// Hardware threads for each shard: the others have pages, signalling and TLS to do, and whatever
/// else the machine is for.
const THREADS_PER_SHARD: u16 = 2;

/// The most shards that there are unless more are asked for: each has ports to be opened.
const MAX_SHARDS: u16 = 8;

/// Starts the media plane, beside the listener of pages. It ends when its
/// [`Running`](conclave_sfu::Running)s are dropped.
pub(crate) fn start(
    settings: &Media,
    turn: &Turn,
    pages: SocketAddr,
    issuer: &Issuer,
) -> anyhow::Result<PlaneHandle> {
    let listen = settings.listen.unwrap_or_else(all_addresses);
    let at = |port| (port != 0).then(|| SocketAddr::new(listen, port));
    let (turn_udp, turn_tcp) = (at(turn.udp_port), at(turn.tcp_port));
    let has_turn = turn_udp.is_some() || turn_tcp.is_some() || turn_tls_port(turn, pages).is_some();
    let turn = TurnConfig {
        udp: turn_udp,
        tcp: turn_tcp,
        issuer: issuer.clone(),
        limits: Limits::default(),
    };
    let config = ShardConfig {
        udp: SocketAddr::new(listen, settings.udp_port),
        tcp: Some(SocketAddr::new(listen, settings.tcp_port)),
        shared_tcp: shared_with_pages(settings.https_port, pages),
        advertised: settings.advertise.clone(),
        turn: has_turn.then_some(turn),
        ..ShardConfig::default()
    };
    let shards = settings.shards.unwrap_or_else(usual_shards);
    Plane::spawn(&config, shards).context("cannot start the media plane")
}

/// Where clients reach the listener of pages for media, if they may come there. One that only
/// this machine reaches stands behind a proxy, which would not know what to do with media.
fn shared_with_pages(setting: Option<u16>, pages: SocketAddr) -> Option<SocketAddr> {
    match setting {
        Some(0) => None,
        Some(port) => Some(SocketAddr::new(pages.ip(), port)),
        None => Some(pages).filter(|pages| !pages.ip().to_canonical().is_loopback()),
    }
}

/// The port at which clients reach the listener of pages with TURN over TLS, if they may. The same
/// as for media holds of a proxy in front.
pub(crate) fn turn_tls_port(turn: &Turn, pages: SocketAddr) -> Option<u16> {
    shared_with_pages(turn.tls_port, pages).map(|address| address.port())
}

/// What participants are told of the TURN server, if there is one.
pub(crate) fn relay_access(
    turn: Option<&TurnHandle>,
    tls_port: Option<u16>,
    issuer: Issuer,
) -> Option<RelayAccess> {
    let turn = turn?;
    let ways = [
        (RelayProtocol::Udp, turn.udp),
        (RelayProtocol::Tcp, turn.tcp),
        (RelayProtocol::Tls, tls_port),
    ];
    let ways =
        ways.into_iter().filter_map(|(protocol, port)| Some(RelayWay { protocol, port: port? }));
    Some(RelayAccess::new(ways.collect(), move |now, holder| {
        let Credential { username, password } = issuer.issue(now, holder);
        (username, password)
    }))
}

/// Where it takes media, as the API tells.
pub(crate) fn shards(plane: &PlaneHandle) -> Vec<MediaShard> {
    let told =
        |Addresses { udp, tcp }: &Addresses| MediaShard { udp: udp.clone(), tcp: tcp.clone() };
    plane.addresses.iter().map(told).collect()
}

/// The same, for whoever started the server: `udp/ADDRESS:PORT`, `tcp/ADDRESS:PORT`.
pub(crate) fn stated(shards: &[MediaShard]) -> Vec<String> {
    let udp = shards.iter().flat_map(|shard| &shard.udp).map(|address| format!("udp/{address}"));
    let tcp = shards.iter().flat_map(|shard| &shard.tcp).map(|address| format!("tcp/{address}"));
    let mut stated = Vec::new();
    for address in udp.chain(tcp) {
        // That of the shared listener is every shard's.
        if !stated.contains(&address) {
            stated.push(address);
        }
    }
    stated
}

/// As many as this machine has room for.
fn usual_shards() -> NonZeroU16 {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let shards = u16::try_from(threads).unwrap_or(u16::MAX) / THREADS_PER_SHARD;
    NonZeroU16::new(shards.min(MAX_SHARDS)).unwrap_or(NonZeroU16::MIN)
}

/// All of this machine's addresses. A machine with IPv6 takes both; one without may not even
/// have the protocol.
fn all_addresses() -> IpAddr {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let has_v6 = interfaces.iter().any(|interface| {
        interface.ip().is_ipv6() && !interface.is_loopback() && !interface.is_link_local()
    });
    if has_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_shares_the_port_of_pages_unless_a_proxy_has_it_or_it_may_not() {
        let [everywhere, behind_proxy] = [[0, 0, 0, 0], [127, 0, 0, 1]].map(|ip| (ip, 8443).into());
        let at = |port| Some(SocketAddr::from(([0, 0, 0, 0], port)));

        assert_eq!(shared_with_pages(None, everywhere), at(8443));
        assert_eq!(shared_with_pages(Some(443), everywhere), at(443), "a translator's port");
        assert_eq!(shared_with_pages(Some(0), everywhere), None);
        assert_eq!(shared_with_pages(None, behind_proxy), None);
        assert!(shared_with_pages(Some(443), behind_proxy).is_some(), "a proxy for all of TCP");
    }
}
