//! The rules of the architecture: what never depends on what, and what no source may hold.
//!
//! Each rule is a function from facts (the crate graph, a source file) to violations, and has a
//! test with a planted one. See `ARCHITECTURE.md` for why each rule is there.

mod crates;
mod sources;

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail};

/// Prints and counts violations; `cargo xtask tidy`.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let summary = check(root)?;
    println!("{summary}");
    Ok(())
}

/// Fails if a rule is broken, with a line for each place.
pub(crate) fn check(root: &Path) -> anyhow::Result<String> {
    let graph = crates::Graph::read(root)?;
    let files = sources::read(root)?;
    for warning in files.iter().filter_map(sources::too_long) {
        println!("warning: {warning}");
    }
    let mut violations = crates::violations(&graph);
    violations.extend(files.iter().flat_map(sources::violations));
    let reference = std::fs::read_to_string(root.join("docs/operations.md"))
        .context("cannot read docs/operations.md")?;
    let undocumented = |file| sources::undocumented_metrics(file, &reference);
    violations.extend(files.iter().flat_map(undocumented));
    if !violations.is_empty() {
        let lines: Vec<String> = violations.iter().map(Violation::to_string).collect();
        bail!("{} times a rule is broken:\n{}", lines.len(), lines.join("\n"));
    }
    Ok(format!("{} crates, {} files", graph.len(), files.len()))
}

/// A broken rule, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Violation {
    /// The crate or the file.
    place: String,
    /// What is wrong there, and why that matters.
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}: {}", self.place, self.what)
    }
}
