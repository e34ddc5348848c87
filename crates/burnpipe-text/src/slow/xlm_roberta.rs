//! `sentencepiece.bpe.model`: SentencePiece with the vocabulary order of fairseq, as XLM-RoBERTa has
//! it.

use burnpipe_core::{ModelFiles, Result};

use super::spm_converter::{Parts, SpmConverter, Vocabulary, metaspace, scored};
use super::template;
use crate::settings::Settings;

/// fairseq's own order of the first tokens; SentencePiece has `<unk>`, `<s>`, `</s>` in their place.
const FAIRSEQ_TOKENS: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
const SENTENCEPIECE_TOKENS: usize = 3;
const UNKNOWN_ID: usize = 3;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, "sentencepiece.bpe.model")?;
    // The slow tokenizer has these two at fairseq's places unless the files give them others.
    let id = |token: &str, place: u32| {
        let added = settings.added_tokens.iter().rfind(|(_, added)| added.content == token);
        added.and_then(|(id, _)| u32::try_from(*id).ok()).unwrap_or(place)
    };
    let tokens = [("<s>", id("<s>", 0)), ("</s>", id("</s>", 2))];
    converter.converted(Parts {
        vocabulary: vocabulary(&converter),
        unknown_id: UNKNOWN_ID,
        normalizer: converter.normalizer()?,
        pre_tokenizer: metaspace().into(),
        post_processor: template("<s> $A </s>", "<s> $A </s> </s> $B </s>", &tokens)?,
    })
}

/// The pieces in fairseq's order.
fn vocabulary(converter: &SpmConverter<'_>) -> Vocabulary {
    let first = FAIRSEQ_TOKENS.iter().map(|token| ((*token).to_owned(), 0.0));
    let pieces = scored(converter.pieces().get(SENTENCEPIECE_TOKENS..).unwrap_or_default());
    first.chain(pieces).chain([("<mask>".to_owned(), 0.0)]).collect()
}
