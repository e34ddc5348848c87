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
        struct Given {
            chunk_length_s: Option<f64>,
            stride_length_s: Option<Value>,
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
            stride_length_s: given.stride_length_s.as_ref().map(parse_strides).transpose()?,
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

/// Seconds at both ends, or `[left, right]`.
fn parse_strides(value: &Value) -> Result<[f64; 2]> {
    let strides = match value.as_array().map(Vec::as_slice) {
        None => value.as_f64().map(|seconds| [seconds; 2]),
        Some([left, right]) => left.as_f64().zip(right.as_f64()).map(<[f64; 2]>::from),
        Some(_) => None,
    };
    strides.ok_or_else(|| {
        let message =
            format!("parameter `stride_length_s`: `{value}` must be seconds, or [left, right] in seconds");
        Error::new(ErrorKind::Parameter, message)
    })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strides_are_seconds_or_two_of_them() {
        for (value, expected) in [(json!(2), [2.0, 2.0]), (json!([0.5, 1]), [0.5, 1.0])] {
            assert_eq!(parse_strides(&value).unwrap(), expected, "{value}");
        }
        for value in [json!("2"), json!([1]), json!([1, 2, 3]), json!([1, "2"]), json!({"left": 1})] {
            let error = parse_strides(&value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parameter, "{value}");
            assert!(error.to_string().contains("[left, right] in seconds"), "{error}");
        }
    }
}
