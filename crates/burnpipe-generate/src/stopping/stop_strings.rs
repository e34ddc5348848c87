//! `stop_strings`: texts that end a row.
//!
//! Python compares with a table over the whole vocabulary, so that it can be compiled for a GPU; what the
//! table says is whether a stop string ends within the last token's text, in the texts of the last tokens put
//! together.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burnpipe_core::{Error, ErrorKind, Result};

use super::StoppingRule;

/// What tokens are decoded behind, so that a decoder does not take them for the start of a text.
const PREFIX: &str = "abcdef";

type TextOf = dyn Fn(u32) -> Option<String> + Send + Sync;

/// The texts of a vocabulary's tokens, as they stand after other text.
///
/// A token's text is made when it is first asked for, and kept. Clones share them.
#[derive(Clone)]
pub struct TokenTexts {
    text_of: Arc<TextOf>,
    known: Arc<Mutex<HashMap<u32, Option<Arc<str>>>>>,
}

impl TokenTexts {
    /// Of a function from tokens to texts; it answers `None` for numbers that are no token.
    pub fn new(text_of: impl Fn(u32) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { text_of: Arc::new(text_of), known: Arc::default() }
    }

    /// Of a decoder: `decode` is given `prefix` with a token behind and answers their text, special tokens
    /// and spaces as they are. `prefix` are the tokens of [`PREFIX_TEXT`](Self::PREFIX_TEXT), special tokens
    /// left out.
    pub fn from_decoder(
        prefix: Vec<u32>,
        decode: impl Fn(&[u32]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |token| {
            let text = decode(&[prefix.as_slice(), &[token]].concat())?;
            let (_, own) = text.split_once(PREFIX)?;
            Some(own.to_owned())
        })
    }

    /// The text whose tokens [`from_decoder`](Self::from_decoder) puts before each token.
    pub const PREFIX_TEXT: &'static str = PREFIX;

    /// The text of a token.
    pub fn get(&self, token: u32) -> Option<Arc<str>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(token).or_insert_with(|| (self.text_of)(token).map(Arc::from)).clone()
    }
}

impl fmt::Debug for TokenTexts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenTexts").finish_non_exhaustive()
    }
}

/// Ends a row whose text ends in one of some texts: the last character of it must be in the last token, which
/// may go on after it.
#[derive(Clone, Debug)]
pub struct StopStringCriteria {
    stop_strings: Vec<String>,
    /// Characters of the longest; a row is looked at no more tokens back, whatever they hold.
    window: usize,
    texts: TokenTexts,
}

impl StopStringCriteria {
    /// For these texts.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn new(stop_strings: Vec<String>, texts: TokenTexts) -> Result<Self> {
        let lengths = stop_strings.iter().map(|text| text.chars().count());
        let Some(window) = lengths.max() else {
            let message = "`stop_strings` is an empty list; leave it out to stop at no text";
            return Err(Error::new(ErrorKind::Parameter, message));
        };
        Ok(Self { stop_strings, window, texts })
    }

    /// The text of the last tokens, as far back as a stop string can reach, and where the last one begins.
    fn tail(&self, tokens: &[u32]) -> Option<(String, usize)> {
        let (&last, earlier) = tokens.split_last()?;
        let last = self.texts.get(last)?;
        let mut pieces = vec![last.clone()];
        let mut characters = 1;
        for &token in earlier.iter().rev().take(self.window.saturating_sub(1)) {
            if characters >= self.window {
                break;
            }
            // What is no token has no text, and no stop string reaches over it.
            let Some(text) = self.texts.get(token) else { break };
            characters += text.chars().count();
            pieces.push(text);
        }
        pieces.reverse();
        let tail = pieces.concat();
        let start = tail.len() - last.len();
        Some((tail, start))
    }
}

impl StoppingRule for StopStringCriteria {
    fn stops(&self, tokens: &[u32]) -> bool {
        if self.stop_strings.iter().any(String::is_empty) {
            return true;
        }
        let Some((tail, start)) = self.tail(tokens) else { return false };
        let tail = tail.as_bytes();
        let ends_at = |end: usize| {
            let text = tail.get(..end).unwrap_or_default();
            self.stop_strings.iter().any(|stop| text.ends_with(stop.as_bytes()))
        };
        (start + 1..=tail.len()).any(ends_at)
    }
}
