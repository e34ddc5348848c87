//! burnpipe and its peers (PyTorch, ONNX Runtime, candle) on the same models and texts, in turn; of text generation see
//! `generation`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{bench, generation, root};

/// Rounds of a case, but for the long one; in each, everybody is measured once.
const ROUNDS: usize = 3;

const PEERS: &[&str] = &["torch", "torch-compile", "onnxruntime", "candle"];

/// Models of real dimensions with seeded weights, as `peers.py make` writes them.
struct Case {
    name: &'static str,
    task: &'static str,
    model: &'static str,
    /// The list of inputs, without `.txt`: texts, or paths of images.
    texts: &'static str,
    batch_size: &'static str,
    runs: &'static str,
    /// Mean vectors instead of a head's logits.
    mean: bool,
    /// The peers of this case.
    peers: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "distilbert-base, 1 x 16 tokens",
        task: "text-classification",
        model: "distilbert-base",
        texts: "16",
        batch_size: "1",
        runs: "100",
        mean: false,
        peers: PEERS,
    },
    Case {
        name: "distilbert-base, 1 x 128 tokens",
        task: "text-classification",
        model: "distilbert-base",
        texts: "128",
        batch_size: "1",
        runs: "40",
        mean: false,
        peers: PEERS,
    },
    Case {
        name: "bert-base, 8 x 128 tokens",
        task: "text-classification",
        model: "bert-base",
        texts: "8x128",
        batch_size: "8",
        runs: "8",
        mean: false,
        peers: PEERS,
    },
    Case {
        name: "xlm-roberta-base, 1 x 128 tokens",
        task: "text-classification",
        model: "xlm-roberta-base",
        texts: "128",
        batch_size: "1",
        runs: "20",
        mean: false,
        peers: &["torch", "onnxruntime", "candle"],
    },
    Case {
        name: "MiniLM-L6, 2,000 texts of 5 to 200 tokens, batch 32",
        task: "feature-extraction",
        model: "minilm-l6",
        texts: "2000",
        batch_size: "32",
        runs: "1",
        mean: true,
        peers: &["torch", "torch --sorted", "onnxruntime", "onnxruntime --sorted", "candle"],
    },
    Case {
        name: "ViT-base, 1 photo of 640 x 480",
        task: "image-classification",
        model: "vit-base",
        texts: "1-photo",
        batch_size: "1",
        runs: "12",
        mean: false,
        peers: &["torch", "onnxruntime"],
    },
    Case {
        name: "ViT-base, 8 photos of 640 x 480",
        task: "image-classification",
        model: "vit-base",
        texts: "8-photos",
        batch_size: "8",
        runs: "5",
        mean: false,
        peers: &["torch", "onnxruntime"],
    },
    Case {
        name: "ResNet-50, 1 photo of 640 x 480",
        task: "image-classification",
        model: "resnet-50",
        texts: "1-photo",
        batch_size: "1",
        runs: "20",
        mean: false,
        peers: &["torch", "onnxruntime"],
    },
    Case {
        name: "ResNet-50, 8 photos of 640 x 480",
        task: "image-classification",
        model: "resnet-50",
        texts: "8-photos",
        batch_size: "8",
        runs: "5",
        mean: false,
        peers: &["torch", "onnxruntime"],
    },
];

/// The name of the case of [`cold_start`].
const COLD_START: &str = "bundled ner, process start to first answer";

/// Measures the cases whose names begin with `only`, and text generation as well where all are asked for. Every case is
/// kept in `benches/results/<name>.json` as soon as it is measured; those that are there already stay.
pub(crate) fn run(name: &str, only: &str) -> Result<()> {
    let folder = root().join("target/peers");
    let bundled = root().join("models/rampart-bert-pii");
    let mut make = python("make");
    make.arg(&folder).arg("--bundled").arg(bundled);
    ensure!(
        make.status().context("no Python; BURNPIPE_PYTHON names one")?.success(),
        "the models cannot be made"
    );
    let program = bench::build()?;
    let candle = build_candle()?;
    let mut kept = Kept::open(name)?;
    let mut found = false;
    for case in CASES.iter().filter(|case| case.name.starts_with(only)) {
        found = true;
        kept.put("cases", vec![measure(case, &program, &candle, &folder)?])?;
    }
    if COLD_START.starts_with(only) {
        found = true;
        kept.put("cases", vec![cold_start(&program, &folder)?])?;
    }
    ensure!(found, "no case begins with `{only}`");
    let rates: Value = read(&mut python("sgemm"))?;
    println!("sgemm, 2048 cubed, GFLOP/s: {rates}");
    kept.result["sgemm_gflops"] = rates;
    if only.is_empty() {
        generation::measure(&generation::Programs::build()?, &folder, "", &mut kept)?;
    }
    kept.write()
}

/// A file of results on its way.
pub(crate) struct Kept {
    name: String,
    pub(crate) result: Value,
}

impl Kept {
    /// What is kept under this name, or nothing yet.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let path = root().join("benches/results").join(format!("{name}.json"));
        let result = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| path.display().to_string())?,
            Err(_) => json!({}),
        };
        Ok(Self { name: name.to_owned(), result })
    }

    /// Adds cases to a list of them, in the place of those with the same names, and writes the file.
    pub(crate) fn put(&mut self, list: &str, cases: Vec<Value>) -> Result<()> {
        if !self.result[list].is_array() {
            self.result[list] = json!([]);
        }
        for mut case in cases {
            case["date"] = bench::utc_now()?.into();
            case["commit"] = bench::commit().into();
            let Some(others) = self.result[list].as_array_mut() else { continue };
            match others.iter_mut().find(|other| other["name"] == case["name"]) {
                Some(other) => *other = case,
                None => others.push(case),
            }
        }
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        self.result["machine"] = bench::machine();
        self.result["versions"] = json!(versions()?);
        bench::keep(&self.result, &self.name)
    }
}

/// The peers' packages with their versions, of Python and of Node.js.
pub(crate) fn versions() -> Result<Vec<String>> {
    let folder = root().join("benches/peers");
    let requirements = std::fs::read_to_string(folder.join("requirements.txt"))?;
    let pinned = requirements.lines().filter(|line| line.contains("=="));
    let mut versions: Vec<String> = pinned.map(str::to_string).collect();
    let package: Value = serde_json::from_slice(&std::fs::read(folder.join("llama-cpp/package.json"))?)?;
    for (name, version) in package["dependencies"].as_object().into_iter().flatten() {
        versions.push(format!("{name}=={}", version.as_str().unwrap_or_default()));
    }
    Ok(versions)
}

/// `peers.py` with a command.
pub(crate) fn python(command: &str) -> Command {
    let mut python = Command::new(std::env::var("BURNPIPE_PYTHON").unwrap_or_else(|_| "python3".into()));
    python.arg(root().join("benches/peers/peers.py")).arg(command);
    python.env("OMP_NUM_THREADS", threads()).env("MKL_NUM_THREADS", threads());
    python
}

/// Two, or what RAYON_NUM_THREADS says.
pub(crate) fn threads() -> String {
    std::env::var("RAYON_NUM_THREADS").unwrap_or_else(|_| "2".into())
}

fn measure(case: &Case, program: &Path, candle: &Path, folder: &Path) -> Result<Value> {
    let texts = folder.join(format!("{}.txt", case.texts));
    let everybody: Vec<&str> = ["burnpipe"].into_iter().chain(case.peers.iter().copied()).collect();
    let mut reports = vec![Vec::new(); everybody.len()];
    for round in 0..if case.runs == "1" { 1 } else { ROUNDS } {
        for (who, reports) in everybody.iter().zip(&mut reports) {
            // Compiling takes minutes, and always gives the same.
            if *who == "torch-compile" && round > 0 {
                continue;
            }
            let mut command = match *who {
                "burnpipe" => burnpipe(case, program, &folder.join(case.model), &texts),
                "candle" => candle_command(case, candle, &folder.join(case.model), &texts),
                peer => peer_command(case, peer, &folder.join(case.model), &texts),
            };
            match read(&mut command) {
                Ok(report) => reports.push(report),
                // It needs a C++ compiler, which is not everywhere.
                Err(error) if *who == "torch-compile" => {
                    println!("{}: no torch-compile: {error:#}", case.name)
                }
                Err(error) => return Err(error.context(format!("{}: {who}", case.name))),
            }
        }
    }
    let figures: Vec<Value> =
        everybody.iter().zip(&reports).map(|(who, reports)| figures(who, reports)).collect();
    print(case.name, &figures);
    Ok(json!({"name": case.name, "results": figures}))
}

fn burnpipe(case: &Case, program: &Path, model: &Path, texts: &Path) -> Command {
    let mut command = Command::new(program);
    command.args([
        "bench",
        case.task,
        "--format",
        "json",
        "--device",
        "cpu",
        "--batch-size",
        case.batch_size,
    ]);
    command.args(["--runs", case.runs, "--warmup", if case.runs == "1" { "0" } else { "3" }]);
    command.arg("--model").arg(model).arg("--inputs").arg(texts);
    if case.mean {
        command.args(["--params", r#"{"pooling": "mean"}"#]);
    }
    command.env("RAYON_NUM_THREADS", threads());
    command
}

fn peer_command(case: &Case, peer: &str, model: &Path, texts: &Path) -> Command {
    let mut command = python("run");
    command.arg(peer.trim_end_matches(" --sorted")).arg(model).arg(texts);
    command.args(["--batch-size", case.batch_size, "--runs", case.runs, "--threads", &threads()]);
    command.args(["--warmup", if case.runs == "1" { "0" } else { "3" }]);
    if case.mean {
        command.arg("--mean");
    }
    if case.task == "image-classification" {
        command.args(["--head", "image"]);
    }
    if peer.ends_with("--sorted") {
        command.arg("--sorted");
    }
    command
}

/// candle's program, which is a workspace of its own.
pub(crate) fn build_candle() -> Result<PathBuf> {
    let folder = root().join("benches/peers/candle");
    let target = root().join("target/peers-candle");
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.args(["build", "--release"]).current_dir(folder).env("CARGO_TARGET_DIR", &target);
    ensure!(cargo.status()?.success(), "candle could not be built");
    Ok(target.join("release/candle-peer"))
}

fn candle_command(case: &Case, program: &Path, model: &Path, texts: &Path) -> Command {
    let mut command = Command::new(program);
    let warmup = if case.runs == "1" { "0" } else { "3" };
    command.arg(model).arg(texts).args([case.batch_size, case.runs, warmup]);
    command.env("RAYON_NUM_THREADS", threads());
    command
}

pub(crate) fn read(command: &mut Command) -> Result<Value> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The medians of somebody's rounds.
fn figures(who: &str, reports: &[Value]) -> Value {
    let median_of = |pointer: &str| {
        median(reports.iter().filter_map(|report| report.pointer(pointer)?.as_f64()).collect())
    };
    json!({
        "who": who,
        "latency_ms": median_of("/latency_ms/p50"),
        "inputs_per_s": median_of("/inputs_per_s"),
        "load_ms": median_of("/load_ms"),
        "peak_memory_mb": median_of("/peak_memory_bytes") / 1e6,
    })
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// From the start of the process to its end, with one answer.
fn cold_start(program: &Path, folder: &Path) -> Result<Value> {
    let text = "My name is Sarah Connor and I live in Los Angeles.";
    let texts = folder.join("sentence.txt");
    std::fs::write(&texts, format!("{text}\n"))?;
    let model = folder.join("bundled");
    let name = COLD_START;
    let everybody = ["burnpipe", "transformers pipeline()", "onnxruntime"];
    let command = |who: &str| match who {
        "burnpipe" => {
            let mut command = Command::new(program);
            command.args(["run", "ner", "--model", "bundled", text]);
            command
        }
        "onnxruntime" => {
            let mut command = python("run");
            command.arg("onnxruntime").arg(&model).arg(&texts).args(["--runs", "0", "--warmup", "0"]);
            command
        }
        _ => {
            let mut command = python("pipeline");
            command.arg("token-classification").arg(&model).arg(text);
            command
        }
    };
    let mut times = vec![Vec::new(); everybody.len()];
    // The first round warms the page cache and is not kept.
    for round in 0..=ROUNDS {
        for (who, times) in everybody.iter().zip(&mut times) {
            let start = Instant::now();
            let output = command(who).output()?;
            ensure!(output.status.success(), "{who}: {}", String::from_utf8_lossy(&output.stderr));
            if round > 0 {
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    let results: Vec<Value> = everybody
        .iter()
        .zip(times)
        .map(|(who, times)| json!({"who": who, "latency_ms": median(times)}))
        .collect();
    print(name, &results);
    Ok(json!({"name": name, "results": results}))
}

/// A line for each, with how many times as fast the first of them is.
fn print(name: &str, results: &[Value]) {
    println!("{name}");
    let figure = |result: &Value, key: &str| result[key].as_f64().unwrap_or(f64::NAN);
    let own = results.first().map_or(f64::NAN, |own| figure(own, "latency_ms"));
    for result in results {
        println!(
            "  {:<24} {:>10.2} ms  {:>6.2}x  {:>9.1} inputs/s  {:>6.0} MB",
            result["who"].as_str().unwrap_or_default(),
            figure(result, "latency_ms"),
            figure(result, "latency_ms") / own,
            figure(result, "inputs_per_s"),
            figure(result, "peak_memory_mb"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_over_the_rounds() {
        let report = |p50: f64| json!({"latency_ms": {"p50": p50}, "inputs_per_s": 1.0, "load_ms": 1.0, "peak_memory_bytes": 2e6});
        let figures = figures("x", &[report(9.0), report(1.0), report(3.0)]);
        assert_eq!(figures["latency_ms"], 3.0);
        assert_eq!(figures["peak_memory_mb"], 2.0);
    }

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
    }
}
