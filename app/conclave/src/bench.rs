//! `conclave bench`: what this build costs on this machine.

mod clock;
mod cores;
mod crew;
mod device;
mod e2ee;
mod join;
mod limit;
mod machine;
mod media;
mod meeting;
mod operations;
mod output;
mod post;
mod process;
mod report;
mod seen;
mod server;
mod tables;

/// Arguments of `conclave bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Measures the meeting's group: coming in, removing, and changing keys, in calls of up to 100
    /// members, a group of 1,000, and crowds that come at once.
    ///
    /// The call's control plane and the members' sessions run in this process, on two threads for
    /// the members and one for the server, with signalling's messages between them and no network.
    E2ee(e2ee::Args),
    /// Measures joining: what it costs the server, how long it takes while many come at once, and
    /// what stays in memory of those who came and went.
    ///
    /// The server runs in a process of its own, with TLS, and native participants join it over
    /// loopback.
    Join(join::Args),
    /// Measures the least that forwarding media can cost on this machine: sending, sealing and
    /// sending, and a toy of a media node that does nothing else. `bench media` is held against it.
    ///
    /// Everything goes over loopback, within this process.
    Limit(limit::Args),
    /// Measures forwarding: what a media shard costs per packet that its subscribers get, how long
    /// it holds packets, and what joining and staying cost it.
    ///
    /// The shard runs in a process of its own, and so do its clients, which speak ICE, DTLS and
    /// SRTP with it over loopback.
    Media(media::Args),
    /// The clients of `bench media`; writes what they measured as a line of JSON.
    #[command(hide = true)]
    MediaLoad(media::Load),
    /// The media shard of `bench media`; speaks with the clients' process in lines of JSON.
    #[command(hide = true)]
    MediaServer,
}

/// Measures, prints what came of it, and fails if a limit is exceeded.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::E2ee(args) => e2ee::run(args),
        Command::Join(args) => join::run(args),
        Command::Limit(args) => limit::run(args),
        Command::Media(args) => media::run(args),
        Command::MediaLoad(load) => media::run_load(load),
        Command::MediaServer => media::run_server(),
    }
}
