//! A server on this machine, with a meeting to try it.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};

use crate::tools::Node;
use crate::{process, web};

/// How to run the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The port of the web page, its API and signalling.
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// The port of the media: UDP, and TCP for networks that carry no UDP. TURN has the one before
    /// it; on machines with many threads media has more of those after it.
    #[arg(long, default_value_t = 10_000)]
    media_port: u16,
    /// The port of health and metrics, on this machine only.
    #[arg(long, default_value_t = 9464)]
    admin_port: u16,
    /// Build with optimisations: takes minutes, and carries many more participants.
    #[arg(long)]
    release: bool,
}

impl Args {
    /// The port of TURN: before that of the media, for those after it may be other media shards'.
    /// None, if that is for the system to choose.
    const fn turn_port(&self) -> u16 {
        self.media_port.saturating_sub(1)
    }
}

/// Which build of the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    /// Quick to build.
    Debug,
    /// As the Rust tests have it, with the features of dependencies that only tests ask for. After
    /// those tests nothing is left to build; without them it takes long.
    Tests,
    /// What is shipped.
    Release,
}

/// Builds client and server, starts the server, prints the link of a new meeting, and stays until
/// Ctrl-C.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    check_ports(args)?;
    let node = Node::install(root)?;
    node.install_packages(root)?;
    web::build(root, &node)?;
    let profile = if args.release { Profile::Release } else { Profile::Debug };
    let binary = build_binary(root, SERVER, profile)?;

    let mut server = Server::start(&binary, &process::target_dir(root).join("run"), args)?;
    let url = format!("https://localhost:{}", args.port);
    let create = ["meeting", "create", &url, "--host-link"];
    let links = process::read(Command::new(&binary).args(create))?;
    let (guest, host) = links.trim().split_once('\n').context("a meeting has two links")?;
    println!("{}", invitation(&url, host, guest));
    server.wait()
}

/// Builds what is shipped and says where it lies.
pub(crate) fn build(root: &Path) -> anyhow::Result<()> {
    let node = Node::install(root)?;
    node.install_packages(root)?;
    web::build(root, &node)?;
    let binary = build_binary(root, SERVER, Profile::Release)?;
    println!("{}", binary.display());
    Ok(())
}

/// The package of the server, and the name of its binary.
pub(crate) const SERVER: &str = "conclave";

/// Builds a package's binary of the same name and returns where it lies.
pub(crate) fn build_binary(
    root: &Path,
    package: &str,
    profile: Profile,
) -> anyhow::Result<PathBuf> {
    println!("building {package} (the first time takes some minutes)");
    let mut command = process::cargo(root);
    command.args(["build", "--locked"]);
    let folder = match profile {
        Profile::Debug => {
            command.args(["--package", package]);
            "debug"
        }
        Profile::Tests => {
            command.args(TESTED_PACKAGES).args(["--tests", "--bins"]);
            "debug"
        }
        Profile::Release => {
            command.args(["--package", package, "--release"]);
            "release"
        }
    };
    process::run(&mut command)?;
    Ok(process::target_dir(root).join(folder).join(package))
}

/// What the Rust tests are of. The tool of the WebAssembly build has no tests, and is built apart.
pub(crate) const TESTED_PACKAGES: [&str; 3] = ["--workspace", "--exclude", "xtask-bindgen"];

fn invitation(url: &str, host: &str, guest: &str) -> String {
    format!(
        "\nConclave runs at {url}\n\n  You, as its host:  {host}\n  For the others:    {guest}\n\n\
         Open the first link in one browser, the second in another, and let the other one in: they\n\
         see and hear each other. The certificate is this machine's own, so each browser asks once\n\
         whether you trust it. Ctrl-C stops the server.\n"
    )
}

/// Fails before anything is built if another program holds a port.
fn check_ports(args: &Args) -> anyhow::Result<()> {
    let taken = |port: u16, option: &str| {
        format!("port {port} is taken by another program; choose another with `{option} PORT`")
    };
    let tcp = [
        (args.port, "--port"),
        (args.admin_port, "--admin-port"),
        (args.media_port, "--media-port"),
        (args.turn_port(), "--media-port"),
    ];
    for (port, option) in tcp {
        TcpListener::bind(("0.0.0.0", port)).with_context(|| taken(port, option))?;
    }
    for port in [args.media_port, args.turn_port()] {
        UdpSocket::bind(("0.0.0.0", port)).with_context(|| taken(port, "--media-port"))?;
    }
    Ok(())
}

/// A running server, stopped when dropped.
#[derive(Debug)]
struct Server {
    child: Child,
}

impl Server {
    /// Starts a server and returns once it serves.
    fn start(binary: &Path, data: &Path, args: &Args) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data)?;
        let mut child = Command::new(binary)
            .args(["serve", "--json"])
            .args(["--listen", &format!("[::]:{}", args.port)])
            .args(["--admin", &format!("127.0.0.1:{}", args.admin_port)])
            .args(["--udp-port", &args.media_port.to_string()])
            .args(["--tcp-port", &args.media_port.to_string()])
            .args(["--turn-udp-port", &args.turn_port().to_string()])
            .args(["--turn-tcp-port", &args.turn_port().to_string()])
            .arg("--data")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let output = child.stdout.take().context("the output is piped")?;
        let server = Self { child };
        let mut lines = BufReader::new(output).lines();
        // The first line tells the addresses, once they are open.
        if lines.next().transpose()?.is_none() {
            bail!("the server ended before it was ready; its messages are above");
        }
        // Whatever it says on standard output from now on is read, so that it never blocks.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended ({status})");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::{Args, check_ports};

    #[test]
    fn a_taken_port_is_named_with_the_option_that_changes_it() {
        let holder = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let args = Args { port, media_port: 0, admin_port: 0, release: false };
        let error = format!("{:#}", check_ports(&args).unwrap_err());
        assert!(error.contains(&port.to_string()) && error.contains("--port"), "{error}");
    }

    #[test]
    fn the_port_of_turn_is_before_that_of_media_and_must_be_free_too() {
        let holder = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let args = Args { port: 0, media_port: port + 1, admin_port: 0, release: false };
        assert_eq!(args.turn_port(), port);
        let error = format!("{:#}", check_ports(&args).unwrap_err());
        assert!(error.contains("--media-port"), "{error}");
    }
}
