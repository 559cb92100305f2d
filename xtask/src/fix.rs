//! Repairs by tools.

use std::path::Path;

use crate::tools::Node;
use crate::{process, tools, wire};

/// Formats, applies what clippy and Biome can apply, and generates types again.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    tools::rust_components(root)?;
    process::run(process::cargo(root).args([
        "clippy",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
        "--workspace",
        "--all-targets",
    ]))?;
    process::run(process::cargo(root).args(["fmt", "--all"]))?;
    wire::write(root)?;
    let node = Node::install(root)?;
    node.install_packages(root)?;
    process::run(node.tool(root, "biome", &root.join("web")).args(["check", "--write", "."]))
}
