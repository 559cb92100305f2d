//! `conclave bench`: what this build costs on this machine.

mod abuse;
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
mod saturation;
mod seen;
mod server;
mod signalling;
mod tables;
mod turn;

/// Arguments of `conclave bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Measures a lecture: a thousand who listen, and 25 who speak one after the other. Whether
    /// forwarding ever pauses, how long packets are held, and what it costs.
    ///
    /// The shard runs in a process of its own, and so do its clients, with a control run of few
    /// listeners before.
    Crowd(media::CrowdArgs),
    /// The clients of `bench crowd`; writes what they measured as a line of JSON.
    #[command(hide = true)]
    CrowdLoad(media::CrowdLoad),
    /// Measures what attackers and bad neighbours do to somebody else's call: how long its packets
    /// take and how many are lost meanwhile, and what the server counts of it.
    ///
    /// The media shard runs in a process of its own; the call, those who disturb it and a floor are
    /// in another. Everything goes over loopback.
    Abuse(abuse::Args),
    /// The clients of one row of `bench abuse`; writes what they measured as a line of JSON.
    #[command(hide = true)]
    AbuseLoad(abuse::Load),
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
    /// Measures what a processor core carries before it loses packets, and what two carry.
    ///
    /// Shards are bound to a core each. What they send to their subscribers is counted and dropped
    /// by nftables, in a network of its own, so that nobody else takes processor time.
    Saturation(saturation::Args),
    /// The shards and clients of `bench saturation`; writes what was carried as a line of JSON.
    #[command(hide = true)]
    SaturationLoad(saturation::Load),
    /// The media shard of `bench media`; speaks with the clients' process in lines of JSON.
    #[command(hide = true)]
    MediaServer(media::Server),
    /// Measures how soon a thousand members of a call know what one of them did, and what that costs
    /// the server.
    ///
    /// The server runs in a process of its own, as in production; the members' sockets, with TLS,
    /// are in this one.
    Signalling(signalling::Args),
    /// The bare loop that `bench signalling` is held against.
    #[command(hide = true)]
    SignallingFloor(signalling::FloorLoad),
    /// Measures what relaying through the TURN server costs: processor time for each packet, delay,
    /// memory, and allocations, beside the same clients without a relay.
    ///
    /// The shard runs in a process of its own with the TURN server beside it, and so do its clients,
    /// as in `bench media`.
    Turn(turn::Args),
}

/// Measures, prints what came of it, and fails if a limit is exceeded.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Crowd(args) => media::run_crowd(args),
        Command::CrowdLoad(load) => media::run_crowd_load(load),
        Command::Abuse(args) => abuse::run(args),
        Command::AbuseLoad(load) => abuse::run_load(load),
        Command::E2ee(args) => e2ee::run(args),
        Command::Join(args) => join::run(args),
        Command::Limit(args) => limit::run(args),
        Command::Media(args) => media::run(args),
        Command::MediaLoad(load) => media::run_load(load),
        Command::MediaServer(server) => media::run_server(*server),
        Command::Saturation(args) => saturation::run(args),
        Command::SaturationLoad(load) => saturation::run_load(load),
        Command::Signalling(args) => signalling::run(args),
        Command::SignallingFloor(load) => signalling::run_floor(load),
        Command::Turn(args) => turn::run(args),
    }
}
