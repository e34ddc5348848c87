//! Memory over many calls. A test program of its own, because other tests would take memory meanwhile.

#![allow(clippy::unwrap_used)]

use std::fs;

use burnpipe::prelude::*;
use burnpipe::{TextGeneration, TextGenerationOptions};
use burnpipe_tests::goldens;

/// What may be there after many calls and was not before: the system counts pages of threads late.
const TOLERANCE: usize = 2 << 20;

#[test]
fn writing_takes_no_more_memory_call_after_call() {
    let folder = goldens().join("models").join("gpt2-generation").display().to_string();
    let write = TextGeneration::from_pretrained(&folder).unwrap();
    let options = TextGenerationOptions::default().with("max_new_tokens", 12).with("seed", 7);
    let sampled = options.clone().with("do_sample", true);
    let beams = options.with("do_sample", false).with("num_beams", 3);
    let call = |count: usize| {
        for prompt in ["Sarah lives in Paris.", "The quick brown fox", "x"].iter().cycle().take(count) {
            write.call_with(*prompt, &sampled).unwrap();
            write.call_with(*prompt, &beams).unwrap();
        }
    };
    call(60);
    let Some(before) = resident() else { return };
    call(400);
    let Some(after) = resident() else { return };
    assert!(after <= before + TOLERANCE, "{before} bytes before, {after} after");
}

/// The memory that this process holds, where the system tells by a file (Linux).
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<usize>().ok()? * 1024)
}
