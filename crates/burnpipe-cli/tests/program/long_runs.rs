//! Runs over many inputs: order, pipes that close, Ctrl-C.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Files, assert_same, end_of, interrupt, lines, ner, program, with_ner};

/// A file of so many texts.
fn numbered(files: &Files, count: usize) -> String {
    let rows: String = (1..=count).map(|number| format!("\"I live at {number} Oak Street.\"\n")).collect();
    files.write("numbered.jsonl", rows)
}

fn spawn(arguments: &[&str], stdin: Stdio) -> Child {
    let mut command = program(&with_ner(arguments));
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn two_thousand_answers_come_in_the_order_of_their_inputs() {
    // Seven texts in turn: batches of 16 begin with each of them.
    let texts = [
        "I am Sarah Connor.",
        "Call me at 415-555-0132.",
        "Nothing to see here",
        "I live at 42 Oak Street in Los Angeles.",
        "",
        "Bob",
        "Write to zoë@example.com, please",
    ];
    let alone = ner(&texts).lines();
    let files = Files::new();
    let rows: String =
        texts.iter().cycle().take(2000).map(|text| format!("{}\n", Value::from(*text))).collect();
    let path = files.write("rows.jsonl", rows);
    let answers = ner(&["--inputs", &path, "--batch-size", "16"]).lines();
    assert_eq!(answers.len(), 2000);
    for (index, answer) in answers.iter().enumerate() {
        assert_same(answer, &alone[index % texts.len()], &format!("line {}", index + 1));
    }
}

#[test]
fn ctrl_c_keeps_the_lines_that_are_done() {
    let files = Files::new();
    let path = numbered(&files, 100_000);
    let mut child = spawn(&["--inputs", &path, "--batch-size", "16"], Stdio::null());
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for _ in 0..5 {
        out.read_line(&mut text).unwrap();
    }
    interrupt(&child);
    out.read_to_string(&mut text).unwrap();
    let (code, error) = end_of(child);
    assert_eq!(code, Some(130), "{error}");
    assert!(text.ends_with('\n'));
    let n_lines = lines(&text).len();
    assert!((5..100_000).contains(&n_lines));
    assert_eq!(error, format!("interrupted after {n_lines} inputs\n"));
}

#[test]
fn ctrl_c_closes_the_array_of_a_json_file() {
    let files = Files::new();
    let path = numbered(&files, 100_000);
    let output = files.path("out.json");
    let child = spawn(&["--inputs", &path, "--output", &output], Stdio::null());
    let begin = Instant::now();
    let partial = files.path("out.json.partial");
    while std::fs::metadata(&partial).map_or(0, |file| file.len()) < 1000 {
        assert!(begin.elapsed() < Duration::from_secs(60), "no answers come");
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupt(&child);
    let (code, error) = end_of(child);
    assert_eq!(code, Some(130), "{error}");
    assert!(error.starts_with("interrupted after ") && error.contains("out.json.partial"), "{error}");
    assert_eq!(error.lines().count(), 1);
    let answers: Vec<Value> = serde_json::from_str(&files.read("out.json.partial")).unwrap();
    assert!(!answers.is_empty());
}

#[test]
fn ctrl_c_ends_a_run_that_waits_for_its_input() {
    let mut child = spawn(&[], Stdio::piped());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"I am Sarah.\nI am Bob.\n").unwrap();
    stdin.flush().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for _ in 0..2 {
        // The answers come while the stream of inputs is still open.
        out.read_line(&mut text).unwrap();
    }
    interrupt(&child);
    let (code, error) = end_of(child);
    assert_eq!((code, error.as_str()), (Some(130), "interrupted after 2 inputs\n"));
    assert_eq!(lines(&text).len(), 2);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let files = Files::new();
    let path = numbered(&files, 100_000);
    for format in ["jsonl", "json", "table"] {
        let mut child = spawn(&["--inputs", &path, "--format", format], Stdio::null());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        drop(out);
        assert_eq!(end_of(child), (Some(0), String::new()), "{format}");
    }
}
