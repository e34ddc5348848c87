//! `burnpipe bench` over a fixed list of cases, kept as a file per run.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::root;

/// A measurement: the same inputs in every run, so that runs can be compared.
struct Case {
    name: &'static str,
    task: &'static str,
    /// `bundled`, or a folder of the repository.
    model: &'static str,
    sentences: usize,
    batch_size: usize,
}

const CASES: &[Case] = &[
    Case { name: "ner bundled, 1 sentence", task: "ner", model: "bundled", sentences: 1, batch_size: 1 },
    Case { name: "ner bundled, 100 sentences", task: "ner", model: "bundled", sentences: 100, batch_size: 1 },
    Case {
        name: "ner bundled, 100 sentences, batch 16",
        task: "ner",
        model: "bundled",
        sentences: 100,
        batch_size: 16,
    },
    Case {
        name: "text-classification tiny, 100 sentences",
        task: "text-classification",
        model: "tests/goldens/models/distilbert-sentiment",
        sentences: 100,
        batch_size: 16,
    },
    Case {
        name: "feature-extraction tiny, 100 sentences",
        task: "feature-extraction",
        model: "tests/goldens/models/distilbert-features",
        sentences: 100,
        batch_size: 16,
    },
];

/// Words of one to four tokens in most vocabularies.
const WORDS: &str = "the and of in a to Ada Grace Alan London Paris was born lives works near river street \
    office phone letter winter morning walked wrote called together quietly";

/// Measures every case and keeps the result as `benches/results/<name>.json`.
pub(crate) fn run(name: Option<&str>) -> Result<()> {
    let program = build()?;
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder)?;
    let mut cases = Vec::new();
    for case in CASES {
        let report = measure(case, &program, &folder)?;
        println!("{}", line(case.name, &report));
        cases.push(json!({"name": case.name, "report": report}));
    }
    let date = utc_now()?;
    let result = json!({
        "date": date,
        "version": env!("CARGO_PKG_VERSION"),
        "commit": commit(),
        "machine": machine(),
        "cases": cases,
    });
    keep(&result, name.unwrap_or(&date.replace(':', "")))
}

/// Keeps a result as `benches/results/<name>.json`.
pub(crate) fn keep(result: &Value, name: &str) -> Result<()> {
    let results = root().join("benches/results");
    fs::create_dir_all(&results)?;
    let path = results.join(format!("{name}.json"));
    fs::write(&path, format!("{result:#}\n")).with_context(|| path.display().to_string())?;
    println!("kept as {}", path.display());
    Ok(())
}

/// Prints how the second run compares with the first, case by case.
pub(crate) fn compare(before: &str, after: &str) -> Result<()> {
    print!("{}", comparison(&read(before)?, &read(after)?)?);
    Ok(())
}

pub(crate) fn build() -> Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let status = Command::new(cargo).args(["build", "--release"]).current_dir(root()).status()?;
    ensure!(status.success(), "the program could not be built");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release/burnpipe"))
}

fn measure(case: &Case, program: &Path, folder: &Path) -> Result<Value> {
    let inputs = folder.join(format!("{}-sentences.txt", case.sentences));
    fs::write(&inputs, sentences(case.sentences))?;
    let mut command = Command::new(program);
    command.args(["bench", case.task, "--model", case.model, "--format", "json", "--runs", "20"]);
    command.args(["--batch-size", &case.batch_size.to_string()]).arg("--inputs").arg(&inputs);
    let output = command.current_dir(root()).env("HF_HUB_OFFLINE", "1").output()?;
    ensure!(output.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(|| case.name)
}

/// Sentences of 3 to 40 words, a line each: the same on every machine, drawn by a fixed generator.
fn sentences(count: usize) -> String {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut state = 1_u32;
    let mut draw = |bound: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % bound
    };
    let mut text = String::new();
    for _ in 0..count {
        let length = 3 + draw(38);
        let sentence: Vec<&str> = (0..length).map(|_| words[draw(words.len())]).collect();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}.", sentence.join(" "));
    }
    text
}

fn line(name: &str, report: &Value) -> String {
    let figure = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
    format!(
        "{name:<42} {:>9.2} ms (p95 {:.2})  {:>9.0} inputs/s  {:>9.0} tokens/s  {:>5.0} MB",
        figure("/latency_ms/p50"),
        figure("/latency_ms/p95"),
        figure("/inputs_per_s"),
        figure("/tokens_per_s"),
        figure("/peak_memory_bytes") / 1e6
    )
}

/// A kept result by its name, or by its path.
fn read(name: &str) -> Result<Value> {
    let kept = root().join("benches/results").join(name).with_extension("json");
    let path = if kept.is_file() { kept } else { PathBuf::from(name) };
    let text = fs::read(&path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// A line per case of both runs: the two medians, and how many times as fast the second is.
fn comparison(before: &Value, after: &Value) -> Result<String> {
    let cases = |run: &Value| run["cases"].as_array().cloned().context("no cases in a result");
    let (before, after) = (cases(before)?, cases(after)?);
    let mut text = String::new();
    for case in &after {
        let Some(old) = before.iter().find(|old| old["name"] == case["name"]) else { continue };
        let median = |case: &Value| case.pointer("/report/latency_ms/p50").and_then(Value::as_f64);
        let (Some(was), Some(is)) = (median(old), median(case)) else { bail!("a case has no median") };
        let name = case["name"].as_str().unwrap_or_default();
        let _ = writeln!(text, "{name:<42} {was:>9.2} ms -> {is:>9.2} ms  {:>5.2} times as fast", was / is);
    }
    ensure!(!text.is_empty(), "the two results have no case in common");
    Ok(text)
}

pub(crate) fn machine() -> Value {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let threads = std::thread::available_parallelism().map_or(0, |threads| threads.get());
    json!({
        "cpu": model.map(|(_, name)| name.trim()),
        "threads": threads,
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
    })
}

pub(crate) fn commit() -> Option<String> {
    let output =
        Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// The date and time in UTC, as `2026-11-24T02:10:00Z`.
pub(crate) fn utc_now() -> Result<String> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    Ok(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// Year, month and day of a day since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_781), (2026, 11, 24));
    }

    #[test]
    fn sentences_are_the_same_every_time() {
        assert_eq!(sentences(100), sentences(100));
        let lengths: Vec<usize> = sentences(100).lines().map(|line| line.split(' ').count()).collect();
        assert_eq!(lengths.len(), 100);
        assert!(lengths.iter().all(|length| (3..=40).contains(length)));
    }

    #[test]
    fn runs_are_compared_by_the_cases_that_both_have() {
        let run = |median: f64| json!({"cases": [{"name": "a", "report": {"latency_ms": {"p50": median}}}]});
        assert!(comparison(&run(8.0), &run(2.0)).unwrap().contains(" 4.00 times as fast"));
        assert!(comparison(&run(8.0), &json!({"cases": []})).is_err());
    }
}
