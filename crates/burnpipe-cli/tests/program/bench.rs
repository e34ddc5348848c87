//! `burnpipe bench`.

use serde_json::Value;

use crate::support::{Files, run};

const TEXT: &str = "My name is Sarah Connor.";

#[test]
fn the_report_is_one_object_with_every_figure() {
    let files = Files::new();
    let inputs = files.write("inputs.jsonl", "\"Ada lives in London.\"\n\"Call 415-555-0132\"\n");
    let arguments = ["bench", "ner", "--model", "bundled", "--inputs", &inputs, "--batch-size", "2"];
    let more = ["--runs", "3", "--warmup", "0", "--threads", "1", "--format", "json"];
    let report: Value = run(&[&arguments[..], &more[..]].concat()).json();
    let keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "task model device dtype threads batch_size runs load_ms first_ms latency_ms inputs_per_s \
        tokens_per_s peak_memory_bytes";
    assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!((&report["task"], &report["dtype"]), (&"token-classification".into(), &"f32".into()));
    assert_eq!(
        (&report["threads"], &report["batch_size"], &report["runs"]),
        (&1.into(), &2.into(), &3.into())
    );
    let figure = |name: &str| report.pointer(name).unwrap().as_f64().unwrap();
    let latency = ["p50", "p95", "p99"].map(|name| figure(&format!("/latency_ms/{name}")));
    assert!(0.0 < latency[0] && latency[0] <= latency[1] && latency[1] <= latency[2], "{latency:?}");
    assert!(figure("/load_ms") > 0.0 && figure("/first_ms") > 0.0);
    // Two inputs per median run.
    assert!((figure("/inputs_per_s") * latency[0] / 1000.0 - 2.0).abs() < 1e-6);
    assert!(cfg!(not(target_os = "linux")) || figure("/peak_memory_bytes") > 1e6);
}

#[test]
fn tokens_are_those_that_the_model_is_given() {
    let arguments = ["bench", "ner", "--model", "bundled", "--runs", "1", "--format", "json", TEXT, TEXT];
    let report = run(&arguments).json();
    let seconds = report["latency_ms"]["p50"].as_f64().unwrap() / 1000.0;
    let tokens = report["tokens_per_s"].as_f64().unwrap() * seconds;
    // [CLS] my name is sarah connor . [SEP], twice.
    assert!((tokens - 16.0).abs() < 1e-6, "{tokens}");
}

#[test]
fn the_table_is_for_people() {
    let answer = run(&["bench", "ner", "--model", "bundled", "--runs", "2", TEXT]);
    for part in ["token-classification", "2 over 1 inputs in batches of 1", "per second"] {
        assert!(answer.out.contains(part), "`{part}` is not in {}", answer.out);
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let cases: [(&[&str], &[&str]); 5] = [
        (&["--params", r#"{"top_k": 3}"#, TEXT], &["unknown parameter `top_k`"]),
        (&["--runs", "0", TEXT], &["`0`"]),
        (&["--inputs", "/no/such/file.jsonl"], &["/no/such/file.jsonl"]),
        (&["--device", "tpu", TEXT], &["unknown device `tpu`"]),
        (&["--format", "jsonl", TEXT], &["`jsonl`", "table", "json"]),
    ];
    for (arguments, parts) in cases {
        run(&[&["bench", "ner", "--model", "bundled"], arguments].concat()).was_refused(parts);
    }
}
