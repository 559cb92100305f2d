//! `conclave meeting`: creates meetings from the command line.

/// Arguments of `conclave meeting`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server's address.
    url: String,
}

/// Creates a meeting and prints its link.
#[expect(clippy::unused_async, reason = "creating a meeting awaits the server")]
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    drop(args.url);
    anyhow::bail!("this build cannot create meetings yet")
}
