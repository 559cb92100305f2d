//! Sovereign video conferencing: server, native participant and tools in one binary.

mod admin;
#[cfg(feature = "participant")]
mod bench;
#[cfg(feature = "participant")]
mod bot;
mod certificate;
#[cfg(feature = "participant")]
mod doctor;
mod door;
mod media;
#[cfg(feature = "participant")]
mod meeting;
mod open_files;
mod serve;
mod settings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sovereign video conferencing: server, native participant and tools in one binary.
#[derive(Debug, Parser)]
#[command(name = "conclave", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures what this build costs on this machine.
    #[cfg(feature = "participant")]
    Bench(bench::Args),
    /// Joins a meeting as a native participant.
    #[cfg(feature = "participant")]
    Bot(bot::Args),
    /// Finds out whether people could join a server's meetings from this machine.
    #[cfg(feature = "participant")]
    Doctor(doctor::Args),
    /// Creates meetings from the command line.
    #[cfg(feature = "participant")]
    Meeting(meeting::Args),
    /// Prints the OpenAPI description of the HTTP API.
    Openapi,
    /// Runs the server.
    Serve(Box<serve::Args>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            exit_code(&error)
        }
    }
}

/// Who comes and goes leaves holes of all sizes, and the C library's allocator gave none back
/// (ADR 17).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "participant")]
        Command::Bench(args) => bench::run(&args),
        #[cfg(feature = "participant")]
        Command::Bot(args) => bot::run(args).await,
        #[cfg(feature = "participant")]
        Command::Doctor(args) => doctor::run(args).await,
        #[cfg(feature = "participant")]
        Command::Meeting(args) => meeting::run(args).await,
        Command::Openapi => serve::say(&conclave_api::openapi().to_pretty_json()?),
        Command::Serve(args) => serve::run(*args).await,
    }
}

/// What the process says of an error to whoever started it.
#[cfg_attr(not(feature = "participant"), expect(unused_variables, reason = "all are alike"))]
fn exit_code(error: &anyhow::Error) -> ExitCode {
    #[cfg(feature = "participant")]
    if let Some(failed) = error.downcast_ref::<bot::Failed>() {
        return ExitCode::from(failed.exit_code());
    }
    ExitCode::FAILURE
}

/// Says on standard error what went wrong, with its causes.
fn report(error: &anyhow::Error) {
    use std::io::Write as _;

    // If standard error is gone, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "conclave: {error:#}");
}
