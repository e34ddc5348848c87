//! Python's `AddedToken` and the special tokens made of it.

use std::collections::BTreeMap;

use burnpipe_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// A token that is found in the text before the model sees it.
///
/// As in Python, `normalized` may be left open: it is then the opposite of `special` at the moment
/// when the token is handed to the library, and `special` can change before that.
#[derive(Clone, Debug)]
pub(crate) struct AddedToken {
    pub(crate) content: String,
    pub(crate) single_word: bool,
    pub(crate) lstrip: bool,
    pub(crate) rstrip: bool,
    pub(crate) normalized: Option<bool>,
    pub(crate) special: bool,
}

impl AddedToken {
    pub(crate) fn new(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: None,
            special: false,
        }
    }

    /// Reads `AddedToken(**object)`.
    pub(crate) fn from_object(object: &Map<String, Value>) -> Option<Self> {
        let flag = |name: &str| object.get(name).and_then(Value::as_bool);
        Some(Self {
            content: object.get("content")?.as_str()?.to_owned(),
            single_word: flag("single_word").unwrap_or(false),
            lstrip: flag("lstrip").unwrap_or(false),
            rstrip: flag("rstrip").unwrap_or(false),
            normalized: flag("normalized"),
            special: flag("special").unwrap_or(false),
        })
    }

    pub(crate) fn to_library(&self) -> tokenizers::AddedToken {
        tokenizers::AddedToken::from(self.content.as_str(), self.special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized.unwrap_or(!self.special))
    }

    /// What Python's `deepcopy` gives: `normalized` is no longer open.
    pub(crate) fn pinned(mut self) -> Self {
        self.normalized = Some(self.normalized.unwrap_or(!self.special));
        self
    }
}

impl PartialEq for AddedToken {
    fn eq(&self, other: &Self) -> bool {
        self.to_library() == other.to_library()
    }
}

/// A special token as Python holds it: plain text, or text with rules for finding it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SpecialToken {
    Text(String),
    Added(AddedToken),
}

impl SpecialToken {
    pub(crate) fn content(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Added(token) => &token.content,
        }
    }

    /// Reads a text or an object with a `content`.
    pub(crate) fn from_value(value: &Value, name: &str, file: &str) -> Result<Self> {
        let token = match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Object(object) => AddedToken::from_object(object).map(Self::Added),
            _ => None,
        };
        token.ok_or_else(|| {
            let message =
                format!("`{name}` of `{file}` is `{value}`; it takes a text or an object with a `content`");
            Error::new(ErrorKind::Tokenizer, message)
        })
    }
}

/// The special tokens with a name of their own, in the order in which Python adds them.
pub(crate) const NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The special tokens of a tokenizer.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpecialTokens {
    /// By name; a name that the files set to null is there with `None`, so that the class's default
    /// does not take its place.
    pub(crate) named: BTreeMap<&'static str, Option<SpecialToken>>,
    /// More tokens; `None` when the files do not say, so that the class's own take their place.
    pub(crate) additional: Option<Vec<SpecialToken>>,
    /// Names that only this model has, such as `image_token`.
    pub(crate) extra: Vec<(String, SpecialToken)>,
}

impl SpecialTokens {
    pub(crate) fn get(&self, name: &str) -> Option<&SpecialToken> {
        self.named.get(name)?.as_ref()
    }

    pub(crate) fn content(&self, name: &str) -> Option<&str> {
        self.get(name).map(SpecialToken::content)
    }

    pub(crate) fn set_default(&mut self, name: &'static str, token: SpecialToken) {
        self.named.entry(name).or_insert(Some(token));
    }

    /// The texts of the tokens that have a name, empty ones left out.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = NAMES.iter().filter_map(|name| Some((*name, self.content(name)?)));
        let extra = self.extra.iter().map(|(name, token)| (name.as_str(), token.content()));
        named.chain(extra).filter(|(_, content)| !content.is_empty())
    }

    /// Every special token once, in Python's order.
    pub(crate) fn all(&self) -> Vec<&SpecialToken> {
        let named = NAMES.iter().filter_map(|name| self.get(name));
        let mut all: Vec<&SpecialToken> = Vec::new();
        for token in
            named.chain(self.additional.iter().flatten()).chain(self.extra.iter().map(|(_, token)| token))
        {
            // Python leaves out empty names, and the same text a second time.
            if !token.content().is_empty() && all.iter().all(|seen| seen.content() != token.content()) {
                all.push(token);
            }
        }
        all
    }
}
