//! `tokenizer.model`: SentencePiece as Gemma has it, with a byte for what is in no piece and spaces that stay as they
//! are.

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

use super::llama::FIRST;
use super::spm_converter::{SpmConverter, Vocabulary, scored, spaces_from_marks, spaces_to_marks};
use crate::class::LLAMA_FILE;
use crate::files;
use crate::settings::Settings;

const UNKNOWN_ID: usize = 3;
/// User-defined pieces that are special all the same.
const SPECIAL: &[&str] = &["<start_of_turn>", "<end_of_turn>"];
/// The tab, which older models have as a byte only.
const TAB: &str = "\t";
const TAB_BYTE: &str = "<0x09>";

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, LLAMA_FILE)?;
    let vocabulary = vocabulary(&converter, settings)?;
    let mut library = converter.with_bytes(vocabulary, UNKNOWN_ID, SPECIAL, Some((TAB, TAB_BYTE)))?;
    let split =
        Split::new(SplitPattern::String(" ".to_owned()), SplitDelimiterBehavior::MergedWithPrevious, false);
    let split = split.map_err(|error| {
        Error::new(ErrorKind::Tokenizer, "cannot build the pre-tokenizer").with_source(error)
    })?;
    let decoders = vec![spaces_from_marks()?, ByteFallback::new().into(), Fuse::new().into()];
    library
        .with_normalizer(Some(spaces_to_marks()?))
        .with_pre_tokenizer(Some(split))
        .with_decoder(Some(Decoders::new(decoders)));
    Ok(library)
}

/// The pieces after the special tokens that the slow tokenizer begins with.
fn vocabulary(converter: &SpmConverter<'_>, settings: &Settings) -> Result<Vocabulary> {
    let named = |name: &str| {
        let content = settings.special.content(name).ok_or_else(|| {
            let message = format!("the tokenizer has no `{name}`; set it in `{}`", files::TOKENIZER_CONFIG);
            Error::new(ErrorKind::Tokenizer, message)
        })?;
        Ok((content.to_owned(), 0.0))
    };
    let first =
        ["pad_token", "eos_token", "bos_token"].into_iter().map(named).collect::<Result<Vocabulary>>()?;
    let mut vocabulary: Vocabulary =
        first.into_iter().chain(scored(converter.pieces()).skip(FIRST)).collect();
    if !vocabulary.iter().any(|(token, _)| token == TAB)
        && let Some(byte) = vocabulary.iter_mut().find(|(token, _)| token == TAB_BYTE)
    {
        *byte = (TAB.to_owned(), 0.0);
    }
    Ok(vocabulary)
}
