//! `tokenizer.model`: SentencePiece as LLaMA has it, with a byte for what is in no piece.
//!
//! What goes around a text is not the file's: `add_bos_token` and `add_eos_token` say it, wherever a tokenizer comes from.

use burnpipe_core::{ModelFiles, Result};
use tokenizers::NormalizerWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::normalizers::{Prepend, Sequence};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};

use super::spm_converter::{SpmConverter, Vocabulary, scored, spaces_from_marks, spaces_to_marks};
use crate::class::LLAMA_FILE;
use crate::settings::Settings;

/// The first pieces, whose names the slow tokenizer decides and whose scores do not count.
pub(super) const FIRST: usize = 3;
const UNKNOWN_ID: usize = 0;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, LLAMA_FILE)?;
    let mut library = converter.with_bytes(vocabulary(&converter, settings), UNKNOWN_ID, &[], None)?;
    // Before #24565 the mark of a word's beginning was put before the whole text, and so after special tokens as well.
    let legacy = settings.flag("legacy")?.unwrap_or(true);
    let prefix = settings.truth("add_prefix_space", true)?;
    if legacy {
        let mark = prefix.then(|| Prepend::new("▁".to_owned()).into());
        let steps: Vec<NormalizerWrapper> = mark.into_iter().chain([spaces_to_marks()?]).collect();
        library.with_normalizer(Some(Sequence::new(steps)));
    } else {
        let scheme = if prefix { PrependScheme::First } else { PrependScheme::Never };
        library.with_pre_tokenizer(Some(Metaspace::new('▁', scheme, false)));
    }
    let mut decoders = vec![spaces_from_marks()?, ByteFallback::new().into(), Fuse::new().into()];
    if prefix {
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    library.with_decoder(Some(Decoders::new(decoders)));
    Ok(library)
}

/// The pieces; the first have the names that the files add for their ids, if they add any.
fn vocabulary(converter: &SpmConverter<'_>, settings: &Settings) -> Vocabulary {
    let name = |(piece, id): ((String, f64), u64)| match settings.added_tokens.get(&id) {
        Some(token) => (token.content.clone(), 0.0),
        None => (piece.0, 0.0),
    };
    let first = scored(converter.pieces()).zip(0..).take(FIRST).map(name);
    first.chain(scored(converter.pieces()).skip(FIRST)).collect()
}
