//! The parameters of a call.

use burnpipe_core::{Error, ErrorKind, Result, parse_parameters};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The parameters of [`AutomaticSpeechRecognition`](super::AutomaticSpeechRecognition).
#[derive(Clone, Debug, Default)]
pub struct AutomaticSpeechRecognitionOptions {
    /// How long the chunks are that a sound is cut into, in seconds; `None` and 0 leave it whole.
    pub chunk_length_s: Option<f64>,
    /// How much of a chunk is context at its beginning and its end, in seconds; a sixth of it when not given.
    pub stride_length_s: Option<[f64; 2]>,
    /// Which times come with the text.
    pub return_timestamps: Option<ReturnTimestamps>,
    /// Whether the language comes with the text, for models that tell it.
    pub return_language: Option<bool>,
    /// How models that write generate their text, by the names of Python's `generate`. CTC models do not
    /// generate; they leave these alone, as in Python.
    pub generate_kwargs: Map<String, Value>,
}

/// Which times come with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnTimestamps {
    /// None.
    No,
    /// Those of segments, for models that write them.
    Segments,
    /// Those of letters, for CTC models.
    Char,
    /// Those of words.
    Word,
}

impl AutomaticSpeechRecognitionOptions {
    pub(super) fn parse(parameters: Map<String, Value>) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Seconds {
            Same(f64),
            Each([f64; 2]),
        }
        #[derive(Deserialize)]
        struct Given {
            chunk_length_s: Option<f64>,
            stride_length_s: Option<Seconds>,
            // It silences a warning that is not written here.
            #[serde(rename = "ignore_warning")]
            _ignore_warning: Option<bool>,
            decoder_kwargs: Option<Value>,
            return_timestamps: Option<Value>,
            return_language: Option<bool>,
            generate_kwargs: Option<Map<String, Value>>,
        }
        let given: Given = parse_parameters(parameters)?;
        if given.decoder_kwargs.is_some() {
            let message = "parameter `decoder_kwargs`: it is for decoding with a language model (`pyctcdecode`), \
                           which is not supported; leave it out";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        Ok(Self {
            chunk_length_s: given.chunk_length_s,
            stride_length_s: given.stride_length_s.map(|seconds| match seconds {
                Seconds::Same(seconds) => [seconds; 2],
                Seconds::Each(seconds) => seconds,
            }),
            return_timestamps: given.return_timestamps.as_ref().map(ReturnTimestamps::parse).transpose()?,
            return_language: given.return_language,
            generate_kwargs: given.generate_kwargs.unwrap_or_default(),
        })
    }

    /// What CTC models can do.
    pub(super) fn check_for_ctc(&self) -> Result<()> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::Parameter, message));
        match self.return_timestamps {
            Some(ReturnTimestamps::No | ReturnTimestamps::Segments) => {
                refuse("parameter `return_timestamps`: a CTC model takes `char` or `word`")
            }
            _ if self.return_language.is_some() => {
                refuse("parameter `return_language`: a CTC model does not tell the language")
            }
            _ => Ok(()),
        }
    }
}

impl ReturnTimestamps {
    fn parse(value: &Value) -> Result<Self> {
        match value {
            Value::Bool(false) => Ok(Self::No),
            Value::Bool(true) => Ok(Self::Segments),
            Value::String(name) if name == "char" => Ok(Self::Char),
            Value::String(name) if name == "word" => Ok(Self::Word),
            _ => {
                let message = format!(
                    "parameter `return_timestamps`: unknown `{value}`; known: true, false, `char`, `word`"
                );
                Err(Error::new(ErrorKind::Parameter, message))
            }
        }
    }
}
