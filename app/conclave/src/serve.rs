//! `conclave serve`: the server. Everything meets here, and nowhere else.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use conclave_api::{ApiConfig, Calls, CallsConfig, Identity, Patience};
use conclave_call_proto::RelayAccess;
use conclave_sfu::{PlaneHandle, Running};
use conclave_store::{SqliteStore, Store};
use conclave_telemetry::{LogConfig, LogFormat, Metrics, init_log, watch_panics};
use conclave_turn_proto::Issuer;
use hyper_util::rt::TokioTimer;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::{self, AdminState};
use crate::door::{Door, Hall};
use crate::settings::{Flag, Format, Settings, ValueKind};
use crate::{certificate, media, open_files};

/// How long clients get to say goodbye when the server stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// How long a client may take for the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often metrics are folded.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// Arguments of `conclave serve`. Each one that names a setting beats the environment and the
/// file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Settings file (default: /etc/conclave/conclave.toml, if it is there).
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Address of pages, API and signalling; `[::]` takes IPv4 too, port 0 any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// PEM file with the certificate chain (default: one that the server makes for itself).
    #[arg(long, value_name = "PATH")]
    certificate: Option<PathBuf>,
    /// PEM file with the certificate's key.
    #[arg(long, value_name = "PATH")]
    key: Option<PathBuf>,
    /// UDP port of media.
    #[arg(long, value_name = "PORT")]
    udp_port: Option<u16>,
    /// TCP port of media, for networks that carry no UDP.
    #[arg(long, value_name = "PORT")]
    tcp_port: Option<u16>,
    /// UDP port of TURN, for networks that let no media out; 0 for none.
    #[arg(long, value_name = "PORT")]
    turn_udp_port: Option<u16>,
    /// TCP port of TURN; 0 for none.
    #[arg(long, value_name = "PORT")]
    turn_tcp_port: Option<u16>,
    /// Addresses that clients send media to, comma-separated (default: this machine's).
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    advertise: Vec<IpAddr>,
    /// Folder of the database, of the server's keys and of its own certificate.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Address of health and metrics.
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<SocketAddr>,
    /// Country that media is handled in, for meetings that care: two letters of ISO 3166-1.
    #[arg(long, value_name = "COUNTRY")]
    jurisdiction: Option<String>,
    /// Most participants of one call.
    #[arg(long, value_name = "N")]
    max_participants: Option<u32>,
    /// `text` or `json`.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// `error`, `warn`, `info` or `debug`, or levels by module.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Prints one line of JSON with the addresses once they are open.
    #[arg(long)]
    json: bool,
    /// Writes that line to this file.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Prints the settings in force, as JSON, and stops.
    #[arg(long)]
    print_config: bool,
}

/// Serves until it is told to stop.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let settings = Settings::load(args.config.as_deref(), args.flags())?;
    if args.print_config {
        return say(&serde_json::to_string_pretty(&settings)?);
    }
    init_log(&log_config(&settings))?;
    let metrics = Metrics::install(env!("CARGO_PKG_VERSION"))?;
    watch_panics();
    open_files::raise_limit();
    let mut signals = Signals::new()?;

    let server = Server::start(&settings, metrics).await?;
    announce(&args, &server)?;
    tracing::info!("ready");

    signals.next().await;
    tracing::info!("draining");
    tokio::select! {
        () = server.stop() => {}
        () = signals.next() => tracing::warn!("stopped at once"),
    }
    Ok(())
}

/// Makes the credentials of the TURN server, from a secret of this process alone.
fn issuer() -> anyhow::Result<Issuer> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system gives no random bytes")?;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Ok(Issuer::new(&secret, Instant::now(), since_1970.map_or(0, |since| since.as_secs())))
}

/// What runs.
struct Server {
    handle: Handle<SocketAddr>,
    calls: Calls,
    store: SqliteStore,
    http: SocketAddr,
    admin: SocketAddr,
    media: Vec<String>,
    turn: Vec<String>,
    /// The media plane runs as long as this is held.
    shards: Vec<Running>,
}

impl Server {
    async fn start(settings: &Settings, metrics: Metrics) -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let folder = &settings.store.path;
        make_folder(folder)?;
        let database = folder.join("conclave.db");
        make_file(&database)?;
        let store = SqliteStore::open(&database)
            .await
            .with_context(|| format!("cannot use {}", database.display()))?;
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let identity = Identity::load(&store, settings.server.jurisdiction()?)
            .await
            .context("cannot use the server's own keys")?;

        let (http_listener, http) = listen(settings.http.listen)?;
        let issuer = issuer()?;
        let plane = media::start(&settings.media, &settings.turn, http, &issuer)?;
        let media_shards = media::shards(&plane);
        let media = media::stated(&media_shards);
        let PlaneHandle { requests, events, entrance, turn, running: shards, .. } = plane;
        let turn_tls = media::turn_tls_port(&settings.turn, http);
        let relay = media::relay_access(turn.as_ref(), turn_tls, issuer);
        let turn_ways = relay.as_ref().map(RelayAccess::stated).unwrap_or_default();
        let turn_entrance = turn.filter(|_| turn_tls.is_some()).map(|turn| turn.entrance);
        let config = CallsConfig {
            identity,
            max_participants: settings.limits.max_participants.get(),
            camera_codec: settings.media.camera_codec,
            keep_meetings: DAY * settings.limits.meeting_days.get(),
            relay,
            media: media_shards,
        };
        let calls = Calls::new(config, Arc::clone(&shared), requests);

        let own = settings.http.certificate.is_none();
        let tls = match (&settings.http.certificate, &settings.http.key) {
            (Some(chain), Some(key)) => certificate::from_files(chain, key, provider)?,
            _ => certificate::self_signed(folder, &interface_addresses(), provider)?,
        };
        let (admin_listener, admin) = listen(settings.admin.listen)?;

        // Everything that can fail has happened: the rest only runs.
        let routing = calls.clone();
        tokio::spawn(async move { routing.route_media(events).await });
        let housekeeping = calls.clone();
        tokio::spawn(async move { housekeeping.keep_house().await });
        let folding = metrics.clone();
        tokio::spawn(async move { fold(folding).await });

        let state = AdminState { metrics, store: shared, calls: calls.clone() };
        let admin_listener = tokio::net::TcpListener::from_std(admin_listener)?;
        tokio::spawn(async move { axum::serve(admin_listener, admin::router(state)).await });

        let api = ApiConfig {
            hsts: !own,
            meetings_per_minute: settings.limits.meetings_per_minute,
            lookups_per_minute: settings.limits.lookups_per_minute,
            patience: Patience::default(),
        };
        let service = conclave_api::router(api, calls.clone())
            .into_make_service_with_connect_info::<SocketAddr>();
        let handle = Handle::new();
        let tls = RustlsConfig::from_config(Arc::new(tls));
        let acceptor = RustlsAcceptor::new(tls).acceptor(Door::new(entrance));
        let acceptor = Hall::new(acceptor, turn_entrance);
        let mut https =
            axum_server::from_tcp(http_listener)?.acceptor(acceptor).handle(handle.clone());
        // Without a timer, no limit of time holds.
        https.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
        https.http_builder().http2().timer(TokioTimer::new());
        tokio::spawn(async move {
            if let Err(error) = https.serve(service).await {
                tracing::error!(%error, "the HTTP server stopped");
            }
        });
        Ok(Self { handle, calls, store, http, admin, media, turn: turn_ways, shards })
    }

    /// Takes no more connections, tells clients to come back, and waits for them to hang up.
    async fn stop(self) {
        self.handle.graceful_shutdown(Some(DRAIN_WITHIN));
        if tokio::time::timeout(DRAIN_WITHIN, self.calls.drain()).await.is_err() {
            let left = self.calls.remaining();
            tracing::warn!(left, "connections or calls did not end in time");
        }
        let shards = self.shards;
        let end_all = || shards.into_iter().map(Running::join).fold(true, |all, one| all & one);
        let ended = tokio::task::spawn_blocking(end_all).await;
        if !ended.is_ok_and(|orderly| orderly) {
            tracing::error!("the media plane did not end in order");
        }
        self.store.close().await;
    }
}

impl Args {
    fn flags(&self) -> Vec<Flag> {
        let advertise: Vec<_> = self.advertise.iter().map(IpAddr::to_string).collect();
        let advertise = (!advertise.is_empty()).then(|| ValueKind::from(advertise));
        vec![
            flag("listen", "http.listen", self.listen),
            flag("certificate", "http.certificate", shown(self.certificate.as_deref())),
            flag("key", "http.key", shown(self.key.as_deref())),
            flag("udp-port", "media.udp_port", self.udp_port),
            flag("tcp-port", "media.tcp_port", self.tcp_port),
            flag("turn-udp-port", "turn.udp_port", self.turn_udp_port),
            flag("turn-tcp-port", "turn.tcp_port", self.turn_tcp_port),
            Flag { name: "advertise", key: "media.advertise", value: advertise },
            flag("data", "store.path", shown(self.data.as_deref())),
            flag("admin", "admin.listen", self.admin),
            flag("jurisdiction", "server.jurisdiction", self.jurisdiction.as_ref()),
            flag("max-participants", "limits.max_participants", self.max_participants),
            flag("log-format", "log.format", self.log_format.as_ref()),
            flag("log-level", "log.level", self.log_level.as_ref()),
        ]
    }
}

fn flag(name: &'static str, key: &'static str, value: Option<impl ToString>) -> Flag {
    Flag { name, key, value: value.map(|value| value.to_string().into()) }
}

fn shown(path: Option<&Path>) -> Option<path::Display<'_>> {
    path.map(Path::display)
}

/// Where the server is, for whoever started it.
#[derive(Serialize)]
struct Ready<'a> {
    url: String,
    admin: String,
    media: &'a [String],
    turn: &'a [String],
}

fn announce(args: &Args, server: &Server) -> anyhow::Result<()> {
    let ready = Ready {
        url: format!("https://localhost:{}", server.http.port()),
        admin: server.admin.to_string(),
        media: &server.media,
        turn: &server.turn,
    };
    let line = serde_json::to_string(&ready)?;
    if let Some(path) = &args.ready_file {
        // Whoever waits for the file must not see half of it.
        let part = path.with_extension("part");
        fs::write(&part, format!("{line}\n"))
            .and_then(|()| fs::rename(&part, path))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json { say(&line) } else { say(&format!("Conclave is at {}", ready.url)) }
}

/// Prints a line.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Opens a listener. On a machine without IPv6, `[::]` means all of IPv4.
fn listen(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let bound = TcpListener::bind(address).or_else(|error| {
        let all = address.is_ipv6() && address.ip().is_unspecified();
        if !all || error.kind() == ErrorKind::AddrInUse {
            return Err(error);
        }
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
    });
    let listener = bound.with_context(|| format!("cannot listen on {address}"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Makes the folder of the data, for this account's eyes alone.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}

/// Makes the database's file, unless it is there. The folder may have been there with any mode;
/// SQLite gives the files beside this one the same.
fn make_file(path: &Path) -> anyhow::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// This machine's addresses, for the names in its own certificate.
fn interface_addresses() -> Vec<IpAddr> {
    if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .collect()
}

fn log_config(settings: &Settings) -> LogConfig {
    let format = match settings.log.format {
        Format::Json => LogFormat::Json,
        Format::Text => LogFormat::Text,
    };
    LogConfig { format, level: settings.log.level.clone() }
}

async fn fold(metrics: Metrics) {
    let mut interval = tokio::time::interval(METRICS_EVERY);
    loop {
        interval.tick().await;
        metrics.keep_up();
    }
}

/// The signals that mean stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
