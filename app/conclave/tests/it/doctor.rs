use std::net::{TcpListener, UdpSocket};

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
