use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::MonotonicClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// How often each source of requests may do something.
///
/// The table of sources is bounded: when it is full, sources that have been quiet are forgotten,
/// and if that does not help, newcomers share one allowance.
#[derive(Debug)]
pub(crate) struct SourceLimit {
    /// When quiet sources were last forgotten.
    swept: Mutex<Option<Instant>>,
    limiter:
        RateLimiter<IpAddr, HashMapStateStore<IpAddr>, MonotonicClock, NoOpMiddleware<Instant>>,
}

/// Sources to remember at once.
const MAX_SOURCES: usize = 16_384;

/// How often a full table is swept at most.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl SourceLimit {
    /// Allows `per_minute` to each source, all at once or spread.
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        let quota = Quota::per_minute(per_minute);
        let state = HashMapStateStore::default();
        Self { swept: Mutex::new(None), limiter: RateLimiter::new(quota, state, MonotonicClock) }
    }

    /// Whether this source may go on.
    pub(crate) fn allows(&self, source: IpAddr) -> bool {
        let mut key = network_of(source);
        if self.limiter.len() >= MAX_SOURCES {
            self.sweep();
            if self.limiter.len() >= MAX_SOURCES {
                key = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            }
        }
        self.limiter.check_key(&key).is_ok()
    }

    /// Forgets quiet sources. It costs a walk through the table, so it is done once in a while.
    fn sweep(&self) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            self.limiter.retain_recent();
            *swept = Some(Instant::now());
        }
    }
}

/// What one subscriber controls: an IPv4 address, or the first 64 bits of an IPv6 address.
fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_asks_too_much_does_not_slow_another() {
        let limit = SourceLimit::new(NonZeroU32::new(3).unwrap());
        let (busy, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());

        let allowed = (0..10).filter(|_| limit.allows(busy)).count();

        assert_eq!(allowed, 3);
        assert!(limit.allows(other));
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_an_allowance() {
        let limit = SourceLimit::new(NonZeroU32::new(1).unwrap());

        assert!(limit.allows("2001:db8::1".parse().unwrap()));
        assert!(!limit.allows("2001:db8::2".parse().unwrap()));
        assert!(limit.allows("2001:db8:0:1::1".parse().unwrap()));
    }

    #[test]
    fn the_table_of_sources_stays_bounded() {
        let limit = SourceLimit::new(NonZeroU32::new(1).unwrap());

        for n in 0..40_000_u32 {
            limit.allows(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)));
        }

        assert!(limit.limiter.len() <= MAX_SOURCES + 1);
    }
}
