//! `spiece.model`: SentencePiece as BigBird has it.

use burnpipe_core::{ModelFiles, Result};

use super::spm_converter::{Parts, SpmConverter, metaspace};
use crate::settings::Settings;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, "spiece.model")?;
    converter.converted(Parts {
        vocabulary: converter.vocabulary(),
        unknown_id: converter.unknown_id()?,
        normalizer: converter.normalizer()?,
        pre_tokenizer: metaspace().into(),
        post_processor: converter.template(
            settings,
            "[CLS]:0 $A:0 [SEP]:0",
            "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
            &["[CLS]", "[SEP]"],
        )?,
    })
}
