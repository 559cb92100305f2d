//! The generated TypeScript types of the protocol.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::process;

/// Writes the types into the web package.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    let folder = folder(root);
    let fresh = generate(root)?;
    for name in sources(&folder)?.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(name))?;
    }
    for (name, text) in &fresh {
        fs::write(folder.join(name), text)?;
    }
    println!("{} files in {}", fresh.len(), folder.display());
    Ok(())
}

/// Fails if the web package's types are not what the Rust types say.
pub(crate) fn check(root: &Path) -> anyhow::Result<String> {
    let fresh = generate(root)?;
    let stale = differences(&fresh, &sources(&folder(root))?);
    if !stale.is_empty() {
        bail!("not up to date, run `cargo xtask wire`: {}", stale.join(", "));
    }
    Ok(format!("{} files", fresh.len()))
}

fn folder(root: &Path) -> PathBuf {
    root.join("web/packages/wire/src")
}

fn generate(root: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let folder = process::target_dir(root).join("xtask/wire");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    process::run(
        process::cargo(root)
            .args(["run", "--quiet", "--package", "conclave-wire", "--example", "typescript", "--"])
            .arg(&folder),
    )?;
    sources(&folder)
}

/// Every TypeScript file in a folder, by name.
fn sources(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut sources = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ts")
            && let Some(name) = path.file_name()
        {
            sources.insert(name.to_string_lossy().into_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(sources)
}

/// The names of the files that are missing, left over or different.
fn differences(fresh: &BTreeMap<String, String>, kept: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<String> = fresh
        .keys()
        .chain(kept.keys())
        .filter(|name| fresh.get(*name) != kept.get(*name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::differences;

    #[test]
    fn missing_changed_and_left_over_types_are_named() {
        let files = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let fresh = files(&[("A.ts", "1"), ("B.ts", "2"), ("C.ts", "3")]);
        let kept = files(&[("A.ts", "1"), ("B.ts", "old"), ("D.ts", "4")]);
        assert_eq!(differences(&fresh, &kept), ["B.ts", "C.ts", "D.ts"]);
        assert!(differences(&fresh, &fresh).is_empty());
    }
}
