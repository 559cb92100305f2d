//! A compiler for WebAssembly: rustup's, or Debian's where rustup cannot get the target.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process;
use crate::tools;

pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// For whichever version of getrandom has no feature that says it alone.
const RANDOMNESS: &str = "--cfg getrandom_backend=\"wasm_js\"";

/// Debian's compiler for browsers, its library's source, and the linker.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library";

/// Where the target comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Toolchain {
    /// Debian's compiler, which builds its library from source.
    Debian,
    /// The toolchain in use, with the target installed.
    Rustup,
}

impl Toolchain {
    /// Finds one, or installs it.
    pub(super) fn install(root: &Path) -> anyhow::Result<Self> {
        if has_target(root) {
            return Ok(Self::Rustup);
        }
        println!("installing {TARGET} (rustup)");
        // rustup adds it to the toolchain that started this program.
        let added =
            process::run(Command::new("rustup").current_dir(root).args(["target", "add", TARGET]));
        if added.is_ok() && has_target(root) {
            return Ok(Self::Rustup);
        }
        if !Path::new(DEBIAN_SOURCE).is_dir() {
            tools::apt_install(&DEBIAN).with_context(|| {
                format!(
                    "the key worker is WebAssembly: run `rustup target add {TARGET}`, or install \
                     Debian's compiler for it"
                )
            })?;
        }
        if !Path::new(DEBIAN_SOURCE).is_dir() {
            bail!("{} are installed, but {DEBIAN_SOURCE} is not there", DEBIAN.join(" "));
        }
        Ok(Self::Debian)
    }

    /// Its cargo, about to build for the target.
    pub(super) fn build(self, root: &Path) -> Command {
        match self {
            Self::Rustup => {
                let mut command = process::cargo(root);
                command.arg("build").env("RUSTFLAGS", RANDOMNESS);
                command
            }
            Self::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                command
                    .current_dir(root)
                    .args(["build", "-Zbuild-std=std,panic_abort"])
                    .env("RUSTC", "/usr/bin/rustc")
                    // What `-Zbuild-std` needs of a stable compiler.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld")
                    .env("RUSTFLAGS", format!("-Clinker-flavor=wasm-ld {RANDOMNESS}"));
                command
            }
        }
    }
}

/// Whether the toolchain in use has the target's library.
fn has_target(root: &Path) -> bool {
    let sysroot =
        process::first_line(Command::new("rustc").current_dir(root).args(["--print", "sysroot"]));
    sysroot.is_some_and(|sysroot| Path::new(&sysroot).join("lib/rustlib").join(TARGET).is_dir())
}
