//! Tokens of Whisper's become the transcripts that `_decode_asr` made of them when `whisper/generate.py` wrote
//! `whisper/cases.json`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burnpipe_core::{ErrorContext, ErrorKind, ModelFiles, Result};
use burnpipe_text::{
    CrossAttentions, Transcript, TranscriptChunk, TranscriptOptions, TranscriptTimes, WhisperOutput,
    WhisperTokens,
};
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
        fs::read(path).map(|bytes| Some(bytes.into())).context(ErrorKind::Io, || file.to_owned())
    }
}

#[derive(Deserialize)]
struct Case {
    tokenizer: String,
    outputs: Vec<Output>,
    /// Without times, with those of parts, with those of words; each without languages and with them. None where
    /// Python raised.
    expected: Vec<Option<Value>>,
    with_timestamps: String,
}

#[derive(Deserialize)]
struct Output {
    tokens: Vec<u32>,
    token_timestamps: Vec<f32>,
    stride: Option<(f64, f64, f64)>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/whisper")
}

fn cases() -> (BTreeMap<String, WhisperTokens>, Vec<Case>) {
    let cases: Vec<Case> = serde_json::from_slice(&fs::read(folder().join("cases.json")).unwrap()).unwrap();
    let mut tokenizers = BTreeMap::new();
    for case in &cases {
        let load = || WhisperTokens::load(&Folder(folder().join(&case.tokenizer))).unwrap();
        tokenizers.entry(case.tokenizer.clone()).or_insert_with(load);
    }
    assert_eq!(tokenizers.len(), 3);
    (tokenizers, cases)
}

/// As Python writes it.
fn written(transcript: &Transcript) -> Value {
    let chunk = |chunk: &TranscriptChunk| {
        let mut fields = Map::new();
        fields.insert("text".into(), json!(chunk.text));
        if let Some(timestamp) = chunk.timestamp {
            fields.insert("timestamp".into(), json!(timestamp));
        }
        if let Some(language) = chunk.language {
            fields.insert("language".into(), json!(language));
        }
        Value::Object(fields)
    };
    match &transcript.chunks {
        None => json!({"text": transcript.text}),
        Some(chunks) => {
            json!({"text": transcript.text, "chunks": chunks.iter().map(chunk).collect::<Vec<_>>()})
        }
    }
}

#[test]
fn transcripts_are_pythons() {
    let (tokenizers, cases) = cases();
    let mut checked = 0;
    for case in &cases {
        let outputs: Vec<WhisperOutput> = case
            .outputs
            .iter()
            .map(|output| WhisperOutput {
                tokens: output.tokens.clone(),
                token_timestamps: output.token_timestamps.clone(),
                stride: output.stride,
            })
            .collect();
        let all = [TranscriptTimes::None, TranscriptTimes::Parts, TranscriptTimes::Words];
        let all = all.into_iter().flat_map(|times| [(times, false), (times, true)]);
        for ((times, return_language), expected) in all.zip(&case.expected) {
            let options = TranscriptOptions { times, return_language, time_precision: 0.02 };
            let transcript = tokenizers[&case.tokenizer].transcript(&outputs, &options).unwrap();
            let Some(expected) = expected else { continue };
            assert_eq!(written(&transcript), *expected, "{options:?} of {outputs:?}");
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
}

#[test]
fn texts_with_marks_of_times_are_pythons() {
    let (tokenizers, cases) = cases();
    for case in &cases {
        let tokens: Vec<u32> = case.outputs.iter().flat_map(|output| output.tokens.iter().copied()).collect();
        let text = tokenizers[&case.tokenizer].decode_with_timestamps(&tokens).unwrap();
        assert_eq!(text, case.with_timestamps, "{tokens:?}");
    }
}

#[test]
fn a_tokenizer_without_marks_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers/bert-fast");
    let error = WhisperTokens::load(&Folder(path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tokenizer);
    assert!(error.to_string().contains("<|notimestamps|>"), "{error}");
}

#[derive(Deserialize)]
struct Alignment {
    weights: Vec<f32>,
    tokens: usize,
    positions: usize,
    kept: usize,
    median_filter_width: usize,
    expected: Vec<f32>,
}

/// `whisper/alignments.json`
#[test]
fn tokens_are_said_when_python_says() {
    let cases = fs::read(folder().join("alignments.json")).unwrap();
    for case in serde_json::from_slice::<Vec<Alignment>>(&cases).unwrap() {
        let Alignment { weights, tokens, positions, kept, median_filter_width, expected } = case;
        let attentions = CrossAttentions { weights, tokens, positions };
        let times = attentions.token_timestamps(kept, median_filter_width, 0.02).unwrap();
        assert_eq!(times, expected, "{tokens} tokens, {kept} of {positions} positions");
    }
}

#[test]
fn medians_need_a_middle() {
    let attentions = CrossAttentions { weights: vec![0.5; 4], tokens: 2, positions: 2 };
    for width in [0, 4] {
        let error = attentions.token_timestamps(2, width, 0.02).unwrap_err();
        assert!(error.to_string().contains("median_filter_width"), "{error}");
    }
}
