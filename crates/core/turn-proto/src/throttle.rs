use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Buckets. Networks that share one share what it holds; which do, follows from the seed.
const BUCKETS: usize = 4096;

/// From one drop to the next one: 64 a second.
const DRIP: Duration = Duration::from_micros(15_625);

/// Says how much a network may be answered that has shown nothing: so much at once, then so much a
/// second. It takes the same room for any number of networks.
#[derive(Debug)]
pub(crate) struct Throttle {
    seed: u64,
    burst: u32,
    /// When each bucket is full again; at its birth if it is full.
    full_at: Vec<Instant>,
}

impl Throttle {
    pub(crate) fn new(seed: u64, burst: u32, now: Instant) -> Self {
        Self { seed, burst, full_at: vec![now; BUCKETS] }
    }

    /// Takes one drop, if there is one. A network's datagrams, whose source anybody may write, are
    /// not held against its connections.
    pub(crate) fn take(&mut self, now: Instant, source: IpAddr, is_stream: bool) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.seed, network_of(source), is_stream).hash(&mut hasher);
        let at = usize::try_from(hasher.finish() % BUCKETS as u64).unwrap_or_default();
        let Some(full_at) = self.full_at.get_mut(at) else { return false };
        let next = (*full_at).max(now) + DRIP;
        let has_room = next.saturating_duration_since(now) <= DRIP * self.burst;
        if has_room {
            *full_at = next;
        }
        has_room
    }
}

/// What one subscriber controls: an IPv4 address, or the first 64 bits of an IPv6 address.
pub(crate) fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_gets_a_burst_and_then_so_much_a_second_and_others_get_theirs() {
        #[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to start")]
        let start = Instant::now();
        let mut throttle = Throttle::new(1, 10, start);
        let [a, b, a_too] =
            ["2001:db8::1", "192.0.2.1", "2001:db8::2"].map(|ip| ip.parse().unwrap());
        let mut taken = |now: Instant, source: IpAddr, is_stream: bool| {
            (0..100).filter(|_| throttle.take(now, source, is_stream)).count()
        };

        assert_eq!(taken(start, a, false), 10);
        assert_eq!(taken(start, a_too, false), 0, "the same network");
        assert_eq!(taken(start, b, false), 10, "another one");
        assert_eq!(taken(start, a, true), 10, "its connections");
        assert_eq!(taken(start + DRIP * 3, a, false), 3);
        assert_eq!(taken(start + Duration::from_secs(60), a, false), 10);
    }
}
