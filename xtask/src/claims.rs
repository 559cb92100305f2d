//! Every public claim has a proof, and every proof is there.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::process;

/// The heading of the part that says what is not claimed.
const DISCLAIMERS: &str = "What we do not claim";

/// Checks `docs/claims.md` against the tests that it names.
pub(crate) fn check(root: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(root.join("docs/claims.md"))
        .context("cannot read docs/claims.md")?;
    let sources = Sources::read(root)?;
    let claims = claims(&text);
    let faults: Vec<String> = claims.iter().flat_map(|claim| claim.faults(&sources)).collect();
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    let proofs: usize = claims.iter().map(|claim| claim.proofs.len()).sum();
    Ok(format!("{} claims, {proofs} proofs", claims.len()))
}

/// A claim and what is said to prove it.
#[derive(Debug, Eq, PartialEq)]
struct Claim<'a> {
    title: &'a str,
    proofs: Vec<(&'a str, &'a str)>,
}

impl Claim<'_> {
    fn faults(&self, sources: &Sources) -> Vec<String> {
        if self.proofs.is_empty() {
            return vec![format!("docs/claims.md: \"{}\" names no test", self.title)];
        }
        let missing = self.proofs.iter().filter(|(kind, name)| !sources.has(kind, name));
        missing
            .map(|(kind, name)| {
                format!("docs/claims.md: \"{}\": there is no {kind} `{name}`", self.title)
            })
            .collect()
    }
}

/// Reads the claims of the page: each second heading, but the last, with its line of proofs.
fn claims(text: &str) -> Vec<Claim<'_>> {
    text.split("\n## ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .filter(|(title, _)| *title != DISCLAIMERS)
        .map(|(title, body)| {
            let proofs = body.split_once("Proved by:").map_or("", |(_, proofs)| proofs);
            Claim { title, proofs: proofs_of(proofs) }
        })
        .collect()
}

/// Pairs of a kind and a name in backticks: ``scenario `name`, browser `a title` ``.
fn proofs_of(text: &str) -> Vec<(&str, &str)> {
    let mut parts = text.split('`');
    let mut proofs = Vec::new();
    while let (Some(before), Some(name)) = (parts.next(), parts.next()) {
        let kind = before.trim().trim_start_matches(',').trim();
        proofs.push((kind, name));
    }
    proofs
}

/// What can be named as a proof.
struct Sources {
    scenarios: String,
    rust: String,
    browser: String,
}

impl Sources {
    fn read(root: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            scenarios: join(root, &["testing/hostile/src/*.rs"])?,
            rust: join(root, &["crates/*.rs", "testing/*.rs", "xtask/*.rs"])?,
            browser: join(root, &["web/e2e/*.ts"])?,
        })
    }

    fn has(&self, kind: &str, name: &str) -> bool {
        let function = || format!("fn {name}()");
        match kind {
            "scenario" => self.scenarios.contains(&function()),
            "test" => self.rust.contains(&function()),
            "browser" => self.browser.contains(&format!("\"{name}\"")),
            _ => false,
        }
    }
}

/// The text of all files that git knows under these patterns.
fn join(root: &Path, patterns: &[&str]) -> anyhow::Result<String> {
    let mut command = std::process::Command::new("git");
    command.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    command.args(patterns);
    let listed = process::read(&mut command)?;
    let mut text = String::new();
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        // A file that was deleted and not yet committed is listed, and has no tests.
        text.push_str(&std::fs::read_to_string(root.join(name)).unwrap_or_default());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources {
            scenarios: "fn forged_welcome() {".to_owned(),
            rust: "fn a_key_is_used_once() {".to_owned(),
            browser: "test(\"two see each other\", …)".to_owned(),
        }
    }

    fn faults(text: &str) -> Vec<String> {
        claims(text).iter().flat_map(|claim| claim.faults(&sources())).collect()
    }

    #[test]
    fn a_claim_whose_tests_are_there_is_fine() {
        let text = "# Claims\n\n## Safe\n\nIt is.\n\nProved by: scenario `forged_welcome`,\n\
            test `a_key_is_used_once`, browser `two see each other`\n\n## What we do not claim\n";
        assert_eq!(faults(text), Vec::<String>::new());
        assert_eq!(claims(text)[0].proofs.len(), 3);
    }

    #[test]
    fn a_claim_without_a_test_is_found() {
        assert_eq!(faults("\n## Safe\n\nIt is.\n").len(), 1);
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let text = "\n## Safe\n\nProved by: scenario `forged_roster`, hope `a_key_is_used_once`\n";
        assert_eq!(faults(text).len(), 2);
    }
}
