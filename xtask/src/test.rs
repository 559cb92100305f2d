//! Runs the tests and counts them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use crate::run::{self, Profile};
use crate::step::Steps;
use crate::tools::Node;
use crate::{process, wasm, web};

/// Which tests to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The suites to run; all that this tree has if none is named.
    suites: Vec<Suite>,
    /// After `--`: only tests with this in their name (for `web`, in their file's name).
    #[arg(last = true)]
    filters: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Suite {
    /// Unit and property tests, the simulator, and a short run of each fuzz target.
    Rust,
    /// Unit tests of the web packages.
    Web,
    /// Real Chromium and Firefox against a real server.
    Browser,
    /// Real browsers behind a bad network.
    Network,
    /// An evil server and an evil member against the real client.
    Hostile,
}

impl Suite {
    const ALL: [Self; 5] = [Self::Rust, Self::Web, Self::Browser, Self::Network, Self::Hostile];

    const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Web => "web",
            Self::Browser => "browser",
            Self::Network => "network",
            Self::Hostile => "hostile",
        }
    }

    /// The script of the browser tests' package that runs it, if that is how it runs.
    const fn script(self) -> Option<&'static str> {
        match self {
            Self::Rust | Self::Web => None,
            Self::Browser => Some("test"),
            Self::Network => Some("test:network"),
            Self::Hostile => Some("test:hostile"),
        }
    }

    fn is_present(self, root: &Path) -> anyhow::Result<bool> {
        self.script().map_or(Ok(true), |script| web::has_browser_script(root, script))
    }

    /// `profile` is of the binaries that browsers and scenarios are run against.
    fn run(
        self,
        root: &Path,
        profile: Profile,
        filters: &[String],
    ) -> anyhow::Result<(Counts, bool)> {
        match self.script() {
            Some(script) if self == Self::Hostile => hostile(root, script, profile, filters),
            Some(script) => browser(root, script, profile, filters),
            None if self == Self::Rust => rust(root, filters),
            None => vitest(root, filters),
        }
    }
}

/// Runs the suites and prints `N passed, N failed` as the very last line.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let mut suites = args.suites.clone();
    for suite in &suites {
        if !suite.is_present(root)? {
            bail!("this tree has no {} tests yet", suite.name());
        }
    }
    if suites.is_empty() {
        for suite in Suite::ALL {
            if suite.is_present(root)? {
                suites.push(suite);
            }
        }
    }

    let profile = if suites.contains(&Suite::Rust) { Profile::Tests } else { Profile::Debug };

    let mut steps = Steps::default();
    let mut total = Counts::default();
    for suite in suites {
        steps.run(suite.name(), || {
            let mut counts = Counts::default();
            let outcome = suite.run(root, profile, &args.filters);
            if let Ok((counted, _)) = &outcome {
                counts = *counted;
            }
            let succeeded = outcome.as_ref().is_ok_and(|(_, succeeded)| *succeeded);
            // What did not even build or start is a failure too, and must count as one.
            if !succeeded && counts.failed == 0 {
                counts.failed = 1;
            }
            total += counts;
            outcome?;
            if counts.failed > 0 {
                bail!("{counts}");
            }
            Ok(counts.to_string())
        });
    }
    steps.print_table();
    println!("{total}");
    Ok(if total.failed == 0 && steps.failed().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many tests passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

impl Counts {
    /// Finds `3 passed`, `0 failed` and `1 skipped` (or `ignored`) in a line, in any order.
    fn in_line(line: &str) -> Self {
        let mut counts = Self::default();
        let words: Vec<&str> = line
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            let &[number, what] = pair else { continue };
            let Ok(number) = number.parse() else { continue };
            match what {
                "passed" => counts.passed = number,
                "failed" => counts.failed = number,
                "skipped" | "ignored" => counts.skipped = number,
                _ => {}
            }
        }
        counts
    }
}

fn rust(root: &Path, filters: &[String]) -> anyhow::Result<(Counts, bool)> {
    web::make_place(root)?;
    let mut command = process::cargo(root);
    command.arg("test").args(run::TESTED_PACKAGES);
    command.args(["--locked", "--no-fail-fast", "--"]).args(filters);
    if std::env::var_os("CONCLAVE_FUZZ_SECONDS").is_none() {
        command.env("CONCLAVE_FUZZ_SECONDS", "4");
    }
    let mut counts = Counts::default();
    let succeeded = follow(&mut command, |line| {
        if line.starts_with("test result: ") {
            counts += Counts::in_line(line);
        }
    })?;
    Ok((counts, succeeded))
}

fn vitest(root: &Path, filters: &[String]) -> anyhow::Result<(Counts, bool)> {
    let node = Node::install(root)?;
    node.install_packages(root)?;
    wasm::build(root)?;
    let report = process::target_dir(root).join("xtask/vitest.json");
    if report.exists() {
        fs::remove_file(&report)?;
    }
    let mut command = node.tool(root, "vitest", &root.join("web"));
    command.args(["run", "--reporter=default", "--reporter=json"]).args(filters);
    command.env("LINGUI_CONFIG", root.join("web/app/lingui.config.ts"));
    command.arg(format!("--outputFile.json={}", report.display()));
    let succeeded = follow(&mut command, |_| {})?;
    let text = fs::read_to_string(&report).context("vitest left no report")?;
    Ok((vitest_counts(&serde_json::from_str(&text)?), succeeded))
}

/// Reads vitest's JSON report. A file that could not be loaded holds no test, but failed.
fn vitest_counts(report: &serde_json::Value) -> Counts {
    let number = |name: &str| report.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let failed = number("numFailedTests");
    Counts {
        passed: number("numPassedTests"),
        failed: if failed == 0 { number("numFailedTestSuites") } else { failed },
        skipped: number("numPendingTests") + number("numTodoTests"),
    }
}

fn browser(
    root: &Path,
    script: &str,
    profile: Profile,
    filters: &[String],
) -> anyhow::Result<(Counts, bool)> {
    let mut command = web::browser_script(root, script, profile)?;
    command.arg("--").args(filters);
    let mut counts = Counts::default();
    let succeeded = follow(&mut command, |line| {
        if is_plain_count(line) {
            let found = Counts::in_line(line);
            // The runner prints the skipped ones on a line of their own, before the rest.
            let skipped = counts.skipped.max(found.skipped);
            counts = Counts { skipped, ..found };
        }
    })?;
    Ok((counts, succeeded))
}

/// The scenarios against member sessions in virtual time, then those against real browsers. A filter
/// names scenarios of either kind.
fn hostile(
    root: &Path,
    script: &str,
    profile: Profile,
    filters: &[String],
) -> anyhow::Result<(Counts, bool)> {
    let binary = run::build_binary(root, "conclave-hostile", profile)?;
    let mut counts = Counts::default();
    let held = follow(Command::new(binary).args(filters).current_dir(root), |line| {
        if is_plain_count(line) {
            counts = Counts::in_line(line);
        }
    })?;
    let (in_browsers, also) = browser(root, script, profile, filters)?;
    counts += in_browsers;
    Ok((counts, held && also))
}

/// Whether a line holds nothing but counts.
fn is_plain_count(line: &str) -> bool {
    !line.is_empty()
        && line.split(", ").all(|part| {
            part.split_once(' ').is_some_and(|(number, what)| {
                number.parse::<u64>().is_ok() && ["passed", "failed", "skipped"].contains(&what)
            })
        })
}

/// Runs a command with its output in view, and shows each line of it to `see`.
fn follow(command: &mut Command, mut see: impl FnMut(&str)) -> anyhow::Result<bool> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{program}`"))?;
    let output = child.stdout.take().context("the output is piped")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        see(&line);
    }
    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::{Counts, is_plain_count, vitest_counts};

    #[test]
    fn the_results_of_cargo_test_are_counted() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 0 filtered \
                    out; finished in 0.02s";
        assert_eq!(Counts::in_line(line), Counts { passed: 12, failed: 2, skipped: 1 });
    }

    #[test]
    fn the_last_line_is_plain() {
        assert_eq!(Counts { passed: 3, failed: 0, skipped: 0 }.to_string(), "3 passed, 0 failed");
        assert_eq!(
            Counts { passed: 3, failed: 1, skipped: 2 }.to_string(),
            "3 passed, 1 failed, 2 skipped"
        );
    }

    #[test]
    fn only_a_line_of_its_own_is_a_count() {
        assert!(is_plain_count("3 passed, 0 failed"));
        assert!(is_plain_count("2 skipped"));
        assert!(!is_plain_count("passed    1.0 s  3 passed, 0 failed are shown"));
        assert!(!is_plain_count(""));
    }

    #[test]
    fn a_web_test_file_that_does_not_load_counts_as_failed() {
        let report = serde_json::json!({
            "numPassedTests": 4, "numFailedTests": 0, "numFailedTestSuites": 1,
            "numPendingTests": 1, "numTodoTests": 0, "success": false,
        });
        assert_eq!(vitest_counts(&report), Counts { passed: 4, failed: 1, skipped: 1 });
    }
}
