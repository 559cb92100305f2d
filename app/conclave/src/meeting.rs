//! `conclave meeting`: creates meetings from the command line.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ValueEnum;
use conclave_client::{Endpoint, Trust};
use conclave_commit_rules::{Classification, Constitution, Mode, SUITE_DEFAULT};
use conclave_link::{HostSeed, LinkKeys, LinkSecret, MeetingLink, NONCE_LEN, Origin, PolicyDigest};
use conclave_model::MeetingId;
use conclave_wire::{CreateMeeting, ServerInfo};

/// Arguments of `conclave meeting`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Creates a meeting and prints its link, which nobody else knows: not even the server.
    ///
    /// The first line of standard output is the link for guests; with --host-link, the second one
    /// is the link that makes a host of whoever opens it.
    Create(CreateArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// The server: https://host[:port].
    url: String,
    /// What the meeting is called. Only those who have the link can read it.
    #[arg(long, default_value = "")]
    title: String,
    /// How people come in.
    #[arg(long, value_enum, default_value_t = ModeArg::Lobby)]
    mode: ModeArg,
    /// Let the meeting begin before a host is there.
    #[arg(long)]
    join_before_host: bool,
    /// The most devices in it at once.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    max_members: u16,
    /// Print the host's link, too.
    #[arg(long)]
    host_link: bool,
    #[command(flatten)]
    trust: TrustArgs,
}

/// How people come into a meeting.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArg {
    /// A host lets each person in.
    Lobby,
    /// Whoever holds the link comes in.
    OpenLink,
    /// Those whom an issuer vouches for come in; a host lets the others in.
    VerifiedAuto,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Lobby => Self::Lobby,
            ModeArg::OpenLink => Self::OpenLink,
            ModeArg::VerifiedAuto => Self::VerifiedAuto,
        }
    }
}

/// How the server's identity is checked.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// Trust the certificates in this PEM file, and no others.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Take any certificate of a server on this machine. This is the default for localhost, and
    /// refused for other hosts.
    #[arg(long, visible_alias = "insecure", conflicts_with = "ca")]
    insecure_localhost: bool,
}

impl TrustArgs {
    /// The server at `origin`, with its identity checked as told.
    pub(crate) fn endpoint(&self, origin: Origin) -> anyhow::Result<Endpoint> {
        let trust = match &self.ca {
            Some(path) => {
                let pem = std::fs::read(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                Trust::Certificates(pem)
            }
            None if self.insecure_localhost => Trust::Loopback,
            None => Trust::of(&origin),
        };
        Ok(Endpoint::new(origin, &trust)?)
    }
}

/// Creates a meeting and prints its link.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Command::Create(args) = args.command;
    anyhow::ensure!(
        args.host_link || args.join_before_host,
        "nobody could ever begin this meeting: add --host-link, or --join-before-host"
    );
    let url = args.url.trim_end_matches('/');
    let origin: Origin = url.parse().context("the server's address is wrong")?;
    let endpoint = args.trust.endpoint(origin.clone())?;
    let wish = Wish {
        title: args.title,
        mode: args.mode.into(),
        join_before_host: args.join_before_host,
        max_members: args.max_members,
    };
    let (link, _) = create(&endpoint, origin, &wish).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", link.for_guests().expose())?;
    if args.host_link {
        writeln!(out, "{}", link.expose())?;
    }
    Ok(())
}

/// What a new meeting is to be like.
pub(crate) struct Wish {
    pub(crate) title: String,
    pub(crate) mode: Mode,
    pub(crate) join_before_host: bool,
    pub(crate) max_members: u16,
}

/// Has a server keep a new meeting. Gives its host's link, and its constitution as a server hands it
/// out.
pub(crate) async fn create(
    endpoint: &Endpoint,
    origin: Origin,
    wish: &Wish,
) -> anyhow::Result<(MeetingLink, String)> {
    let server = endpoint.server().await.context("the server does not say who it is")?;
    let meeting = MeetingId::from_bytes(random()?);
    let host = HostSeed::from_bytes(random()?);
    let policy = constitution(wish, &server, meeting, &host)?.encode()?;
    let link = MeetingLink {
        origin,
        meeting,
        secret: LinkSecret::from_bytes(random()?),
        policy_digest: PolicyDigest::of(&policy),
        host: Some(host),
    };
    let keys = LinkKeys::of(&link);
    let nonce: [u8; NONCE_LEN] = random()?;
    let meeting = CreateMeeting {
        id: link.meeting,
        token_hash: keys.token.hash(),
        sealed_title: keys.meta.seal_title(nonce, &wish.title)?,
        policy: policy.clone(),
    };
    endpoint.create_meeting(&meeting).await.context("the meeting was not created")?;
    Ok((link, policy))
}

/// What the meeting is founded on. Media goes to this server's nodes alone, and if it says where
/// they are, to no other country.
fn constitution(
    wish: &Wish,
    server: &ServerInfo,
    meeting: MeetingId,
    host: &HostSeed,
) -> anyhow::Result<Constitution> {
    let node_key = URL_SAFE_NO_PAD.decode(&server.node_key).ok();
    let node_key = node_key.and_then(|key| key.try_into().ok());
    let jurisdiction = server.jurisdiction.clone().map(TryInto::try_into).transpose();
    Ok(Constitution {
        version: Constitution::VERSION,
        meeting: *meeting.as_bytes(),
        suite: SUITE_DEFAULT,
        mode: wish.mode,
        join_before_host: wish.join_before_host,
        host_key: host.public_key(),
        issuers: Vec::new(),
        guests: true,
        node_key: node_key.context("the server's node key is none")?,
        jurisdictions: jurisdiction
            .context("the server's jurisdiction is none")?
            .into_iter()
            .collect(),
        gateways: false,
        voice_level: true,
        classification: Classification::Open,
        max_members: wish.max_members,
    })
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(bytes)
}
