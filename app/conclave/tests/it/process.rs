//! Processes of the binary under test, and plain HTTP to the admin port.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command of the binary, untouched by the settings of whoever runs the tests.
pub(crate) fn conclave(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conclave"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CONCLAVE__") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    conclave(arguments).output().unwrap()
}

/// The data of a server, which outlives its processes.
pub(crate) struct Site {
    folder: TempDir,
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) url: String,
    pub(crate) admin: String,
    /// Where it takes media: `udp/ADDRESS:PORT`, `tcp/ADDRESS:PORT`.
    pub(crate) media: Vec<String>,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Starts a server on free ports.
    pub(crate) fn start(&self) -> Server {
        self.start_at("[::]:0")
    }

    /// Starts a server where clients of one before look for it.
    pub(crate) fn start_at(&self, listen: &str) -> Server {
        self.start_with(listen, &[])
    }

    /// Starts a server with these variables in its environment.
    pub(crate) fn start_with(&self, listen: &str, environment: &[(&str, &str)]) -> Server {
        self.start_as(conclave(&[]), listen, environment)
    }

    /// Starts a server that may have so many files open until it asks for more.
    pub(crate) fn start_with_open_files(&self, limit: u32) -> Server {
        let mut shell = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_conclave");
        shell.args(["-c", &format!("ulimit -S -n {limit} && exec \"$0\" \"$@\""), program]);
        self.start_as(shell, "[::]:0", &[])
    }

    fn start_as(&self, mut program: Command, listen: &str, environment: &[(&str, &str)]) -> Server {
        let (ready, log) = (self.path("ready.json"), self.path("log"));
        // A file of the process before would be taken for this one's.
        let _ = fs::remove_file(&ready);
        let child = program
            .args(["serve", "--listen", listen, "--admin", "127.0.0.1:0"])
            .args(["--udp-port", "0", "--tcp-port", "0", "--data"])
            .arg(self.path("data"))
            .arg("--ready-file")
            .arg(&ready)
            .env("CONCLAVE__TURN__UDP_PORT", "0")
            .env("CONCLAVE__TURN__TCP_PORT", "0")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(fs::OpenOptions::new().create(true).append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        await_that("the server is ready", || ready.exists());
        let addresses: Value = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        let text = |key: &str| addresses.get(key).unwrap().as_str().unwrap().to_owned();
        let media = serde_json::from_value(addresses.get("media").unwrap().clone()).unwrap();
        Server { child, log, url: text("url"), admin: text("admin"), media }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Server {
    pub(crate) fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }

    /// Creates a meeting that whoever has the link may enter, and gives its link.
    pub(crate) fn meeting(&self) -> String {
        let open = ["--mode", "open-link", "--join-before-host"];
        let output = run(&[&["meeting", "create", &self.url], &open[..]].concat());
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().find(|word| word.contains("/m/")).unwrap().to_owned()
    }

    /// A line of `/proc/PID/limits`.
    pub(crate) fn limit(&self, name: &str) -> String {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        limits.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Ends as a crash or a loss of power does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        await_that("the server ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// What all servers of this site have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Asks the admin port; gives status line, headers and body.
    pub(crate) fn ask_admin(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The value of a metric, named with its labels if it has any; 0 if it was not recorded.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.ask_admin("/metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The lines of a bot's report.
pub(crate) fn report(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes a file and gives its path as text.
pub(crate) fn write(path: &Path, text: &str) -> String {
    fs::write(path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
