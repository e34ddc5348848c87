//! `spiece.model`: SentencePiece as ALBERT and FNet have it.

use burnpipe_core::{ModelFiles, Result};
use tokenizers::NormalizerWrapper;

use super::spm_converter::{CaseAndAccents, Parts, SpmConverter, join_spaces, metaspace, straight_quotes};
use crate::settings::Settings;

/// ALBERT's way.
pub(super) const CASE_AND_ACCENTS_GO: CaseAndAccents =
    CaseAndAccents { do_lower_case: true, keep_accents: false };
/// FNet's way.
pub(super) const CASE_AND_ACCENTS_STAY: CaseAndAccents =
    CaseAndAccents { do_lower_case: false, keep_accents: true };

pub(super) fn convert(
    model: &dyn ModelFiles,
    settings: &Settings,
    case_and_accents: CaseAndAccents,
) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, "spiece.model")?;
    converter.converted(Parts {
        vocabulary: converter.vocabulary_without_number_commas()?,
        unknown_id: converter.unknown_id()?,
        normalizer: normalizer(&converter, settings, case_and_accents)?,
        pre_tokenizer: metaspace().into(),
        post_processor: converter.template(
            settings,
            "[CLS]:0 $A:0 [SEP]:0",
            "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
            &["[CLS]", "[SEP]"],
        )?,
    })
}

/// The steps that rewrite a text; XLNet has them too.
pub(super) fn normalizer(
    converter: &SpmConverter<'_>,
    settings: &Settings,
    case_and_accents: CaseAndAccents,
) -> Result<Vec<NormalizerWrapper>> {
    let mut steps = Vec::from(straight_quotes()?);
    steps.extend(case_and_accents.steps(settings)?);
    steps.extend(converter.precompiled()?);
    steps.push(join_spaces(" ")?);
    Ok(steps)
}
