use std::io;
use std::net::{IpAddr, SocketAddr};

use if_addrs::get_if_addrs;

/// The addresses at which clients reach a socket, best first.
///
/// A socket bound to one address is reached there. One bound to all is reached at the advertised
/// addresses, or else at those of the machine's interfaces; at the loopback address only if there
/// is no other, since Firefox refuses it.
pub(crate) fn reachable(bound: SocketAddr, advertised: &[IpAddr]) -> io::Result<Vec<SocketAddr>> {
    let port = bound.port();
    if !advertised.is_empty() {
        return Ok(advertised.iter().map(|ip| SocketAddr::new(*ip, port)).collect());
    }
    if !bound.ip().is_unspecified() {
        return Ok(vec![bound]);
    }
    let interfaces = get_if_addrs()?;
    let fits = |ip: &IpAddr| bound.is_ipv6() || ip.is_ipv4();
    let up = || interfaces.iter().filter(|interface| interface.is_oper_up());
    let mut ips: Vec<IpAddr> = up()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .filter(fits)
        .collect();
    if ips.is_empty() {
        ips = interfaces
            .iter()
            .filter(|interface| interface.is_loopback())
            .map(if_addrs::Interface::ip)
            .filter(fits)
            .collect();
    }
    // IPv4 first: it is what most networks carry without a detour.
    ips.sort_by_key(IpAddr::is_ipv6);
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// The addresses of the machine's interfaces.
pub(crate) fn own() -> io::Result<Vec<IpAddr>> {
    Ok(get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect())
}

/// An IPv4 address that a dual-stack socket shows as IPv6, as what it is.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_address_is_advertised_as_it_is() {
        let bound = "192.0.2.1:10000".parse().unwrap();
        assert_eq!(reachable(bound, &[]).unwrap(), vec![bound]);
    }

    #[test]
    fn what_the_operator_advertises_wins() {
        let advertised = ["198.51.100.7".parse().unwrap()];
        let expected: SocketAddr = "198.51.100.7:10000".parse().unwrap();
        assert_eq!(
            reachable("0.0.0.0:10000".parse().unwrap(), &advertised).unwrap(),
            vec![expected]
        );
    }

    #[test]
    fn a_socket_on_all_addresses_advertises_those_of_the_machine() {
        let found = reachable("0.0.0.0:10000".parse().unwrap(), &[]).unwrap();
        assert!(!found.is_empty());
        assert!(found.iter().all(|a| a.is_ipv4() && a.port() == 10000));
        assert!(found.iter().all(|a| !a.ip().is_unspecified()));
    }
}
