//! Building a tokenizer from the files of Python's slow tokenizers, as `convert_slow_tokenizer.py`
//! does it.

mod albert;
mod barthez;
mod bert;
mod big_bird;
mod byte_level;
mod camembert;
mod deberta;
mod deberta_v2;
mod gemma;
mod llama;
mod rembert;
mod roberta;
mod sentencepiece;
mod spm_converter;
mod whisper;
mod xlm_roberta;
mod xlnet;

use std::collections::HashMap;

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use tokenizers::processors::template::TemplateProcessing;

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
        Family::Albert => albert::convert(model, settings, albert::CASE_AND_ACCENTS_GO),
        Family::Barthez => barthez::convert(model, settings),
        Family::Bert => bert::convert(model, settings, &bert::BERT),
        Family::BigBird => big_bird::convert(model, settings),
        Family::Camembert => camembert::convert(model, settings),
        Family::Deberta => deberta::convert(model, settings),
        Family::DebertaV2 => deberta_v2::convert(model, settings),
        Family::FNet => albert::convert(model, settings, albert::CASE_AND_ACCENTS_STAY),
        Family::Funnel => bert::convert(model, settings, &bert::FUNNEL),
        Family::MPNet => bert::convert(model, settings, &bert::MPNET),
        Family::RemBert => rembert::convert(model, settings),
        Family::Bart | Family::Mvp | Family::Roberta => roberta::convert(model, settings),
        Family::Whisper => whisper::convert(model, settings),
        Family::XlmRoberta => xlm_roberta::convert(model, settings),
        Family::XLNet => xlnet::convert(model, settings),
        Family::Gemma => gemma::convert(model, settings),
        Family::Llama => llama::convert(model, settings),
        Family::Plain => Err(files::missing(model, class.slow_files())),
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
        let added = settings.added_tokens.iter();
        let added = added.map(|(id, token)| (token.content.as_str(), u32::try_from(*id).unwrap_or(u32::MAX)));
        Self::with_added(added, settings, vocabulary_len, in_vocabulary)
    }

    /// As [`new`](Self::new), for a class that does not take the added tokens as the files give them.
    fn with_added<'a>(
        added: impl Iterator<Item = (&'a str, u32)>,
        settings: &Settings,
        vocabulary_len: usize,
        in_vocabulary: impl Fn(&str) -> Option<u32>,
    ) -> Self {
        let mut ids: HashMap<String, u32> = added.map(|(token, id)| (token.to_owned(), id)).collect();
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

    /// The id of a token: Python's `convert_tokens_to_ids`.
    pub(crate) fn get(&self, token: &str) -> Option<u32> {
        self.0.get(token).copied()
    }

    /// The tokens and their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(token, id)| (token.as_str(), *id))
    }

    /// A special token by name, with its id.
    pub(crate) fn named(&self, settings: &Settings, name: &str) -> Result<(String, u32)> {
        let content = settings.special.content(name);
        let token = content.and_then(|content| Some((content.to_owned(), self.get(content)?)));
        token.ok_or_else(|| {
            let message = format!("the tokenizer has no `{name}`; set it in `{}`", files::TOKENIZER_CONFIG);
            Error::new(ErrorKind::Tokenizer, message)
        })
    }
}

/// What stands around a text and around a pair. A token without an id is an error.
fn template(single: &str, pair: &str, tokens: &[(&str, u32)]) -> Result<TemplateProcessing> {
    let unusable = || format!("the tokenizer has no ids for the special tokens of `{single}`");
    let template = TemplateProcessing::builder()
        .try_single(single)
        .map_err(|error| Error::new(ErrorKind::Tokenizer, unusable()).with_source(error))?
        .try_pair(pair)
        .map_err(|error| Error::new(ErrorKind::Tokenizer, unusable()).with_source(error))?
        .special_tokens(tokens.to_vec())
        .build();
    template.context(ErrorKind::Tokenizer, unusable)
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
