//! Every text-encoder family at one size: how its speed compares with bert's, and with torch's of the same model.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::peers::{median, python, read, threads};
use crate::{bench, root};

/// In each round every family is measured once.
const ROUNDS: usize = 3;

/// Texts, batch size and runs.
const CASES: [(&str, &str, &str); 2] = [("128", "1", "15"), ("8x128", "8", "5")];

/// Measures every family and keeps the result as `benches/results/<name>.json`.
pub(crate) fn run(name: &str) -> Result<()> {
    let folder = root().join("target/peers");
    let made = python("families").arg(&folder).status().context("no Python; BURNPIPE_PYTHON names one")?;
    ensure!(made.success(), "the models cannot be made");
    let program = bench::build()?;
    let mut families: Vec<String> = fs::read_dir(folder.join("families"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    families.sort();
    let mut cases = Vec::new();
    for (texts, batch_size, runs) in CASES {
        let mut times = vec![(Vec::new(), Vec::new()); families.len()];
        for _ in 0..ROUNDS {
            for (family, (own, torch)) in families.iter().zip(&mut times) {
                let model = folder.join("families").join(family);
                let texts = folder.join(format!("{texts}.txt"));
                let own_report = read(&mut burnpipe(&program, &model, &texts, batch_size, runs));
                own.push(latency(&own_report.with_context(|| family.clone())?));
                let mut peer = python("run");
                peer.args(["torch"]).arg(&model).arg(&texts).args([
                    "--batch-size",
                    batch_size,
                    "--runs",
                    runs,
                ]);
                torch.push(latency(&read(peer.args(["--threads", &threads()]))?));
            }
        }
        let times: Vec<(f64, f64)> =
            times.into_iter().map(|(own, torch)| (median(own), median(torch))).collect();
        let bert = families.iter().zip(&times).find(|(family, _)| *family == "bert");
        let bert = bert.map_or(f64::NAN, |(_, (own, _))| *own);
        println!("{texts} tokens: burnpipe ms, times bert's, torch ms, times burnpipe's");
        let mut results = Vec::new();
        for (family, (own, torch)) in families.iter().zip(times) {
            println!("| {family} | {own:.1} | {:.2} | {torch:.1} | {:.2} |", own / bert, torch / own);
            results.push(json!({"family": family, "burnpipe_ms": own, "torch_ms": torch}));
        }
        cases.push(json!({"texts": texts, "results": results}));
    }
    let result = json!({
        "date": bench::utc_now()?,
        "commit": bench::commit(),
        "machine": bench::machine(),
        "cases": cases,
    });
    bench::keep(&result, name)
}

fn burnpipe(program: &Path, model: &Path, texts: &Path, batch_size: &str, runs: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["bench", "text-classification", "--format", "json", "--device", "cpu", "--warmup", "3"]);
    command.args(["--batch-size", batch_size, "--runs", runs]).arg("--model").arg(model);
    command.arg("--inputs").arg(texts).env("RAYON_NUM_THREADS", threads());
    command
}

fn latency(report: &Value) -> f64 {
    report.pointer("/latency_ms/p50").and_then(Value::as_f64).unwrap_or(f64::NAN)
}
