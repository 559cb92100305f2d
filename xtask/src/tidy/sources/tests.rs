use super::{Source, too_long, undocumented_metrics, violations};

/// What is wrong with a file, without where.
fn found(path: &str, text: &str) -> Vec<String> {
    let source = Source { path: path.to_owned(), text: text.to_owned() };
    violations(&source).into_iter().map(|violation| violation.what).collect()
}

/// Asserts that a file breaks one rule, whose message holds `word`.
fn breaks(path: &str, text: &str, word: &str) {
    let found = found(path, text);
    assert!(found.len() == 1 && found[0].contains(word), "{path}: {found:?}");
}

/// Asserts that a file breaks none.
fn keeps(path: &str, text: &str) {
    assert_eq!(found(path, text), Vec::<String>::new(), "{path}");
}

#[test]
fn a_module_is_never_a_mod_rs() {
    breaks("crates/core/model/src/id/mod.rs", "", "never `mod.rs`");
    keeps("crates/core/model/src/id.rs", "");
}

#[test]
fn unfinished_rust_is_found_but_not_in_comments() {
    breaks("crates/core/model/src/id.rs", "fn a() { todo!() }", "not for the main branch");
    breaks("crates/core/model/src/id.rs", "fn a() { dbg!(1); }", "not for the main branch");
    keeps("crates/core/model/src/id.rs", "// todo!() is not used\n/* dbg!(x) */ fn a() {}");
}

#[test]
fn the_call_has_no_view() {
    let path = "web/packages/client/src/Call.ts";
    breaks(path, "import { useState } from \"react\";", "outside React");
    breaks(path, "import { Button } from \"@conclave/ui\";", "outside React");
    breaks(path, "const lazy = await import(\"react-dom/client\");", "outside React");
    keeps(path, "import type { Want } from \"@conclave/wire\";");
    keeps("web/packages/ui/src/Button.tsx", "import { useState } from \"react\";");
}

#[test]
fn the_protocol_types_import_nothing() {
    breaks("web/packages/wire/src/index.ts", "import x from \"xstate\";", "depend on nothing");
    keeps("web/packages/wire/src/index.ts", "export type { Mid } from \"./Mid\";");
}

#[test]
fn widgets_know_no_calls() {
    let path = "web/packages/ui/src/Button.tsx";
    breaks(path, "import type { Call } from \"@conclave/client\";", "know no calls");
}

#[test]
fn react_aria_is_wrapped_once() {
    let import = "import { Button } from \"react-aria-components\";";
    breaks("web/app/src/features/call/Stage.tsx", import, "wrapped once");
    keeps("web/packages/ui/src/Button.tsx", import);
}

#[test]
fn a_feature_does_not_know_another() {
    let path = "web/app/src/features/call/Stage.tsx";
    breaks(path, "import { Door } from \"../lobby/Door\";", "does not know another");
    keeps(path, "import { Tile } from \"./tiles/Tile\";");
    keeps(path, "import { useCall } from \"../../useCall\";");
    keeps("web/app/src/App.tsx", "import { Stage } from \"./features/call/Stage\";");
}

#[test]
fn web_sources_do_not_log() {
    breaks("web/packages/client/src/Call.ts", "console.log(name);", "console.");
    keeps("web/packages/client/src/Call.ts", "// console.log would tell names");
    keeps("web/packages/client/src/Call.test.ts", "console.log(1);");
    keeps("web/e2e/src/main.ts", "console.log(1);");
}

#[test]
fn messages_never_become_markup() {
    breaks("web/app/src/Toast.tsx", "<p dangerouslySetInnerHTML={it} />", "markup");
    breaks("web/app/src/Toast.tsx", "node.innerHTML = text;", "markup");
}

#[test]
fn no_source_names_another_origin() {
    let path = "web/app/src/main.tsx";
    breaks(path, "fetch(\"https://fonts.example.net/a.css\");", "fonts.example.net");
    breaks("web/app/index.html", "<link href=\"https://cdn.invalid.net/x\">", "cdn.invalid.net");
    breaks("web/app/src/app.css", "@import url(https://cdn.invalid.net/x);", "cdn.invalid.net");
    breaks(path, "iceServers: [{ urls: \"stun:stun.invalid.net:3478\" }]", "stun.invalid.net");
    keeps(
        path,
        "const svg = \"http://www.w3.org/2000/svg\"; // https://www.rfc-editor.org/rfc/rfc9605",
    );
    keeps(path, "const url = `https://${location.host}/`;");
    keeps(path, "/**\n * See https://www.w3.org.invalid.net/TR\n */");
}

#[test]
fn a_very_long_file_is_pointed_out() {
    let source = |lines: usize| Source { path: "a.rs".to_owned(), text: "\n".repeat(lines) };
    assert!(too_long(&source(801)).is_some());
    assert_eq!(too_long(&source(800)), None);
}

#[test]
fn each_metric_is_explained_to_whoever_runs_the_server() {
    let text = "counter!(\n  \"conclave_seen_total\", \"dir\" => \"in\");\n\
                gauge!(\"conclave_hidden\");\n\
                #[cfg(test)] mod tests { gauge!(\"conclave_of_a_test\"); }";
    let source = Source { path: "crates/shell/sfu/src/a.rs".to_owned(), text: text.to_owned() };
    let found = undocumented_metrics(&source, "| `conclave_seen_total` | counter | seen |");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].what.contains("conclave_hidden"));
}
