//! Building a tokenizer from the files of Python's slow tokenizers, as `convert_slow_tokenizer.py`
//! does it.

mod bert;
mod roberta;
mod sentencepiece;
mod xlm_roberta;

use std::collections::HashMap;

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};

use crate::added_token::{AddedToken, SpecialToken};
use crate::class::{Family, TokenizerClass};
use crate::files;
use crate::settings::Settings;

/// Reads the slow files of a class.
pub(crate) fn convert(
    model: &dyn ModelFiles,
    class: &TokenizerClass,
    settings: &Settings,
) -> Result<tokenizers::Tokenizer> {
    match class.family {
        Family::Bert => bert::convert(model, settings),
        Family::Roberta => roberta::convert(model, settings),
        Family::XlmRoberta => xlm_roberta::convert(model, settings),
        Family::Plain => Err(files::missing(model, class.slow_files())),
    }
}

/// Gives the special tokens the rules that the constructor of the slow class gives them.
///
/// Python's fast tokenizer then takes them over from a deep copy, which settles `normalized`: that is
/// why `<s>` of a converted RoBERTa is matched in normalized text and that of a tokenizer.json is not.
pub(crate) fn wrap_special_tokens(family: Family, settings: &mut Settings) {
    for (name, token) in &mut settings.special.named {
        let Some(SpecialToken::Text(text)) = token else { continue };
        let plain = AddedToken::new(text.as_str());
        *token = match (family, *name) {
            (Family::Roberta, "mask_token") => {
                Some(SpecialToken::Added(AddedToken { lstrip: true, normalized: Some(false), ..plain }))
            }
            (Family::Roberta, _) => Some(SpecialToken::Added(plain)),
            (Family::XlmRoberta, "mask_token") => {
                Some(SpecialToken::Added(AddedToken { lstrip: true, special: true, ..plain }))
            }
            _ => continue,
        };
    }
    let special = &mut settings.special;
    let named = special.named.values_mut().flatten();
    for token in named.chain(&mut special.additional).chain(&mut special.extra) {
        if let SpecialToken::Added(added) = token {
            *token = SpecialToken::Added(added.clone().pinned());
        }
    }
}

/// The ids that the slow tokenizer gives its special tokens: those of the files, those of the
/// vocabulary, and new ones after its end.
#[derive(Debug)]
pub(crate) struct SpecialIds(HashMap<String, u32>);

impl SpecialIds {
    pub(crate) fn new(
        settings: &Settings,
        vocabulary_len: usize,
        in_vocabulary: impl Fn(&str) -> Option<u32>,
    ) -> Self {
        let mut ids: HashMap<String, u32> = HashMap::new();
        for (id, token) in &settings.added_tokens {
            ids.insert(token.content.clone(), u32::try_from(*id).unwrap_or(u32::MAX));
        }
        let only_added = ids.keys().filter(|content| in_vocabulary(content).is_none()).count();
        let mut next_id = vocabulary_len + only_added;
        for token in settings.special.all() {
            if !ids.contains_key(token.content()) {
                let id = in_vocabulary(token.content()).unwrap_or_else(|| {
                    next_id += 1;
                    u32::try_from(next_id - 1).unwrap_or(u32::MAX)
                });
                ids.insert(token.content().to_owned(), id);
            }
        }
        Self(ids)
    }

    /// The id of an added or special token.
    pub(crate) fn get(&self, token: &str) -> Option<u32> {
        self.0.get(token).copied()
    }

    /// A special token by name, with its id.
    pub(crate) fn named(&self, settings: &Settings, name: &str) -> Result<(String, u32)> {
        let content = settings.special.content(name);
        let token = content.and_then(|content| Some((content.to_owned(), *self.0.get(content)?)));
        token.ok_or_else(|| {
            let message = format!("the tokenizer has no `{name}`; set it in `{}`", files::TOKENIZER_CONFIG);
            Error::new(ErrorKind::Tokenizer, message)
        })
    }
}

/// Splits a text into lines as Python's text mode does: at `\n`, `\r\n` and `\r`.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.flat_map(|line| line.split('\r'))
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_end_as_in_python_text_mode() {
        for (text, expected) in [
            ("a\nb\n", vec!["a", "b"]),
            ("a\r\nb", vec!["a", "b"]),
            ("a\rb\n\nc\r\n", vec!["a", "b", "", "c"]),
            ("a\u{2028}b\u{85}c", vec!["a\u{2028}b\u{85}c"]),
        ] {
            assert_eq!(lines(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }
}
