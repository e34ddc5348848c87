//! Calls from many threads share one pool.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

const CALLERS: usize = 8;

/// How many threads this process has.
fn threads() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn calls_at_the_same_time_start_no_threads_of_their_own() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/models/distilbert-sentiment");
    let model = model.to_str().expect("a path in UTF-8");
    let pipeline = burnpipe::pipeline("text-classification").model(model).device("cpu").load().unwrap();
    let alone = pipeline.call("a good day").unwrap();
    // The pool is there now.
    let before = threads();
    let (most, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(threads(), Ordering::Relaxed);
                std::thread::yield_now();
            }
        });
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert_eq!(pipeline.call_with("a good day", &json!({})).unwrap(), alone);
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        done.store(true, Ordering::Relaxed);
        watch.join().unwrap();
    });
    let most = most.into_inner();
    assert!(most <= before + CALLERS + 1, "{most} threads, of which {before} before and {CALLERS} callers");
}
