//! Everything that can be said of the tree without running it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;

use crate::step::Steps;
use crate::tools::Node;
use crate::{claims, licences, process, tidy, tools, translations, wasm, web, wire};

/// Runs every check, also after one has failed, and prints how long each took.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let mut steps = Steps::default();
    let mut node = None;
    steps.run("tools", || {
        tools::rust_components(root)?;
        let found = Node::install(root)?;
        found.install_packages(root)?;
        node = Some(found);
        Ok(String::new())
    });
    steps.run("fmt", || cargo(root, &["fmt", "--all", "--", "--check"]));
    steps.run("tidy", || tidy::check(root));
    steps.run("claims", || claims::check(root));
    steps.run("deny", || deny(root));
    steps.run("licences", || licences::check(root));
    steps.run("wasm", || wasm::build(root).map(|()| String::new()));
    let with_node = |check: &dyn Fn(&Node) -> anyhow::Result<String>| {
        check(node.as_ref().ok_or_else(|| anyhow!("Node is missing"))?)
    };
    steps.run("lint", || with_node(&|node| web::lint(root, node)));
    steps.run("types", || with_node(&|node| web::types(root, node)));
    steps.run("translations", || with_node(&|node| translations::check(root, node)));
    steps.run("wire", || wire::check(root));
    steps.run("web build", || with_node(&|node| web::build(root, node).map(|()| String::new())));
    steps.run("clippy", || {
        web::make_place(root)?;
        cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    });
    steps.print_table();

    let failed = steps.failed();
    if failed.is_empty() {
        println!("\nall checks passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nfailed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn cargo(root: &Path, args: &[&str]) -> anyhow::Result<String> {
    process::run(process::cargo(root).args(args))?;
    Ok(String::new())
}

/// Licences, banned crates and sources. Advisories need a database from outside: see
/// CONTRIBUTING.md.
fn deny(root: &Path) -> anyhow::Result<String> {
    let deny = tools::cargo_deny(root)?;
    let mut command = std::process::Command::new(deny);
    command.current_dir(root).args(["--locked", "check", "licenses", "bans", "sources"]);
    process::run(&mut command)?;
    Ok(String::new())
}
