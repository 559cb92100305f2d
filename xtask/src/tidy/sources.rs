//! Rules about source files: what none may hold.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::Violation;
use crate::process;

/// Longer files deserve a look.
const MAX_LINES: usize = 800;

/// A file of the repository, by its path from the root.
#[derive(Debug)]
pub(super) struct Source {
    path: String,
    text: String,
}

/// Reads every source file that git knows or would add.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<Source>> {
    let list = process::read(Command::new("git").current_dir(root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut sources = Vec::new();
    for path in list.lines().filter(|path| is_source(path)) {
        let file = root.join(path);
        // A file that was deleted and not yet committed is still listed.
        if file.is_file() {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}

/// Our own sources: the libraries in `vendor` keep their authors' rules.
fn is_source(path: &str) -> bool {
    !path.starts_with("vendor/")
        && [".rs", ".ts", ".tsx", ".css", ".html"].iter().any(|extension| path.ends_with(extension))
}

/// Says that a file is longer than a reader likes.
pub(super) fn too_long(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (lines > MAX_LINES).then(|| format!("{}: {lines} lines, split it by theme", source.path))
}

/// Metrics that the code records and the reference page does not explain.
pub(super) fn undocumented_metrics(source: &Source, reference: &str) -> Vec<Violation> {
    let is_server = ["crates/", "app/"].iter().any(|folder| source.path.starts_with(folder));
    let is_test = source.path.contains("/tests/") || source.path.ends_with("/tests.rs");
    if !is_server || is_test {
        return Vec::new();
    }
    // Tests record metrics of their own.
    let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
    let names: BTreeSet<&str> = ["counter!(", "gauge!(", "histogram!("]
        .iter()
        .flat_map(|call| code.split(call).skip(1))
        .filter_map(|after| after.trim_start().strip_prefix('"')?.split('"').next())
        .collect();
    names
        .into_iter()
        .filter(|name| !reference.contains(&format!("`{name}`")))
        .map(|name| Violation {
            place: source.path.clone(),
            what: format!("the metric {name} is not explained in docs/operations.md"),
        })
        .collect()
}

/// Every broken rule in one file.
pub(super) fn violations(source: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    if source.path.ends_with(".rs") {
        found.extend(rust(source));
    } else if is_shipped_web(&source.path) {
        found.extend(web(source));
    }
    found
        .into_iter()
        .map(|(line, what)| Violation { place: format!("{}:{line}", source.path), what })
        .collect()
}

type Found = (usize, String);

fn rust(source: &Source) -> Vec<Found> {
    let mut found = Vec::new();
    if source.path.ends_with("/mod.rs") {
        found.push((1, "modules are `name.rs` beside `name/`, never `mod.rs`".to_owned()));
    }
    // The rules themselves and their tests name what they forbid.
    if source.path.starts_with("xtask/src/tidy/") {
        return found;
    }
    for (number, line) in code_lines(&source.text) {
        for unfinished in ["todo!(", "unimplemented!(", "dbg!("] {
            if line.contains(unfinished) {
                found.push((number, format!("`{unfinished}..)` is not for the main branch")));
            }
        }
    }
    found
}

/// Whether a file is part of what browsers get: not a test, and not the browser tests.
fn is_shipped_web(path: &str) -> bool {
    (path.starts_with("web/packages/") || path.starts_with("web/app/"))
        && ![".test.ts", ".test.tsx", ".config.ts"].iter().any(|end| path.ends_with(end))
        && !path.contains("/demo/")
}

fn web(source: &Source) -> Vec<Found> {
    let mut found = Vec::new();
    for (number, line) in code_lines(&source.text) {
        for module in imported(&line) {
            if let Some(why) = forbidden_import(&source.path, module) {
                found.push((number, format!("must not import {module}: {why}")));
            }
        }
        for (word, why) in FORBIDDEN_WORDS {
            if line.contains(word) {
                found.push((number, format!("`{word}` {why}")));
            }
        }
        if let Some(origin) = third_party_origin(&line) {
            found.push((
                number,
                format!("names another origin ({origin}): no request leaves for one"),
            ));
        }
    }
    found
}

const FORBIDDEN_WORDS: &[(&str, &str)] = &[
    ("console.", "may put personal data into a log; report through the call's notices"),
    ("dangerouslySetInnerHTML", "makes a message into markup"),
    (".innerHTML", "makes a message into markup"),
];

/// Why a file may not import a module, if so.
fn forbidden_import(path: &str, module: &str) -> Option<&'static str> {
    let package = |name: &str| module == name || module.starts_with(&format!("{name}/"));
    let in_folder = |folder: &str| path.starts_with(folder);
    let is_react = package("react") || package("react-dom");

    if in_folder("web/packages/client/") {
        let is_view = package("react-aria-components") || module.starts_with("@lingui/");
        if is_react || is_view || package("@conclave/ui") || package("@conclave/app") {
            return Some("the call lives outside React and has no view");
        }
    }
    if in_folder("web/packages/wire/") && !module.starts_with("./") {
        return Some("the protocol's types depend on nothing");
    }
    if in_folder("web/packages/ui/") && (package("@conclave/client") || package("@conclave/app")) {
        return Some("widgets know no calls");
    }
    let is_widget_library = package("react-aria-components")
        || ["@react-aria/", "@react-stately/"].iter().any(|scope| module.starts_with(scope))
        || package("react-aria")
        || package("react-stately");
    if is_widget_library && !in_folder("web/packages/ui/") {
        return Some("React Aria is wrapped once, in @conclave/ui");
    }
    if let (Some(own), Some(other)) = (feature(Path::new(path)), imported_feature(path, module))
        && own != other
    {
        return Some("a feature does not know another; what they share lies beside them");
    }
    None
}

/// The feature that an import leads to, if it leads into one.
fn imported_feature(path: &str, module: &str) -> Option<String> {
    if !module.starts_with('.') {
        return None;
    }
    let mut target = PathBuf::from(path);
    target.pop();
    for component in Path::new(module).components() {
        match component {
            Component::ParentDir => {
                target.pop();
            }
            Component::Normal(name) => target.push(name),
            Component::CurDir | Component::Prefix(_) | Component::RootDir => {}
        }
    }
    feature(&target)
}

/// `web/app/src/features/lobby/Door.tsx` belongs to `lobby`.
fn feature(path: &Path) -> Option<String> {
    let inner = path.strip_prefix("web/app/src/features").ok()?;
    Some(inner.components().next()?.as_os_str().to_string_lossy().into_owned())
}

/// The modules that a line imports.
fn imported(line: &str) -> Vec<&str> {
    let mut modules = Vec::new();
    for lead in ["from \"", "import \"", "import(\"", "from '", "import '", "import('"] {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once(lead) {
            let quote = if lead.ends_with('\'') { '\'' } else { '"' };
            let Some((module, after)) = after.split_once(quote) else { break };
            modules.push(module);
            rest = after;
        }
    }
    modules
}

/// The host of an address that leads to somebody else, if the line has one.
fn third_party_origin(line: &str) -> Option<&str> {
    // Names of XML namespaces, addresses of this machine, and the reserved examples.
    const HARMLESS: [&str; 6] =
        ["www.w3.org", "localhost", "127.0.0.1", "example.org", "example.com", "meet.example.org"];
    for scheme in ["https://", "http://", "wss://", "ws://", "stun:", "turn:", "turns:"] {
        for (at, _) in line.match_indices(scheme) {
            let host = line.get(at + scheme.len()..)?;
            let end = host
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-'))
                .unwrap_or(host.len());
            let host = host.get(..end)?;
            // A scheme with no host after it is put together at run time.
            if host.contains('.') && !HARMLESS.contains(&host) {
                return Some(host);
            }
        }
    }
    None
}

/// The numbered lines of a text without their comments.
fn code_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut in_comment = false;
    for (index, line) in text.lines().enumerate() {
        let mut code = String::new();
        let mut rest = line;
        loop {
            if in_comment {
                let Some((_, after)) = rest.split_once("*/") else { break };
                in_comment = false;
                rest = after;
            }
            // An address holds the mark of a line comment too.
            let line_comment = rest
                .match_indices("//")
                .map(|(at, _)| at)
                .find(|at| !rest.get(..*at).is_some_and(|before| before.ends_with(':')));
            let block_comment = rest.find("/*");
            match (line_comment, block_comment) {
                (Some(line), block) if block.is_none_or(|block| line < block) => {
                    code.push_str(rest.get(..line).unwrap_or_default());
                    break;
                }
                (_, Some(block)) => {
                    code.push_str(rest.get(..block).unwrap_or_default());
                    rest = rest.get(block + 2..).unwrap_or_default();
                    in_comment = true;
                }
                (_, None) => {
                    code.push_str(rest);
                    break;
                }
            }
        }
        lines.push((index + 1, code));
    }
    lines
}

#[cfg(test)]
mod tests;
