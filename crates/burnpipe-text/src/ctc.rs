//! `Wav2Vec2CTCTokenizer`: letters of every step in time to text.
//!
//! It only writes: models of connectionist temporal classification give a letter for every step in time, the same
//! one as long as it is heard, and a blank between letters, for which the padding token stands.
//!
//! Reference: `tokenization_wav2vec2.py` of transformers 4.56.2.

use std::collections::HashMap;

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value};

use crate::added_token::SpecialToken;
use crate::files;
use crate::settings::Settings;
use crate::slow::SpecialIds;
use crate::tokenizer::clean_up_tokenization;

const VOCABULARY: &str = "vocab.json";

/// The special tokens that the files do not name.
const NAMES: [(&str, &str); 4] =
    [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")];

/// What makes text of the letters that a CTC model hears.
#[derive(Clone, Debug)]
pub struct CtcTokenizer {
    /// The tokens by their ids.
    letters: HashMap<u32, String>,
    unk_token: String,
    /// The blank.
    pad_token: Option<String>,
    word_delimiter_token: Option<String>,
    replace_word_delimiter_char: String,
    do_lower_case: bool,
    clean_up: bool,
}

/// A part of a text, and the steps in time at which it is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtcOffset {
    /// A letter or a word.
    pub text: String,
    /// Its first step.
    pub start: usize,
    /// The step after its last.
    pub end: usize,
}

impl CtcTokenizer {
    /// Reads `vocab.json` and the small files beside it.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::MissingFile`] when there is no `vocab.json`, [`ErrorKind::Tokenizer`] when a file is broken,
    /// and [`ErrorKind::Unsupported`] for a tokenizer of another class.
    pub fn load(model: &dyn ModelFiles) -> Result<Self> {
        let config =
            files::read_object(model, files::TOKENIZER_CONFIG, ErrorKind::Tokenizer)?.unwrap_or_default();
        check_class(model, &config)?;
        let vocabulary = vocabulary(model, &config)?;
        let word_delimiter_token = delimiter(&config)?;
        let mut settings = Settings::read(model, config, &[])?;
        for (name, token) in NAMES {
            settings.special.set_default(name, SpecialToken::Text(token.to_owned()));
        }
        let added = SpecialIds::new(&settings, vocabulary.len(), |token| vocabulary.get(token).copied());
        let mut letters: HashMap<u32, String> =
            vocabulary.iter().map(|(token, id)| (*id, token.clone())).collect();
        letters.extend(added.iter().map(|(token, id)| (id, token.to_owned())));
        let named = |name: &str| settings.special.content(name).map(str::to_owned);
        Ok(Self {
            letters,
            unk_token: named("unk_token").unwrap_or_default(),
            pad_token: named("pad_token"),
            word_delimiter_token,
            replace_word_delimiter_char: settings
                .text("replace_word_delimiter_char")?
                .unwrap_or(" ")
                .to_owned(),
            do_lower_case: settings.truth("do_lower_case", false)?,
            clean_up: settings.truth("clean_up_tokenization_spaces", false)?,
        })
    }

    /// The text of letters, one for every step in time.
    pub fn decode(&self, ids: &[u32]) -> String {
        let text: String = self.runs(ids).map(|run| run.text).collect();
        let text = text.trim();
        let text = if self.do_lower_case { text.to_lowercase() } else { text.to_owned() };
        if self.clean_up { clean_up_tokenization(&text) } else { text }
    }

    /// The letters that are heard, and when.
    pub fn char_offsets(&self, ids: &[u32]) -> Vec<CtcOffset> {
        self.runs(ids).collect()
    }

    /// The words that are heard, and when.
    pub fn word_offsets(&self, ids: &[u32]) -> Vec<CtcOffset> {
        let mut words = Vec::new();
        let mut word: Option<CtcOffset> = None;
        for letter in self.runs(ids) {
            if letter.text == self.replace_word_delimiter_char {
                words.extend(word.take());
                continue;
            }
            match &mut word {
                Some(word) => {
                    word.text.push_str(&letter.text);
                    word.end = letter.end;
                }
                None => word = Some(letter),
            }
        }
        words.extend(word);
        words
    }

    /// What is heard as long as it stays the same, without blanks.
    fn runs(&self, ids: &[u32]) -> impl Iterator<Item = CtcOffset> {
        let mut start = 0;
        // By their texts, because several ids may be unknown.
        let runs = ids.chunk_by(|left, right| self.letter(*left) == self.letter(*right));
        runs.filter_map(move |run| {
            let (first, letter) = (start, self.letter(run[0]));
            start += run.len();
            let is_delimiter = self.word_delimiter_token.as_deref() == Some(letter);
            let text = if is_delimiter { &self.replace_word_delimiter_char } else { letter };
            let is_blank = self.pad_token.as_deref() == Some(letter);
            (!is_blank).then(|| CtcOffset { text: text.to_owned(), start: first, end: start })
        })
    }

    fn letter(&self, id: u32) -> &str {
        self.letters.get(&id).unwrap_or(&self.unk_token)
    }
}

/// An error when the files name another class.
fn check_class(model: &dyn ModelFiles, tokenizer_config: &Map<String, Value>) -> Result<()> {
    let named = |config: &Map<String, Value>| {
        config.get("tokenizer_class").and_then(Value::as_str).map(str::to_owned)
    };
    let name = match named(tokenizer_config) {
        Some(name) => Some(name),
        None => named(&files::read_object(model, "config.json", ErrorKind::Config)?.unwrap_or_default()),
    };
    // The second is its old name.
    match name.as_deref() {
        None | Some("Wav2Vec2CTCTokenizer" | "Wav2Vec2Tokenizer") => Ok(()),
        Some(name) => {
            let message = format!(
                "tokenizer class `{name}` of a CTC model is not supported; `Wav2Vec2CTCTokenizer` is"
            );
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

/// The letters and their ids: of the language `target_lang`, where `vocab.json` has several.
fn vocabulary(model: &dyn ModelFiles, config: &Map<String, Value>) -> Result<HashMap<String, u32>> {
    let vocabulary = files::read_object(model, VOCABULARY, ErrorKind::Tokenizer)?;
    let mut vocabulary = vocabulary.ok_or_else(|| {
        let name = model.model_name();
        Error::new(ErrorKind::MissingFile, format!("`{name}` has no tokenizer; looked for `{VOCABULARY}`"))
    })?;
    if let Some(language) = config.get("target_lang").and_then(Value::as_str) {
        let Some(Value::Object(of_language)) = vocabulary.remove(language) else {
            let message = format!("`{VOCABULARY}` has no language `{language}`, which `target_lang` names");
            return Err(Error::new(ErrorKind::Tokenizer, message));
        };
        vocabulary = of_language;
    }
    let ids = vocabulary.into_iter().map(|(token, id)| {
        let number = id.as_u64().and_then(|id| u32::try_from(id).ok());
        number.map(|number| (token.clone(), number)).ok_or_else(|| {
            let message = format!("the id of `{token}` in `{VOCABULARY}` is `{id}`, not a whole number");
            Error::new(ErrorKind::Tokenizer, message)
        })
    });
    ids.collect()
}

/// The token between words; none if the files set it to null.
fn delimiter(config: &Map<String, Value>) -> Result<Option<String>> {
    match config.get("word_delimiter_token") {
        None => Ok(Some("|".to_owned())),
        Some(Value::Null) => Ok(None),
        Some(value) => {
            let token = SpecialToken::from_value(value, "word_delimiter_token", files::TOKENIZER_CONFIG)?;
            Ok(Some(token.content().to_owned()))
        }
    }
}
