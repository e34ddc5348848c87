//! `sentencepiece.bpe.model`: SentencePiece as CamemBERT has it, with fairseq's first tokens before it.
//!
//! SentencePiece's own `<s>` and `</s>` come after those of fairseq and are the ones in use; fairseq's
//! have names that nobody writes.

use std::collections::HashMap;

use burnpipe_core::{ModelFiles, Result};
use tokenizers::processors::template::TemplateProcessing;

use super::spm_converter::{Parts, SpmConverter, Vocabulary, metaspace, scored};
use super::{SpecialIds, template};
use crate::settings::Settings;

/// fairseq's tokens. SentencePiece's `<unk>`, its first piece, is in the place of the last one, so
/// unlikely that the added token of the same name is used instead.
const FAIRSEQ_TOKENS: [(&str, f64); 5] =
    [("<s>NOTUSED", 0.0), ("<pad>", 0.0), ("</s>NOTUSED", 0.0), ("<unk>", 0.0), ("<unk>NOTUSED", -100.0)];
const PAD_ID: usize = 1;
const UNKNOWN_ID: usize = 3;
/// How far the ids of the pieces are moved.
const FAIRSEQ_OFFSET: u32 = 4;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let converter = SpmConverter::read(model, "sentencepiece.bpe.model")?;
    converter.converted(Parts {
        vocabulary: vocabulary(&converter),
        unknown_id: UNKNOWN_ID,
        normalizer: converter.normalizer()?,
        pre_tokenizer: metaspace().into(),
        post_processor: post_processor(&converter, settings)?,
    })
}

fn vocabulary(converter: &SpmConverter<'_>) -> Vocabulary {
    let first = FAIRSEQ_TOKENS.iter().map(|(token, score)| ((*token).to_owned(), *score));
    let pieces = scored(converter.pieces().get(1..).unwrap_or_default());
    first.chain(pieces).chain([("<mask>".to_owned(), 0.0)]).collect()
}

fn post_processor(converter: &SpmConverter<'_>, settings: &Settings) -> Result<TemplateProcessing> {
    let pieces = converter.pieces().iter().skip(1).map(|piece| piece.piece());
    let mut vocabulary: HashMap<&str, u32> = pieces.zip(FAIRSEQ_OFFSET + 1..).collect();
    // The slow tokenizer's first tokens are added ones, whatever the files put there.
    let pad = settings.special.content("pad_token").unwrap_or("<pad>");
    let unk = settings.special.content("unk_token").unwrap_or("<unk>");
    let first = FAIRSEQ_TOKENS.iter().enumerate().map(|(place, (token, _))| match place {
        PAD_ID => pad,
        UNKNOWN_ID => unk,
        _ => token,
    });
    let first: Vec<(&str, u32)> = first.zip(0..).collect();
    vocabulary.extend(first.iter().copied());
    let of_files = settings.added_tokens.iter().filter(|(id, _)| **id > u64::from(FAIRSEQ_OFFSET));
    let of_files =
        of_files.map(|(id, token)| (token.content.as_str(), u32::try_from(*id).unwrap_or(u32::MAX)));
    let in_vocabulary = |token: &str| vocabulary.get(token).copied();
    let ids = SpecialIds::with_added(
        first.iter().copied().chain(of_files),
        settings,
        vocabulary.len(),
        in_vocabulary,
    );
    let id = |token: &'static str| {
        let id = ids.get(token).or_else(|| in_vocabulary(token)).or_else(|| ids.get(unk));
        Some((token, id?))
    };
    let tokens: Vec<_> = ["<s>", "</s>"].into_iter().filter_map(id).collect();
    template("<s> $A </s>", "<s> $A </s> </s> $B </s>", &tokens)
}
