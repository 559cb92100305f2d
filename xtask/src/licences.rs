//! The licences of the web packages, those of tests and tools included, by the list that the crates
//! are held to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// Packages under licences that are not in the list, with the reason.
const EXCEPTIONS: [(&str, &str); 1] = [
    // Data on what browsers can do, read when the client is built, in no part of it.
    ("caniuse-lite", "CC-BY-4.0"),
];

/// Checks every package that `web/package-lock.json` names.
pub(crate) fn check(root: &Path) -> anyhow::Result<String> {
    let read = |file: &str| {
        std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
    };
    let (deny, lock) = (read("deny.toml")?, read("web/package-lock.json")?);
    let allowed = allowed(&deny).context("deny.toml has no list of allowed licences")?;
    let lock: Lock = serde_json::from_str(&lock).context("web/package-lock.json")?;
    let faults = lock.faults(&allowed);
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(format!("{} packages", lock.foreign().count()))
}

/// The strings of `allow` in the section `licenses`.
fn allowed(deny: &str) -> Option<BTreeSet<&str>> {
    let (_, section) = deny.split_once("[licenses]")?;
    let (_, list) = section.split_once("allow = [")?;
    let (list, _) = list.split_once(']')?;
    Some(list.split('"').skip(1).step_by(2).collect())
}

#[derive(Deserialize)]
struct Lock {
    packages: BTreeMap<String, Package>,
}

#[derive(Deserialize)]
struct Package {
    license: Option<String>,
    /// It lies in this repository.
    #[serde(default)]
    link: bool,
}

impl Lock {
    /// Names and licences of what is not ours.
    fn foreign(&self) -> impl Iterator<Item = (&str, &Package)> {
        self.packages.iter().filter(|(_, package)| !package.link).filter_map(|(place, package)| {
            place.rsplit_once("node_modules/").map(|(_, name)| (name, package))
        })
    }

    fn faults(&self, allowed: &BTreeSet<&str>) -> Vec<String> {
        self.foreign()
            .filter_map(|(name, package)| match package.license.as_deref() {
                None => Some(format!("{name} names no licence")),
                Some(licence) if EXCEPTIONS.contains(&(name, licence)) => None,
                Some(licence) if is_allowed(licence, allowed) => None,
                Some(licence) => Some(format!("{name} is under {licence}")),
            })
            .collect()
    }
}

/// Whether one of the alternatives of an SPDX expression is allowed in all its parts. What is more
/// intricate counts as not allowed, for a person to look at.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let expression = expression.strip_prefix('(').unwrap_or(expression);
    let expression = expression.strip_suffix(')').unwrap_or(expression);
    expression
        .split(" OR ")
        .any(|alternative| alternative.split(" AND ").all(|part| allowed.contains(part)))
}

#[cfg(test)]
mod tests {
    use super::{Lock, allowed, is_allowed};

    const DENY: &str = "[licenses]\n# No GPL.\nallow = [\n  \"ISC\",\n  \"MIT\",\n]\n[bans]\n";

    #[test]
    fn the_list_is_that_of_the_crates() {
        assert_eq!(allowed(DENY).unwrap().into_iter().collect::<Vec<_>>(), ["ISC", "MIT"]);
        assert!(allowed("[bans]\nallow = []").is_none());
    }

    #[test]
    fn one_alternative_is_enough_and_all_parts_of_it_are_needed() {
        let allowed = allowed(DENY).unwrap();
        for good in ["MIT", "(GPL-3.0-only OR ISC)", "ISC AND MIT"] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "", "MIT AND (ISC OR GPL-3.0-only)"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn foreign_packages_are_checked_and_ours_are_not() {
        let lock: Lock = serde_json::from_value(serde_json::json!({ "packages": {
            "": {},
            "app": { "license": "EUPL-1.2" },
            "node_modules/@conclave/app": { "resolved": "app", "link": true },
            "node_modules/good": { "license": "MIT" },
            "node_modules/good/node_modules/@a/bad": { "license": "AGPL-3.0-only" },
            "node_modules/silent": {},
            "node_modules/caniuse-lite": { "license": "CC-BY-4.0" },
            "node_modules/other-data": { "license": "CC-BY-4.0" },
        } }))
        .unwrap();
        assert_eq!(
            lock.faults(&allowed(DENY).unwrap()),
            [
                "@a/bad is under AGPL-3.0-only",
                "other-data is under CC-BY-4.0",
                "silent names no licence"
            ]
        );
    }
}
