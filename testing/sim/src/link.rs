use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use conclave_model::Bitrate;
use str0m_netem::{DataSize, Input, Netem, NetemConfig, Output, Probability, RandomLoss, WithLen};

/// One direction of the network between a device and the node.
#[derive(Clone, Copy, Debug)]
pub struct LinkSetup {
    /// How long each datagram takes.
    pub delay: Duration,
    /// How much that varies.
    pub jitter: Duration,
    /// Which share of datagrams is lost, 0 to 1.
    pub loss: f32,
    /// Each n-th datagram overtakes the one before.
    pub reorder: Option<u32>,
    /// What it carries, with a queue of 300 ms; no limit if absent.
    pub rate: Option<Bitrate>,
}

impl LinkSetup {
    /// A good line: 10 ms, nothing lost, no limit.
    pub const GOOD: Self = Self {
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss: 0.0,
        reorder: None,
        rate: None,
    };

    /// A bad line: 100 ms, 5 % lost at random.
    pub const BAD: Self = Self { delay: Duration::from_millis(100), loss: 0.05, ..Self::GOOD };

    /// An unruly line: 40 ms with 10 ms of jitter, which mixes up the order of a frame's packets;
    /// 1 % lost.
    pub const UNRULY: Self = Self {
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(10),
        loss: 0.01,
        reorder: Some(20),
        rate: None,
    };

    /// The same with another limit.
    #[must_use]
    pub const fn with_rate(self, rate: Bitrate) -> Self {
        Self { rate: Some(rate), ..self }
    }

    fn config(self, seed: u64) -> NetemConfig {
        let mut config = NetemConfig::new()
            .latency(self.delay)
            .jitter(self.jitter)
            .loss(RandomLoss::new(Probability::new(self.loss)))
            .seed(seed);
        if let Some(gap) = self.reorder {
            config = config.reorder_gap(gap);
        }
        if let Some(rate) = self.rate {
            // What is under way counts as queued.
            let queue = (self.delay + Duration::from_millis(300)).as_millis();
            let bytes = u128::from(rate.as_bps()) * queue / 8000;
            let buffer = DataSize::bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
            config = config.link(str0m_netem::Bitrate::from(rate.as_bps()), buffer);
        }
        config
    }
}

/// A datagram under way.
#[derive(Clone, Debug)]
pub(crate) struct Datagram {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl WithLen for Datagram {
    fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// One direction of the network between a device and the node.
pub(crate) struct Link {
    netem: Netem<Datagram>,
    seed: u64,
    nonces: Nonces,
}

impl Link {
    pub(crate) fn new(setup: LinkSetup, seed: u64) -> Self {
        Self { netem: Netem::new(setup.config(seed)), seed, nonces: Nonces::default() }
    }

    pub(crate) fn change(&mut self, setup: LinkSetup) {
        self.seed = self.seed.wrapping_add(0x9e37_79b9);
        self.netem.set_config(setup.config(self.seed));
    }

    pub(crate) fn send(&mut self, now: Instant, datagram: Datagram) {
        assert!(self.nonces.admit(&datagram.bytes), "two different packets under one SRTP nonce");
        self.netem.handle_input(Input::Packet(now, datagram));
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        (!self.netem.is_empty()).then(|| self.netem.poll_timeout())
    }

    /// What has arrived by `now`.
    pub(crate) fn arrived(&mut self, now: Instant) -> Vec<Datagram> {
        self.netem.handle_input(Input::Timeout(now));
        let mut arrived = Vec::new();
        while let Some(output) = self.netem.poll_output() {
            match output {
                Output::Packet(datagram) => arrived.push(datagram),
                Output::Timeout(_) => break,
            }
        }
        arrived
    }
}

/// Watches that no two packets differ which have the SSRC and sequence number in common, for these
/// make SRTP's nonce (RFC 7714 section 8.1): two under one nonce give the key of authentication away.
#[derive(Debug, Default)]
struct Nonces {
    seen: HashMap<[u8; 6], u64>,
    oldest_first: VecDeque<[u8; 6]>,
}

/// For how many packets a nonce is remembered: some seconds. Sequence numbers come again only after
/// thirty times as many.
const REMEMBERED: usize = 2000;

impl Nonces {
    fn admit(&mut self, datagram: &[u8]) -> bool {
        let Some(nonce) = nonce(datagram) else { return true };
        let mut hasher = DefaultHasher::new();
        datagram.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(before) = self.seen.get(&nonce) {
            return *before == hash;
        }
        self.seen.insert(nonce, hash);
        self.oldest_first.push_back(nonce);
        if self.oldest_first.len() > REMEMBERED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

/// Sequence number and SSRC of an RTP packet (RFC 3550 section 5.1). RTCP has packet types from 192
/// to 223 (RFC 5761 section 4).
fn nonce(datagram: &[u8]) -> Option<[u8; 6]> {
    match datagram {
        [128..=191, 192..=223, ..] => None,
        [128..=191, _, s0, s1, _, _, _, _, r0, r1, r2, r3, ..] => {
            Some([*s0, *s1, *r0, *r1, *r2, *r3])
        }
        _ => None,
    }
}
