//! What cannot be done is refused: one line on standard error, exit code 2, nothing printed.

use std::process::Stdio;

use crate::support::{Files, Ran, lines, ner, program, run, run_with_input, with_ner};

const TEXT: &str = "I am Sarah Connor.";

#[test]
fn bad_command_lines() {
    let cases: [(&[&str], &[&str]); 9] = [
        (&["run"], &["<TASK>"]),
        (&["walk"], &["`walk`"]),
        (&["run", "nerr", TEXT], &["unknown task `nerr`", "`ner`"]),
        (&["run", "token-clasification", TEXT], &["did you mean", "`token-classification`"]),
        (&["tasks", "nerr"], &["unknown task `nerr`"]),
        (&["models", "nerr"], &["unknown task `nerr`"]),
        (&["run", "ner", "--top-k", "3", TEXT], &["`--top-k`", "`--params`"]),
        (&["run", "ner", "--on-error", "ignore", TEXT], &["`ignore`", "stop", "skip"]),
        (&["run", "ner", "--threads", "0", TEXT], &["`0`"]),
    ];
    for (arguments, parts) in cases {
        run(arguments).was_refused(parts);
    }
}

#[test]
fn bad_parameters() {
    let cases: [(&str, &[&str]); 6] = [
        ("{top_k}", &["`--params` is not valid JSON", "top_k"]),
        ("[1, 2]", &["must be a JSON object"]),
        ("@/no/such/file.json", &["cannot read `/no/such/file.json`"]),
        (r#"{"top_k": 3}"#, &["unknown parameter `top_k`", "`aggregation_strategy`", "`stride`"]),
        (r#"{"agregation_strategy": "simple"}"#, &["did you mean `aggregation_strategy`"]),
        (r#"{"aggregation_strategy": "sum"}"#, &["aggregation_strategy", "sum"]),
    ];
    for (params, parts) in cases {
        ner(&["--params", params, TEXT]).was_refused(parts);
    }
    // Before anything is loaded or downloaded.
    let elsewhere =
        ["run", "ner", "--model", "no-such-org/no-such-model", "--params", r#"{"top_k": 3}"#, TEXT];
    run(&elsewhere).was_refused(&["unknown parameter `top_k`"]);
}

#[test]
fn bad_models_and_devices() {
    let files = Files::new();
    let empty = files.path("");
    let cases: [(&[&str], &[&str]); 8] = [
        (&["run", "ner", "--model", "./no/such/folder", TEXT], &["`./no/such/folder`"]),
        (&["run", "ner", "--model", &empty, TEXT], &["config.json"]),
        (
            &["run", "ner", "--model", "no-such-org/no-such-model", TEXT],
            &["no-such-org/no-such-model", "HF_HUB_OFFLINE"],
        ),
        (
            &["run", "text-classification", "--model", "bundled", TEXT],
            &["`bundled`", "`BertForTokenClassification`", "missing"],
        ),
        (&["run", "ner", "--model", "bundled", "--revision", "main", TEXT], &["`--revision`"]),
        (&["run", "ner", "--model", "bundled", "--device", "cuda:0", TEXT], &["cuda"]),
        (&["run", "ner", "--model", "bundled", "--device", "cpu:x", TEXT], &["`cpu:x`"]),
        (&["run", "ner", "--model", "bundled", "--dtype", "f64", TEXT], &["`f64`", "`bf16`"]),
    ];
    for (arguments, parts) in cases {
        run(arguments).was_refused(parts);
    }
}

#[test]
fn inputs_that_cannot_be_opened_or_used_at_all() {
    let files = Files::new();
    let folder = files.path("");
    let missing = files.path("missing.jsonl");
    let broken = files.write("broken.json", "[\"a\",\n oops]");
    let columns = files.write("columns.csv", "id,body\n1,a\n");
    let bytes = files.write("bytes.json", b"[\"\xff\"]");
    let plain = files.write("plain.txt", "a\n");
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--inputs", &missing], &["missing.jsonl", "No such file"]),
        (&["--inputs", &folder], &["it is a folder"]),
        (&["--inputs", &broken], &["broken.json", "line 2 column 2"]),
        (&["--inputs", &columns], &["`id`, `body`", "`--column`"]),
        (&["--inputs", &columns, "--column", "text"], &["no column `text`", "`id`, `body`"]),
        (&["--inputs", &bytes], &["bytes.json", "not valid UTF-8"]),
        (&["--inputs", &plain, "--column", "a"], &["plain.txt", "`--column`"]),
        (&[TEXT, "--column", "a"], &["`--column`"]),
        (&[TEXT, "--inputs", &plain], &["--inputs"]),
    ];
    for (arguments, parts) in cases {
        ner(arguments).was_refused(parts);
    }
}

#[test]
fn a_bad_first_row_is_named_with_its_line() {
    let files = Files::new();
    type Case<'a> = (&'a str, &'a [u8], &'a [&'a str], &'a [&'a str]);
    let cases: [Case<'_>; 8] = [
        ("a.jsonl", b"\n{\"a\": \n", &[], &["a.jsonl` line 2", "not valid JSON", "column 6"]),
        ("b.jsonl", b"\"\xff\"\n", &[], &["b.jsonl` line 1", "not valid UTF-8", "byte 2"]),
        ("c.jsonl", b"\n\n17\n", &[], &["c.jsonl` line 3"]),
        ("d.jsonl", b"{\"id\": 1}\n", &["--column", "text"], &["line 1", "no column `text`", "`id`"]),
        ("e.jsonl", b"\"text\"\n", &["--column", "text"], &["line 1", "a string, not an object"]),
        ("f.csv", b"text,id\na\n", &[], &["f.csv` line 2", "1 fields", "header 2"]),
        ("g.csv", b"text,id\n\xff,1\n", &[], &["g.csv` line 2", "not valid UTF-8"]),
        ("h.json", b"[\n\n17]", &[], &["h.json` line 3 (element 1)"]),
    ];
    for (name, content, arguments, parts) in cases {
        let path = files.write(name, content);
        for format in ["json", "jsonl", "table"] {
            let arguments = [&["--inputs", &path, "--format", format], arguments].concat();
            ner(&arguments).was_refused(parts);
        }
    }
    let ran = run_with_input(&with_ner(&["--input-format", "jsonl"]), b"oops\n");
    ran.was_refused(&["standard input line 1", "not valid JSON"]);
}

#[test]
fn a_bad_row_ends_the_run_and_what_was_done_is_kept() {
    let files = Files::new();
    let path = files.write("rows.jsonl", "\"I am Sarah.\"\n\"I am Bob.\"\noops\n\"I am Eve.\"\n");
    for batch_size in ["1", "2", "16"] {
        let ran = ner(&["--inputs", &path, "--batch-size", batch_size]);
        assert_eq!(ran.code, Some(2));
        assert_eq!(lines(&ran.out).len(), 2, "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        assert!(ran.err.contains("rows.jsonl` line 3: not valid JSON"), "{}", ran.err);
        let ran = ner(&["--inputs", &path, "--batch-size", batch_size, "--format", "json"]);
        let answers: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((ran.code, answers.len()), (Some(2), 2));
    }
    let kept = files.path("kept.json");
    let ran = ner(&["--inputs", &path, "--output", &kept]);
    ran.was_refused(&["line 3", "kept.json.partial"]);
    let answers: Vec<serde_json::Value> = serde_json::from_str(&files.read("kept.json.partial")).unwrap();
    assert_eq!(answers.len(), 2);
}

#[test]
fn bad_rows_may_be_skipped_and_positions_hold() {
    let files = Files::new();
    let path =
        files.write("rows.jsonl", b"\"I am Sarah.\"\noops\n\"I am Bob.\"\n\"\xff\"\n5\n\"I am Eve.\"\n");
    let check = |ran: &Ran, answers: &[serde_json::Value]| {
        assert_eq!(ran.code, Some(2));
        let is_null: Vec<bool> = answers.iter().map(serde_json::Value::is_null).collect();
        assert_eq!(is_null, [false, true, false, true, true, false]);
        let errors: Vec<&str> = ran.err.lines().collect();
        assert_eq!(errors.len(), 4, "{}", ran.err);
        for (error, line) in errors.iter().zip(["line 2: ", "line 4: ", "line 5: "]) {
            assert!(error.starts_with("skipped: ") && error.contains(line), "{error}");
        }
        assert_eq!(errors[3], "error: 3 of 6 inputs failed");
    };
    for batch_size in ["1", "4"] {
        let arguments = ["--inputs", &path, "--on-error", "skip", "--batch-size", batch_size];
        let ran = ner(&arguments);
        check(&ran, &lines(&ran.out));
        let ran = ner(&[&arguments[..], &["--format", "json"]].concat());
        check(&ran, &serde_json::from_str::<Vec<_>>(&ran.out).unwrap());
    }
}

#[test]
fn text_over_the_limit_names_limit_and_remedy() {
    let long = "word ".repeat(600);
    ner(&[&long]).was_refused(&["602", "512"]);
}

#[test]
fn outputs_that_cannot_be_written() {
    let files = Files::new();
    let folder = files.path("");
    let nowhere = files.path("no/such/folder/out.jsonl");
    ner(&["--output", &folder, TEXT]).was_refused(&["it is a folder"]);
    ner(&["--output", &nowhere, TEXT]).was_refused(&["cannot write to", "out.jsonl", "No such file"]);
    ner(&["--output", "/proc/version", TEXT]).was_refused(&["cannot write to `/proc/version`"]);
    ner(&["--output", "/dev/full", TEXT]).was_refused(&["cannot write to `/dev/full`", "No space left"]);
}

#[test]
fn a_refused_run_leaves_no_file() {
    let files = Files::new();
    for name in ["out.json", "out.jsonl"] {
        run(&["run", "ner", "--model", "./nothing", "--output", &files.path(name), TEXT]).was_refused(&[]);
        ner(&["--output", &files.path(name), "--params", "{\"x\": 1}", TEXT]).was_refused(&[]);
    }
    assert!(files.names().is_empty(), "{:?}", files.names());
}

#[test]
fn a_full_disk_behind_standard_output() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for arguments in [&["tasks"][..], &with_ner(&[TEXT]), &with_ner(&[TEXT, "--format", "table"])] {
        let mut command = program(arguments);
        let ran: Ran =
            command.stdout(full.try_clone().unwrap()).stderr(Stdio::piped()).output().unwrap().into();
        ran.was_refused(&["cannot write to standard output", "No space left"]);
    }
}

#[test]
fn arguments_that_are_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let ran: Ran = program(&with_ner(&[])).arg(OsStr::from_bytes(b"\xff")).output().unwrap().into();
    ran.was_refused(&["UTF-8"]);
}
