//! `conclave bot`: a native participant.

/// Arguments of `conclave bot`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The meeting's link.
    link: String,
}

/// Joins the meeting and stays until it is told to stop.
#[expect(clippy::unused_async, reason = "the participant's loop awaits its sockets")]
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    drop(args.link);
    anyhow::bail!("this build has no native participant yet")
}
