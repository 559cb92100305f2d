//! Prints figures of the simulator: `cargo run -p conclave-sim -- loss [SECONDS]`.

use std::process::ExitCode;
use std::time::Duration;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]
fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let seconds = |text: Option<String>| text.map_or(Ok(60), |text| text.parse());
    match (args.next().as_deref(), seconds(args.next())) {
        (Some("loss"), Ok(seconds)) => {
            println!("{}", conclave_sim::loss(Duration::from_secs(seconds)));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: conclave-sim loss [SECONDS]");
            ExitCode::FAILURE
        }
    }
}
