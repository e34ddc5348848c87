//! `burnpipe bench`: how fast a pipeline answers, over and over the same inputs.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use burnpipe::{AnyPipeline, Cancellation, Error, ErrorKind, Result, RunOptions, TaskRecord};
use serde::Serialize;
use serde_json::Value;

use super::lists::bytes;
use crate::arguments::{BenchArguments, ListFormat};
use crate::inputs::{self, Place};
use crate::{model, output, parameters};

/// What was measured. Times are in milliseconds.
#[derive(Debug, Serialize)]
struct Report {
    task: String,
    model: String,
    device: String,
    dtype: &'static str,
    threads: usize,
    batch_size: usize,
    runs: usize,
    /// From the name of the model to a pipeline.
    load_ms: f64,
    /// The very first call, which pays for what is made once.
    first_ms: f64,
    latency_ms: Latency,
    /// By the median run.
    inputs_per_s: f64,
    /// By the median run; `None` for tasks without tokens.
    tokens_per_s: Option<f64>,
    /// Of tasks that write text.
    #[serde(flatten)]
    generation: Option<Generation>,
    /// The most memory that the process held; `None` where the system does not say.
    peak_memory_bytes: Option<u64>,
}

/// How long a run took: one call over all inputs.
#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p95: f64,
    p99: f64,
}

/// How fast text is written.
#[derive(Debug, Serialize)]
struct Generation {
    /// From the call to the first token of every input, by the median run.
    first_token_ms: f64,
    /// Tokens of the prompts, by the same runs.
    prompt_tokens_per_s: f64,
    /// Tokens after the first, by the median runs.
    new_tokens_per_s: f64,
    /// How many tokens a run writes.
    new_tokens: u64,
}

/// Runs the command.
///
/// # Errors
///
/// When nothing can be run, or an input cannot be answered.
pub(crate) fn bench(arguments: BenchArguments) -> Result<()> {
    // What is wrong with the command line shows before a model is loaded.
    let task = burnpipe::task(&arguments.call.task)?;
    let parameters = parameters::read(arguments.call.params.as_deref())?;
    (task.check_parameters)(&parameters)?;
    let (places, inputs) = read_all(
        inputs::open(arguments.call.inputs.clone(), task.input, &Cancellation::default())?.for_task(task.id),
    )?;
    model::limit_threads(arguments.call.threads)?;
    let report = measure(task, &arguments, &parameters, &places, &inputs)?;
    match arguments.format {
        ListFormat::Table => output::print(&table(&report, inputs.len())),
        ListFormat::Json => {
            let json = serde_json::to_string(&report).map_err(|error| {
                Error::new(ErrorKind::Internal, "the report cannot be written as JSON").with_source(error)
            })?;
            output::print(&format!("{json}\n"))
        }
    }
}

/// Every input, in memory: reading them is not what is measured.
fn read_all(inputs: inputs::Inputs) -> Result<(Vec<Place>, Vec<Value>)> {
    let rows = inputs.rows.map(|row| match row.input {
        Ok(input) => Ok((row.place, input)),
        Err(error) => Err(row.place.locate(error)),
    });
    let (places, inputs): (Vec<Place>, Vec<Value>) = rows.collect::<Result<Vec<_>>>()?.into_iter().unzip();
    if inputs.is_empty() {
        return Err(Error::new(ErrorKind::Input, "there is no input to measure"));
    }
    Ok((places, inputs))
}

fn measure(
    task: &TaskRecord,
    arguments: &BenchArguments,
    parameters: &Value,
    places: &[Place],
    inputs: &[Value],
) -> Result<Report> {
    let start = Instant::now();
    let pipeline = model::load(task, &arguments.call.model)?;
    let load = start.elapsed();
    let batch_size = arguments.call.batch_size.map_or(1, usize::from);
    let run = || answer_all(&pipeline, parameters, places, inputs, batch_size);
    let first = run()?;
    for _ in 0..arguments.warmup {
        run()?;
    }
    let mut times = (0..arguments.runs.get()).map(|_| run()).collect::<Result<Vec<Duration>>>()?;
    times.sort();
    let p50 = percentile(&times, 50);
    let per_second = |count: u64| count as f64 / p50.as_secs_f64();
    let generation = match task.streams {
        true => Some(measure_generation(&pipeline, arguments, parameters, (places, inputs), p50)?),
        false => None,
    };
    let about = pipeline.about();
    Ok(Report {
        task: about.task.clone(),
        model: about.model.clone(),
        device: about.device.clone(),
        dtype: about.dtype,
        threads: rayon::current_num_threads(),
        batch_size,
        runs: times.len(),
        load_ms: milliseconds(load),
        first_ms: milliseconds(first),
        latency_ms: Latency {
            p50: milliseconds(p50),
            p95: milliseconds(percentile(&times, 95)),
            p99: milliseconds(percentile(&times, 99)),
        },
        inputs_per_s: per_second(inputs.len() as u64),
        tokens_per_s: pipeline.count_tokens(inputs, parameters)?.map(per_second),
        generation,
        peak_memory_bytes: peak_memory(),
    })
}

/// How fast text is written: runs that write one token are what a whole run is compared with.
fn measure_generation(
    pipeline: &AnyPipeline,
    arguments: &BenchArguments,
    parameters: &Value,
    (places, inputs): (&[Place], &[Value]),
    whole: Duration,
) -> Result<Generation> {
    let batch_size = arguments.call.batch_size.map_or(1, usize::from);
    let with = |name: &str, value: Value| {
        let mut parameters = parameters.as_object().cloned().unwrap_or_default();
        parameters.insert(name.into(), value);
        parameters
    };
    let one_token = Value::Object(with("max_new_tokens", 1.into()));
    let run = || answer_all(pipeline, &one_token, places, inputs, batch_size);
    let mut times = (0..arguments.runs.get()).map(|_| run()).collect::<Result<Vec<Duration>>>()?;
    times.sort();
    let first = percentile(&times, 50);
    let mut ids = with("return_tensors", true.into());
    ids.retain(|name, _| !["return_full_text", "return_text", "return_type"].contains(&name.as_str()));
    let copies: Vec<Result<Value>> = inputs.iter().cloned().map(Ok).collect();
    let options = RunOptions { batch_size: Some(batch_size), cancellation: None };
    let mut all_tokens = 0;
    for answer in pipeline.iter_with(copies, &Value::Object(ids), options)? {
        let answer = answer?;
        let sequences = answer.as_array().into_iter().flatten();
        let tokens = sequences.filter_map(|sequence| sequence.get("generated_token_ids")?.as_array());
        all_tokens += tokens.map(|tokens| tokens.len() as u64).sum::<u64>();
    }
    let prompt_tokens = pipeline.count_tokens(inputs, parameters)?.unwrap_or(0);
    let new_tokens = all_tokens.saturating_sub(prompt_tokens);
    let after_first = new_tokens.saturating_sub(inputs.len() as u64);
    Ok(Generation {
        first_token_ms: milliseconds(first),
        prompt_tokens_per_s: prompt_tokens as f64 / first.as_secs_f64(),
        new_tokens_per_s: after_first as f64 / whole.saturating_sub(first).as_secs_f64(),
        new_tokens,
    })
}

/// One run: every input answered, in batches.
fn answer_all(
    pipeline: &AnyPipeline,
    parameters: &Value,
    places: &[Place],
    inputs: &[Value],
    batch_size: usize,
) -> Result<Duration> {
    // The pipeline takes inputs for its own; copying them is not its work.
    let copies: Vec<Result<Value>> = inputs.iter().cloned().map(Ok).collect();
    let options = RunOptions { batch_size: Some(batch_size), cancellation: None };
    let start = Instant::now();
    for (answer, place) in pipeline.iter_with(copies, parameters, options)?.zip(places) {
        answer.map_err(|error| place.locate(error))?;
    }
    Ok(start.elapsed())
}

/// The nearest rank: the smallest of the sorted times that `percent` of them do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The most memory that this process held, where the system tells by a file (Linux).
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn table(report: &Report, inputs: usize) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:<16}{value}");
    };
    let Report { task, model, device, dtype, threads, batch_size, runs, .. } = report;
    line("task", format!("{task}, {model}"));
    line("device", format!("{device}, {dtype}, {threads} threads"));
    line("runs", format!("{runs} over {inputs} inputs in batches of {batch_size}"));
    line("load", format!("{:.1} ms", report.load_ms));
    line("first run", format!("{:.1} ms", report.first_ms));
    let Latency { p50, p95, p99 } = report.latency_ms;
    line("run", format!("{p50:.2} ms (p95 {p95:.2}, p99 {p99:.2})"));
    line("inputs", format!("{:.1} per second", report.inputs_per_s));
    if let Some(tokens) = report.tokens_per_s {
        line("tokens", format!("{tokens:.0} per second"));
    }
    if let Some(generation) = &report.generation {
        line("first token", format!("{:.1} ms", generation.first_token_ms));
        line("prompts", format!("{:.0} tokens per second", generation.prompt_tokens_per_s));
        let Generation { new_tokens, new_tokens_per_s, .. } = generation;
        line("new tokens", format!("{new_tokens_per_s:.1} per second after the first ({new_tokens} a run)"));
    }
    if let Some(memory) = report.peak_memory_bytes {
        line("peak memory", bytes(memory));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        let ranks = [50, 95, 99, 100].map(|percent| percentile(&times, percent).as_millis());
        assert_eq!(ranks, [10, 19, 20, 20]);
        assert_eq!(percentile(&times[..1], 50), times[0]);
        assert_eq!(percentile(&times[..2], 50), times[0]);
    }
}
