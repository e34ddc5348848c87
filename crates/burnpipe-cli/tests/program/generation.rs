//! Text as it is made, and `burnpipe chat`.

use serde_json::Value;

use crate::support::{run, run_with_input};

/// A tiny model that writes nonsense, the same as Python's.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/models/gpt2-generation");
const GREEDY: &str = r#"{"do_sample": false, "max_new_tokens": 8}"#;

#[test]
fn streamed_text_is_the_answer() {
    let arguments = ["run", "text-generation", "--model", MODEL, "--params", GREEDY];
    let prompts = ["Sarah lives in Paris.", "The quick brown fox"];
    let answers: Value = run(&[&arguments[..], &["--format", "json"], &prompts[..]].concat()).json();
    let streamed = run(&[&arguments[..], &["--stream"], &prompts[..]].concat());
    assert_eq!(streamed.code, Some(0), "{}", streamed.err);
    for answer in answers.as_array().unwrap() {
        let text = answer[0]["generated_text"].as_str().unwrap();
        assert!(streamed.out.contains(text), "`{text}` is not in {}", streamed.out);
    }
    // What is only known at the end comes at the end.
    let beams = r#"{"do_sample": false, "max_new_tokens": 4, "num_beams": 2}"#;
    let arguments = ["run", "text-generation", "--model", MODEL, "--params", beams];
    let answer = run(&[&arguments[..], &["--format", "json", prompts[0]]].concat()).json();
    let streamed = run(&[&arguments[..], &["--stream", prompts[0]]].concat());
    assert!(streamed.out.contains(answer[0][0]["generated_text"].as_str().unwrap()), "{}", streamed.out);
}

#[test]
fn a_task_that_writes_no_text_says_so() {
    let refused = run(&["run", "ner", "--model", "bundled", "--stream", "Ada"]);
    refused.was_refused(&["token-classification", "`--stream`"]);
}

#[test]
fn a_chat_answers_line_by_line() {
    let arguments = ["chat", "--model", MODEL, "--params", GREEDY];
    let answer =
        run_with_input(&arguments, b"What is the capital of Germany?\n\n/reset\nHi\n/exit\nnever read\n");
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    let lines = answer.out.lines().filter(|line| !line.is_empty()).count();
    assert!(lines >= 2, "{}", answer.out);
    let chat = r#"[[{"role": "user", "content": "Hi"}]]"#;
    let params = r#"{"do_sample": false, "max_new_tokens": 8, "return_full_text": false}"#;
    let files = crate::support::Files::new();
    let inputs = files.write("chat.json", chat);
    let whole = run(&[
        "run",
        "text-generation",
        "--model",
        MODEL,
        "--params",
        params,
        "--inputs",
        &inputs,
        "--format",
        "json",
    ]);
    let whole = whole.json();
    let text = whole[0][0]["generated_text"].as_str().unwrap();
    assert!(answer.out.contains(text), "`{text}` is not in {}", answer.out);
}

#[test]
fn generation_is_measured() {
    let arguments = ["bench", "text-generation", "--model", MODEL, "--params", GREEDY, "--runs", "2"];
    let report =
        run(&[&arguments[..], &["--format", "json", "Hi there", "Sarah lives in Paris."]].concat()).json();
    assert_eq!(report["new_tokens"], 16);
    for figure in ["first_token_ms", "prompt_tokens_per_s", "new_tokens_per_s"] {
        assert!(report[figure].as_f64().unwrap() > 0.0, "{report}");
    }
}
