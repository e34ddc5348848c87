//! Missing and broken tokenizer files are errors that name the file, and never panics.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use burnpipe_core::{ErrorKind, ModelFiles, Result};
use burnpipe_text::{EncodeOptions, TextInput, Tokenizer};

/// A model whose files are in memory.
#[derive(Default)]
struct InMemory(BTreeMap<String, Vec<u8>>);

impl InMemory {
    fn of(files: &[(&str, &[u8])]) -> Self {
        Self(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect())
    }
}

impl ModelFiles for InMemory {
    fn model_name(&self) -> &str {
        "org/model"
    }

    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        Ok(self.0.get(file).cloned().map(Cow::Owned))
    }
}

fn tokenizer_file(path: &str) -> Vec<u8> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers");
    std::fs::read(data.join(path)).unwrap()
}

const BERT: &[u8] = br#"{"model_type": "bert"}"#;
const ROBERTA: &[u8] = br#"{"model_type": "roberta"}"#;
const XLM_ROBERTA: &[u8] = br#"{"model_type": "xlm-roberta"}"#;
const VOCABULARY: &[u8] = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n";

struct Case<'a> {
    files: &'a [(&'a str, &'a [u8])],
    kind: ErrorKind,
    /// What the message says.
    says: &'a [&'a str],
}

#[test]
fn broken_files_are_named() {
    let spm = tokenizer_file("xlm-roberta-slow/sentencepiece.bpe.model");
    let json = tokenizer_file("bert-fast/tokenizer.json");
    let merges = tokenizer_file("roberta-slow/merges.txt");
    let broken_charsmap = String::from_utf8(json.clone()).unwrap().replacen(
        r#""normalizer": {"#,
        r#""normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAEC"}, "unused": {"#,
        1,
    );
    assert!(broken_charsmap.contains("AAEC"));
    let cases = [
        Case { files: &[], kind: ErrorKind::MissingFile, says: &["org/model", "`tokenizer.json`"] },
        Case {
            files: &[("config.json", BERT)],
            kind: ErrorKind::MissingFile,
            says: &["`tokenizer.json` or `vocab.txt`"],
        },
        Case {
            files: &[("config.json", ROBERTA), ("vocab.json", b"{}")],
            kind: ErrorKind::MissingFile,
            says: &["`vocab.json` with `merges.txt`"],
        },
        Case {
            files: &[("config.json", XLM_ROBERTA)],
            kind: ErrorKind::MissingFile,
            says: &["`sentencepiece.bpe.model`"],
        },
        Case { files: &[("config.json", b"{")], kind: ErrorKind::Config, says: &["`config.json`"] },
        Case {
            files: &[("tokenizer.json", &json[..json.len() / 2])],
            kind: ErrorKind::Tokenizer,
            says: &["`tokenizer.json`"],
        },
        Case {
            files: &[("tokenizer.json", b"{}")],
            kind: ErrorKind::Tokenizer,
            says: &["`tokenizer.json`", "model"],
        },
        Case {
            files: &[("tokenizer.json", broken_charsmap.as_bytes())],
            kind: ErrorKind::Tokenizer,
            says: &["`tokenizer.json`"],
        },
        Case { files: &[("tokenizer.json", b"\xff\xfe")], kind: ErrorKind::Tokenizer, says: &["UTF-8"] },
        Case {
            files: &[("tokenizer.json", &json), ("tokenizer_config.json", b"[]")],
            kind: ErrorKind::Tokenizer,
            says: &["`tokenizer_config.json`"],
        },
        Case {
            files: &[("vocab.txt", VOCABULARY), ("tokenizer_config.json", br#"{"padding_side": "up"}"#)],
            kind: ErrorKind::Tokenizer,
            says: &["`padding_side`", "\"up\"", "`left` or `right`"],
        },
        Case {
            files: &[("vocab.txt", VOCABULARY), ("tokenizer_config.json", br#"{"pad_token": 7}"#)],
            kind: ErrorKind::Tokenizer,
            says: &["`pad_token`"],
        },
        Case {
            files: &[("vocab.txt", VOCABULARY), ("special_tokens_map.json", b"nonsense")],
            kind: ErrorKind::Tokenizer,
            says: &["`special_tokens_map.json`"],
        },
        Case {
            files: &[("vocab.txt", VOCABULARY), ("added_tokens.json", br#"{"x": "y"}"#)],
            kind: ErrorKind::Tokenizer,
            says: &["`added_tokens.json`", "`x`"],
        },
        Case {
            files: &[("vocab.txt", b"hello\nworld\n")],
            kind: ErrorKind::Tokenizer,
            says: &["`vocab.txt`", "`[UNK]`"],
        },
        Case { files: &[("vocab.txt", b"")], kind: ErrorKind::Tokenizer, says: &["`vocab.txt`"] },
        Case {
            files: &[("vocab.txt", b"\xff")],
            kind: ErrorKind::Tokenizer,
            says: &["`vocab.txt`", "UTF-8"],
        },
        Case {
            files: &[("vocab.json", b"{\"a\": 1"), ("merges.txt", &merges)],
            kind: ErrorKind::Tokenizer,
            says: &["`vocab.json`"],
        },
        Case {
            files: &[("vocab.json", b"{\"<s>\": 0, \"a\": 1}"), ("merges.txt", b"#version\na b\n")],
            kind: ErrorKind::Tokenizer,
            says: &["`merges.txt`", "`vocab.json`", "`b`"],
        },
        Case {
            files: &[("vocab.json", b"{\"<s>\": 0, \"a\": 1}"), ("merges.txt", b"#version\nabc\n")],
            kind: ErrorKind::Tokenizer,
            says: &["`merges.txt`", "line 2"],
        },
        Case {
            files: &[("config.json", XLM_ROBERTA), ("sentencepiece.bpe.model", &spm[..spm.len() / 3])],
            kind: ErrorKind::Tokenizer,
            says: &["`sentencepiece.bpe.model`"],
        },
        Case {
            files: &[("config.json", XLM_ROBERTA), ("sentencepiece.bpe.model", b"")],
            kind: ErrorKind::Tokenizer,
            says: &["`sentencepiece.bpe.model`"],
        },
        Case {
            files: &[
                ("tokenizer.json", &json),
                ("tokenizer_config.json", br#"{"tokenizer_class": "CanineTokenizer"}"#),
            ],
            kind: ErrorKind::Unsupported,
            says: &["`CanineTokenizer`"],
        },
    ];
    for Case { files, kind, says } in cases {
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        let error =
            Tokenizer::load(&InMemory::of(files)).expect_err(&format!("{names:?} with {says:?} loads"));
        let report = error.report();
        assert_eq!(error.kind(), kind, "{names:?}: {report}");
        for part in says {
            assert!(report.contains(part), "{names:?}: `{report}` does not say {part}");
        }
    }
}

#[test]
fn files_cut_off_anywhere_never_panic() {
    for (folder, file, config) in [
        ("xlm-roberta-slow", "sentencepiece.bpe.model", XLM_ROBERTA),
        ("bert-fast", "tokenizer.json", BERT),
        ("xlm-roberta-fast", "tokenizer.json", XLM_ROBERTA),
        ("roberta-slow", "merges.txt", ROBERTA),
    ] {
        let whole = tokenizer_file(&format!("{folder}/{file}"));
        for length in (0..whole.len()).step_by(whole.len() / 90 + 1) {
            let mut files = InMemory::of(&[("config.json", config), (file, &whole[..length])]);
            if file == "merges.txt" {
                files.0.insert("vocab.json".to_owned(), tokenizer_file("roberta-slow/vocab.json"));
            }
            // Merges have no end mark: cut off, they are a smaller tokenizer.
            if let Ok(tokenizer) = Tokenizer::load(&files) {
                let input = TextInput::from("Hello, 東京 ｗｉｄｅ!");
                tokenizer.encode(&input, &EncodeOptions::default()).unwrap();
                assert_eq!(file, "merges.txt", "{folder}/{file} loads when cut off at {length}");
            }
        }
    }
}

#[test]
fn clones_share_one_tokenizer_between_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Tokenizer>();
    let tokenizer = Tokenizer::load(&InMemory::of(&[("vocab.txt", VOCABULARY)])).unwrap();
    let options = EncodeOptions { max_length: Some(4), ..EncodeOptions::default() };
    let ids = std::thread::scope(|scope| {
        let other = tokenizer.clone();
        scope.spawn(move || other.encode(&"hello".into(), &options).unwrap()[0].ids.clone()).join().unwrap()
    });
    assert_eq!(ids, tokenizer.encode(&"hello".into(), &EncodeOptions::default()).unwrap()[0].ids);
}
