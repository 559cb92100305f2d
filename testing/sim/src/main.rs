//! Prints figures of the simulator:
//!
//! - `cargo run -p conclave-sim -- loss [SECONDS]`
//! - `cargo run -p conclave-sim -- network [--seeds N] [--json | --markdown] [PART OF A NAME]`

use std::process::ExitCode;
use std::time::Duration;

use conclave_sim::NetworkReport;

const USAGE: &str = "\
usage: conclave-sim loss [SECONDS]
       conclave-sim network [--seeds N] [--json | --markdown] [PART OF A NAME]";

/// How often each bad network is tried, unless said otherwise.
const SEEDS: u64 = 5;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["loss"] => loss("60"),
        ["loss", seconds] => loss(seconds),
        ["network", options @ ..] => network(options),
        _ => usage(),
    }
}

#[expect(clippy::print_stdout, reason = "a command prints")]
fn loss(seconds: &str) -> ExitCode {
    let Ok(seconds) = seconds.parse() else { return usage() };
    println!("{}", conclave_sim::loss(Duration::from_secs(seconds)));
    ExitCode::SUCCESS
}

/// Fails if a figure is not what it may be.
#[expect(clippy::print_stdout, reason = "a command prints")]
fn network(options: &[&str]) -> ExitCode {
    let (mut seeds, mut form, mut part) = (SEEDS, None, "");
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match (*option, options.as_slice().first().map(|number| number.parse())) {
            ("--json" | "--markdown", _) => form = Some(*option),
            ("--seeds", Some(Ok(number))) if number > 0 => {
                seeds = number;
                options.next();
            }
            (option, _) if option.starts_with('-') => return usage(),
            (option, _) => part = option,
        }
    }
    let report = NetworkReport::make(seeds, part);
    match form {
        Some("--json") => println!("{:#}", report.json()),
        Some(_) => print!("{}", report.markdown()),
        None => print!("{report}"),
    }
    if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stderr, reason = "a command prints")]
fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::FAILURE
}
