//! Chores of the repository: `cargo xtask <chore>`.

use anyhow::{Result, bail};

mod backends;
mod bench;
mod families;
mod generation;
mod goldens;
mod peers;
mod size;
mod tables;

const USAGE: &str = "\
usage: cargo xtask <chore>

  tables             writes the support tables of README.md from the code
  goldens [ARG ..]   regenerates tests/goldens from Python (needs a Python with tests/goldens/requirements.txt;
                     $BURNPIPE_PYTHON names it); arguments go to generate.py
  test --backend B   the goldens on flex, ndarray, wgpu (the processor playing a GPU) or cuda; $BURNPIPE_TEST_DEVICE
                     names another device of that backend, such as wgpu:0
  parity --backend B writes the backend's lines of docs/parity.md
  check-cuda         checks the types of the CUDA backend where LLVM cannot be downloaded
  bench [NAME]       measures the program over a fixed list of cases and keeps benches/results/NAME.json
  bench --compare A B  how run B compares with run A
  bench --peers [NAME [CASE]]  burnpipe, PyTorch, ONNX Runtime and others in turn on the same models and inputs (needs a
                     Python with benches/peers/requirements.txt; $BURNPIPE_PYTHON names it), kept as
                     benches/results/NAME.json; all cases, or those whose names begin with CASE
  bench --generation [NAME [MODEL]]  the part of --peers that writes text, by all models or those whose names begin
                     with MODEL; needs node and npm as well
  bench --families [NAME]  a text classifier of every family at one size, beside bert and torch; as for --peers
  size               lines of code per crate";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["tables"] => tables::write(),
        ["goldens", arguments @ ..] => goldens::generate(arguments),
        ["test", "--backend", backend] => backends::test(backend),
        ["parity", "--backend", backend] => backends::parity(backend),
        ["check-cuda"] => backends::check_cuda(),
        ["bench"] => bench::run(None),
        ["bench", "--compare", before, after] => bench::compare(before, after),
        ["bench", "--peers"] => peers::run("peers", ""),
        ["bench", "--peers", name] => peers::run(name, ""),
        ["bench", "--peers", name, case] => peers::run(name, case),
        ["bench", "--generation"] => generation::run("generation", ""),
        ["bench", "--generation", name] => generation::run(name, ""),
        ["bench", "--generation", name, model] => generation::run(name, model),
        ["bench", "--families"] => families::run("families"),
        ["bench", "--families", name] => families::run(name),
        ["bench", name] if !name.starts_with('-') => bench::run(Some(name)),
        ["size"] => size::print(),
        _ => bail!("{USAGE}"),
    }
}

/// The repository's root: as `cargo run` says it, because clones may share one target folder.
fn root() -> &'static std::path::Path {
    static ROOT: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    ROOT.get_or_init(|| {
        let package = std::env::var("CARGO_MANIFEST_DIR");
        let package = package.unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        std::path::Path::new(&package).join("..")
    })
}
