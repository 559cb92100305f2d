//! The key worker's module: the member's session, compiled to WebAssembly.
//!
//! Its files lie where `@conclave/e2ee` imports them, and are made anew when anything that they are
//! made of has changed. Beside it lies a module for tests alone.

mod toolchain;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use crate::process;
use toolchain::{TARGET, Toolchain};

/// A crate, and the name of the files that are made of it.
const MODULES: [(&str, &str); 2] =
    [("conclave-e2ee-wasm", "e2ee"), ("conclave-wasm-vectors", "vectors")];

/// Builds the modules, unless nothing they are made of has changed.
pub(crate) fn build(root: &Path) -> anyhow::Result<()> {
    let folder = root.join("web/packages/e2ee/wasm");
    let stamp = folder.join("stamp");
    let inputs = inputs_hash(root)?;
    if fs::read_to_string(&stamp).is_ok_and(|known| known == inputs) {
        return Ok(());
    }
    println!("building the key worker's module (the first time takes some minutes)");
    let target_dir = process::target_dir(root).join("wasm");
    compile(root, &target_dir)?;
    let bindgen = build_bindgen(root, &target_dir)?;
    fs::create_dir_all(&folder)?;
    for (package, name) in MODULES {
        let module = format!("{}.wasm", package.replace('-', "_"));
        let module = target_dir.join(TARGET).join("wasm").join(module);
        process::run(Command::new(&bindgen).arg(module).arg(&folder).arg(name))?;
    }
    fs::write(stamp, inputs)?;
    Ok(())
}

fn compile(root: &Path, target_dir: &Path) -> anyhow::Result<()> {
    let mut command = Toolchain::install(root)?.build(root);
    command.args(["--locked", "--profile", "wasm", "--target", TARGET]);
    command.args(MODULES.iter().flat_map(|(package, _)| ["--package", package]));
    command.env("CARGO_TARGET_DIR", target_dir);
    process::run(&mut command)
}

/// The tool that makes a compiled module importable.
fn build_bindgen(root: &Path, target_dir: &Path) -> anyhow::Result<PathBuf> {
    let mut command = process::cargo(root);
    command.args(["build", "--locked", "--package", "xtask-bindgen"]);
    command.env("CARGO_TARGET_DIR", target_dir);
    process::run(&mut command)?;
    Ok(target_dir.join("debug/xtask-bindgen"))
}

/// A hash of all that the modules are made of: the sources of their crates and of the tool, the
/// versions of everything foreign, and the compiler.
fn inputs_hash(root: &Path) -> anyhow::Result<String> {
    let packages = Packages::read(root)?;
    let mut files = BTreeSet::new();
    for package in packages.used_by(MODULES.map(|(package, _)| package)) {
        collect_files(&root.join(package), &mut files)?;
    }
    collect_files(&root.join("xtask/bindgen"), &mut files)?;
    collect_files(&root.join("xtask/src/wasm"), &mut files)?;
    files.extend(["Cargo.lock", "Cargo.toml", "xtask/src/wasm.rs"].map(|file| root.join(file)));
    let mut hasher = DefaultHasher::new();
    process::first_line(Command::new("rustc").arg("--version").current_dir(root)).hash(&mut hasher);
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file);
        name.hash(&mut hasher);
        fs::read(&file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect_files(folder: &Path, files: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // What tests alone read is in no module.
        let is_test = path.file_name().is_some_and(|name| name == "tests" || name == "tests.rs");
        if path.is_dir() && !is_test {
            collect_files(&path, files)?;
        } else if path.is_file() && !is_test {
            files.insert(path);
        }
    }
    Ok(())
}

/// The crates of the workspace, as cargo lists them.
struct Packages {
    /// The folder under the root, and the names of the crates it depends on, by name.
    by_name: BTreeMap<String, (PathBuf, Vec<String>)>,
}

impl Packages {
    fn read(root: &Path) -> anyhow::Result<Self> {
        let text = process::read(process::cargo(root).args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ]))?;
        let metadata: Metadata = serde_json::from_str(&text).context("cargo metadata")?;
        let mut by_name = BTreeMap::new();
        for package in metadata.packages {
            let manifest = Path::new(&package.manifest_path);
            let folder = manifest.parent().context("a manifest lies in a folder")?;
            let folder = folder.strip_prefix(root).unwrap_or(folder).to_owned();
            let used = package
                .dependencies
                .into_iter()
                .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
                .map(|dependency| dependency.name)
                .collect();
            by_name.insert(package.name, (folder, used));
        }
        Ok(Self { by_name })
    }

    /// The folders of these crates and of all of ours that they depend on.
    fn used_by<'a>(&'a self, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a Path> {
        let mut open: Vec<&str> = names.into_iter().collect();
        let mut folders = BTreeSet::new();
        while let Some(name) = open.pop() {
            if let Some((folder, used)) = self.by_name.get(name)
                && folders.insert(folder.as_path())
            {
                open.extend(used.iter().map(String::as_str));
            }
        }
        folders
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}
