//! `sentencepiece.model`: SentencePiece as RemBERT has it.

use burnpipe_core::{ModelFiles, Result};
use tokenizers::NormalizerWrapper;

use super::spm_converter::{CaseAndAccents, Parts, SpmConverter, join_spaces, metaspace, straight_quotes};
use crate::settings::Settings;

/// What the slow class does; the fast one names other defaults and does not use them.
const CASE_AND_ACCENTS: CaseAndAccents = CaseAndAccents { do_lower_case: false, keep_accents: true };

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, "sentencepiece.model")?;
    converter.converted(Parts {
        vocabulary: converter.vocabulary(),
        unknown_id: converter.unknown_id()?,
        normalizer: normalizer(&converter, settings)?,
        pre_tokenizer: metaspace().into(),
        post_processor: converter.template(
            settings,
            "[CLS]:0 $A:0 [SEP]:0",
            "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
            &["[CLS]", "[SEP]"],
        )?,
    })
}

fn normalizer(converter: &SpmConverter<'_>, settings: &Settings) -> Result<Vec<NormalizerWrapper>> {
    let mut steps = Vec::from(straight_quotes()?);
    steps.push(join_spaces(" ")?);
    steps.extend(CASE_AND_ACCENTS.steps(settings)?);
    steps.extend(converter.precompiled()?);
    Ok(steps)
}
