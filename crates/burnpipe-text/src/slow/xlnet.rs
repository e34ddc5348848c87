//! `spiece.model`: SentencePiece as XLNet has it, with the special tokens after the text.

use burnpipe_core::{ModelFiles, Result};

use super::albert::normalizer;
use super::spm_converter::{CaseAndAccents, Parts, SpmConverter, metaspace};
use crate::settings::Settings;

const CASE_AND_ACCENTS: CaseAndAccents = CaseAndAccents { do_lower_case: false, keep_accents: false };

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, "spiece.model")?;
    converter.converted(Parts {
        vocabulary: converter.vocabulary_without_number_commas()?,
        unknown_id: converter.unknown_id()?,
        normalizer: normalizer(&converter, settings, CASE_AND_ACCENTS)?,
        pre_tokenizer: metaspace().into(),
        post_processor: converter.template(
            settings,
            "$A:0 <sep>:0 <cls>:2",
            "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2",
            &["<sep>", "<cls>"],
        )?,
    })
}
