//! `sentencepiece.bpe.model`: SentencePiece as BARThez has it, in its own order and with RoBERTa's
//! special tokens.

use burnpipe_core::{ModelFiles, Result};

use super::spm_converter::{Parts, SpmConverter, metaspace};
use crate::settings::Settings;

/// Where BARThez has its unknown token, whatever the model says.
const UNKNOWN_ID: usize = 3;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, "sentencepiece.bpe.model")?;
    converter.converted(Parts {
        vocabulary: converter.vocabulary(),
        unknown_id: UNKNOWN_ID,
        normalizer: converter.normalizer()?,
        pre_tokenizer: metaspace().into(),
        post_processor: converter.template(
            settings,
            "<s> $A </s>",
            "<s> $A </s> </s> $B </s>",
            &["<s>", "</s>"],
        )?,
    })
}
