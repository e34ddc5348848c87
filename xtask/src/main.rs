//! Chores of the repository: `cargo xtask <chore>`.

use anyhow::{Result, bail};

mod goldens;
mod size;
mod tables;

const USAGE: &str = "\
usage: cargo xtask <chore>

  tables             writes the support tables of README.md from the code
  goldens [ARG ..]   regenerates tests/goldens from Python (needs a Python with tests/goldens/requirements.txt;
                     $BURNPIPE_PYTHON names it); arguments go to generate.py
  size               lines of code per crate";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["tables"] => tables::write(),
        ["goldens", arguments @ ..] => goldens::generate(arguments),
        ["size"] => size::print(),
        _ => bail!("{USAGE}"),
    }
}

/// The repository's root.
fn root() -> &'static std::path::Path {
    std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
