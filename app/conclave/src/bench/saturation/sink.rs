//! Where packets end and are counted: a rule of nftables at the loopback's egress.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;

/// RTP and RTCP, by their first byte (RFC 7983 section 7), unless they are for a camera. Counted are pictures,
/// by the payload type with which the clients take VP8, and not what is sent again. Only what keeps a
/// session up passes. Were anything of RTP to arrive, reports would tell that
/// all the rest was lost.
const RULES: &str = "
table netdev sink {
    chain egress {
        type filter hook egress device \"lo\" priority 0;
        udp dport CAMERAS accept
        udp sport SHARDS @th,64,8 128-191 @th,73,7 96 udp length > 600 counter drop
        udp sport SHARDS @th,64,8 128-191 drop
    }
}
";

/// The rule. It stays for as long as the network does.
pub(super) struct Sink;

/// What has ended there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dropped {
    /// What the kernel handles as one: a datagram, or a burst that is not cut up yet.
    bursts: u64,
    /// All their bytes, with one Ethernet, IP and UDP header for each burst.
    bytes: u64,
}

/// Ethernet, IPv4 and UDP.
const HEADERS: u64 = 14 + 20 + 8;

impl Sink {
    /// Drops from now on what comes from the shards' ports and is not for the cameras'.
    pub(super) fn open(shards: &[u16], cameras: &[u16]) -> anyhow::Result<Self> {
        let set = |ports: &[u16]| {
            let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
            format!("{{ {} }}", ports.join(", "))
        };
        let rules = RULES.replace("SHARDS", &set(shards)).replace("CAMERAS", &set(cameras));
        let mut nft = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .context("cannot start `nft`: apt-get install nftables")?;
        nft.stdin.take().context("no way to tell nft")?.write_all(rules.as_bytes())?;
        anyhow::ensure!(nft.wait()?.success(), "nft did not take the rule");
        Ok(Self)
    }

    /// What it has dropped so far.
    pub(super) fn dropped(&self) -> anyhow::Result<Dropped> {
        let output =
            Command::new("nft").args(["--json", "list", "table", "netdev", "sink"]).output();
        let output = output.context("cannot start `nft`")?;
        anyhow::ensure!(output.status.success(), "nft does not list the rule");
        let listing: Listing = serde_json::from_slice(&output.stdout)?;
        let counters = listing.nftables.into_iter().filter_map(|object| object.rule);
        let expressions = counters.flat_map(|rule| rule.expr);
        let counter = expressions.filter_map(|expression| expression.counter).next();
        let Counter { packets, bytes } = counter.context("nft counts nothing")?;
        Ok(Dropped { bursts: packets, bytes })
    }
}

impl Dropped {
    /// The bytes of the datagrams that were dropped since.
    pub(super) const fn bytes_since(self, before: Self) -> u64 {
        let headers = (self.bursts - before.bursts) * HEADERS;
        (self.bytes - before.bytes).saturating_sub(headers)
    }

    /// The datagrams that were dropped since, of which each has so many bytes.
    pub(super) fn datagrams_since(self, before: Self, length: f64) -> u64 {
        (self.bytes_since(before) as f64 / length).round() as u64
    }
}

#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    rule: Option<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    expr: Vec<Expression>,
}

#[derive(Deserialize)]
struct Expression {
    counter: Option<Counter>,
}

#[derive(Deserialize)]
struct Counter {
    packets: u64,
    bytes: u64,
}
