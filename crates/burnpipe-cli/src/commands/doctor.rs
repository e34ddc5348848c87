//! `burnpipe doctor`: what this build and this machine can do, and what is missing.

use std::fmt::Write;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use burnpipe::hub::{self, HubSettings, Retries};
use burnpipe::{Checkpoint, OpenOptions, Result};

use super::lists::bytes;
use crate::render::{BOLD, GOOD, MISSING, PALE};
use crate::{bundled, output};

/// How long the Hub may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A small model that has been there for long, to ask the Hub for.
const WELL_KNOWN_MODEL: &str = "openai-community/gpt2";

/// The variables that change where models come from. Those whose value is a secret are marked.
const VARIABLES: [(&str, bool); 11] = [
    ("HF_HOME", false),
    ("HF_HUB_CACHE", false),
    ("HF_ENDPOINT", false),
    ("HF_HUB_OFFLINE", false),
    ("HF_TOKEN", true),
    ("HF_TOKEN_PATH", false),
    ("HF_HUB_DISABLE_IMPLICIT_TOKEN", false),
    ("TRANSFORMERS_CACHE", false),
    ("TRANSFORMERS_OFFLINE", false),
    ("HTTPS_PROXY", true),
    ("NO_COLOR", false),
];

/// Prints the whole report, a part as soon as it is known.
///
/// # Errors
///
/// When standard output cannot be written to.
pub(crate) fn doctor() -> Result<()> {
    output::print(&program())?;
    output::print(&machine())?;
    output::print(&backends())?;
    output::print(&cache())?;
    output::print(&environment())?;
    // The only part that may take long comes last.
    output::print(&hub())
}

/// A line of the report.
fn line(name: &str, value: &str) -> String {
    format!("  {name:<18}{value}\n")
}

fn heading(name: &str) -> String {
    format!("{BOLD}{name}{BOLD:#}\n")
}

fn good(text: &str) -> String {
    format!("{GOOD}{text}{GOOD:#}")
}

fn missing(text: &str) -> String {
    format!("{MISSING}{text}{MISSING:#}")
}

fn program() -> String {
    let bundled = match bundled::checkpoint() {
        Some(_) => format!("{}: {}", good("yes"), bundled::ABOUT),
        None => missing("no: build with the feature `bundled`"),
    };
    let build = if cfg!(debug_assertions) { "debug: slow, build with `--release`" } else { "release" };
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    heading("burnpipe")
        + &line("version", env!("CARGO_PKG_VERSION"))
        + &line("build", &format!("{build}, for {system}"))
        + &line("bundled model", &bundled)
}

fn machine() -> String {
    let threads = thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |n| n.to_string());
    let simd = simd();
    let simd = if simd.is_empty() { "none that is known".to_owned() } else { simd.join(", ") };
    let memory = memory().unwrap_or_else(|| "unknown on this system".to_owned());
    heading("machine") + &line("cpu threads", &threads) + &line("simd", &simd) + &line("memory", &memory)
}

/// What the processor has of the instructions that matter for matrices.
#[cfg(target_arch = "x86_64")]
fn simd() -> Vec<&'static str> {
    let features = [
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
    ];
    features.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

/// What the processor has of the instructions that matter for matrices.
#[cfg(target_arch = "aarch64")]
fn simd() -> Vec<&'static str> {
    let features = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        ("dotprod", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("bf16", std::arch::is_aarch64_feature_detected!("bf16")),
        ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
        ("sve", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    features.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

/// What the processor has of the instructions that matter for matrices.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn simd() -> Vec<&'static str> {
    Vec::new()
}

/// Total and free memory, where the system tells by a file.
fn memory() -> Option<String> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    };
    Some(format!("{}, {} available", bytes(field("MemTotal:")?), bytes(field("MemAvailable:")?)))
}

fn backends() -> String {
    let mut text = heading("backends");
    let mut devices = String::new();
    for backend in burnpipe::backends() {
        let state = match &backend.missing {
            Some(reason) => missing(reason),
            None => good("built in"),
        };
        text += &line(backend.name, &state);
        for device in backend.devices {
            let memory = device.memory_bytes.map(|count| format!(", {}", bytes(count))).unwrap_or_default();
            devices += &line("device", &format!("{}: {}{memory}", device.name, device.description));
        }
    }
    text + &devices
}

fn cache() -> String {
    let options = OpenOptions::default();
    let folder = HubSettings::new(&options).cache_dir;
    let mut text = heading("cache") + &line("folder", &folder.display().to_string());
    let contents = match hub::cache::list(&options) {
        Ok(repos) => {
            let size = repos.iter().map(|repo| repo.size_bytes).sum();
            format!("{} models, {}", repos.len(), bytes(size))
        }
        Err(error) => missing(&error.report()),
    };
    text += &line("contents", &contents);
    text
}

fn environment() -> String {
    let mut text = heading("environment");
    let mut n_set = 0;
    for (name, is_secret) in VARIABLES {
        let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else { continue };
        let value = if is_secret { "set".into() } else { value.to_string_lossy() };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {name:<30}{value}");
        n_set += 1;
    }
    if n_set == 0 {
        text += &format!("  {PALE}no variable of the Hub is set{PALE:#}\n");
    }
    text
}

fn hub() -> String {
    let settings = HubSettings::new(&OpenOptions::default());
    let token = match &settings.token_source {
        Some(source) => format!("from {source}"),
        None => "none; only public models can be downloaded".to_owned(),
    };
    let state = if settings.offline {
        "not asked: offline by the environment".to_owned()
    } else {
        match reach() {
            None => good("answers"),
            Some(reason) => missing(&format!("cannot be reached: {reason}")),
        }
    };
    heading("hub") + &line("address", &settings.endpoint) + &line("token", &token) + &line("state", &state)
}

/// Asks the Hub for a model by the same way as every download; the reason when it does not answer.
fn reach() -> Option<String> {
    let (sender, receiver) = channel();
    let ask = move || {
        // A cache that is not there, so that the Hub must be asked; nothing is written.
        let nowhere = std::env::temp_dir().join("burnpipe-doctor-has-no-cache");
        let retries = Retries { count: 0, ..Retries::default() };
        let options = OpenOptions { cache_dir: Some(nowhere), retries, ..OpenOptions::default() };
        let refused = Checkpoint::open(WELL_KNOWN_MODEL, &options).err();
        // Nobody waits for an answer that comes too late.
        let _ = sender.send(refused.map(|error| error.report()));
    };
    if let Err(error) = thread::Builder::new().name("doctor".into()).spawn(ask) {
        return Some(error.to_string());
    }
    receiver
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| Some(format!("no answer within {} seconds", PATIENCE.as_secs())))
}
