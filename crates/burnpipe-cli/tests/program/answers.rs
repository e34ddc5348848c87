//! The bundled model gives Python's answers, however the inputs come in.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Files, assert_same, ner, run, run_with_input, with_ner, workspace};

const SENTENCE: &str = "My name is Sarah Connor, I live at 42 Oak Street in Los Angeles, \
                        call me at 415-555-0132 or sarah.connor@example.com.";
const SIMPLE: &str = r#"{"aggregation_strategy": "simple"}"#;

#[test]
fn the_bundled_model_answers_as_python_does() {
    let path = workspace().join("tests/goldens/real/bundled-ner.json");
    let golden: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let files = Files::new();
        let inputs = files.write("inputs.json", case["inputs"].to_string());
        let params = if case["params"].is_null() { json!({}) } else { case["params"].clone() };
        let params = params.to_string();
        for batch_size in ["1", "8"] {
            let ran = ner(&[
                "--inputs",
                &inputs,
                "--params",
                &params,
                "--format",
                "json",
                "--batch-size",
                batch_size,
            ]);
            assert_same(&ran.json(), &case["expected"], &case["name"].to_string());
        }
    }
}

#[test]
fn a_text_of_the_command_line_gives_the_entities_of_the_readme() {
    let ran = ner(&["--params", SIMPLE, "--format", "json", SENTENCE]);
    let answer = &ran.json()[0];
    let expected = [
        ("GIVEN_NAME", "sarah", 11, 16, 0.99584),
        ("SURNAME", "connor", 17, 23, 0.9654),
        ("BUILDING_NUMBER", "42", 35, 37, 0.9861),
        ("STREET_NAME", "oak street", 38, 48, 0.9822),
        ("CITY", "los angeles", 52, 63, 0.9222),
    ];
    for (entity, (label, word, start, end, score)) in answer.as_array().unwrap().iter().zip(expected) {
        assert_eq!(entity["entity_group"], label);
        assert_eq!(
            (&entity["word"], &entity["start"], &entity["end"]),
            (&json!(word), &json!(start), &json!(end))
        );
        assert!((entity["score"].as_f64().unwrap() - score).abs() < 1e-4, "{entity}");
    }
}

#[test]
fn every_way_in_gives_the_same_answers() {
    let files = Files::new();
    let texts = ["I am Sarah Connor.", "Zoë lives in Los Angeles, \"CA\"."];
    let expected = ner(&["--params", SIMPLE, texts[0], texts[1]]).lines();
    assert_eq!(expected.len(), 2);
    let object = |text: &str| json!({"id": 1, "body": text}).to_string();
    let (first, second) = (json!(texts[0]).to_string(), json!(texts[1]).to_string());
    let json_array = files.write("a.json", format!("[{first},\n {second}]"));
    let json_objects = files.write("b.json", format!("[{}, {}]", object(texts[0]), object(texts[1])));
    let jsonl = files.write("a.jsonl", format!("{first}\n\n{second}\n"));
    let jsonl_objects = files.write("b.jsonl", format!("{}\r\n{}", object(texts[0]), object(texts[1])));
    let quoted = texts[1].replace('"', "\"\"");
    let csv = files.write("a.csv", format!("id,text\n1,{}\n2,\"{quoted}\"\n", texts[0]));
    let csv_column = files.write("b.csv", format!("body,text\n{},x\n\"{quoted}\",y\n", texts[0]));
    let plain = format!("{}\n{}\n", texts[0], texts[1]);
    let text = files.write("a.txt", &plain);
    let no_extension = files.write("lines", &plain);
    let cases: [&[&str]; 9] = [
        &["--inputs", &json_array],
        &["--inputs", &json_objects, "--column", "body"],
        &["--inputs", &jsonl],
        &["--inputs", &jsonl_objects, "--column", "body"],
        &["--inputs", &csv],
        &["--inputs", &csv_column, "--column", "body"],
        &["--inputs", &text],
        &["--inputs", &no_extension],
        &["--inputs", &csv_column, "--column", "body", "--input-format", "csv"],
    ];
    for case in cases {
        let ran = ner(&[&["--params", SIMPLE], case].concat());
        assert_eq!(ran.lines(), expected, "{case:?}");
    }
    let jsonl_text = files.read("a.jsonl");
    let piped: [(&[&str], &str); 4] = [
        (&[], &plain),
        (&["--inputs", "-"], &plain),
        (&["--inputs", "-"], &jsonl_text),
        (&["--inputs", "-", "--input-format", "csv"], &files.read("a.csv")),
    ];
    for (arguments, input) in piped {
        let ran = run_with_input(&with_ner(&[&["--params", SIMPLE], arguments].concat()), input.as_bytes());
        assert_eq!(ran.lines(), expected, "{arguments:?}");
    }
}

#[test]
fn parameters_may_come_from_a_file() {
    let files = Files::new();
    let params = format!("@{}", files.write("params.json", SIMPLE));
    assert_eq!(ner(&["--params", &params, SENTENCE]).lines(), ner(&["--params", SIMPLE, SENTENCE]).lines());
}

#[test]
fn threads_devices_and_types_do_not_change_the_answer() {
    let expected = ner(&[SENTENCE]).lines();
    for arguments in [&["--threads", "1"][..], &["--device", "cpu"], &["--device", "-1"], &["--dtype", "f32"]]
    {
        assert_eq!(ner(&[arguments, &[SENTENCE]].concat()).lines(), expected, "{arguments:?}");
    }
}

#[test]
fn answers_go_to_a_file_in_the_format_of_its_name() {
    let files = Files::new();
    for (name, begin) in [("a.json", "[\n["), ("a.jsonl", "[{"), ("a.out", "[{")] {
        let ran = ner(&["--output", &files.path(name), SENTENCE]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
        let text = files.read(name);
        assert!(text.starts_with(begin) && text.ends_with('\n'), "{text}");
    }
    assert_eq!(files.names().len(), 3);
}

#[test]
fn a_piped_table_is_plain_and_marks_the_entities() {
    let ran = ner(&["--format", "table", "--params", SIMPLE, SENTENCE]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.out.contains('\x1b'), "{}", ran.out);
    let text = "My name is [Sarah GIVEN_NAME] [Connor SURNAME], I live at [42 BUILDING_NUMBER] \
                [Oak Street STREET_NAME] in [Los Angeles CITY], ";
    assert!(ran.out.starts_with(text), "{}", ran.out);
    assert!(ran.out.contains("STREET_NAME      Oak Street"), "{}", ran.out);
}

#[test]
fn questions_come_as_objects_or_as_columns() {
    let files = Files::new();
    let model = workspace().join("tests/goldens/models/bert-questions").to_str().unwrap().to_owned();
    let ask = |name: &str, content: &str, format: &str| {
        let inputs = files.write(name, content);
        run(&["run", "question-answering", "--model", &model, "--inputs", &inputs, "--format", format])
    };
    let lines = "{\"question\": \"Where?\", \"context\": \"Sarah lives in Paris.\"}\n\
                 {\"context\": \"In 1998.\", \"question\": \"When?\"}\n";
    let expected = ask("a.jsonl", lines, "jsonl").lines();
    assert_eq!(expected.len(), 2);
    assert!(expected.iter().all(|answer| answer["answer"].is_string()), "{expected:?}");
    let columns = "question,context\nWhere?,Sarah lives in Paris.\nWhen?,In 1998.\n";
    assert_eq!(ask("a.csv", columns, "jsonl").lines(), expected);
    let table = ask("a.jsonl", lines, "table").out;
    assert!(table.contains("line 2  When?\nanswer "), "{table}");
    ask("b.jsonl", "{\"question\": \"Where?\", \"context\": \"\"}\n", "jsonl")
        .was_refused(&["line 1", "`context` is empty"]);
}

#[test]
fn no_inputs_give_no_answers() {
    let files = Files::new();
    let cases =
        [("a.json", "[]", "json", "[]\n"), ("a.jsonl", "\n", "jsonl", ""), ("a.csv", "text\n", "jsonl", "")];
    for (name, content, format, expected) in cases {
        let ran = ner(&["--inputs", &files.write(name, content), "--format", format]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), expected, ""), "{name}");
    }
}

#[test]
fn a_local_folder_is_a_model() {
    let folder = workspace().join("tests/goldens/models/bert-sentiment");
    let folder = folder.to_str().unwrap();
    let ran = run(&["run", "sentiment-analysis", "--model", folder, "--format", "json", "one", "two"]);
    let answers = ran.json();
    assert_eq!(answers.as_array().unwrap().len(), 2);
    assert!(answers[0]["label"].is_string() && answers[0]["score"].is_f64(), "{answers}");
}

#[test]
fn words_for_masks_are_a_table_on_a_terminal_and_python_s_fields_elsewhere() {
    let folder = workspace().join("tests/goldens/models/bert-mask");
    let arguments = [
        "run",
        "fill-mask",
        "--model",
        folder.to_str().unwrap(),
        "--params",
        r#"{"targets": ["the", "in"]}"#,
    ];
    let texts = ["Sarah lives in [MASK].", "[MASK] and [MASK]"];
    let answers = run(&[&arguments[..], &["--format", "json"], &texts].concat()).json();
    let words = |answer: &Value| answer.as_array().unwrap().len();
    assert_eq!((words(&answers[0]), words(&answers[1]), words(&answers[1][0])), (2, 2, 2));
    let word = answers[0][0]["token_str"].as_str().unwrap();
    assert_eq!(answers[0][0]["sequence"], format!("sarah lives in {word}."));
    let table = run(&[&arguments[..], &["--format", "table", texts[0]]].concat());
    let lines: Vec<Vec<&str>> = table.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["word", "score", "text"]);
    assert_eq!((lines.len(), lines[1][0], lines[1][2]), (3, word, "sarah"));
    let refused = run(&[&arguments[..], &["Sarah lives in Paris."]].concat());
    assert!(refused.err.contains("[MASK]") && refused.err.contains("Sarah lives"), "{refused:?}");
}

#[test]
fn labels_of_the_callers_own_are_asked_for_before_a_model_is_loaded() {
    let folder = workspace().join("tests/goldens/models/bert-zero-shot");
    let folder = folder.to_str().unwrap();
    let ask = |params: &str| {
        run(&[
            "run",
            "zero-shot-classification",
            "--model",
            folder,
            "--params",
            params,
            "--format",
            "table",
            "Hi",
        ])
    };
    let ran = ask(r#"{"candidate_labels": "food, travel"}"#);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("food") && ran.out.contains("travel") && ran.out.contains('█'), "{}", ran.out);
    let ran = run(&["run", "zero-shot-classification", "--model", "/no/such/model", "Hi"]);
    assert!(ran.err.contains("`candidate_labels` is missing"), "{}", ran.err);
}

#[test]
fn a_table_may_be_the_path_of_a_csv() {
    let files = Files::new();
    let csv = files.write("actors.csv", "name,age\n\"pitt, brad\",56\nclooney,59\n");
    let query = "who is older than 50?";
    let columns = json!({"name": ["pitt, brad", "clooney"], "age": ["56", "59"]});
    let inputs = json!([{"table": csv, "query": query}, {"table": columns, "query": query}]);
    let inputs = files.write("inputs.json", inputs.to_string());
    let folder = workspace().join("tests/goldens/models/tapas-wtq");
    let arguments =
        ["run", "table-question-answering", "--model", folder.to_str().unwrap(), "--inputs", &inputs];
    let answers = run(&[&arguments[..], &["--format", "json"]].concat()).json();
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0]["coordinates"].is_array() && answers[0]["aggregator"].is_string(), "{answers}");
    let table = run(&[&arguments[..], &["--format", "table"]].concat());
    assert!(table.out.contains("answer") && table.out.contains("row, column"), "{table:?}");
    let missing = json!([{"table": files.path("none.csv"), "query": query}]);
    let missing = files.write("missing.json", missing.to_string());
    let arguments =
        ["run", "table-question-answering", "--model", folder.to_str().unwrap(), "--inputs", &missing];
    run(&arguments).was_refused(&["none.csv"]);
}
