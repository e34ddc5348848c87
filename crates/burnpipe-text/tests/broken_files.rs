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
const ALBERT: &[u8] = br#"{"model_type": "albert"}"#;
const BARTHEZ: &[u8] = br#"{"tokenizer_class": "BarthezTokenizer"}"#;
const CAMEMBERT: &[u8] = br#"{"model_type": "camembert"}"#;
const DEBERTA_V2: &[u8] = br#"{"model_type": "deberta-v2"}"#;
const GEMMA: &[u8] = br#"{"model_type": "gemma"}"#;
const LLAMA: &[u8] = br#"{"model_type": "llama"}"#;
const XLNET: &[u8] = br#"{"model_type": "xlnet"}"#;
const VOCABULARY: &[u8] = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n";

/// A SentencePiece model of pieces with their types.
fn sentencepiece(pieces: &[(&str, u8)], unk_id: i64, charsmap: &[u8]) -> Vec<u8> {
    /// A field of bytes in protobuf's format.
    fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
        [&[tag << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }
    let pieces = pieces.iter().flat_map(|(piece, kind)| {
        let piece = [field(1, piece.as_bytes()), vec![3 << 3, *kind]].concat();
        field(1, &piece)
    });
    let mut number = unk_id as u64;
    let mut trainer_spec = vec![0xC0, 0x02];
    while number > 0x7F {
        trainer_spec.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    trainer_spec.push(number as u8);
    pieces.chain(field(2, &trainer_spec)).chain(field(3, &field(2, charsmap))).collect()
}

struct Case<'a> {
    files: &'a [(&'a str, &'a [u8])],
    kind: ErrorKind,
    /// What the message says.
    says: &'a [&'a str],
}

#[test]
fn broken_files_are_named() {
    let spm = tokenizer_file("xlm-roberta-slow/sentencepiece.bpe.model");
    let llama = tokenizer_file("llama-slow/tokenizer.model");
    let json = tokenizer_file("bert-fast/tokenizer.json");
    let merges = tokenizer_file("roberta-slow/merges.txt");
    let broken_charsmap = String::from_utf8(json.clone()).unwrap().replacen(
        r#""normalizer": {"#,
        r#""normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAEC"}, "unused": {"#,
        1,
    );
    assert!(broken_charsmap.contains("AAEC"));
    // A map whose only unit leads far out of it.
    let lost_charsmap = sentencepiece(&[("<unk>", 2), ("▁a", 1)], 0, b"\x04\0\0\0\0\xFC\xFF\xFFx\0");
    let lost_charsmap_json = broken_charsmap.replacen("AAEC", "BAAAAAD8//94AA==", 1);
    let three_pieces = sentencepiece(&[("<unk>", 2), ("<s>", 3), ("</s>", 3)], 0, b"");
    let without_unknown = sentencepiece(&[("<unk>", 2), ("a", 1)], -1, b"");
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
        Case {
            files: &[("config.json", ALBERT)],
            kind: ErrorKind::MissingFile,
            says: &["`tokenizer.json` or `spiece.model`"],
        },
        Case {
            files: &[("config.json", DEBERTA_V2)],
            kind: ErrorKind::MissingFile,
            says: &["`tokenizer.json` or `spm.model`"],
        },
        Case {
            files: &[("config.json", br#"{"model_type": "deberta"}"#), ("merges.txt", &merges)],
            kind: ErrorKind::MissingFile,
            says: &["`vocab.json` with `merges.txt`"],
        },
        Case {
            files: &[("spiece.model", &spm)],
            kind: ErrorKind::Tokenizer,
            says: &["`spiece.model`", "`tokenizer_class`", "`model_type`"],
        },
        Case {
            files: &[("config.json", LLAMA)],
            kind: ErrorKind::MissingFile,
            says: &["`tokenizer.json` or `tokenizer.model`"],
        },
        Case {
            files: &[("tokenizer.model", &llama)],
            kind: ErrorKind::Tokenizer,
            says: &["`tokenizer.model`", "`tokenizer_class`", "`model_type`"],
        },
        Case {
            files: &[("config.json", LLAMA), ("tokenizer.model", &llama[..llama.len() / 3])],
            kind: ErrorKind::Tokenizer,
            says: &["`tokenizer.model`"],
        },
        Case {
            files: &[
                ("config.json", GEMMA),
                ("tokenizer.model", &llama),
                ("tokenizer_config.json", br#"{"pad_token": null}"#),
            ],
            kind: ErrorKind::Tokenizer,
            says: &["`pad_token`"],
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
                ("config.json", ALBERT),
                ("spiece.model", b"version https://git-lfs.github.com/spec/v1\n"),
            ],
            kind: ErrorKind::Tokenizer,
            says: &["`spiece.model`", "complete download"],
        },
        Case {
            files: &[("config.json", DEBERTA_V2), ("spm.model", &lost_charsmap)],
            kind: ErrorKind::Tokenizer,
            says: &["`spm.model`", "character map"],
        },
        Case {
            files: &[("tokenizer.json", lost_charsmap_json.as_bytes())],
            kind: ErrorKind::Tokenizer,
            says: &["`tokenizer.json`", "character map"],
        },
        Case {
            files: &[
                ("config.json", ALBERT),
                ("spiece.model", &spm),
                ("tokenizer_config.json", br#"{"keep_accents": "no"}"#),
            ],
            kind: ErrorKind::Tokenizer,
            says: &["`keep_accents`", "true or false"],
        },
        Case {
            files: &[("config.json", BARTHEZ), ("sentencepiece.bpe.model", &three_pieces)],
            kind: ErrorKind::Tokenizer,
            says: &["`sentencepiece.bpe.model`", "vocabulary size"],
        },
        Case {
            files: &[("config.json", ALBERT), ("spiece.model", &without_unknown)],
            kind: ErrorKind::Tokenizer,
            says: &["`spiece.model`", "`unk_id` is -1"],
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
        ("albert-slow", "spiece.model", ALBERT),
        ("camembert-slow", "sentencepiece.bpe.model", CAMEMBERT),
        ("deberta-v2-slow", "spm.model", DEBERTA_V2),
        ("xlnet-slow", "spiece.model", XLNET),
        ("albert-fast", "tokenizer.json", ALBERT),
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

/// A download that lost its way: bytes that are not those of the file.
#[test]
fn sentencepiece_models_with_wrong_bytes_never_panic() {
    let texts = ["Hello, 東京 ｗｉｄｅ ½ ﬁ!", "e\u{301}\u{200b}\u{a0}\tx\0", "Straße 👩‍👩‍👧‍👦 [MASK] <mask>"];
    for (file, config) in [("spiece.model", ALBERT), ("spm.model", DEBERTA_V2), ("spiece.model", XLNET)] {
        let whole = tokenizer_file("albert-slow/spiece.model");
        let mut loaded = 0;
        for place in (0..whole.len()).step_by(5) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << (place / 5 % 8);
            let Ok(tokenizer) = Tokenizer::load(&InMemory::of(&[("config.json", config), (file, &bytes)]))
            else {
                continue;
            };
            loaded += 1;
            for text in texts {
                // What comes out is of no use; an error would do as well.
                let _ = tokenizer.encode(&text.into(), &EncodeOptions::default());
            }
        }
        assert!(loaded > 20, "{loaded} of {} load", whole.len());
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
