//! Puts tokens together to words, with the punctuation that belongs to them.
//!
//! Reference: `_combine_tokens_into_words`, `_split_tokens_on_unicode`, `_split_tokens_on_spaces` and
//! `_merge_punctuations` in `tokenization_whisper.py` of transformers 4.56.2. `x in "..."` is there a search for a
//! part of the text, so that an empty word and several marks in the right order count as punctuation too.

use std::ops::Range;

use burnpipe_core::Result;

use super::WhisperTokens;
use crate::chat_template::strip;

/// Languages that are written without spaces.
const WITHOUT_SPACES: [&str; 6] = ["chinese", "japanese", "thai", "lao", "myanmar", "cantonese"];

const ASCII_PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const PREPENDED: &str = "\"'“¡¿([{-";
const APPENDED: &str = "\"'.。,，!！?？:：”)]}、";

/// What decoders write for bytes that are no character.
const REPLACEMENT: char = '\u{fffd}';

/// A word and where its tokens lie among all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) tokens: Range<usize>,
}

/// The words of some tokens of text in a language.
pub(super) fn split(tokens: &[u32], language: &str, whisper: &WhisperTokens) -> Result<Vec<Word>> {
    let characters = split_on_unicode(tokens, whisper)?;
    let words = match WITHOUT_SPACES.contains(&language) {
        true => characters,
        false => join_by_spaces(characters, tokens, whisper),
    };
    Ok(merge_punctuations(words))
}

/// Cuts behind every token that ends a character.
fn split_on_unicode(tokens: &[u32], whisper: &WhisperTokens) -> Result<Vec<Word>> {
    let whole: Vec<char> = whisper.decode_with_timestamps(tokens)?.chars().collect();
    let (mut words, mut start, mut offset) = (Vec::new(), 0, 0);
    for end in 1..=tokens.len() {
        let text = whisper.decode_with_timestamps(&tokens[start..end])?;
        // A replacement that stands in the whole text as well is no character to wait for.
        let ends = match text.chars().position(|character| character == REPLACEMENT) {
            None => true,
            Some(place) => whole.get(offset + place) == Some(&REPLACEMENT),
        };
        if ends {
            offset += text.chars().count();
            words.push(Word { text, tokens: start..end });
            start = end;
        }
    }
    Ok(words)
}

/// Joins what does not begin with a space and is no punctuation to the word before.
fn join_by_spaces(pieces: Vec<Word>, tokens: &[u32], whisper: &WhisperTokens) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for piece in pieces {
        let is_special = whisper.is_past_text(tokens[piece.tokens.start]);
        let begins =
            is_special || piece.text.starts_with(' ') || ASCII_PUNCTUATION.contains(strip(&piece.text));
        match words.last_mut() {
            Some(word) if !begins => {
                word.text.push_str(&piece.text);
                word.tokens.end = piece.tokens.end;
            }
            _ => words.push(piece),
        }
    }
    words
}

/// Joins opening marks to the word after them and closing ones to the word before.
fn merge_punctuations(mut words: Vec<Word>) -> Vec<Word> {
    let mut next = words.len().saturating_sub(1);
    for place in (0..words.len().saturating_sub(1)).rev() {
        if words[place].text.starts_with(' ') && PREPENDED.contains(strip(&words[place].text)) {
            let opening = take(&mut words[place]);
            let word = &mut words[next];
            word.text.insert_str(0, &opening.text);
            word.tokens.start = opening.tokens.start;
        } else {
            next = place;
        }
    }
    let mut last = 0;
    for place in 1..words.len() {
        if !words[last].text.ends_with(' ') && APPENDED.contains(words[place].text.as_str()) {
            let closing = take(&mut words[place]);
            append(&mut words[last], closing);
        } else {
            last = place;
        }
    }
    words.retain(|word| !word.text.is_empty());
    words
}

/// The word, with nothing left in its place.
fn take(word: &mut Word) -> Word {
    let nothing = Word { text: String::new(), tokens: word.tokens.start..word.tokens.start };
    std::mem::replace(word, nothing)
}

fn append(word: &mut Word, closing: Word) {
    word.text.push_str(&closing.text);
    if word.tokens.is_empty() {
        word.tokens = closing.tokens;
    } else if !closing.tokens.is_empty() {
        word.tokens.end = closing.tokens.end;
    }
}
