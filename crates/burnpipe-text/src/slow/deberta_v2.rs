//! `spm.model`: SentencePiece as DeBERTa-v2 and v3 have it.

use burnpipe_core::{ModelFiles, Result};
use tokenizers::normalizers::{Lowercase, Strip};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior};

use super::spm_converter::{Parts, SpmConverter, join_spaces, metaspace};
use crate::settings::Settings;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, "spm.model")?;
    converter.converted(Parts {
        vocabulary: converter.vocabulary(),
        unknown_id: converter.unknown_id()?,
        normalizer: normalizer(&converter, settings)?,
        pre_tokenizer: pre_tokenizer(settings)?,
        post_processor: converter.template(
            settings,
            "[CLS]:0 $A:0 [SEP]:0",
            "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
            &["[CLS]", "[SEP]"],
        )?,
    })
}

fn normalizer(converter: &SpmConverter<'_>, settings: &Settings) -> Result<Vec<NormalizerWrapper>> {
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if settings.truth("do_lower_case", false)? {
        steps.push(Lowercase.into());
    }
    steps.push(Strip::new(true, true).into());
    steps.extend(converter.precompiled()?);
    steps.push(join_spaces(" ")?);
    Ok(steps)
}

fn pre_tokenizer(settings: &Settings) -> Result<PreTokenizerWrapper> {
    let mut steps: Vec<PreTokenizerWrapper> = Vec::new();
    if settings.truth("split_by_punct", false)? {
        steps.push(Punctuation::new(SplitDelimiterBehavior::Isolated).into());
    }
    steps.push(metaspace().into());
    Ok(Sequence::new(steps).into())
}
