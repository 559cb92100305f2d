use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Site, await_that, conclave, report, run, write};

#[test]
fn a_key_that_no_setting_has_stops_the_start_with_its_name_and_origin() {
    let site = Site::new();
    let file = write(&site.path("bad.toml"), "[http]\nlissten = \"[::]:0\"\n");

    let output = run(&["serve", "--config", &file]);

    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("http.lissten") && error.contains("bad.toml"), "{error}");
}

#[test]
fn the_settings_in_force_can_be_printed() {
    let output = conclave(&["serve", "--udp-port", "4321", "--print-config"])
        .env("CONCLAVE__LOG__FORMAT", "json")
        .output()
        .unwrap();

    let settings: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(settings["media"]["udp_port"], 4321);
    assert_eq!(settings["log"]["format"], "json");
}

#[test]
fn health_and_metrics_are_on_the_admin_port_alone() {
    let site = Site::new();
    let server = site.start();

    assert!(server.ask_admin("/livez").starts_with("HTTP/1.1 200"));
    assert!(server.ask_admin("/readyz").starts_with("HTTP/1.1 200"));
    assert!(server.ask_admin("/metrics").contains("conclave_build_info"));
    assert!(server.ask_admin("/api/v1/server").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_server_that_was_started_with_few_open_files_takes_more() {
    let site = Site::new();

    let server = site.start_with_open_files(256);

    let limit = server.limit("Max open files");
    let numbers: Vec<u64> = limit.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let &[soft, hard] = numbers.as_slice() else { panic!("{limit}") };
    assert_eq!(soft, hard.min(65_536));
}

#[test]
fn other_accounts_cannot_read_the_data() {
    let site = Site::new();
    let _server = site.start();

    for entry in fs::read_dir(site.path("data")).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        let is_public = name == "self-signed.pem";
        let mode = entry.metadata().unwrap().permissions().mode();
        assert!(is_public || mode & 0o077 == 0, "{name:?} has mode {mode:o}");
    }
}

#[test]
fn meetings_survive_kill_9() {
    let site = Site::new();
    let server = site.start();
    let links: Vec<_> = (0..3).map(|_| server.meeting()).collect();
    let listen = format!("[::]:{}", server.port());
    server.kill();

    let _server = site.start_at(&listen);

    for link in links {
        let output = run(&["bot", &link, "--listen-only", "--duration", "1", "--json"]);
        let lines = report(&output);
        assert!(lines.last().unwrap()["participant"].is_number(), "{lines:?}");
    }
}

#[test]
fn a_call_goes_on_after_kill_9_without_anybody_doing_anything() {
    let site = Site::new();
    let server = site.start();
    let link = server.meeting();
    let bots = conclave(&["bot", &link, "--count", "2", "--duration", "12", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    await_that("both are in", || server.metric("conclave_signalling_sessions") >= 2.0);
    await_that("media flows", || {
        server.ask_admin("/metrics").lines().any(|line| {
            let value = line.strip_prefix("conclave_rtp_packets_total{dir=\"out\"} ");
            value.is_some_and(|value| value.parse::<f64>().unwrap() > 50.0)
        })
    });
    let listen = format!("[::]:{}", server.port());
    server.kill();

    let _server = site.start_at(&listen);

    let lines = report(&bots.wait_with_output().unwrap());
    let finals: Vec<_> = lines.iter().filter(|line| line["final"] == true).collect();
    assert_eq!(finals.len(), 2);
    for bot in finals {
        assert_eq!(bot["resumed"], 1, "{bot}");
        assert_eq!(bot["rejoined"], 0, "{bot}");
        assert_eq!(bot["generations"], 2, "{bot}");
    }
}

#[test]
fn sigterm_drains_and_ends_in_order() {
    let site = Site::new();
    let mut server = site.start();
    let link = server.meeting();
    let mut bot = conclave(&["bot", &link, "--duration", "60", "--json"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    await_that("the bot is in", || server.metric("conclave_signalling_sessions") >= 1.0);

    server.signal("-TERM");

    assert!(server.wait().success());
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    bot.kill().unwrap();
    bot.wait().unwrap();
}

#[test]
fn nothing_that_identifies_anybody_is_logged() {
    let site = Site::new();
    let server = site.start();
    let link = server.meeting();
    let output = run(&["bot", &link, "--name", "Ada Lovelace", "--duration", "1", "--json"]);
    report(&output);

    let log = server.log();
    let path = link.split("/m/").nth(1).unwrap();
    let (id, fragment) = path.split_once('#').unwrap();
    assert!(log.contains("call started"), "{log}");
    for secret in [id, fragment, "Ada", "127.0.0.1", "::1"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

#[test]
fn garbage_on_the_https_port_hurts_nobody() {
    let site = Site::new();
    let server = site.start();

    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 4096], &[0x16, 3, 1, 0xff, 0xff, 1]] {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", server.port())).unwrap();
        stream.write_all(garbage).unwrap();
        // Whatever the answer: it ends, and may have ended already.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }

    server.meeting();
    let refused = "conclave_https_refused_total{reason=\"foreign\"}";
    assert_eq!(server.metric(refused), 2.0, "what begins as TLS does is turned away by TLS");
}

#[test]
fn media_may_come_to_the_https_port_and_is_closed_there_if_it_belongs_to_nobody() {
    let site = Site::new();
    let server = site.start();
    let shared = format!(":{}", server.port());
    assert!(server.media.iter().any(|it| it.starts_with("tcp/") && it.ends_with(&shared)));

    let mut stream = TcpStream::connect(format!("127.0.0.1:{}", server.port())).unwrap();
    // A frame with a STUN binding request of nobody known.
    stream.write_all(&[0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]).unwrap();
    stream.write_all(b"transaction!").unwrap();

    await_that("the media plane has it", || server.metric("conclave_media_tcp_connections") > 0.0);
    let datagrams = "conclave_media_datagrams_total{dir=\"in\"}";
    await_that("its check was looked at", || server.metric(datagrams) > 0.0);
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert!(heard.is_empty(), "a stranger is told nothing");
    await_that("it is gone", || server.metric("conclave_media_tcp_connections") == 0.0);
}

#[test]
fn media_does_not_come_to_the_https_port_where_it_may_not() {
    let site = Site::new();
    let server = site.start_with("[::]:0", &[("CONCLAVE__MEDIA__HTTPS_PORT", "0")]);
    let shared = format!(":{}", server.port());
    assert!(!server.media.iter().any(|it| it.starts_with("tcp/") && it.ends_with(&shared)));

    let mut stream = TcpStream::connect(format!("127.0.0.1:{}", server.port())).unwrap();
    stream.write_all(&[0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]).unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);

    assert_eq!(server.metric("conclave_https_refused_total{reason=\"foreign\"}"), 1.0);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let site = Site::new();
    let server = site.start();
    let listen = format!("[::]:{}", server.port());
    let other = Site::new();

    let data = other.path("data");
    let output = conclave(&["serve", "--listen", &listen, "--udp-port", "0", "--tcp-port", "0"])
        .args(["--admin", "127.0.0.1:0", "--data"])
        .arg(data)
        .output()
        .unwrap();

    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(&listen), "{error}");
}

#[test]
fn the_description_of_the_api_can_be_printed() {
    let output = run(&["openapi"]);

    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}
