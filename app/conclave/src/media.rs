//! The media plane: one shard for now, set up from the settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context as _;
use conclave_sfu::{Shard, ShardConfig, ShardHandle};

use crate::settings::Media;

/// Starts the media plane. It ends when its [`Running`](conclave_sfu::Running) is dropped.
pub(crate) fn start(settings: &Media) -> anyhow::Result<ShardHandle> {
    let listen = settings.listen.unwrap_or_else(all_addresses);
    let config = ShardConfig {
        udp: SocketAddr::new(listen, settings.udp_port),
        tcp: Some(SocketAddr::new(listen, settings.tcp_port)),
        advertised: settings.advertise.clone(),
        ..ShardConfig::default()
    };
    Shard::spawn(&config).context("cannot start the media plane")
}

/// Where it takes media, as clients are told: `udp/ADDRESS:PORT`, `tcp/ADDRESS:PORT`.
pub(crate) fn addresses(shard: &ShardHandle) -> Vec<String> {
    let udp = shard.udp.iter().map(|address| format!("udp/{address}"));
    let tcp = shard.tcp.iter().map(|address| format!("tcp/{address}"));
    udp.chain(tcp).collect()
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
