//! Texts of headers, cells and questions to tokens, as Python's slow BERT tokenizers do it: special tokens first,
//! then words, then their pieces.

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::utils::SysRegex;
use tokenizers::{Model, NormalizedString};

use crate::added_token::{AddedToken, SpecialToken};
use crate::files;
use crate::settings::Settings;
use crate::slow::{SpecialIds, lines};

const VOCABULARY: &str = "vocab.txt";

/// A token of a cell or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: u32,
    /// Whether it goes on with the word of the token before it.
    pub(super) is_inner: bool,
}

/// Texts to tokens.
#[derive(Debug)]
pub(super) struct WordTokenizer {
    wordpiece: WordPiece,
    unknown: u32,
    ids: SpecialIds,
    /// The tokens that are found before anything else.
    added: Vec<AddedToken>,
    /// The special tokens, and those that lowering the case leaves alone.
    special: Vec<String>,
    case_kept: Vec<String>,
    split_special_tokens: bool,
    empty: Piece,
    /// How words are found; `None` for words between spaces.
    basic: Option<Basic>,
    classes: Classes,
}

/// What Python's `BasicTokenizer` is told.
#[derive(Debug)]
struct Basic {
    do_lower_case: bool,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: bool,
    never_split: Vec<String>,
}

/// Classes of characters.
#[derive(Debug)]
struct Classes {
    alphanumeric: SysRegex,
    control: SysRegex,
    mark: SysRegex,
    punctuation: SysRegex,
    space: SysRegex,
}

impl WordTokenizer {
    pub(super) fn load(model: &dyn ModelFiles, settings: &Settings, empty_token: &str) -> Result<Self> {
        let text = files::require_text(model, VOCABULARY, &[VOCABULARY])?;
        let mut vocabulary = Vocab::new();
        for (id, token) in lines(&text).enumerate() {
            vocabulary.insert(token.to_owned(), u32::try_from(id).unwrap_or(u32::MAX));
        }
        let ids = SpecialIds::new(settings, vocabulary.len(), |token| vocabulary.get(token).copied());
        let (unk, _) = ids.named(settings, "unk_token")?;
        let unknown = vocabulary.get(&unk).copied().ok_or_else(|| {
            let name = model.model_name();
            let message = format!(
                "`{VOCABULARY}` of `{name}` has no unknown token `{unk}`; is it a complete download?"
            );
            Error::new(ErrorKind::Tokenizer, message)
        })?;
        let wordpiece = WordPiece::builder().vocab(vocabulary).unk_token(unk).build();
        let wordpiece = wordpiece.context(ErrorKind::Tokenizer, || files::broken(model, VOCABULARY))?;
        let added = added_tokens(settings);
        let special: Vec<String> =
            settings.special.all().iter().map(|token| token.content().to_owned()).collect();
        let lowered = |token: &&AddedToken| !token.special && token.normalized.unwrap_or(true);
        let case_kept = added.iter().filter(lowered).map(|token| token.content.clone());
        Ok(Self {
            case_kept: special.iter().cloned().chain(case_kept).collect(),
            empty: Piece { id: ids.get(empty_token).unwrap_or(unknown), is_inner: false },
            wordpiece,
            unknown,
            ids,
            added,
            special,
            split_special_tokens: settings.flag("split_special_tokens")?.unwrap_or(false),
            basic: Basic::read(settings)?,
            classes: Classes::new()?,
        })
    }

    /// The id of a special token by name.
    pub(super) fn special_id(&self, settings: &Settings, name: &str) -> Result<u32> {
        self.ids.named(settings, name).map(|(_, id)| id)
    }

    /// The tokens of a text; a text without letters and digits is one empty token, and one without any character
    /// has no tokens.
    pub(super) fn tokenize(&self, text: &str) -> Result<Vec<Piece>> {
        let text = match &self.basic {
            Some(basic) if basic.do_lower_case => self.lower(text),
            _ => text.to_owned(),
        };
        let mut pieces = Vec::new();
        for part in self.split_at_added(&text) {
            match self.ids.get(&part).filter(|_| !self.split_special_tokens) {
                Some(id) => pieces.push(Piece { id, is_inner: part.starts_with("##") }),
                None => self.tokenize_part(&part, &mut pieces)?,
            }
        }
        Ok(pieces)
    }

    /// Lowers the case, but not that of special tokens.
    fn lower(&self, text: &str) -> String {
        let (mut lower, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(c) = rest.chars().next() {
            let kept = self.case_kept.iter().find(|token| rest.starts_with(token.as_str()));
            let length = kept.map_or(c.len_utf8(), String::len);
            match kept {
                Some(token) => lower.push_str(token),
                None => lower.extend(c.to_lowercase()),
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        lower
    }

    /// Cuts a text before and after the added tokens in it; none of the parts is empty.
    fn split_at_added(&self, text: &str) -> Vec<String> {
        if self.split_special_tokens {
            return if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
        }
        let mut parts: Vec<&str> = Vec::new();
        let (mut start, mut at) = (0, 0);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let found = self.added.iter().map(|token| token.content.as_str());
            let found = found.filter(|token| !token.is_empty() && rest.starts_with(token));
            match found.max_by_key(|token| token.len()) {
                Some(token) => {
                    parts.extend([text.get(start..at).unwrap_or_default(), token]);
                    at += token.len();
                    start = at;
                }
                None => at += rest.chars().next().map_or(1, char::len_utf8),
            }
        }
        parts.push(text.get(start..).unwrap_or_default());
        let parts = parts.into_iter().filter(|part| !part.is_empty()).map(str::to_owned).collect();
        self.strip_around_added(parts)
    }

    /// An added token takes spaces around it along, or is none inside of a word.
    fn strip_around_added(&self, mut parts: Vec<String>) -> Vec<String> {
        for at in 0..parts.len() {
            let (before, rest) = parts.split_at_mut(at);
            let Some((part, after)) = rest.split_first_mut() else { continue };
            let Some(token) = self.added.iter().find(|token| token.content == *part) else { continue };
            let (left, right) = (before.last_mut(), after.first_mut());
            let joins_left = left.as_ref().and_then(|left| left.chars().last()).is_some_and(|c| c != ' ');
            let joins_right = right.as_ref().and_then(|right| right.chars().next()).is_some_and(|c| c != ' ');
            if let Some(right) = right {
                if token.rstrip {
                    *right = right.trim_start_matches(is_space).to_owned();
                }
                if token.single_word && joins_right && !joins_left {
                    *right = format!("{}{right}", token.content);
                    part.clear();
                }
            }
            if let Some(left) = left {
                if token.lstrip {
                    *left = left.trim_end_matches(is_space).to_owned();
                }
                if token.single_word && joins_left {
                    left.push_str(&token.content);
                    part.clear();
                }
            }
        }
        parts.retain(|part| !part.is_empty());
        parts
    }

    fn tokenize_part(&self, text: &str, pieces: &mut Vec<Piece>) -> Result<()> {
        if self.is_empty(text) {
            pieces.push(self.empty);
            return Ok(());
        }
        let words = match &self.basic {
            Some(basic) => self.basic_words(basic, text),
            None => text.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        };
        for word in words {
            if self.basic.as_ref().is_some_and(|basic| basic.never_split.contains(&word)) {
                let id = self.ids.get(&word).or_else(|| self.wordpiece.token_to_id(&word));
                pieces.push(Piece { id: id.unwrap_or(self.unknown), is_inner: word.starts_with("##") });
                continue;
            }
            let tokens = self.wordpiece.tokenize(&word).map_err(|error| {
                Error::new(ErrorKind::Tokenizer, format!("cannot split `{word}`")).with_source(error)
            })?;
            pieces.extend(tokens.into_iter().map(|token| Piece {
                id: self.ids.get(&token.value).unwrap_or(token.id),
                is_inner: token.value.starts_with("##"),
            }));
        }
        Ok(())
    }

    /// Python's `format_text(text) == EMPTY_TEXT`.
    fn is_empty(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        let stands_for_none = matches!(lower.trim_matches(is_space), "n/a" | "nan");
        stands_for_none || self.classes.alphanumeric.find_iter(&lower).next().is_none()
    }

    /// Python's `BasicTokenizer.tokenize`.
    fn basic_words(&self, basic: &Basic, text: &str) -> Vec<String> {
        let text = self.clean(text, basic.tokenize_chinese_chars);
        let text = if text.is_ascii() { text } else { NormalizedString::from(text).nfc().get().to_owned() };
        let is_whole =
            |word: &str| self.special.iter().chain(&basic.never_split).any(|never_split| never_split == word);
        let mut words = Vec::new();
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            let mut word = word.to_owned();
            if !is_whole(&word) {
                if basic.do_lower_case {
                    word = word.to_lowercase();
                }
                if basic.strip_accents.unwrap_or(basic.do_lower_case) && !word.is_ascii() {
                    let decomposed = NormalizedString::from(word.as_str()).nfd().get().to_owned();
                    word = decomposed.chars().filter(|c| !super::is(&self.classes.mark, *c)).collect();
                }
            }
            if is_whole(&word) {
                words.push(word);
            } else {
                self.split_on_punctuation(&word, &mut words);
            }
        }
        words
    }

    /// Takes control characters out, makes every space a plain one, and puts spaces around Chinese characters.
    fn clean(&self, text: &str, tokenize_chinese_chars: bool) -> String {
        let mut clean = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\t' | '\n' | '\r' | ' ' => clean.push(' '),
                '\0' | '\u{fffd}' => {}
                _ if c.is_ascii() => clean.extend(Some(c).filter(|c| !c.is_ascii_control())),
                _ if super::is(&self.classes.control, c) => {}
                _ if super::is(&self.classes.space, c) => clean.push(' '),
                _ if tokenize_chinese_chars && is_chinese(c) => clean.extend([' ', c, ' ']),
                _ => clean.push(c),
            }
        }
        clean
    }

    fn split_on_punctuation(&self, word: &str, words: &mut Vec<String>) {
        let mut part = String::new();
        for c in word.chars() {
            let is_punctuation =
                if c.is_ascii() { c.is_ascii_punctuation() } else { super::is(&self.classes.punctuation, c) };
            if is_punctuation {
                words.extend(Some(std::mem::take(&mut part)).filter(|part| !part.is_empty()));
                words.push(c.to_string());
            } else {
                part.push(c);
            }
        }
        words.extend(Some(part).filter(|part| !part.is_empty()));
    }
}

impl Basic {
    fn read(settings: &Settings) -> Result<Option<Self>> {
        if !settings.truth("do_basic_tokenize", true)? {
            return Ok(None);
        }
        Ok(Some(Self {
            do_lower_case: settings.truth("do_lower_case", true)?,
            strip_accents: settings.flag("strip_accents")?,
            tokenize_chinese_chars: settings.truth("tokenize_chinese_chars", true)?,
            never_split: settings.texts("never_split")?,
        }))
    }
}

impl Classes {
    fn new() -> Result<Self> {
        Ok(Self {
            alphanumeric: super::regex(r"[\p{L}\p{N}]")?,
            control: super::regex(r"\p{C}")?,
            mark: super::regex(r"\p{Mn}")?,
            punctuation: super::regex(r"\p{P}")?,
            space: super::regex(r"\p{Zs}")?,
        })
    }
}

/// The added tokens and the special ones, with the rules for finding them.
fn added_tokens(settings: &Settings) -> Vec<AddedToken> {
    let mut added: Vec<AddedToken> = settings.added_tokens.values().cloned().collect();
    for token in settings.special.all() {
        if added.iter().all(|known| known.content != token.content()) {
            let token = match token {
                SpecialToken::Text(text) => AddedToken::new(text.as_str()),
                SpecialToken::Added(token) => token.clone(),
            };
            added.push(AddedToken { special: true, ..token });
        }
    }
    added
}

/// What Python's `str.split` and `str.strip` take for spaces.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// The blocks of Chinese characters that BERT has a word for each of.
fn is_chinese(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4E00..=0x9FFF
            | 0x3400..=0x4DBF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B820..=0x2CEAF
            | 0xF900..=0xFAFF
            | 0x2F800..=0x2FA1F
    )
}
