//! The web client: built, type-checked, linted, tested, and driven in real browsers.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use crate::run::Profile;
use crate::tools::{self, Node};
use crate::{process, run, wasm};

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// What end-to-end encryption costs in the browser: time, processor and bytes of each frame.
    Frames,
    /// From the click on Join to the first decoded frame, beside two pages connected directly.
    Join,
}

/// Arguments of `cargo xtask soak`.
#[derive(Debug, clap::Args)]
pub(crate) struct Soak {
    /// For how long others come and go, in all; beside that, for as long nobody does.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..))]
    minutes: u16,
}

/// Takes the pictures that the documents show.
pub(crate) fn screenshots(root: &Path) -> anyhow::Result<()> {
    process::run(&mut browser_script(root, "screenshots", Profile::Debug)?)
}

/// Runs a measurement in real browsers.
pub(crate) fn bench(root: &Path, bench: Bench) -> anyhow::Result<()> {
    let script = match bench {
        Bench::Frames => "bench:frames",
        Bench::Join => "bench:join",
    };
    process::run(&mut browser_script(root, script, Profile::Debug)?)
}

/// Runs the tests of a bad network for longer, in real browsers.
pub(crate) fn soak(root: &Path, args: &Soak) -> anyhow::Result<()> {
    let mut script = browser_script(root, "soak", Profile::Debug)?;
    process::run(script.args(["--", "--minutes"]).arg(args.minutes.to_string()))
}

/// A script of the browser tests' package, with all it needs built and installed.
pub(crate) fn browser_script(
    root: &Path,
    script: &str,
    profile: Profile,
) -> anyhow::Result<Command> {
    let node = Node::install(root)?;
    node.install_packages(root)?;
    let browsers = tools::browsers()?;
    build(root, &node)?;
    let binary = run::build_binary(root, run::SERVER, profile)?;
    let mut command = node.npm(&root.join("web"));
    command.args(["run", "--silent", script, "--workspace", "@conclave/e2e"]);
    command.env("CONCLAVE_BINARY", binary);
    for (variable, browser) in ["CONCLAVE_CHROMIUM", "CONCLAVE_FIREFOX"].into_iter().zip(browsers) {
        if std::env::var_os(variable).is_none() {
            command.env(variable, browser);
        }
    }
    Ok(command)
}

/// Whether the browser tests' package has a script of this name.
pub(crate) fn has_browser_script(root: &Path, script: &str) -> anyhow::Result<bool> {
    let path = root.join("web/e2e/package.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let package: serde_json::Value = serde_json::from_str(&text)?;
    Ok(package.get("scripts").and_then(|scripts| scripts.get(script)).is_some())
}

/// Builds the client into `web/app/dist`, unless nothing it is made of has changed.
pub(crate) fn build(root: &Path, node: &Node) -> anyhow::Result<()> {
    wasm::build(root)?;
    let dist = root.join("web/app/dist");
    let stamp = process::target_dir(root).join("xtask/web-build.stamp");
    let inputs = inputs_hash(&root.join("web"))?;
    if dist.join("index.html").is_file()
        && fs::read_to_string(&stamp).is_ok_and(|known| known == inputs)
    {
        return Ok(());
    }
    println!("building the web client");
    process::run(node.npm(&root.join("web")).args([
        "run",
        "--silent",
        "build",
        "--workspace",
        "@conclave/app",
    ]))?;
    fs::create_dir_all(stamp.parent().context("a stamp lies in a folder")?)?;
    fs::write(stamp, inputs)?;
    Ok(())
}

/// Makes the folder of the built client, which the server needs to compile, if only empty.
pub(crate) fn make_place(root: &Path) -> anyhow::Result<()> {
    Ok(fs::create_dir_all(root.join("web/app/dist"))?)
}

/// Checks the types of every web package.
pub(crate) fn types(root: &Path, node: &Node) -> anyhow::Result<String> {
    let packages = typescript_packages(&root.join("web"))?;
    let mut failed = Vec::new();
    for package in &packages {
        let check =
            process::run(node.tool(root, "tsc", package).args(["--noEmit", "--project", "."]));
        if check.is_err() {
            failed.push(package.strip_prefix(root).unwrap_or(package).display().to_string());
        }
    }
    if !failed.is_empty() {
        bail!("type errors in {}", failed.join(", "));
    }
    Ok(format!("{} packages", packages.len()))
}

/// Checks format and lints of the web sources.
pub(crate) fn lint(root: &Path, node: &Node) -> anyhow::Result<String> {
    let web = root.join("web");
    process::run(node.tool(root, "biome", &web).args(["check", "--error-on-warnings", "."]))?;
    Ok(String::new())
}

/// The folders under `web/` that are TypeScript projects.
fn typescript_packages(web: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut packages: Vec<PathBuf> = fs::read_dir(web.join("packages"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    packages.extend([web.join("app"), web.join("e2e")]);
    packages.retain(|package| package.join("tsconfig.json").is_file());
    packages.sort();
    Ok(packages)
}

/// A hash of every file that the build of the client reads, by name and content.
fn inputs_hash(web: &Path) -> anyhow::Result<String> {
    let mut files = Vec::new();
    for part in ["app", "packages"] {
        collect_files(&web.join(part), &mut files)?;
    }
    files.extend(
        ["package.json", "package-lock.json", "tsconfig.base.json"].map(|file| web.join(file)),
    );
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    const MADE: [&str; 3] = ["dist", "dist-demo", "node_modules"];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.file_name().is_some_and(|name| MADE.iter().any(|made| name == *made)) {
                collect_files(&path, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}
