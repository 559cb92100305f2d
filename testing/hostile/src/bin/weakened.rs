//! Proves that the scenarios can fail: takes one defence out of a copy of the sources at a time, and
//! expects the scenario that it is for to break.
//!
//! Nothing of this is in any program that is shipped: the copies lie in the build folder.

#![expect(clippy::print_stdout, reason = "its report is what it is for")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// A defence that is taken out.
struct Weakness {
    name: &'static str,
    file: &'static str,
    /// Stands in the file exactly once.
    defence: &'static str,
    instead: &'static str,
    /// The scenario that must break.
    scenario: &'static str,
}

const CHECK: &str = "crates/core/commit-rules/src/check.rs";

const WEAKNESSES: &[Weakness] = &[
    Weakness {
        name: "rule 1: anyone changes the order",
        file: CHECK,
        defence: "if !may_change(role, &group.order, order) {",
        instead: "if false && !may_change(role, &group.order, order) {",
        scenario: "guest_makes_itself_co_host",
    },
    Weakness {
        name: "rule 2: an Add needs neither role nor link",
        file: CHECK,
        defence: "    admission(group, commit, &committer)?;\n",
        instead: "    let _ = admission(group, commit, &committer);\n",
        scenario: "add_without_the_links_secret",
    },
    Weakness {
        name: "rule 3: whoever likes comes in alone",
        file: CHECK,
        defence: "        external(group, commit, identity)?;\n",
        instead: "        let _ = external(group, commit, identity);\n",
        scenario: "ghost_with_the_link_comes_in_alone_into_a_lobby",
    },
    Weakness {
        name: "rule 5: anyone removes anyone",
        file: CHECK,
        defence: "if !may || committer.index == Some(target) {",
        instead: "if committer.index == Some(target) {",
        scenario: "guest_removes_the_host",
    },
    Weakness {
        name: "rule 6: a member becomes someone else",
        file: CHECK,
        defence: "if committer.index.is_some() && commit.path",
        instead: "if false && committer.index.is_some() && commit.path",
        scenario: "name_swapped_in_a_commit",
    },
    Weakness {
        name: "door: media before admission",
        file: "crates/core/call-proto/src/call.rs",
        defence: "let Some(id) = self.require_inside(connection) else { return };\n        if let Err((code, detail)) = self.pass_offer",
        instead: "let Some(id) = self.connections.get(&connection).copied() else { return };\n        if let Err((code, detail)) = self.pass_offer",
        scenario: "waiter_offers_media",
    },
    Weakness {
        name: "frames: a slot plays whoever comes",
        file: "crates/core/frame/src/open.rs",
        defence: "if kid.leaf != leaf {",
        instead: "if false && kid.leaf != leaf {",
        scenario: "swapped_streams",
    },
];

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut proved = 0;
    for weakness in WEAKNESSES {
        let word = match breaks(&root, weakness) {
            Ok(true) => {
                proved += 1;
                "breaks".to_owned()
            }
            Ok(false) => "HOLDS ALL THE SAME".to_owned(),
            Err(error) => format!("NOT TRIED: {error}"),
        };
        println!("{:<45} {:<50} {word}", weakness.name, weakness.scenario);
    }
    let unproved = WEAKNESSES.len() - proved;
    println!("{proved} passed, {unproved} failed");
    if unproved == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the scenario holds as things are, and breaks without the defence.
fn breaks(root: &Path, weakness: &Weakness) -> Result<bool, Box<dyn Error>> {
    let copy = root.join("target/weakened/sources");
    copy_sources(root, &copy)?;
    if !plays(&copy, weakness.scenario)? {
        return Err("the scenario breaks as things are".into());
    }
    let file = copy.join(weakness.file);
    let text = fs::read_to_string(&file)?;
    if text.matches(weakness.defence).count() != 1 {
        return Err(format!("{} has no such line, or several", weakness.file).into());
    }
    fs::write(&file, text.replace(weakness.defence, weakness.instead))?;
    Ok(!plays(&copy, weakness.scenario)?)
}

/// Copies what has changed since the last copy, so that little is built anew.
fn copy_sources(root: &Path, copy: &Path) -> Result<(), Box<dyn Error>> {
    let listed = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output()?;
    if !listed.status.success() {
        return Err("git does not list the sources".into());
    }
    for name in String::from_utf8(listed.stdout)?.split('\0') {
        let is_rust = name.starts_with("crates/")
            || name.starts_with("app/")
            || name.starts_with("testing/")
            || name.starts_with("xtask/")
            || name.starts_with("vendor/")
            || name.starts_with("Cargo.")
            || name.starts_with("rust");
        let from = root.join(name);
        if !is_rust || !from.is_file() {
            continue;
        }
        let to = copy.join(name);
        let bytes = fs::read(&from)?;
        if fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        fs::create_dir_all(to.parent().map(PathBuf::from).unwrap_or_default())?;
        fs::write(&to, bytes)?;
    }
    Ok(())
}

/// Whether a scenario holds. A build that fails is an error.
fn plays(copy: &Path, scenario: &str) -> Result<bool, Box<dyn Error>> {
    let cargo = |arguments: &[&str]| {
        let target = copy.join("../target");
        Command::new("cargo")
            .current_dir(copy)
            .env("CARGO_TARGET_DIR", target)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    };
    if !cargo(&["build", "-q", "-p", "conclave-hostile", "--bin", "conclave-hostile"])?.success() {
        return Err("it does not build".into());
    }
    let played =
        cargo(&["run", "-q", "-p", "conclave-hostile", "--bin", "conclave-hostile", scenario])?;
    Ok(played.success())
}
