//! The binary's processes: a server, and bots.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use conclave_client_proto::Report;
use serde::Deserialize;
use tempfile::TempDir;

const CONCLAVE: &str = env!("CARGO_BIN_EXE_conclave");

/// How long a server may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A server with its own folder and ports. Killed when dropped.
pub(crate) struct Server {
    data: TempDir,
    process: Process,
    ready: Ready,
}

/// What a server says once its addresses are open.
#[derive(Clone, Debug, Deserialize)]
struct Ready {
    url: String,
    media: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let data = TempDir::new().unwrap();
        let (process, ready) = serve(&data, "127.0.0.1:0", "0", None);
        Self { data, process, ready }
    }

    /// One that relays media by each way, and shows a certificate for `localhost` that a file names.
    pub(crate) fn start_with_turn() -> Self {
        let data = TempDir::new().unwrap();
        let port = free_port();
        let (process, ready) = serve(&data, "[::]:0", "0", Some(port));
        Self { data, process, ready }
    }

    /// The file with the certificate that it shows.
    pub(crate) fn certificate(&self) -> String {
        self.data.path().join("self-signed.pem").to_str().unwrap().to_owned()
    }

    /// Creates a meeting that whoever has the link may enter, and returns its link.
    pub(crate) fn create_meeting(&self) -> String {
        let [link] = self.create(&["--mode", "open-link", "--join-before-host"]);
        link
    }

    /// Creates a meeting with a lobby, and returns the guests' link and the host's.
    pub(crate) fn create_lobby(&self) -> [String; 2] {
        self.create(&["--host-link"])
    }

    fn create<const LINKS: usize>(&self, args: &[&str]) -> [String; LINKS] {
        let output = Command::new(CONCLAVE)
            .args(["meeting", "create", &self.ready.url, "--title", "Test"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<_> =
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.try_into().unwrap()
    }

    /// `kill -9`, and another server at the same addresses with the same data.
    pub(crate) fn kill_and_start_again(&mut self) {
        self.process.child.kill().unwrap();
        self.process.child.wait().unwrap();
        let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
        let udp = self.ready.media.first().map_or_else(|| "0".to_owned(), |at| port(at));
        let listen = format!("127.0.0.1:{}", port(&self.ready.url));
        (self.process, self.ready) = serve(&self.data, &listen, &udp, None);
    }
}

/// A port that is free for UDP and TCP.
fn free_port() -> u16 {
    loop {
        let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

fn serve(data: &TempDir, listen: &str, udp_port: &str, turn: Option<u16>) -> (Process, Ready) {
    let turn_port = turn.unwrap_or_default().to_string();
    let data = data.path().to_str().unwrap();
    let process = Process::start(&[
        "serve",
        "--json",
        "--data",
        data,
        "--listen",
        listen,
        "--admin",
        "127.0.0.1:0",
        "--udp-port",
        udp_port,
        "--tcp-port",
        "0",
        "--turn-udp-port",
        &turn_port,
        "--turn-tcp-port",
        &turn_port,
    ]);
    let line =
        process.line(Instant::now() + START_LIMIT).expect("the server says that it is ready");
    (process, serde_json::from_str(&line).unwrap())
}

/// A process of bots, which reports often. Killed when dropped.
pub(crate) struct Bots {
    process: Process,
    count: usize,
    latest: BTreeMap<String, Report>,
}

#[derive(Deserialize)]
struct Line {
    name: String,
    #[serde(flatten)]
    report: Report,
}

impl Bots {
    pub(crate) fn start(link: &str, count: usize, args: &[&str]) -> Self {
        let count_arg = count.to_string();
        let mut all = vec!["bot", link, "--json", "--report-every", "0.25", "--count", &count_arg];
        all.extend(args);
        Self { process: Process::start(&all), count, latest: BTreeMap::new() }
    }

    /// Waits until the latest report of each bot satisfies `condition`.
    pub(crate) fn wait_until(&mut self, patience: Duration, condition: impl Fn(&Report) -> bool) {
        let deadline = Instant::now() + patience;
        while self.latest.len() < self.count || !self.latest.values().all(&condition) {
            let Some(line) = self.process.line(deadline) else {
                panic!("not in time: {:#?}\n{}", self.latest, self.process.errors());
            };
            self.take(&line);
        }
    }

    /// The latest report of each.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &Report> {
        self.latest.values()
    }

    /// Interrupts them, as Ctrl-C does, and returns their last reports by name.
    pub(crate) fn interrupt(&mut self, patience: Duration) -> BTreeMap<String, Report> {
        let pid = self.process.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let (code, errors) = self.wait(patience);
        assert_eq!(code, Some(0), "{errors}");
        self.latest.clone()
    }

    /// Waits for their end. Returns the exit code and what was written to standard error.
    pub(crate) fn wait(&mut self, patience: Duration) -> (Option<i32>, String) {
        let deadline = Instant::now() + patience;
        while let Some(line) = self.process.line(deadline) {
            self.take(&line);
        }
        assert!(Instant::now() < deadline, "they did not end in time");
        let code = self.process.child.wait().unwrap().code();
        (code, self.process.errors())
    }

    fn take(&mut self, line: &str) {
        let line: Line = serde_json::from_str(line).unwrap();
        self.latest.insert(line.name, line.report);
    }
}

/// A child process whose lines are read as they come.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(CONCLAVE)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The next line of standard output; `None` at its end or at the deadline.
    fn line(&self, deadline: Instant) -> Option<String> {
        self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// Ends the process and returns what it wrote to standard error.
    fn errors(&mut self) -> String {
        // It may have ended by itself.
        let _ = self.child.kill();
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut text).unwrap();
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
