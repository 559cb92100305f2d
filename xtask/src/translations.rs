//! Whether every visible string is in every language.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::process;
use crate::tools::Node;

/// The language that the sources are written in; its catalogue needs no translations.
const SOURCE: &str = "en";
const LANGUAGES: [&str; 5] = ["de", SOURCE, "fr", "id", "zh-Hant"];
/// How many faults are told at once.
const SHOWN: usize = 40;
const CATALOGUES: &str = "web/app/src/i18n/locales";

/// Extracts the strings from the sources anew and compares them with the catalogues.
pub(crate) fn check(root: &Path, node: &Node) -> anyhow::Result<String> {
    let wanted = extract(root, node)?;
    let mut faults = Vec::new();
    for language in LANGUAGES {
        let path = root.join(CATALOGUES).join(format!("{language}.po"));
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        faults.extend(compare(language, &wanted, &messages(&text)));
    }
    if !faults.is_empty() {
        let (count, shown) = (faults.len(), faults.iter().take(SHOWN));
        let lines: Vec<&str> = shown.map(String::as_str).collect();
        bail!("{count} messages to look after, among them:\n{}", lines.join("\n"));
    }
    Ok(format!("{} messages in {} languages", wanted.len(), LANGUAGES.len()))
}

/// The messages that the sources hold now, extracted beside the tree and not into it.
fn extract(root: &Path, node: &Node) -> anyhow::Result<BTreeMap<String, String>> {
    let folder = process::target_dir(root).join("xtask/translations");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let app = root.join("web/app");
    let config = folder.join("lingui.config.ts");
    fs::write(&config, extraction_config(&app, &folder)?)?;
    process::run(node.tool(root, "lingui", &app).arg("extract").arg("--config").arg(&config))?;
    let catalogue: PathBuf = folder.join(format!("{SOURCE}.po"));
    Ok(messages(&fs::read_to_string(catalogue)?))
}

/// The app's configuration with another place for the catalogues.
fn extraction_config(app: &Path, folder: &Path) -> anyhow::Result<String> {
    let base = serde_json::to_string(&app.join("lingui.config.ts"))?;
    let root = serde_json::to_string(app)?;
    let path = serde_json::to_string(&folder.join("{locale}"))?;
    Ok(format!(
        "import base from {base};\n\
         const catalogs = base.catalogs.map((catalog) => ({{ ...catalog, path: {path} }}));\n\
         export default {{ ...base, rootDir: {root}, catalogs }};\n"
    ))
}

/// What is missing, empty or left over in one language.
fn compare(
    language: &str,
    wanted: &BTreeMap<String, String>,
    catalogue: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for message in wanted.keys() {
        match catalogue.get(message) {
            None => faults.push(format!("{language}: not in the catalogue: {message}")),
            Some(text) if text.is_empty() && language != SOURCE => {
                faults.push(format!("{language}: not translated: {message}"));
            }
            Some(_) => {}
        }
    }
    let left_over = catalogue.keys().filter(|message| !wanted.contains_key(*message));
    faults.extend(left_over.map(|message| format!("{language}: used nowhere: {message}")));
    faults
}

/// Reads a PO catalogue: `msgctxt` and `msgid` together, to `msgstr`. Obsolete entries (`#~`) and
/// the header are left out.
fn messages(catalogue: &str) -> BTreeMap<String, String> {
    let mut messages = BTreeMap::new();
    for entry in catalogue.split("\n\n") {
        let (mut context, mut id, mut text) = (String::new(), String::new(), String::new());
        let mut field = None;
        for line in entry.lines().filter(|line| !line.starts_with('#')) {
            let (name, quoted) = match line.split_once(' ') {
                Some((name, quoted)) if !line.starts_with('"') => (Some(name), quoted),
                _ => (None, line),
            };
            field = name.or(field);
            let content = quoted.trim().trim_start_matches('"');
            let content = content.strip_suffix('"').unwrap_or(content);
            match field {
                Some("msgctxt") => context.push_str(content),
                Some("msgid") => id.push_str(content),
                Some("msgstr") => text.push_str(content),
                _ => {}
            }
        }
        if !id.is_empty() {
            let key = if context.is_empty() { id } else { format!("{id} ({context})") };
            messages.insert(key, text);
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::{compare, messages};

    const SOURCES: &str = "msgid \"\"\nmsgstr \"\"\n\"Language: en\\n\"\n\n\
        #: src/a.tsx\nmsgid \"Leave\"\nmsgstr \"Leave\"\n\n\
        msgctxt \"verb\"\nmsgid \"Share\"\nmsgstr \"Share\"\n";

    #[test]
    fn a_message_split_over_lines_is_read_whole() {
        let read = messages("msgid \"\"\n\"Leave \"\n\"now\"\nmsgstr \"Jetzt \"\n\"gehen\"\n");
        assert_eq!(read.get("Leave now").map(String::as_str), Some("Jetzt gehen"));
    }

    #[test]
    fn a_complete_catalogue_has_no_fault() {
        let german = "msgid \"Leave\"\nmsgstr \"Gehen\"\n\n\
            msgctxt \"verb\"\nmsgid \"Share\"\nmsgstr \"Teilen\"\n";
        assert_eq!(compare("de", &messages(SOURCES), &messages(german)), Vec::<String>::new());
    }

    #[test]
    fn missing_untranslated_and_left_over_messages_are_faults() {
        let german = "msgid \"Leave\"\nmsgstr \"\"\n\nmsgid \"Gone\"\nmsgstr \"Weg\"\n";
        assert_eq!(
            compare("de", &messages(SOURCES), &messages(german)),
            [
                "de: not translated: Leave",
                "de: not in the catalogue: Share (verb)",
                "de: used nowhere: Gone",
            ]
        );
    }
}
