//! Rules about crates: who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::Violation;
use crate::process;

/// The crate graph: normal and build dependencies, not those of tests.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Every crate, ours and foreign, by package id.
    packages: BTreeMap<String, Package>,
    /// Who depends on whom, by package id.
    edges: BTreeMap<String, BTreeSet<String>>,
}

/// A crate.
#[derive(Debug)]
struct Package {
    name: String,
    /// The folder under the repository's root if it is ours.
    folder: Option<String>,
    license: String,
    inherits_lints: bool,
}

/// A rule: no crate of `from` reaches a crate of `to`.
struct Never {
    from: fn(&str) -> bool,
    to: &'static [&'static str],
    reach: Reach,
    because: &'static str,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Reach {
    /// Only its own list of dependencies counts.
    Direct,
    /// Dependencies of dependencies count too.
    Transitive,
}

const NEVER: &[Never] = &[
    Never {
        from: is_core,
        to: &[
            "async-std",
            "axum",
            "axum-server",
            "hyper",
            "mio",
            "reqwest",
            "smol",
            "sqlx",
            "tokio",
        ],
        reach: Reach::Transitive,
        because: "a core crate thinks; what it decides must replay in virtual time",
    },
    Never {
        from: is_core,
        to: &["getrandom", "if-addrs", "quinn-udp", "rand", "socket2"],
        reach: Reach::Direct,
        because: "randomness, addresses and sockets are the shell's; a core crate is given bytes",
    },
    Never {
        from: is_server_side,
        to: &[
            "conclave-client",
            "conclave-client-proto",
            "conclave-e2ee",
            "conclave-frame",
            "conclave-link",
            "conclave-mls",
            "sframe",
        ],
        reach: Reach::Transitive,
        because: "the server cannot hold a key or a link's secret",
    },
    Never {
        from: is_server_side_but_delivery,
        to: &["openmls", "openmls_basic_credential", "openmls_rust_crypto", "openmls_traits"],
        reach: Reach::Direct,
        because: "only the delivery service reads group messages, and only public ones",
    },
    Never {
        from: |folder| folder == "crates/core/forward",
        to: &["conclave-call-proto", "conclave-wire", "str0m"],
        reach: Reach::Transitive,
        because: "forwarding policy is testable without DTLS and knows no messages",
    },
    Never {
        from: |folder| folder == "crates/core/sfu-proto",
        to: &["conclave-wire", "serde_json"],
        reach: Reach::Direct,
        because: "the media plane knows no JSON; it speaks call-proto's types",
    },
    Never {
        from: |folder| folder == "crates/core/mls",
        to: &["conclave-frame", "sframe"],
        reach: Reach::Transitive,
        because: "each is one RFC; only e2ee joins them",
    },
    Never {
        from: |folder| folder == "crates/core/frame",
        to: &["conclave-mls", "openmls"],
        reach: Reach::Transitive,
        because: "each is one RFC; only e2ee joins them",
    },
    Never {
        from: |folder| !folder.starts_with("testing/"),
        to: &["conclave-fuzz", "conclave-hostile", "conclave-sim"],
        reach: Reach::Direct,
        because: "what is shipped does not depend on what tests it",
    },
];

/// One shell may use another only here; they meet in `app/`.
const SHELL_EXCEPTIONS: &[(&str, &str)] =
    // The contract of storage is a trait in `store`; an own crate for it has no second user yet.
    &[("crates/shell/api", "crates/shell/store")];

/// What others must be able to link or copy. All else is under the project's own licence.
const APACHE: &[&str] = &[
    "conclave-client",
    "conclave-client-proto",
    "conclave-link",
    "conclave-model",
    "conclave-wire",
];

fn is_core(folder: &str) -> bool {
    folder.starts_with("crates/core/")
}

fn is_server_side_but_delivery(folder: &str) -> bool {
    [
        "crates/core/call-proto",
        "crates/core/forward",
        "crates/core/sfu-proto",
        "crates/core/turn-proto",
        "crates/shell/api",
        "crates/shell/sfu",
        "crates/shell/store",
    ]
    .contains(&folder)
}

fn is_server_side(folder: &str) -> bool {
    is_server_side_but_delivery(folder) || folder == "crates/core/delivery"
}

/// Every broken rule.
pub(super) fn violations(graph: &Graph) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (id, package) in &graph.packages {
        let Some(folder) = &package.folder else { continue };
        let mut report = |what: String| {
            violations.push(Violation { place: package.name.clone(), what });
        };
        for rule in NEVER.iter().filter(|rule| (rule.from)(folder)) {
            for found in graph.reached(id, rule.reach) {
                if rule.to.contains(&found.name.as_str()) {
                    report(format!("must never use {}: {}", found.name, rule.because));
                }
            }
        }
        for found in graph.reached(id, Reach::Direct) {
            if let Some(other) = &found.folder
                && let Some(why) = climbs(folder, other)
            {
                report(format!("must not use {}: {why}", found.name));
            }
        }
        let license =
            if APACHE.contains(&package.name.as_str()) { "Apache-2.0" } else { "EUPL-1.2" };
        if package.license != license {
            report(format!("is under {}, but must be under {license}", package.license));
        }
        if !package.inherits_lints {
            report("does not inherit the lints: add `[lints]` with `workspace = true`".to_owned());
        }
    }
    violations
}

/// Why a crate in one of our folders may not use one in another.
fn climbs(from: &str, to: &str) -> Option<&'static str> {
    let level = |folder: &str| match folder.split('/').nth(1) {
        Some("core") => 0,
        Some("shell") => 1,
        _ => 2,
    };
    if level(from) < level(to) {
        return Some("the direction is app, shell, core");
    }
    let both_shells = level(from) == 1 && level(to) == 1;
    if both_shells && to != "crates/shell/telemetry" && !SHELL_EXCEPTIONS.contains(&(from, to)) {
        return Some("shells meet in app");
    }
    None
}

impl Graph {
    /// Asks cargo.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let text = process::read(process::cargo(root).args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
        ]))?;
        let metadata: Metadata = serde_json::from_str(&text).context("cargo metadata")?;
        let mut graph = Self::default();
        for package in metadata.packages {
            let manifest = Path::new(&package.manifest_path);
            let ours = metadata.workspace_members.contains(&package.id);
            let folder = manifest
                .parent()
                .and_then(|folder| folder.strip_prefix(root).ok())
                .filter(|_| ours)
                .map(|folder| folder.to_string_lossy().into_owned());
            let inherits_lints = !ours || inherits_lints(&fs::read_to_string(manifest)?);
            graph.packages.insert(
                package.id,
                Package {
                    name: package.name,
                    folder,
                    license: package.license.unwrap_or_default(),
                    inherits_lints,
                },
            );
        }
        for node in metadata.resolve.nodes {
            let used = node
                .deps
                .into_iter()
                .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev")))
                .map(|dep| dep.pkg)
                .collect();
            graph.edges.insert(node.id, used);
        }
        Ok(graph)
    }

    /// How many crates are ours.
    pub(super) fn len(&self) -> usize {
        self.packages.values().filter(|package| package.folder.is_some()).count()
    }

    /// The crates that one depends on.
    fn reached(&self, id: &str, reach: Reach) -> Vec<&Package> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = self.edges.get(id).into_iter().flatten().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) && reach == Reach::Transitive {
                open.extend(self.edges.get(next).into_iter().flatten());
            }
        }
        seen.into_iter().filter_map(|id| self.packages.get(id)).collect()
    }
}

/// Whether a manifest takes the workspace's lints.
fn inherits_lints(manifest: &str) -> bool {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .any(|line| line.replace(' ', "") == "workspace=true")
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct MetadataPackage {
    id: String,
    name: String,
    manifest_path: String,
    license: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

#[cfg(test)]
mod tests;
