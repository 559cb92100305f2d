use std::env;
use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{Server, Site, run, write};

/// Media at one address of this machine alone, and two shards.
const PLACE: [(&str, &str); 3] = [
    ("CONCLAVE__MEDIA__LISTEN", "127.0.0.1"),
    ("CONCLAVE__MEDIA__ADVERTISE", "127.0.0.1"),
    ("CONCLAVE__MEDIA__SHARDS", "2"),
];

/// Clients are told an address of this machine at which no media port is open.
const CLOSED: [(&str, &str); 3] = [
    ("CONCLAVE__MEDIA__LISTEN", "127.0.0.1"),
    ("CONCLAVE__MEDIA__ADVERTISE", "127.0.0.2"),
    ("CONCLAVE__TURN__TLS_PORT", "0"),
];

/// A port that is free for UDP and for TCP.
fn free_port() -> String {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port.to_string();
        }
    }
}

/// What the doctor says of a server, in text, and whether it is content.
fn examine(server: &Server) -> (String, bool) {
    let output = run(&["doctor", &server.url]);
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

/// The lines that tell of trouble.
fn troubles(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("NOT")).collect()
}

#[test]
fn a_server_that_is_reached_by_every_way_has_no_trouble() {
    let (site, turn) = (Site::new(), free_port());
    let ports =
        [("CONCLAVE__TURN__UDP_PORT", turn.as_str()), ("CONCLAVE__TURN__TCP_PORT", turn.as_str())];
    let server = site.start_with("[::]:0", &[&PLACE[..], &ports].concat());

    let output = run(&["doctor", "--json", &server.url]);

    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["canJoin"], &report["isDirect"]), (&true.into(), &true.into()));
    let checks = report["checks"].as_array().unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<_> = checks
        .iter()
        .map(|check| format!("{} {}", text(check, "what"), text(check, "protocol")))
        .collect();
    found.sort();
    let of_two_shards_and_at_the_https_port = ["mediaTcp "; 3];
    let of_two_shards = ["mediaUdp "; 2];
    let others = ["page ", "signalling ", "turn tcp", "turn tls", "turn udp"];
    let expected =
        [&["api "], &of_two_shards_and_at_the_https_port[..], &of_two_shards, &others].concat();
    assert_eq!(found, expected);
    assert!(checks.iter().all(|check| check["ok"] == true), "{checks:?}");
}

#[test]
fn where_no_media_gets_through_the_ports_to_open_are_named() {
    let site = Site::new();
    let no_media = [("CONCLAVE__MEDIA__HTTPS_PORT", "0")];
    let server = site.start_with("[::]:0", &[&CLOSED[..], &no_media].concat());

    let (text, is_content) = examine(&server);

    assert!(!is_content);
    let expected: Vec<_> = server
        .media
        .iter()
        .map(|address| {
            let (protocol, address) = address.split_once('/').unwrap();
            let port = address.rsplit(':').next().unwrap();
            (address, format!("is {} port {port} open?", protocol.to_uppercase()))
        })
        .collect();
    let troubles = troubles(&text);
    assert_eq!((expected.len(), troubles.len()), (2, 2), "{text}");
    for ((address, advice), trouble) in expected.iter().zip(troubles) {
        assert!(trouble.contains(address) && trouble.ends_with(advice), "{text}");
    }
    assert!(text.ends_with("or in that of this network.\n"), "{text}");
}

#[test]
fn where_media_gets_through_at_the_https_port_alone_people_can_join_but_are_warned() {
    let site = Site::new();
    let server = site.start_with("[::]:0", &CLOSED);

    let (text, is_content) = examine(&server);

    assert!(is_content, "{text}");
    assert_eq!(troubles(&text).len(), 2, "{text}");
    assert!(text.contains("not all media goes over UDP"), "{text}");
}

#[test]
fn a_certificate_that_nobody_trusts_is_no_matter_of_ports() {
    let site = Site::new();
    let server = site.start_with("[::]:0", &PLACE);
    let another = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let ca = write(&site.path("ca.pem"), &another.cert.pem());

    let output = run(&["doctor", &server.url, "--ca", &ca]);

    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(troubles(&text).len(), 3, "{text}");
    assert!(text.contains("certificate") && !text.contains("open?"), "{text}");
    assert!(text.ends_with("for these reasons.\n"), "{text}");
}

#[test]
fn where_nobody_listens_nothing_more_is_asked() {
    let url = format!("https://localhost:{}", free_port());

    let output = run(&["doctor", &url]);

    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(troubles(&text).len(), 3, "{text}");
    assert!(text.contains(&format!("is TCP port {} open?", url.rsplit(':').next().unwrap())));
}

/// A firewall that drops without a word, as those in front of ministries do. It needs `nft` and a network of its own;
/// where a machine has neither, it says so.
#[test]
fn behind_a_firewall_that_drops_without_a_word_the_ports_to_open_are_named() {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let output = command
        .args(["--net", "--", "sh", "-c"])
        .arg("command -v nft >&2 || { echo no nft >&2; exit 3; }; ip link set lo up || exit 3; exec \"$0\" \"$@\"")
        .arg(env::current_exe().unwrap())
        .args(["--exact", "doctor::examined_behind_a_firewall", "--ignored", "--nocapture"])
        .output();
    let Ok(output) = output else { return };
    let errors = String::from_utf8_lossy(&output.stderr);
    let lacks = ["no nft", "Operation not permitted", "ip: not found"];
    if !output.status.success() && lacks.iter().any(|what| errors.contains(what)) {
        return;
    }
    assert!(output.status.success(), "{}\n{errors}", String::from_utf8_lossy(&output.stdout));
}

/// Runs in a network of its own, in [`behind_a_firewall_that_drops_without_a_word_the_ports_to_open_are_named`].
#[test]
#[ignore = "changes the rules of the network that it runs in"]
fn examined_behind_a_firewall() {
    let (site, turn) = (Site::new(), free_port());
    let ports =
        [("CONCLAVE__TURN__UDP_PORT", turn.as_str()), ("CONCLAVE__TURN__TCP_PORT", turn.as_str())];
    let server = site.start_with("[::]:0", &[&PLACE[..], &ports].concat());
    let media = |protocol: &str| -> Vec<String> {
        let of = server.media.iter().filter_map(|at| at.strip_prefix(protocol)?.strip_prefix('/'));
        of.map(|at| at.rsplit(':').next().unwrap().to_owned()).collect()
    };
    let (udp, mut tcp) = (media("udp"), media("tcp"));
    tcp.retain(|port| port != server.port());
    assert_eq!((udp.len(), tcp.len()), (2, 2));
    // Which ports it advises to open, by protocol, in order.
    let advised = |text: &str, protocol: &str| {
        let question = format!("is {protocol} port ");
        let mut ports: Vec<String> = troubles(text)
            .iter()
            .filter_map(|line| {
                Some(line.split_once(&question)?.1.strip_suffix(" open?")?.to_owned())
            })
            .collect();
        ports.sort();
        ports
    };
    let sorted = |ports: &[&[String]]| {
        let mut all = ports.concat();
        all.sort();
        all
    };

    let (text, is_content) = examine(&server);
    assert!(is_content && troubles(&text).is_empty(), "nothing is closed yet: {text}");

    firewall("meta l4proto udp drop");
    let (text, is_content) = examine(&server);
    assert!(is_content && text.contains("not all media goes over UDP"), "{text}");
    let turn_port = [turn.clone()];
    assert_eq!(advised(&text, "UDP"), sorted(&[&udp, &turn_port]), "{text}");
    assert_eq!(advised(&text, "TCP"), [""; 0], "{text}");

    let https = server.port();
    firewall(&format!(
        "tcp dport {https} accept\ntcp sport {https} accept\nmeta l4proto {{ tcp, udp }} drop"
    ));
    let (text, is_content) = examine(&server);
    assert!(is_content, "by the HTTPS port: {text}");
    assert_eq!(advised(&text, "UDP"), sorted(&[&udp, &turn_port]), "{text}");
    assert_eq!(advised(&text, "TCP"), sorted(&[&tcp, &turn_port]), "{text}");

    firewall(&format!("tcp dport {https} drop"));
    let (text, is_content) = examine(&server);
    assert!(!is_content, "{text}");
    assert!(advised(&text, "TCP").iter().all(|port| port == https), "{text}");
    assert!(!advised(&text, "TCP").is_empty(), "{text}");
}

/// Has these rules, and no others, decide what comes in.
fn firewall(rules: &str) {
    let table = format!(
        "table inet firewall\ndelete table inet firewall\ntable inet firewall {{\nchain input {{\n\
         type filter hook input priority 0\n{rules}\n}}\n}}\n"
    );
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success());
}
