//! Text generation by burnpipe and its peers (PyTorch, ONNX Runtime, candle, llama.cpp), in turn.
//!
//! Models of the dimensions of GPT-2 (124M) and Qwen2-0.5B, stored as f32 and as bf16, write 64 tokens after a prompt of
//! 16 and of 512, greedily. A new token reads every weight once, so the tokens per second are given as a share of what
//! the memory's bandwidth would allow as well; the cache of keys and values is not counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::peers::{Kept, build_candle, median, python, read, threads};
use crate::{bench, root};

/// In each round of a case, everybody is measured once.
const ROUNDS: usize = 3;

const NEW_TOKENS: &str = "64";

/// A model that `peers.py` makes.
struct Model {
    name: &'static str,
    /// Odd, so that the median is the same one for everybody.
    runs: &'static str,
    /// ONNX Runtime and candle have no products of bf16 on a CPU, and candle no GPT-2.
    peers: &'static [&'static str],
}

const MODELS: &[Model] = &[
    Model { name: "gpt2", runs: "5", peers: &["torch", "onnxruntime", "llama.cpp"] },
    Model { name: "gpt2-bf16", runs: "5", peers: &["torch", "llama.cpp"] },
    Model { name: "qwen2-0.5b", runs: "3", peers: &["torch", "onnxruntime", "candle", "llama.cpp"] },
    Model { name: "qwen2-0.5b-bf16", runs: "3", peers: &["torch", "llama.cpp"] },
];

/// Lengths of the prompts.
const PROMPTS: [usize; 2] = [16, 512];

/// What is run: burnpipe, and the peers that are not Python.
pub(crate) struct Programs {
    burnpipe: PathBuf,
    candle: PathBuf,
    llama_cpp: PathBuf,
}

impl Programs {
    /// Builds burnpipe and candle, and installs llama.cpp.
    pub(crate) fn build() -> Result<Self> {
        Ok(Self { burnpipe: bench::build()?, candle: build_candle()?, llama_cpp: install_llama_cpp()? })
    }
}

/// Measures the models whose names begin so, and keeps the result as `benches/results/<name>.json`.
pub(crate) fn run(name: &str, models: &str) -> Result<()> {
    let folder = root().join("target/peers");
    let made = python("generation").arg(&folder).status().context("no Python; BURNPIPE_PYTHON names one")?;
    ensure!(made.success(), "the models cannot be made");
    measure(&Programs::build()?, &folder, models, &mut Kept::open(name)?)
}

/// The cases of the model of this name, or of those whose names begin so.
pub(crate) fn measure(programs: &Programs, folder: &Path, models: &str, kept: &mut Kept) -> Result<()> {
    let exact = MODELS.iter().any(|model| model.name == models);
    let is_chosen =
        |model: &&Model| if exact { model.name == models } else { model.name.starts_with(models) };
    let chosen: Vec<&Model> = MODELS.iter().filter(is_chosen).collect();
    ensure!(!chosen.is_empty(), "no model's name begins with {models}");
    for model in chosen {
        for prompt in PROMPTS {
            kept.put("generation", vec![measure_case(model, prompt, programs, folder)?])?;
        }
    }
    Ok(())
}

fn measure_case(model: &Model, prompt: usize, programs: &Programs, folder: &Path) -> Result<Value> {
    let name = format!("{}, {NEW_TOKENS} tokens after {prompt}", model.name);
    let bandwidth = read(python("bandwidth").args(["--threads", &threads()]))?;
    let weights = fs::metadata(folder.join(model.name).join("model.safetensors"))?.len();
    let everybody: Vec<&str> = ["burnpipe"].into_iter().chain(model.peers.iter().copied()).collect();
    let mut reports = vec![Vec::new(); everybody.len()];
    for _ in 0..ROUNDS {
        for (who, reports) in everybody.iter().zip(&mut reports) {
            let report = read(&mut command(who, model, prompt, programs, folder));
            reports.push(report.with_context(|| format!("{name}: {who}"))?);
        }
    }
    let own_tokens = own_tokens(model, prompt, programs, folder).with_context(|| name.clone())?;
    for report in reports.iter_mut().flatten().filter(|report| report.get("peer").is_none()) {
        report["generated_token_ids"] = own_tokens.clone();
    }
    let figures = figures(&everybody, &reports, weights as f64, figure(&bandwidth, "read_gb_per_s") * 1e9);
    print(&name, &figures, &bandwidth);
    Ok(json!({"name": name, "weights_bytes": weights, "bandwidth": bandwidth, "results": figures}))
}

fn command(who: &str, model: &Model, prompt: usize, programs: &Programs, folder: &Path) -> Command {
    let prompt = folder.join(format!("prompt-{prompt}.txt"));
    let target = folder.join(model.name);
    let mut command = match who {
        "burnpipe" => {
            let mut command = burnpipe("bench", &programs.burnpipe, &target, &prompt);
            command.args(["--params", &parameters(false), "--runs", model.runs, "--warmup", "0"]);
            return command;
        }
        "candle" => {
            let mut command = Command::new(&programs.candle);
            command.arg("generate").env("RAYON_NUM_THREADS", threads());
            command
        }
        "llama.cpp" => {
            let mut command = Command::new("node");
            command.arg(&programs.llama_cpp);
            command
        }
        peer => {
            let mut command = python("generate");
            command.arg(peer);
            command
        }
    };
    command.arg(target).arg(prompt).args([NEW_TOKENS, model.runs, &threads()]);
    command
}

fn burnpipe(chore: &str, program: &Path, model: &Path, prompt: &Path) -> Command {
    let mut command = Command::new(program);
    command.args([chore, "text-generation", "--format", "json", "--device", "cpu", "--threads", &threads()]);
    command.arg("--model").arg(model).arg("--inputs").arg(prompt);
    command
}

fn parameters(ids: bool) -> String {
    let ids = if ids { r#", "return_tensors": true"# } else { "" };
    format!(r#"{{"do_sample": false, "max_new_tokens": {NEW_TOKENS}, "min_new_tokens": {NEW_TOKENS}{ids}}}"#)
}

/// The ids of the tokens that burnpipe writes, which its `bench` does not tell.
fn own_tokens(model: &Model, prompt: usize, programs: &Programs, folder: &Path) -> Result<Value> {
    let text = folder.join(format!("prompt-{prompt}.txt"));
    let mut command = burnpipe("run", &programs.burnpipe, &folder.join(model.name), &text);
    let answers = read(command.args(["--params", &parameters(true)]))?;
    let tokens = answers.pointer("/0/0/generated_token_ids").and_then(Value::as_array);
    // The prompt comes first, and has a token for each of its words.
    let tokens = tokens.and_then(|tokens| tokens.get(prompt..)).context("burnpipe gave no token ids")?;
    Ok(tokens.into())
}

/// node-llama-cpp's prebuilt libraries and the program that calls them, in a folder of their own.
fn install_llama_cpp() -> Result<PathBuf> {
    let source = root().join("benches/peers/llama-cpp");
    let target = root().join("target/peers-llama-cpp");
    fs::create_dir_all(&target)?;
    for file in ["package.json", "generate.mjs"] {
        fs::copy(source.join(file), target.join(file))?;
    }
    let mut npm = Command::new("npm");
    // Optional packages are builds for GPUs; scripts would compile.
    npm.args([
        "install",
        "--omit=optional",
        "--ignore-scripts",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
    ]);
    let status = npm.current_dir(&target).status().context("no npm, which llama.cpp comes by")?;
    ensure!(status.success(), "node-llama-cpp could not be installed");
    Ok(target.join("generate.mjs"))
}

/// The medians of everybody's rounds, and how many times as fast burnpipe is.
fn figures(everybody: &[&str], reports: &[Vec<Value>], weights: f64, bandwidth: f64) -> Vec<Value> {
    let median_of =
        |reports: &[Value], key: &str| median(reports.iter().map(|report| figure(report, key)).collect());
    let tokens =
        |reports: &[Value]| reports.first().and_then(|report| report.get("generated_token_ids").cloned());
    let torch = everybody.iter().position(|who| *who == "torch").and_then(|at| tokens(reports.get(at)?));
    let own = reports.first().map(Vec::as_slice).unwrap_or_default();
    let results = everybody.iter().zip(reports).map(|(who, reports)| {
        let (first, new) = (median_of(reports, "first_token_ms"), median_of(reports, "new_tokens_per_s"));
        json!({
            "who": who,
            "about": reports.first().and_then(|report| report.get("about")),
            "first_token_ms": first,
            "prompt_tokens_per_s": median_of(reports, "prompt_tokens_per_s"),
            "new_tokens_per_s": new,
            "share_of_bandwidth": weights * new / bandwidth,
            "load_ms": median_of(reports, "load_ms"),
            "peak_memory_mb": median_of(reports, "peak_memory_bytes") / 1e6,
            "burnpipe_times_as_fast": {
                "first_token": first / median_of(own, "first_token_ms"),
                "new_tokens": median_of(own, "new_tokens_per_s") / new,
            },
            "first_tokens_like_torch": agreeing(tokens(reports).as_ref(), torch.as_ref()),
        })
    });
    results.collect()
}

/// How many tokens are the same before the first that is not.
fn agreeing(left: Option<&Value>, right: Option<&Value>) -> Option<usize> {
    let (left, right) = (left?.as_array()?, right?.as_array()?);
    Some(left.iter().zip(right).take_while(|(left, right)| left == right).count())
}

/// A number of a report, by the names on the way to it.
fn figure(report: &Value, path: &str) -> f64 {
    report.pointer(&format!("/{path}")).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// A line for each; `x` is how many times as fast burnpipe is.
fn print(name: &str, results: &[Value], bandwidth: &Value) {
    println!("{name} (memory is read at {:.1} GB/s)", figure(bandwidth, "read_gb_per_s"));
    for result in results {
        println!(
            "  {:<12} first token {:>8.1} ms {:>5.2}x  {:>7.0} prompt tokens/s  {:>6.1} new tokens/s {:>5.2}x  {:>3.0} % of bandwidth  {:>5.0} MB  {} tokens like torch",
            result["who"].as_str().unwrap_or_default(),
            figure(result, "first_token_ms"),
            figure(result, "burnpipe_times_as_fast/first_token"),
            figure(result, "prompt_tokens_per_s"),
            figure(result, "new_tokens_per_s"),
            figure(result, "burnpipe_times_as_fast/new_tokens"),
            figure(result, "share_of_bandwidth") * 100.0,
            figure(result, "peak_memory_mb"),
            result["first_tokens_like_torch"],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_with_their_ratios() {
        let report = |first: f64, new: f64, tokens: [u32; 3]| json!({"first_token_ms": first, "new_tokens_per_s": new, "generated_token_ids": tokens});
        let own =
            vec![report(9.0, 30.0, [1, 2, 3]), report(2.0, 20.0, [1, 2, 3]), report(4.0, 10.0, [1, 2, 3])];
        let torch = vec![report(8.0, 5.0, [1, 2, 4])];
        let figures = figures(&["burnpipe", "torch"], &[own, torch], 3.0, 120.0);
        assert_eq!(figures[0]["first_token_ms"], 4.0);
        assert_eq!(figures[0]["new_tokens_per_s"], 20.0);
        assert_eq!(figures[0]["share_of_bandwidth"], 0.5);
        assert_eq!(figures[0]["first_tokens_like_torch"], 2);
        assert_eq!(figures[1]["burnpipe_times_as_fast"], json!({"first_token": 2.0, "new_tokens": 4.0}));
    }

    #[test]
    fn parameters_are_json() {
        for ids in [false, true] {
            let parameters: Value = serde_json::from_str(&parameters(ids)).unwrap();
            assert_eq!(parameters["max_new_tokens"], 64);
            assert_eq!(parameters.get("return_tensors").is_some(), ids);
        }
    }
}
