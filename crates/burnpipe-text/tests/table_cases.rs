//! Tables and questions become the tokens that Python's `TapasTokenizer` made of them when `tables/generate.py`
//! wrote `tables/cases.json`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burnpipe_core::{ErrorContext, ErrorKind, ModelFiles, Result};
use burnpipe_text::{Padding, Table, TableEncoding, TableOptions, TableTokenizer, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value};

struct Folder(PathBuf);

impl Folder {
    fn of(tokenizer: &str) -> Self {
        Self(tables().join(tokenizer))
    }
}

impl ModelFiles for Folder {
    fn model_name(&self) -> &str {
        self.0.to_str().unwrap_or("?")
    }

    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        let path = self.0.join(file);
        if !path.is_file() {
            return Ok(None);
        }
        fs::read(path).map(|bytes| Some(bytes.into())).context(ErrorKind::Io, || file.to_owned())
    }
}

#[derive(Deserialize)]
struct Case {
    tokenizer: String,
    table: String,
    questions: Vec<String>,
    arguments: Map<String, Value>,
    /// Ids, the seven types, the attention mask of each question; none where Python raised.
    #[serde(default)]
    windows: Option<Vec<[String; 9]>>,
}

fn tables() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables")
}

fn table(columns: &Map<String, Value>) -> Table {
    let cells = |column: &Value| serde_json::from_value::<Vec<String>>(column.clone()).unwrap();
    let columns: Vec<(String, Vec<String>)> =
        columns.iter().map(|(name, column)| (name.clone(), cells(column))).collect();
    let rows = (0..columns[0].1.len())
        .map(|at| columns.iter().map(|(_, cells)| cells[at].clone()).collect())
        .collect();
    Table::new(columns.into_iter().map(|(name, _)| name).collect(), rows).unwrap()
}

fn options(arguments: &Map<String, Value>) -> TableOptions {
    let padding = match &arguments["padding"] {
        Value::Bool(false) => Padding::DoNotPad,
        Value::String(name) if name == "max_length" => Padding::MaxLength,
        _ => Padding::Longest,
    };
    let drop_rows_to_fit = arguments["truncation"] == true || arguments["truncation"] == "drop_rows_to_fit";
    TableOptions { drop_rows_to_fit, padding }
}

/// Numbers as text, those that repeat as `value*times`.
fn runs(values: impl IntoIterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, usize)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((last, times)) if *last == value => *times += 1,
            _ => runs.push((value, 1)),
        }
    }
    let write = |(value, times): &(u32, usize)| {
        if *times == 1 { value.to_string() } else { format!("{value}*{times}") }
    };
    runs.iter().map(write).collect::<Vec<_>>().join(" ")
}

fn window(encoding: &TableEncoding) -> [String; 9] {
    let types = |at: usize| runs(encoding.type_ids.iter().map(|types| types[at]));
    let mut window: [String; 9] = Default::default();
    window[0] = runs(encoding.ids.iter().copied());
    for at in 0..7 {
        window[at + 1] = types(at);
    }
    window[8] = runs(encoding.attention_mask.iter().copied());
    window
}

#[test]
fn every_table_gives_the_tokens_of_python() {
    let read = |name: &str| fs::read(tables().join(name)).unwrap();
    let columns: BTreeMap<String, Map<String, Value>> = serde_json::from_slice(&read("tables.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&read("cases.json")).unwrap();
    assert!(cases.len() >= 80);
    let mut differences = Vec::new();
    for case in &cases {
        let tokenizer = TableTokenizer::load(&Folder::of(&case.tokenizer)).unwrap();
        let place = format!("{} {} {:?}", case.tokenizer, case.table, case.arguments);
        let encoded =
            tokenizer.encode(&table(&columns[&case.table]), &case.questions, options(&case.arguments));
        let Some(expected) = &case.windows else {
            assert_eq!(encoded.unwrap_err().kind(), ErrorKind::Input, "{place}");
            continue;
        };
        let windows: Vec<[String; 9]> = encoded.unwrap().iter().map(window).collect();
        assert_eq!(windows.len(), expected.len(), "{place}");
        for (question, (ours, python)) in case.questions.iter().zip(windows.iter().zip(expected)) {
            if let Some(at) = (0..9).find(|at| ours[*at] != python[*at]) {
                differences.push(format!(
                    "{place} {question:?} list {at}:\n  ours   {}\n  python {}",
                    ours[at], python[at]
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{}\n{} differ", differences.join("\n"), differences.len());
}

#[test]
fn a_tokenizer_of_tables_is_none_of_texts_and_the_other_way_round() {
    let error = Tokenizer::load(&Folder::of("short")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(
        error.to_string().contains("`TapasTokenizer`") && error.to_string().contains("tables"),
        "{error}"
    );
    let bert = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers/bert-slow-cased");
    let error = TableTokenizer::load(&Folder(bert)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("`BertTokenizer`"), "{error}");
}

#[test]
fn rows_of_another_length_are_no_table() {
    let columns = || vec!["a".to_owned(), "b".to_owned()];
    let error = Table::new(columns(), vec![columns(), vec!["1".to_owned()]]).unwrap_err();
    assert_eq!(error.to_string(), "row 1 of the table has 1 cells, and there are 2 columns");
}
