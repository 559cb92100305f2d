//! Plays every scenario, or those whose names are given, and says what became of each.

#![expect(clippy::print_stdout, reason = "its report is what it is for")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use conclave_hostile::{SCENARIOS, Scenario};

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted =
        |scenario: &&Scenario| wanted.is_empty() || wanted.iter().any(|name| name == scenario.name);
    let scenarios: Vec<_> = SCENARIOS.iter().copied().flatten().filter(is_wanted).collect();
    let mut failed = Vec::new();
    for scenario in &scenarios {
        let start = Instant::now();
        let held = catch_unwind(AssertUnwindSafe(scenario.run)).is_ok();
        let word = if held { "held   " } else { "BROKEN " };
        let name = scenario.name.replace('_', " ");
        println!(
            "{word} {:>4}  {:6.2} s  {name}",
            scenario.invariant,
            start.elapsed().as_secs_f64()
        );
        if !held {
            failed.push(scenario.name);
        }
    }
    println!("{} passed, {} failed", scenarios.len() - failed.len(), failed.len());
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        println!("failed: {}", failed.join(" "));
        ExitCode::FAILURE
    }
}
