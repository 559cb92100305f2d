//! What an administrator may set: built-in defaults, then the file, then `CONCLAVE__SECTION__KEY`
//! from the environment, then flags. A key that nobody reads is an error, not a wish.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use conclave_commit_rules::Jurisdiction;
use conclave_wire::CameraCodec;
pub(crate) use config::ValueKind;
use config::{Config, Environment, File, FileFormat, Map, Source, Value};
use serde::{Deserialize, Serialize};

/// Where the file is, unless a flag says otherwise. It need not be there.
const FILE: &str = "/etc/conclave/conclave.toml";

/// All settings of `conclave serve`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) server: Server,
    pub(crate) http: Http,
    pub(crate) media: Media,
    pub(crate) turn: Turn,
    pub(crate) store: Store,
    pub(crate) admin: Admin,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
}

/// What the server is to its meetings.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Server {
    /// The country that the media nodes are in: two capital letters of ISO 3166-1.
    pub(crate) jurisdiction: Option<String>,
}

/// Pages, API and signalling.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Http {
    /// `[::]` listens on IPv4 too.
    pub(crate) listen: SocketAddr,
    /// PEM files. Without them the server makes a certificate for itself.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// The media shards and their sockets.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Media {
    /// The address of the sockets; all of this machine's if there is none.
    pub(crate) listen: Option<IpAddr>,
    /// The ports of the first shard; each other one has the next ones.
    pub(crate) udp_port: u16,
    pub(crate) tcp_port: u16,
    /// How many shards there are; one for every two hardware threads if it is not set.
    pub(crate) shards: Option<NonZeroU16>,
    /// The port at which clients reach the listener of pages, for media of those whose network
    /// lets nothing else out. That listener's own if there is none; 0 if media may not come there.
    pub(crate) https_port: Option<u16>,
    /// Addresses that clients are told to send media to; those of the interfaces if empty.
    pub(crate) advertise: Vec<IpAddr>,
    /// The codec that browsers are asked to send cameras in.
    pub(crate) camera_codec: CameraCodec,
}

/// The TURN server, for those whose network lets no media out.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Turn {
    /// 0 if there shall be none.
    pub(crate) udp_port: u16,
    /// 0 if there shall be none.
    pub(crate) tcp_port: u16,
    /// The port at which clients reach the listener of pages, for TURN over TLS. That listener's
    /// own if there is none; 0 if TURN may not come there.
    pub(crate) tls_port: Option<u16>,
}

/// What survives a restart.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Store {
    /// The folder of the database and of the server's own certificate.
    pub(crate) path: PathBuf,
}

/// Health and metrics, for this machine alone.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Admin {
    pub(crate) listen: SocketAddr,
}

/// How much is too much.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Limits {
    pub(crate) max_participants: NonZeroU32,
    pub(crate) meetings_per_minute: NonZeroU32,
    pub(crate) lookups_per_minute: NonZeroU32,
    /// Days without anybody in it after which a meeting is forgotten.
    pub(crate) meeting_days: NonZeroU32,
}

/// The log on standard error.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Log {
    pub(crate) format: Format,
    pub(crate) level: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Json,
    Text,
}

impl Default for Http {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8443));
        Self { listen, certificate: None, key: None }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            listen: None,
            udp_port: 10_000,
            tcp_port: 10_000,
            shards: None,
            https_port: None,
            advertise: Vec::new(),
            camera_codec: CameraCodec::Auto,
        }
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self { udp_port: 3478, tcp_port: 3478, tls_port: None }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { path: data_folder() }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let n = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            max_participants: n(200),
            meetings_per_minute: n(60),
            // An office of hundreds behind one address comes in at the hour.
            lookups_per_minute: n(1200),
            // A quarter: what meets less often makes a new link.
            meeting_days: n(90),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::Text, level: "info".to_owned() }
    }
}

/// The flags of one setting: its key and its value, if it was given.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: Option<ValueKind>,
}

impl Settings {
    /// Reads all layers.
    pub(crate) fn load(file: Option<&Path>, flags: Vec<Flag>) -> anyhow::Result<Self> {
        Self::from_layers(file, environment(None), flags)
    }

    fn from_layers(
        file: Option<&Path>,
        environment: Environment,
        flags: Vec<Flag>,
    ) -> anyhow::Result<Self> {
        let path = file.unwrap_or_else(|| Path::new(FILE));
        let layer = File::from(path).format(FileFormat::Toml).required(file.is_some());
        let given: Map<String, Value> = flags
            .into_iter()
            .filter_map(|flag| {
                let origin = format!("the flag --{}", flag.name);
                let value = Value::new(Some(&origin), flag.value?);
                Some((flag.key.to_owned(), value))
            })
            .collect();
        let layers = Config::builder()
            .add_source(layer)
            .add_source(environment)
            .build()
            .context("the configuration cannot be read")?;
        refuse_unknown(&layers)?;
        let layers = Config::builder()
            .add_source(layers)
            .add_source(Flags(given))
            .build()
            .context("the configuration cannot be read")?;
        let settings: Self =
            layers.try_deserialize().context("the configuration cannot be understood")?;
        if settings.http.certificate.is_some() != settings.http.key.is_some() {
            bail!("http.certificate and http.key go together: set both or none");
        }
        settings.server.jurisdiction()?;
        Ok(settings)
    }
}

impl Server {
    /// The country, as policies name it.
    pub(crate) fn jurisdiction(&self) -> anyhow::Result<Option<Jurisdiction>> {
        let parse = |text: &String| {
            Jurisdiction::try_from(text.clone()).ok().with_context(|| {
                format!("server.jurisdiction is two capital letters, such as `CH`; not `{text}`")
            })
        };
        self.jurisdiction.as_ref().map(parse).transpose()
    }
}

/// The layer of the flags, each value with its flag as origin.
#[derive(Clone, Debug)]
struct Flags(Map<String, Value>);

impl Source for Flags {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

fn environment(source: Option<Map<String, String>>) -> Environment {
    Environment::with_prefix("CONCLAVE")
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("media.advertise")
        .source(source)
}

/// Finds keys that no setting has, and says where they come from.
fn refuse_unknown(layers: &Config) -> anyhow::Result<()> {
    let known = serde_json::to_value(Settings::default())?;
    let sections = layers.collect()?;
    let mut unknown = Vec::new();
    for (section, value) in sections {
        let Some(keys) = known.get(&section) else {
            unknown.push(describe(&section, &value));
            continue;
        };
        let ValueKind::Table(table) = &value.kind else {
            bail!("{} is a section, not a value", describe(&section, &value));
        };
        let strange = table.iter().filter(|(key, _)| keys.get(key.as_str()).is_none());
        unknown.extend(strange.map(|(key, value)| describe(&format!("{section}.{key}"), value)));
    }
    unknown.sort();
    if !unknown.is_empty() {
        bail!("no setting has the name {}", unknown.join(", nor "));
    }
    Ok(())
}

fn describe(key: &str, value: &Value) -> String {
    // A table has no origin of its own, but its entries do.
    let inner = if let ValueKind::Table(table) = &value.kind {
        table.values().find_map(Value::origin)
    } else {
        None
    };
    let origin = value.origin().or(inner).unwrap_or("the configuration");
    format!("`{key}` ({origin})")
}

/// Where data is kept by default: the service manager's folder, or the person's own.
fn data_folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    variable("STATE_DIRECTORY")
        .map(PathBuf::from)
        .or_else(|| variable("XDG_DATA_HOME").map(|data| Path::new(&data).join("conclave")))
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".local/share/conclave")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/conclave"))
}

#[cfg(test)]
mod tests;
