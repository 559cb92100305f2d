//! The project's commands: `cargo xtask run`, `test`, `check` and their smaller sisters.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its user"
)]

mod check;
mod claims;
mod fix;
mod licences;
mod process;
mod run;
mod step;
mod test;
mod tidy;
mod tools;
mod translations;
mod wasm;
mod web;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Builds, runs, tests and checks Conclave. Installs what is missing.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures what the project promises; numbers on standard output.
    #[command(subcommand)]
    Bench(web::Bench),
    /// Builds the binary that is shipped, with the web client inside.
    Build,
    /// Checks all that needs no running: format, lints, rules, licences, types, translations.
    Check,
    /// Repairs what a tool can repair: format and lints of both languages, generated types.
    Fix,
    /// Builds and starts a server on this machine and prints the link of a new meeting.
    Run(run::Args),
    /// Takes the pictures of every view that the documents show.
    Screenshots,
    /// Lets people talk over a bad network while others come and go; figures on standard output.
    Soak(web::Soak),
    /// Runs the tests: all of them, or the suites named.
    Test(test::Args),
    /// Checks the rules of the architecture alone.
    Tidy,
    /// Installs what the other commands need, and says what it found.
    Tools,
    /// Builds the key worker's module, unless nothing it is made of has changed.
    Wasm,
    /// Writes the TypeScript types of the protocol again.
    Wire,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let root = root()?;
    match command {
        Command::Bench(bench) => web::bench(&root, bench).map(|()| ExitCode::SUCCESS),
        Command::Build => run::build(&root).map(|()| ExitCode::SUCCESS),
        Command::Check => check::run(&root),
        Command::Fix => fix::run(&root).map(|()| ExitCode::SUCCESS),
        Command::Run(args) => run::run(&root, &args).map(|()| ExitCode::SUCCESS),
        Command::Screenshots => web::screenshots(&root).map(|()| ExitCode::SUCCESS),
        Command::Soak(args) => web::soak(&root, &args).map(|()| ExitCode::SUCCESS),
        Command::Test(args) => test::run(&root, &args),
        Command::Tidy => tidy::run(&root).map(|()| ExitCode::SUCCESS),
        Command::Tools => tools::run(&root).map(|()| ExitCode::SUCCESS),
        Command::Wasm => wasm::build(&root).map(|()| ExitCode::SUCCESS),
        Command::Wire => wire::write(&root).map(|()| ExitCode::SUCCESS),
    }
}

/// The repository's top folder.
fn root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .context("the xtask crate must lie in a folder of the repository")
}
