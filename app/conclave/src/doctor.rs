//! `conclave doctor`: what of a server can be reached from this machine.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use conclave_client::{ConnectError, Endpoint, HttpError, ProbeError};
use conclave_link::Origin;
use conclave_wire::{MediaShard, RelayProtocol};
use serde::Serialize;

use crate::meeting::TrustArgs;
use crate::serve::say;

/// Arguments of `conclave doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 if people could join a meeting from this machine, else 1. \
    No meeting is made or joined for it.")]
pub(crate) struct Args {
    /// The server: https://host[:port].
    url: String,
    /// Report in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Tries everything and tells.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let url = args.url.trim_end_matches('/');
    let origin: Origin = url.parse().context("the server's address is wrong")?;
    let endpoint = args.trust.endpoint(origin.clone())?;
    let report = Report::new(origin.to_string(), examine(&endpoint, &origin).await?);
    say(&if args.json { serde_json::to_string(&report)? } else { report.to_string() })?;
    ensure!(report.can_join, "people could not join a meeting from here");
    Ok(())
}

/// Tries page, API and signalling, and then all that the server says there is.
async fn examine(endpoint: &Endpoint, origin: &Origin) -> anyhow::Result<Vec<Check>> {
    let at = || shown(origin.host(), origin.port());
    let mut server = None;
    let ask_server = async { endpoint.server().await.map(|said| server = Some(said)) };
    let (page, api, signalling) = tokio::join!(
        Check::of(Part::Page, at(), endpoint.page()),
        Check::of(Part::Api, at(), ask_server),
        Check::of(Part::Signalling, at(), endpoint.probe_signalling()),
    );
    let mut checks = vec![page, api, signalling];
    let Some(server) = server else { return Ok(checks) };

    let mut running = Vec::new();
    for (address, shards) in by_address(&server.media, |shard| &shard.udp) {
        let (endpoint, part) = (endpoint.clone(), Part::MediaUdp { shards });
        running.push(tokio::spawn(async move {
            Check::of(part, address.to_string(), endpoint.probe_udp(address)).await
        }));
    }
    for (address, shards) in by_address(&server.media, |shard| &shard.tcp) {
        let (endpoint, part) = (endpoint.clone(), Part::MediaTcp { shards });
        running.push(tokio::spawn(async move {
            Check::of(part, address.to_string(), endpoint.probe_tcp(address)).await
        }));
    }
    for way in server.relay {
        let (endpoint, at) = (endpoint.clone(), shown(origin.host(), way.port));
        let part = Part::Turn { protocol: way.protocol };
        running.push(tokio::spawn(
            async move { Check::of(part, at, endpoint.probe_relay(way)).await },
        ));
    }
    for check in running {
        checks.push(check.await.context("a check panicked")?);
    }
    Ok(checks)
}

/// Each address once, with the shards whose it is: the HTTPS port is every shard's.
fn by_address(
    media: &[MediaShard],
    addresses: impl Fn(&MediaShard) -> &[SocketAddr],
) -> Vec<(SocketAddr, Vec<usize>)> {
    let mut found: Vec<(SocketAddr, Vec<usize>)> = Vec::new();
    for (shard, of_shard) in media.iter().enumerate() {
        for address in addresses(of_shard) {
            match found.iter_mut().find(|(known, _)| known == address) {
                Some((_, shards)) => shards.push(shard),
                None => found.push((*address, vec![shard])),
            }
        }
    }
    found
}

/// Host and port, as in a URL.
fn shown(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// What is tried.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "camelCase")]
enum Part {
    /// The HTTP API.
    Api,
    /// A TCP address of these media shards, counted from 0.
    MediaTcp { shards: Vec<usize> },
    /// A UDP address of these.
    MediaUdp { shards: Vec<usize> },
    /// The home page.
    Page,
    /// The WebSocket.
    Signalling,
    /// A way to the TURN server.
    Turn { protocol: RelayProtocol },
}

impl Part {
    /// What a firewall sees of it.
    const fn transport(&self) -> &'static str {
        match self {
            Self::MediaUdp { .. } | Self::Turn { protocol: RelayProtocol::Udp } => "UDP",
            Self::Api
            | Self::MediaTcp { .. }
            | Self::Page
            | Self::Signalling
            | Self::Turn { protocol: RelayProtocol::Tcp | RelayProtocol::Tls } => "TCP",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Api => "API",
            Self::MediaTcp { .. } => "media over TCP",
            Self::MediaUdp { .. } => "media over UDP",
            Self::Page => "page",
            Self::Signalling => "signalling",
            Self::Turn { protocol: RelayProtocol::Tcp } => "TURN over TCP",
            Self::Turn { protocol: RelayProtocol::Tls } => "TURN over TLS",
            Self::Turn { protocol: RelayProtocol::Udp } => "TURN over UDP",
        })
    }
}

/// What came of trying it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    #[serde(flatten)]
    part: Part,
    /// Host and port.
    at: String,
    ok: bool,
    /// How long it took.
    took_ms: u64,
    /// Why it failed.
    problem: Option<String>,
    /// What a firewall may have to let through, if nobody was reached.
    open: Option<String>,
}

/// Why something failed, and whether anybody was reached.
struct Trouble {
    text: String,
    is_unreached: bool,
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Self {
        let is_unreached =
            matches!(error, HttpError::Late | HttpError::Connect(ConnectError::Tcp(_)));
        Self { text: error.to_string(), is_unreached }
    }
}

impl From<ProbeError> for Trouble {
    fn from(error: ProbeError) -> Self {
        let is_unreached = matches!(
            error,
            ProbeError::Closed(_)
                | ProbeError::NoConnection(ConnectError::Tcp(_))
                | ProbeError::Silent
        );
        Self { text: error.to_string(), is_unreached }
    }
}

impl Check {
    async fn of<E: Into<Trouble>>(
        part: Part,
        at: String,
        attempt: impl Future<Output = Result<(), E>>,
    ) -> Self {
        let started = Instant::now();
        let trouble: Option<Trouble> = attempt.await.err().map(Into::into);
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let port = at.rsplit(':').next().unwrap_or_default();
        let is_unreached = trouble.as_ref().is_some_and(|trouble| trouble.is_unreached);
        let open = is_unreached.then(|| format!("{} port {port}", part.transport()));
        let (ok, problem) = (trouble.is_none(), trouble.map(|trouble| trouble.text));
        Self { part, at, ok, took_ms, problem, open }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.ok { "ok" } else { "NOT" };
        write!(f, "{mark:<4} {:<15} {:<32} ", self.part, self.at)?;
        match (&self.problem, &self.open) {
            (Some(problem), Some(open)) => write!(f, "{problem}; is {open} open?"),
            (Some(problem), None) => f.write_str(problem),
            (None, _) => write!(f, "{} ms", self.took_ms),
        }
    }
}

/// All that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    url: String,
    /// People could join a meeting from here.
    can_join: bool,
    /// And their media would go as it is, over UDP, whichever shard has the meeting.
    is_direct: bool,
    checks: Vec<Check>,
}

impl Report {
    /// A meeting may be on any shard, so there must be a way to each; TURN leads to all.
    fn new(url: String, checks: Vec<Check>) -> Self {
        let mut has_pages = true;
        let mut has_turn = false;
        // Of each shard, whether it is reached at all, and over UDP.
        let mut shards: BTreeMap<usize, (bool, bool)> = BTreeMap::new();
        for Check { part, ok, .. } in &checks {
            match part {
                Part::Api | Part::Page | Part::Signalling => has_pages &= ok,
                Part::MediaTcp { shards: those } => {
                    those.iter().for_each(|shard| shards.entry(*shard).or_default().0 |= ok);
                }
                Part::MediaUdp { shards: those } => those.iter().for_each(|shard| {
                    let (any, udp) = shards.entry(*shard).or_default();
                    *any |= ok;
                    *udp |= ok;
                }),
                Part::Turn { .. } => has_turn |= ok,
            }
        }
        let is_there = has_pages && !shards.is_empty();
        let can_join = is_there && (has_turn || shards.values().all(|(any, _)| *any));
        let is_direct = is_there && shards.values().all(|(_, udp)| *udp);
        Self { url, can_join, is_direct, checks }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            writeln!(f, "{check}")?;
        }
        writeln!(f)?;
        let is_shut = self.checks.iter().any(|check| check.open.is_some());
        f.write_str(match (self.can_join, self.is_direct) {
            (true, true) => "People can join from here.",
            (true, false) => {
                "People can join from here, but not all media goes over UDP: where the network is \
                 bad, picture and sound suffer. Open the UDP ports that are marked NOT."
            }
            (false, _) if !is_shut => "People could not join from here, for these reasons.",
            (false, _) => {
                "People could not join from here. Open the ports that are asked about, in the \
                 server's firewall or in that of this network."
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: [(Part, bool); 3] =
        [(Part::Page, true), (Part::Api, true), (Part::Signalling, true)];

    /// Whether people could join, and whether media would go as it is.
    fn found(parts: &[(Part, bool)]) -> (bool, bool) {
        let check = |(part, ok): &(Part, bool)| {
            let (problem, open) = (None, None);
            Check { part: part.clone(), at: String::new(), ok: *ok, took_ms: 0, problem, open }
        };
        let report = Report::new(String::new(), parts.iter().map(check).collect());
        (report.can_join, report.is_direct)
    }

    #[test]
    fn people_can_join_where_there_is_a_way_to_every_shard() {
        let udp = |shard, ok| (Part::MediaUdp { shards: vec![shard] }, ok);
        let tcp = |shard, ok| (Part::MediaTcp { shards: vec![shard] }, ok);
        let https = |ok| (Part::MediaTcp { shards: vec![0, 1] }, ok);
        let turn = |ok| (Part::Turn { protocol: RelayProtocol::Tls }, ok);
        let cases = [
            ("all", vec![udp(0, true), tcp(0, true), turn(true)], (true, true)),
            ("one address of several", vec![udp(0, false), udp(0, true)], (true, true)),
            ("no UDP", vec![udp(0, false), tcp(0, true), turn(false)], (true, false)),
            ("TURN alone", vec![udp(0, false), udp(1, false), turn(true)], (true, false)),
            ("each shard in its way", vec![udp(0, true), tcp(1, true)], (true, false)),
            (
                "the HTTPS port alone",
                vec![udp(0, false), udp(1, false), https(true)],
                (true, false),
            ),
            ("one shard not at all", vec![udp(0, true), udp(1, false)], (false, false)),
            ("no media", vec![udp(0, false), tcp(0, false), turn(false)], (false, false)),
        ];
        for (name, media, expected) in cases {
            assert_eq!(found(&[&PAGES[..], &media].concat()), expected, "case: {name}");
        }
    }

    #[test]
    fn nobody_joins_without_page_api_and_signalling_or_without_word_of_media() {
        let media = (Part::MediaUdp { shards: vec![0] }, true);
        for missing in 0..PAGES.len() {
            let mut parts = PAGES.to_vec();
            parts[missing].1 = false;
            parts.push(media.clone());
            assert_eq!(found(&parts), (false, false));
        }
        assert_eq!(found(&PAGES), (false, false));
    }
}
