//! The transcript of one sound, from the tokens of its chunks.
//!
//! Reference: `_decode_asr` in `tokenization_whisper.py` of transformers 4.56.2, a state machine over all tokens:
//! languages, other special tokens, times, text. Text is cut where a part's end is heard. A time inside the
//! overlap of two chunks cuts nothing, because the other chunk heard the same.

use burnpipe_core::Result;

use super::overlap::{TimedToken, merge};
use super::{WhisperTokens, Windows, languages, words};

/// What the model wrote about one chunk of a sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WhisperOutput {
    /// The tokens, without those that ask for a language, a task or times.
    pub tokens: Vec<u32>,
    /// When each token is said, in seconds of the chunk; only looked at for the times of words.
    pub token_timestamps: Vec<f32>,
    /// Of a chunk that was cut out: its length, and what overlaps with the chunks before and after, in seconds.
    pub stride: Option<(f64, f64, f64)>,
}

/// Which times a transcript has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TranscriptTimes {
    /// None.
    #[default]
    None,
    /// Those of parts, as the model heard them.
    Parts,
    /// Those of words.
    Words,
}

/// What a transcript is to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TranscriptOptions {
    /// The times.
    pub times: TranscriptTimes,
    /// Whether the languages are wanted.
    pub return_language: bool,
    /// Seconds from one mark of a time to the next.
    pub time_precision: f64,
}

/// What was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// All of it.
    pub text: String,
    /// Its parts or words, where times or languages are wanted.
    pub chunks: Option<Vec<TranscriptChunk>>,
}

/// A part of a transcript, or a word.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TranscriptChunk {
    /// The text.
    pub text: String,
    /// When it begins and ends, in seconds, as far as the model said; `None` where times are not wanted.
    pub timestamp: Option<(Option<f64>, Option<f64>)>,
    /// The language's English name, `None` inside where the model named none; `None` where it is not wanted.
    pub language: Option<Option<&'static str>>,
}

/// A part that is being put together.
#[derive(Clone, Debug, Default)]
struct Part {
    language: Option<&'static str>,
    start: Option<f64>,
    end: Option<f64>,
    text: String,
    words: Vec<TranscriptChunk>,
}

impl WhisperTokens {
    /// The transcript of a sound by what the model wrote about its chunks.
    ///
    /// # Errors
    ///
    /// When the tokenizer's decoder cannot be applied.
    pub fn transcript(&self, outputs: &[WhisperOutput], options: &TranscriptOptions) -> Result<Transcript> {
        let mut writer = Writer {
            whisper: self,
            options,
            parts: Vec::new(),
            part: Part::default(),
            last_language: None,
            previous: Vec::new(),
            current: Vec::new(),
            skip: false,
            offset: 0.0,
        };
        for output in outputs {
            writer.chunk(output)?;
        }
        if !writer.previous.is_empty() {
            writer.end_part()?;
        }
        Ok(writer.transcript())
    }
}

struct Writer<'a> {
    whisper: &'a WhisperTokens,
    options: &'a TranscriptOptions,
    parts: Vec<Part>,
    part: Part,
    last_language: Option<&'static str>,
    /// The text of the part in the chunks before, and in this one.
    previous: Vec<Vec<TimedToken>>,
    current: Vec<TimedToken>,
    /// The last time cut nothing, and the one after it, which begins the next part, does neither.
    skip: bool,
    /// Where the chunk begins in the sound.
    offset: f64,
}

/// The times of a chunk between which those of marks cut, as tokens.
struct Bounds {
    /// The first one that is not in the overlap with the chunk before.
    first: f64,
    /// The first one of those at the end that are in the overlap with the next.
    last: Option<u32>,
}

impl Writer<'_> {
    fn chunk(&mut self, output: &WhisperOutput) -> Result<()> {
        let tokens = self.whisper.without_prompt(&output.tokens);
        if let Some((_, left, _)) = output.stride {
            self.offset -= left;
        }
        let bounds = self.bounds(tokens, output.stride);
        let mut windows = Windows::default();
        for (place, &token) in tokens.iter().enumerate() {
            if self.whisper.special.contains(&token) {
                self.special(token)?;
            } else if token >= self.whisper.timestamp_begin {
                let begin = self.whisper.timestamp_begin;
                let precision = self.options.time_precision;
                let time = f64::from(token - begin) * precision;
                windows.enter(tokens, place, begin, time, precision);
                self.time(token, rounded(time + self.offset + windows.before), &bounds)?;
            } else {
                self.text(token, place, &output.token_timestamps);
            }
        }
        if let Some((length, _, right)) = output.stride {
            self.offset += length - right;
        }
        if !self.current.is_empty() {
            self.previous.push(std::mem::take(&mut self.current));
        } else if self.previous.iter().all(Vec::is_empty) {
            self.begin_part();
        }
        Ok(())
    }

    fn bounds(&self, tokens: &[u32], stride: Option<(f64, f64, f64)>) -> Bounds {
        let begin = self.whisper.timestamp_begin;
        let mut bounds = Bounds { first: f64::from(begin), last: None };
        let Some((length, left, right)) = stride else { return bounds };
        if left != 0.0 {
            bounds.first = left / self.options.time_precision + f64::from(begin);
        }
        if right != 0.0 {
            for &token in tokens.iter().rev().filter(|&&token| token >= begin) {
                let time = f64::from(token - begin) * self.options.time_precision;
                // The last one of all never cuts.
                if bounds.last.is_some() && time < length - right {
                    break;
                }
                bounds.last = Some(token);
            }
        }
        bounds
    }

    /// A special token: a language begins, or nothing happens.
    fn special(&mut self, token: u32) -> Result<()> {
        let text = self.whisper.decode(&[token])?;
        let code = text.get(2..text.len().saturating_sub(2)).unwrap_or_default();
        let Some(language) = languages::name_of(code) else { return Ok(()) };
        let changes = self.last_language.is_some_and(|last| last != language);
        if changes && self.options.times == TranscriptTimes::None {
            self.end_part()?;
        }
        self.part.language = Some(language);
        self.last_language = Some(language);
        Ok(())
    }

    /// A mark of a time: a part begins or ends, unless the chunk beside has to say that.
    fn time(&mut self, token: u32, time: f64, bounds: &Bounds) -> Result<()> {
        if bounds.last.is_some_and(|last| token >= last) {
            self.skip = true;
        } else if self.skip || (!self.previous.is_empty() && f64::from(token) < bounds.first) {
            self.skip = false;
        } else if self.part.start.is_none() {
            self.part.start = Some(time);
        } else if self.part.start != Some(time) {
            self.part.end = Some(time);
            self.end_part()?;
        }
        Ok(())
    }

    fn text(&mut self, id: u32, place: usize, timestamps: &[f32]) {
        let mut time = (0.0, 0.0);
        if self.options.times == TranscriptTimes::Words {
            let said = |place: usize| timestamps.get(place).copied().map_or(0.0, f64::from);
            let start = place.checked_sub(1).map_or(0.0, said);
            time = (rounded(start + self.offset), rounded(said(place) + self.offset));
        }
        self.current.push(TimedToken { id, time });
    }

    /// Ends the part with the text that there is, and begins the next.
    fn end_part(&mut self) -> Result<()> {
        if !self.current.is_empty() || self.previous.is_empty() {
            self.previous.push(std::mem::take(&mut self.current));
        }
        let tokens = merge(&self.previous);
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        self.part.text = self.whisper.decode(&ids)?;
        if self.options.times == TranscriptTimes::Words {
            self.part.words = self.words(&tokens, &ids)?;
        }
        self.parts.push(std::mem::take(&mut self.part));
        self.begin_part();
        Ok(())
    }

    fn begin_part(&mut self) {
        self.part = Part { language: self.last_language, ..Part::default() };
        self.previous.clear();
        self.current.clear();
    }

    fn words(&self, tokens: &[TimedToken], ids: &[u32]) -> Result<Vec<TranscriptChunk>> {
        let language = self.last_language.or(self.whisper.language.as_deref()).unwrap_or("english");
        let words = words::split(ids, language, self.whisper)?;
        let chunk = |word: words::Word| {
            let tokens = tokens.get(word.tokens).unwrap_or_default();
            TranscriptChunk {
                text: word.text,
                timestamp: Some((
                    tokens.first().map(|token| token.time.0),
                    tokens.last().map(|token| token.time.1),
                )),
                language: self.options.return_language.then_some(self.last_language),
            }
        };
        Ok(words.into_iter().map(chunk).collect())
    }

    fn transcript(self) -> Transcript {
        let TranscriptOptions { times, return_language, .. } = *self.options;
        let text = self.parts.iter().map(|part| part.text.as_str()).collect();
        let chunk = |part: Part| TranscriptChunk {
            text: part.text,
            timestamp: (times == TranscriptTimes::Parts).then_some((part.start, part.end)),
            language: return_language.then_some(part.language),
        };
        let chunks = match times {
            TranscriptTimes::None if !return_language => None,
            TranscriptTimes::Words => Some(self.parts.into_iter().flat_map(|part| part.words).collect()),
            _ => Some(self.parts.into_iter().map(chunk).collect()),
        };
        Transcript { text, chunks }
    }
}

/// Seconds with two digits: Python's `round(x, 2)`.
fn rounded(seconds: f64) -> f64 {
    format!("{seconds:.2}").parse().unwrap_or(seconds)
}
