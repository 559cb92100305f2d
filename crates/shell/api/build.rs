//! Makes sure that there is a web client to embed, be it a page that says how to build it.

use std::path::Path;
use std::{fs, io};

const PLACEHOLDER: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Conclave</title>
<h1>This server was built without its web client</h1>
<p>Run <code>cargo xtask run</code>, or <code>npm ci</code> and <code>npm run build</code> in
<code>web</code>, and build the server again.</p>
</html>
"#;

fn main() -> io::Result<()> {
    let dist = Path::new("../../../web/app/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let index = dist.join("index.html");
    if !index.exists() {
        fs::create_dir_all(dist)?;
        fs::write(index, PLACEHOLDER)?;
    }
    Ok(())
}
