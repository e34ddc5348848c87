//! `vocab.json` and `merges.txt`: byte-level BPE, as GPT-2 has it.

use std::collections::HashMap;

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::SpecialIds;
use crate::files;
use crate::settings::Settings;

const VOCABULARY: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const FILES: &[&str] = &[VOCABULARY, MERGES];

/// A tokenizer that puts nothing around a text yet, and the ids of its special tokens.
pub(super) struct ByteLevelBpe {
    pub(super) library: tokenizers::Tokenizer,
    pub(super) ids: SpecialIds,
    pub(super) add_prefix_space: bool,
}

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<ByteLevelBpe> {
    let text = files::require_text(model, VOCABULARY, FILES)?;
    let vocabulary: HashMap<String, u32> =
        serde_json::from_str(&text).context(ErrorKind::Tokenizer, || files::broken(model, VOCABULARY))?;
    let vocabulary: Vocab = vocabulary.into_iter().collect();
    let merges = parse_merges(&files::require_text(model, MERGES, FILES)?)
        .context(ErrorKind::Tokenizer, || files::broken(model, MERGES))?;

    let ids = SpecialIds::new(settings, vocabulary.len(), |token| vocabulary.get(token).copied());
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(String::new())
        .build()
        .context(ErrorKind::Tokenizer, || {
            format!("`{MERGES}` of `{}` does not fit its `{VOCABULARY}`", model.model_name())
        })?;

    let add_prefix_space = settings.flag("add_prefix_space")?.unwrap_or(false);
    let mut library = tokenizers::Tokenizer::new(bpe);
    library
        .with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(add_prefix_space)))
        .with_decoder(Some(ByteLevel::default()));
    Ok(ByteLevelBpe { library, ids, add_prefix_space })
}

/// Python's `read().split("\n")[1:-1]`: the first line is the version, and the last one is taken for
/// the nothing after a final line end, even when it is not.
fn parse_merges(text: &str) -> Result<Merges> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').skip(1).collect();
    lines.pop();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut merges = Merges::new();
    for (number, line) in lines.iter().enumerate() {
        let mut parts = line.split_whitespace();
        let (Some(left), Some(right), None) = (parts.next(), parts.next(), parts.next()) else {
            let message = format!("line {} is `{line}`, not two tokens with a space between", number + 2);
            return Err(Error::new(ErrorKind::Tokenizer, message));
        };
        // A merge that comes twice keeps its first place, as a key of a Python dictionary does.
        if places.insert(line, number).is_none() {
            merges.push((left.to_owned(), right.to_owned()));
        }
    }
    Ok(merges)
}
