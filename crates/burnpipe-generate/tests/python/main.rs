//! What transformers' own classes make of scores, token texts and settings, and what ours make of them.
//!
//! `tests/goldens/generation/processors.py` makes the expectations.

#![allow(clippy::expect_used, clippy::panic)]

mod layers;
mod processors;
mod stop_strings;
mod whisper;

use serde_json::{Map, Value};

/// The cases of a section.
fn section(name: &str) -> Vec<Value> {
    goldens().get(name).and_then(Value::as_array).expect("a list of cases").clone()
}

fn goldens() -> Map<String, Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/generation/processors.json");
    let text = std::fs::read_to_string(path).expect("the goldens");
    serde_json::from_str(&text).expect("JSON")
}

fn tokens(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("token ids")
}

/// Scores, whose infinities and NaN are words.
fn scores(value: &Value) -> Vec<f32> {
    let score = |value: &Value| match value.as_str() {
        Some(word) => word.parse().expect("inf or nan"),
        None => value.as_f64().expect("a number") as f32,
    };
    value.as_array().expect("a list of scores").iter().map(score).collect()
}

/// Infinities are compared exactly, numbers to 1e-6 of themselves and of 1.
fn assert_scores(actual: &[f32], expected: &Value, case: &str) {
    let expected = scores(expected);
    assert_eq!(actual.len(), expected.len(), "{case}");
    for (at, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let near = (actual - expected).abs() <= 1e-6 * expected.abs().max(1.0);
        assert!(*actual == expected || near, "{case}: token {at} has {actual}, expected {expected}");
    }
}
