//! Makes a compiled WebAssembly module into one that TypeScript can import.
//!
//! `xtask-bindgen MODULE.wasm FOLDER NAME` writes `NAME.js`, `NAME.d.ts` and `NAME_bg.wasm`. It is
//! `wasm-bindgen --target web` as a program of this workspace: so `Cargo.lock` holds it to the very
//! version of the library that is compiled in, and nothing has to be installed.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(module), Some(folder), Some(name), None) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next())
    else {
        bail!("usage: xtask-bindgen MODULE.wasm FOLDER NAME");
    };
    let name = name.into_string().ok().context("the name must be UTF-8")?;
    Bindgen::new()
        .input_path(PathBuf::from(module))
        .out_name(&name)
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        // The importer says where the module lies, so that the bundler can name it by its hash.
        .omit_default_module_path(true)
        .generate(PathBuf::from(folder))
}
