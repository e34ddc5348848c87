//! What Whisper writes: text with marks for times, languages and tasks, as a transcript.
//!
//! Sounds are heard in chunks that overlap; [`WhisperTokens::transcript`] puts their tokens together to one text,
//! cuts it where times stand, and finds its words.
//!
//! Reference: `tokenization_whisper.py` of transformers 4.56.2.

mod alignment;
mod languages;
mod overlap;
mod transcript;
mod words;

use std::collections::HashSet;

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};

use crate::files::{self, TOKENIZER_CONFIG};
use crate::{DecodeOptions, Tokenizer};

pub use alignment::CrossAttentions;
pub use languages::language_code;
pub use transcript::{Transcript, TranscriptChunk, TranscriptOptions, TranscriptTimes, WhisperOutput};

/// Encoder positions of a window of sound, which the times of a text with several windows are counted by.
const SEGMENT_SIZE: f64 = 1500.0;

/// A tokenizer of Whisper's and what its marks mean.
#[derive(Clone, Debug)]
pub struct WhisperTokens {
    tokenizer: Tokenizer,
    /// `language` of tokenizer_config.json: how texts of no known language are split into words.
    language: Option<String>,
    special: HashSet<u32>,
    /// The first mark of a time; those after it are 0.02 s later each.
    timestamp_begin: u32,
    /// `<|startofprev|>`
    prompt: Option<u32>,
    /// `<|startoftranscript|>`
    start: Option<u32>,
}

impl WhisperTokens {
    /// Reads a checkpoint's tokenizer.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::load`], and when it has no `<|notimestamps|>`, behind which the marks of times stand.
    pub fn load(files: &dyn ModelFiles) -> Result<Self> {
        let tokenizer = Tokenizer::load(files)?;
        let config = files::read_object(files, TOKENIZER_CONFIG, ErrorKind::Tokenizer)?.unwrap_or_default();
        let language = config.get("language").and_then(|language| language.as_str()).map(str::to_owned);
        let Some(no_timestamps) = tokenizer.token_to_id("<|notimestamps|>") else {
            let message = format!(
                "the tokenizer of `{}` has no `<|notimestamps|>`; is it Whisper's?",
                files.model_name()
            );
            return Err(Error::new(ErrorKind::Tokenizer, message));
        };
        Ok(Self {
            language,
            special: tokenizer.all_special_ids().into_iter().collect(),
            timestamp_begin: no_timestamps + 1,
            prompt: tokenizer.token_to_id("<|startofprev|>"),
            start: tokenizer.token_to_id("<|startoftranscript|>"),
            tokenizer,
        })
    }

    /// The tokenizer itself.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The text of tokens, without marks of times.
    ///
    /// # Errors
    ///
    /// When the tokenizer's decoder cannot be applied.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        let options = DecodeOptions { skip_special_tokens: false, clean_up_tokenization_spaces: None };
        Ok(without_times(&self.tokenizer.decode(tokens, options)?))
    }

    /// The text of tokens with marks of times, `<|1.08|>`, counted on over several windows:
    /// `decode(..., decode_with_timestamps=True)`.
    ///
    /// # Errors
    ///
    /// When the tokenizer's decoder cannot be applied.
    pub fn decode_with_timestamps(&self, tokens: &[u32]) -> Result<String> {
        let begin = self.tokenizer.all_special_ids().last().map_or(0, |last| last + 1);
        let mut windows = Windows::default();
        // Tokens of text, and the mark behind them.
        let mut parts: Vec<(&[u32], Option<String>)> = Vec::new();
        let mut from = 0;
        for (place, &token) in tokens.iter().enumerate() {
            if token < begin {
                continue;
            }
            let time = f64::from(token - begin) * 0.02;
            if windows.enter(tokens, place, begin, time, 0.02) == Entered::UnfinishedPart {
                // What was said last is said again.
                if let Some((_, mark)) = parts.last_mut() {
                    *mark = None;
                }
                from = place;
            }
            parts.push((&tokens[from..place], Some(format!("<|{:.2}|>", time + windows.before))));
            from = place + 1;
        }
        parts.push((&tokens[from..], None));
        let texts = parts.into_iter().map(|(text, mark)| Ok(self.decode(text)? + &mark.unwrap_or_default()));
        texts.collect()
    }

    /// Whether a token stands behind those of text: it ends one, or is a mark.
    fn is_past_text(&self, token: u32) -> bool {
        self.tokenizer.eos_token_id().is_some_and(|eos| token >= eos)
    }

    /// The tokens without a prompt that stands before them: `_strip_prompt`.
    fn without_prompt<'a>(&self, tokens: &'a [u32]) -> &'a [u32] {
        if tokens.is_empty() || tokens.first().copied() != self.prompt {
            return tokens;
        }
        let start = tokens.iter().position(|token| Some(*token) == self.start);
        start.map_or(&[], |start| &tokens[start..])
    }
}

/// Where a text is in the windows that it was heard in: in each, times begin at nought.
#[derive(Debug, Default)]
struct Windows {
    /// Seconds of the windows before this one.
    before: f64,
    /// The latest time of this window.
    latest: f64,
    /// The one before that.
    penultimate: f64,
}

/// What a time says about the window that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entered {
    SameWindow,
    /// The next one, and the one before was heard to its end.
    NextWindow,
    /// The next one, and the one before was left at its last but one time.
    UnfinishedPart,
}

impl Windows {
    /// Takes the time of the mark at `place` of `tokens`.
    fn enter(&mut self, tokens: &[u32], place: usize, begin: u32, time: f64, precision: f64) -> Entered {
        let mut entered = Entered::SameWindow;
        if time < self.latest {
            let is_time = |back: usize| tokens[place - back] >= begin;
            let single_ending = place >= 2 && !(is_time(1) && is_time(2));
            if single_ending {
                self.before += precision * SEGMENT_SIZE;
                entered = Entered::NextWindow;
            } else {
                self.latest = self.penultimate;
                self.before += self.penultimate;
                entered = Entered::UnfinishedPart;
            }
        }
        self.penultimate = self.latest;
        self.latest = time;
        entered
    }
}

/// Takes marks of times out of a text: `<|`, digits, a point, digits, `|>`.
fn without_times(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("<|") {
        let (before, mark) = rest.split_at(start);
        kept.push_str(before);
        match length_of_mark(mark) {
            Some(length) => rest = &mark[length..],
            None => {
                kept.push_str(&mark[..1]);
                rest = &mark[1..];
            }
        }
    }
    kept + rest
}

/// How long the mark of a time is that a text begins with, if it does.
fn length_of_mark(text: &str) -> Option<usize> {
    let (time, _) = text.strip_prefix("<|")?.split_once("|>")?;
    let (seconds, hundredths) = time.split_once('.')?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(seconds) && is_number(hundredths)).then_some(time.len() + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marks_of_times_go() {
        for (text, expected) in [
            ("a<|0.00|> b<|29.98|>", "a b"),
            ("<|en|>x<|1|><|.5|><|2.|>", "<|en|>x<|1|><|.5|><|2.|>"),
            ("<|<|1.00|>|> <| 1.00|>", "<||> <| 1.00|>"),
            ("é<|1.00", "é<|1.00"),
        ] {
            assert_eq!(without_times(text), expected);
        }
    }
}
