//! `conclave meeting`: creates meetings from the command line.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use conclave_client::{Endpoint, Trust};
use conclave_link::{
    LinkKeys, LinkSecret, MeetingLink, NONCE_LEN, OPEN_LINK_POLICY, Origin, PolicyDigest,
};
use conclave_model::MeetingId;
use conclave_wire::CreateMeeting;

/// Arguments of `conclave meeting`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Creates a meeting and prints its link, which nobody else knows: not even the server.
    Create(CreateArgs),
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// The server: https://host[:port].
    url: String,
    /// What the meeting is called. Only those who have the link can read it.
    #[arg(long, default_value = "")]
    title: String,
    #[command(flatten)]
    trust: TrustArgs,
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
    let url = args.url.trim_end_matches('/');
    let origin: Origin = url.parse().context("the server's address is wrong")?;
    let endpoint = args.trust.endpoint(origin.clone())?;

    let link = MeetingLink {
        origin,
        meeting: MeetingId::from_bytes(random()?),
        secret: LinkSecret::from_bytes(random()?),
        policy_digest: PolicyDigest::of(OPEN_LINK_POLICY),
    };
    let keys = LinkKeys::of(&link);
    let nonce: [u8; NONCE_LEN] = random()?;
    let meeting = CreateMeeting {
        id: link.meeting,
        token_hash: keys.token.hash(),
        sealed_title: keys.meta.seal_title(nonce, &args.title)?,
        policy: OPEN_LINK_POLICY.to_owned(),
    };
    endpoint.create_meeting(&meeting).await.context("the meeting was not created")?;
    writeln!(std::io::stdout(), "{}", link.expose())?;
    Ok(())
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(bytes)
}
