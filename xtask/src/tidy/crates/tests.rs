use super::{Graph, Package, inherits_lints, violations};

/// A graph of crates that break no rule by themselves.
fn graph(packages: &[(&str, &str)], edges: &[(&str, &str)]) -> Graph {
    let mut graph = Graph::default();
    for (name, folder) in packages {
        let folder = (!folder.is_empty()).then(|| (*folder).to_owned());
        let license = if super::APACHE.contains(name) { "Apache-2.0" } else { "EUPL-1.2" };
        graph.packages.insert(
            (*name).to_owned(),
            Package {
                name: (*name).to_owned(),
                folder,
                license: license.to_owned(),
                inherits_lints: true,
            },
        );
    }
    for (from, to) in edges {
        graph.edges.entry((*from).to_owned()).or_default().insert((*to).to_owned());
    }
    graph
}

/// What the only violation of a graph says.
fn violation(packages: &[(&str, &str)], edges: &[(&str, &str)]) -> String {
    let found = violations(&graph(packages, edges));
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].to_string()
}

#[test]
fn a_core_crate_never_reaches_the_runtime_even_through_another() {
    let packages = [("conclave-model", "crates/core/model"), ("helper", ""), ("tokio", "")];
    let said = violation(&packages, &[("conclave-model", "helper"), ("helper", "tokio")]);
    assert!(said.contains("conclave-model: must never use tokio"), "{said}");
}

#[test]
fn a_core_crate_never_asks_for_randomness_itself() {
    let packages = [("conclave-forward", "crates/core/forward"), ("getrandom", "")];
    let said = violation(&packages, &[("conclave-forward", "getrandom")]);
    assert!(said.contains("must never use getrandom"), "{said}");
}

#[test]
fn a_server_crate_never_reaches_what_could_hold_a_key() {
    for member_side in ["conclave-e2ee", "conclave-frame", "conclave-mls", "sframe"] {
        let packages = [("conclave-sfu", "crates/shell/sfu"), ("between", ""), (member_side, "")];
        let said = violation(&packages, &[("conclave-sfu", "between"), ("between", member_side)]);
        assert!(said.contains("the server cannot hold a key"), "{said}");
    }
}

#[test]
fn the_delivery_service_alone_may_read_public_groups() {
    let packages = [
        ("conclave-delivery", "crates/core/delivery"),
        ("conclave-call-proto", "crates/core/call-proto"),
        ("openmls", ""),
    ];
    let through = [("conclave-delivery", "openmls"), ("conclave-call-proto", "conclave-delivery")];
    assert_eq!(violations(&graph(&packages, &through)), []);
    let packages = [("conclave-api", "crates/shell/api"), ("openmls", "")];
    let said = violation(&packages, &[("conclave-api", "openmls")]);
    assert!(said.contains("must never use openmls"), "{said}");
}

#[test]
fn forwarding_policy_knows_neither_str0m_nor_messages() {
    for foreign in ["str0m", "conclave-wire"] {
        let packages = [("conclave-forward", "crates/core/forward"), (foreign, "")];
        let said = violation(&packages, &[("conclave-forward", foreign)]);
        assert!(said.contains("must never use"), "{said}");
    }
}

#[test]
fn the_media_plane_knows_messages_only_through_the_call() {
    let packages = [
        ("conclave-sfu-proto", "crates/core/sfu-proto"),
        ("conclave-call-proto", "crates/core/call-proto"),
        ("conclave-wire", "crates/core/wire"),
    ];
    let through =
        [("conclave-sfu-proto", "conclave-call-proto"), ("conclave-call-proto", "conclave-wire")];
    assert_eq!(violations(&graph(&packages, &through)), []);
    let said = violation(&packages, &[("conclave-sfu-proto", "conclave-wire")]);
    assert!(said.contains("the media plane knows no JSON"), "{said}");
}

#[test]
fn group_and_frame_meet_only_in_e2ee() {
    let packages = [("conclave-mls", "crates/core/mls"), ("conclave-frame", "crates/core/frame")];
    let said = violation(&packages, &[("conclave-mls", "conclave-frame")]);
    assert!(said.contains("only e2ee joins them"), "{said}");
    let said = violation(&packages, &[("conclave-frame", "conclave-mls")]);
    assert!(said.contains("only e2ee joins them"), "{said}");
}

#[test]
fn core_never_uses_shell_and_shell_never_uses_app() {
    let packages =
        [("conclave-model", "crates/core/model"), ("conclave-telemetry", "crates/shell/telemetry")];
    let said = violation(&packages, &[("conclave-model", "conclave-telemetry")]);
    assert!(said.contains("the direction is app, shell, core"), "{said}");
    let packages = [("conclave-api", "crates/shell/api"), ("conclave", "app/conclave")];
    let said = violation(&packages, &[("conclave-api", "conclave")]);
    assert!(said.contains("the direction is app, shell, core"), "{said}");
}

#[test]
fn shells_meet_in_app_but_all_may_use_telemetry() {
    let packages = [
        ("conclave-api", "crates/shell/api"),
        ("conclave-sfu", "crates/shell/sfu"),
        ("conclave-store", "crates/shell/store"),
        ("conclave-telemetry", "crates/shell/telemetry"),
    ];
    let said = violation(&packages, &[("conclave-api", "conclave-sfu")]);
    assert!(said.contains("shells meet in app"), "{said}");
    let allowed = [
        ("conclave-api", "conclave-telemetry"),
        ("conclave-sfu", "conclave-telemetry"),
        ("conclave-api", "conclave-store"),
    ];
    assert_eq!(violations(&graph(&packages, &allowed)), []);
}

#[test]
fn what_ships_does_not_depend_on_what_tests_it() {
    let packages = [("conclave", "app/conclave"), ("conclave-sim", "testing/sim")];
    let said = violation(&packages, &[("conclave", "conclave-sim")]);
    assert!(said.contains("does not depend on what tests it"), "{said}");
}

#[test]
fn each_crate_is_under_its_licence() {
    let mut crates = graph(&[("conclave-wire", "crates/core/wire")], &[]);
    crates.packages.get_mut("conclave-wire").unwrap().license = "EUPL-1.2".to_owned();
    let found = violations(&crates);
    assert!(found[0].what.contains("must be under Apache-2.0"), "{found:?}");
}

#[test]
fn each_crate_inherits_the_lints() {
    let mut crates = graph(&[("conclave-sfu", "crates/shell/sfu")], &[]);
    crates.packages.get_mut("conclave-sfu").unwrap().inherits_lints = false;
    assert!(violations(&crates)[0].what.contains("does not inherit the lints"));

    assert!(inherits_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
    assert!(!inherits_lints("[package]\nversion.workspace = true\n[dependencies]\n"));
    assert!(!inherits_lints("[lints]\n[dependencies.a]\nworkspace = true\n"));
}
