//! Every tokenizer under `data/tokenizers` answers as Python's `AutoTokenizer` did when `generate.py`
//! wrote `data/cases`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use burnpipe_core::{ErrorContext, ErrorKind, ModelFiles, Result};
use burnpipe_text::{DecodeOptions, EncodeOptions, Encoding, Side, TextInput, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value, json};

struct Folder(PathBuf);

impl ModelFiles for Folder {
    fn model_name(&self) -> &str {
        self.0.to_str().unwrap_or("?")
    }

    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        let path = self.0.join(file);
        if !path.is_file() {
            return Ok(None);
        }
        std::fs::read(path).map(|bytes| Some(bytes.into())).context(ErrorKind::Io, || file.to_owned())
    }
}

#[derive(Deserialize)]
struct Cases {
    properties: Value,
    encode: Vec<EncodeCase>,
    windows: Vec<Window>,
    long: Vec<LongCase>,
    decode: Vec<DecodeCase>,
    join: Vec<JoinCase>,
}

/// The place of an input, the place of its arguments, and what came out.
#[derive(Deserialize)]
struct EncodeCase(usize, usize, Outcome);

#[derive(Deserialize)]
#[serde(untagged)]
enum Outcome {
    /// Places in the windows of the file.
    Windows(Vec<usize>),
    /// The exception that Python raised.
    Raised(String),
}

/// What the cases of all tokenizers share.
struct Shared {
    inputs: Vec<Input>,
    arguments: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Input {
    text: Option<String>,
    text_pair: Option<String>,
    words: Option<Vec<String>>,
    words_pair: Option<Vec<String>>,
}

/// The fields of a window, in the order in which they are written; the last ones are left out of most
/// windows.
#[derive(Deserialize)]
#[serde(expecting = "a list of the fields of a window")]
struct Window {
    ids: String,
    offsets: String,
    word_ids: String,
    #[serde(default)]
    type_ids: Option<String>,
    #[serde(default)]
    attention_mask: Option<String>,
    #[serde(default)]
    special_tokens_mask: Option<String>,
    #[serde(default)]
    sequence_ids: Option<String>,
    #[serde(default)]
    tokens: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct LongCase {
    unit: String,
    count: usize,
    tokens: usize,
    checksum: u32,
}

#[derive(Deserialize)]
struct DecodeCase {
    ids: Vec<u32>,
    skip_special_tokens: bool,
    clean_up_tokenization_spaces: Option<bool>,
    text: String,
}

#[derive(Deserialize)]
struct JoinCase {
    tokens: Vec<String>,
    text: String,
}

/// Collects what differs, so that one run shows every difference.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn check<T: PartialEq + std::fmt::Debug>(&mut self, place: &str, field: &str, ours: &[T], python: &[T]) {
        let Some(index) =
            (0..ours.len().max(python.len())).find(|index| ours.get(*index) != python.get(*index))
        else {
            return;
        };
        self.0.push(format!(
            "{place}: `{field}` differs first at {index}: {:?}, Python has {:?} (lengths {} and {})",
            ours.get(index),
            python.get(index),
            ours.len(),
            python.len()
        ));
    }
}

#[test]
fn every_tokenizer_answers_as_python_does() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(data.join("tokenizers")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() > 10, "the data is missing");
    let read = |file: &str| std::fs::read_to_string(data.join(file)).unwrap();
    let shared = Shared {
        inputs: serde_json::from_str(&read("inputs.json")).unwrap(),
        arguments: serde_json::from_str(&read("arguments.json")).unwrap(),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let differences: Vec<String> = std::thread::scope(|scope| {
        let shared = &shared;
        let parts = folders.chunks(folders.len().div_ceil(threads));
        let parts: Vec<_> = parts
            .map(|folders| {
                scope.spawn(move || {
                    let mut differences = Differences::default();
                    folders.iter().for_each(|folder| check_folder(&mut differences, folder, shared));
                    differences.0
                })
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let shown = differences.iter().take(60).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} differences:\n{shown}", differences.len());
}

fn check_folder(differences: &mut Differences, folder: &Path, shared: &Shared) {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/cases/{name}.json"));
    let cases: Cases = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let tokenizer = Tokenizer::load(&Folder(folder.to_owned()))
        .unwrap_or_else(|error| panic!("{name}: {}", error.report()));
    check_properties(differences, name, &tokenizer, &cases.properties);
    for case in &cases.encode {
        check_encode(differences, name, &tokenizer, shared, &cases.windows, case);
    }
    for case in &cases.long {
        check_long(differences, name, &tokenizer, case);
    }
    check_texts(differences, name, &tokenizer, &cases);
}

fn check_properties(differences: &mut Differences, name: &str, tokenizer: &Tokenizer, python: &Value) {
    let side = |side| if side == Side::Left { "left" } else { "right" };
    let ours = json!({
        "vocab_size": tokenizer.vocab_size(),
        "model_max_length": tokenizer.model_max_length(),
        "padding_side": side(tokenizer.padding_side()),
        "truncation_side": side(tokenizer.truncation_side()),
        "pad_token_type_id": tokenizer.pad_token_type_id(),
        "special_tokens": {
            "bos_token": tokenizer.bos_token(),
            "eos_token": tokenizer.eos_token(),
            "unk_token": tokenizer.unk_token(),
            "sep_token": tokenizer.sep_token(),
            "pad_token": tokenizer.pad_token(),
            "cls_token": tokenizer.cls_token(),
            "mask_token": tokenizer.mask_token(),
        },
        "special_ids": {
            "bos_token_id": tokenizer.bos_token_id(),
            "eos_token_id": tokenizer.eos_token_id(),
            "unk_token_id": tokenizer.unk_token_id(),
            "sep_token_id": tokenizer.sep_token_id(),
            "pad_token_id": tokenizer.pad_token_id(),
            "cls_token_id": tokenizer.cls_token_id(),
            "mask_token_id": tokenizer.mask_token_id(),
        },
        "all_special_tokens": tokenizer.all_special_tokens(),
        "all_special_ids": tokenizer.all_special_ids(),
        "model_input_names": tokenizer.model_input_names(),
        "continuing_subword_prefix": tokenizer.continuing_subword_prefix(),
        "num_special_tokens_to_add":
            [tokenizer.num_special_tokens_to_add(false), tokenizer.num_special_tokens_to_add(true)],
    });
    for (property, value) in ours.as_object().unwrap() {
        differences.check(
            name,
            property,
            std::slice::from_ref(value),
            std::slice::from_ref(&python[property]),
        );
    }
    for (id, token) in python["added_tokens"].as_object().unwrap() {
        let ours = tokenizer.token_to_id(token.as_str().unwrap());
        differences.check(name, &format!("id of {token}"), &[ours], &[id.parse().ok()]);
    }
}

fn check_encode(
    differences: &mut Differences,
    name: &str,
    tokenizer: &Tokenizer,
    shared: &Shared,
    windows: &[Window],
    case: &EncodeCase,
) {
    let EncodeCase(input, arguments, outcome) = case;
    let input = shared.inputs[*input].to_text_input();
    let arguments = &shared.arguments[*arguments];
    let place = format!("{name}, {input:?} with {}", Value::Object(arguments.clone()));
    let ours = EncodeOptions::from_kwargs(arguments).and_then(|options| tokenizer.encode(&input, &options));
    match (ours, outcome) {
        (Ok(ours), Outcome::Windows(python)) => {
            let python: Vec<&Window> = python.iter().map(|place| &windows[*place]).collect();
            check_windows(differences, &place, &ours, &python);
        }
        (Ok(_), Outcome::Raised(error)) => {
            differences.0.push(format!("{place}: gives a result; Python raises {error}"));
        }
        (Err(error), Outcome::Windows(_)) => {
            differences.0.push(format!("{place}: fails with {}", error.report()));
        }
        (Err(error), Outcome::Raised(_)) => {
            let fitting = [ErrorKind::Parameter, ErrorKind::Input, ErrorKind::Unsupported];
            differences.check(&place, "error kind", &[fitting.contains(&error.kind())], &[true]);
        }
    }
}

impl Input {
    fn to_text_input(&self) -> TextInput {
        let Self { text, text_pair, words, words_pair } = self;
        match (text.clone(), text_pair.clone(), words.clone(), words_pair.clone()) {
            (Some(text), Some(text_pair), ..) => TextInput::Pair { text, text_pair },
            (Some(text), ..) => TextInput::Text(text),
            (_, _, Some(words), Some(words_pair)) => TextInput::WordsPair { words, words_pair },
            (_, _, words, _) => TextInput::Words(words.unwrap()),
        }
    }
}

fn check_windows(differences: &mut Differences, place: &str, ours: &[Encoding], python: &[&Window]) {
    differences.check(place, "number of windows", &[ours.len()], &[python.len()]);
    for (number, (ours, python)) in ours.iter().zip(python).enumerate() {
        let place = &format!("{place}, window {number}");
        let offsets = ours.offsets.iter().map(|(start, end)| format!("{start}-{end}"));
        let word_ids = ours.word_ids.iter().map(or_dash);
        for (field, ours, python) in [
            ("ids", ours.ids.iter().map(u32::to_string).collect::<Vec<_>>(), &python.ids),
            ("offsets", offsets.collect(), &python.offsets),
            ("word_ids", word_ids.collect(), &python.word_ids),
        ] {
            let python: Vec<String> = python.split_whitespace().map(str::to_owned).collect();
            differences.check(place, field, &ours, &python);
        }
        if let Some(tokens) = &python.tokens {
            differences.check(place, "tokens", &ours.tokens, tokens);
        }
        let digits = |values: &[u32]| values.iter().map(u32::to_string).collect::<String>();
        for (field, ours, python) in [
            ("type_ids", digits(&ours.type_ids), &python.type_ids),
            ("attention_mask", digits(&ours.attention_mask), &python.attention_mask),
            ("special_tokens_mask", digits(&ours.special_tokens_mask), &python.special_tokens_mask),
            ("sequence_ids", ours.sequence_ids.iter().map(or_dash).collect(), &python.sequence_ids),
        ] {
            if let Some(python) = python {
                differences.check(place, field, ours.as_bytes(), python.as_bytes());
            }
        }
    }
}

fn or_dash<T: ToString>(id: &Option<T>) -> String {
    id.as_ref().map_or("-".to_owned(), T::to_string)
}

fn check_long(differences: &mut Differences, name: &str, tokenizer: &Tokenizer, case: &LongCase) {
    let input = TextInput::Text(case.unit.repeat(case.count));
    let windows = tokenizer.encode(&input, &EncodeOptions::default()).unwrap();
    let mut checksum = 0_u32;
    for (id, (start, end)) in windows[0].ids.iter().zip(&windows[0].offsets) {
        let step = u64::from(*id) * 7 + *start as u64 * 3 + *end as u64;
        checksum = checksum.wrapping_mul(31).wrapping_add(step as u32);
    }
    let place = format!("{name}, {:?} {} times", case.unit, case.count);
    differences.check(&place, "tokens", &[windows[0].len()], &[case.tokens]);
    differences.check(&place, "checksum", &[checksum], &[case.checksum]);
}

fn check_texts(differences: &mut Differences, name: &str, tokenizer: &Tokenizer, cases: &Cases) {
    for case in &cases.decode {
        let options = DecodeOptions {
            skip_special_tokens: case.skip_special_tokens,
            clean_up_tokenization_spaces: case.clean_up_tokenization_spaces,
        };
        let text = tokenizer.decode(&case.ids, options).unwrap();
        let place = format!("{name}, {:?} with {options:?}", case.ids);
        differences.check(&place, "decoded text", &[text.as_str()], &[case.text.as_str()]);
    }
    for case in &cases.join {
        let text = tokenizer.convert_tokens_to_string(&case.tokens).unwrap();
        let place = format!("{name}, {:?}", case.tokens);
        differences.check(&place, "joined text", &[text.as_str()], &[case.text.as_str()]);
    }
}
