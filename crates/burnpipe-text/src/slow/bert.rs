//! `vocab.txt`: WordPiece, as BERT and its relatives have it.

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::template::TemplateProcessing;

use super::{SpecialIds, lines};
use crate::files;
use crate::settings::Settings;

const VOCABULARY: &str = "vocab.txt";

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let text = files::require_text(model, VOCABULARY, &[VOCABULARY])?;
    let mut vocabulary = Vocab::new();
    for (id, token) in lines(&text).enumerate() {
        vocabulary.insert(token.to_owned(), u32::try_from(id).unwrap_or(u32::MAX));
    }
    let ids = SpecialIds::new(settings, vocabulary.len(), |token| vocabulary.get(token).copied());
    let (unk, _) = ids.named(settings, "unk_token")?;
    if !vocabulary.contains_key(&unk) {
        return Err(without_unknown(model, &unk));
    }
    let wordpiece = WordPiece::builder().vocab(vocabulary).unk_token(unk).build();
    let wordpiece = wordpiece.context(ErrorKind::Tokenizer, || files::broken(model, VOCABULARY))?;

    let mut library = tokenizers::Tokenizer::new(wordpiece);
    library
        .with_normalizer(Some(normalizer(settings)?))
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(post_processor(settings, &ids)?))
        .with_decoder(Some(WordPieceDecoder::new("##".to_owned(), true)));
    Ok(library)
}

/// The normalizer of the slow tokenizer. The fast class replaces it by one after `do_lower_case` and
/// its like, after the added tokens have been normalized with this one.
fn normalizer(settings: &Settings) -> Result<BertNormalizer> {
    if !settings.flag("do_basic_tokenize")?.unwrap_or(true) {
        return Ok(BertNormalizer::new(true, false, Some(false), false));
    }
    Ok(BertNormalizer::new(
        true,
        settings.flag("tokenize_chinese_chars")?.unwrap_or(true),
        settings.flag("strip_accents")?,
        settings.flag("do_lower_case")?.unwrap_or(true),
    ))
}

fn post_processor(settings: &Settings, ids: &SpecialIds) -> Result<TemplateProcessing> {
    let (cls, cls_id) = ids.named(settings, "cls_token")?;
    let (sep, sep_id) = ids.named(settings, "sep_token")?;
    let unusable = || format!("cannot put `cls_token` `{cls}` and `sep_token` `{sep}` around a text");
    let template = TemplateProcessing::builder()
        .try_single(format!("{cls}:0 $A:0 {sep}:0"))
        .map_err(|error| Error::new(ErrorKind::Tokenizer, unusable()).with_source(error))?
        .try_pair(format!("{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1"))
        .map_err(|error| Error::new(ErrorKind::Tokenizer, unusable()).with_source(error))?
        .special_tokens(vec![(cls.clone(), cls_id), (sep.clone(), sep_id)])
        .build();
    template.context(ErrorKind::Tokenizer, unusable)
}

fn without_unknown(model: &dyn ModelFiles, unk: &str) -> Error {
    let name = model.model_name();
    let message =
        format!("`{VOCABULARY}` of `{name}` has no unknown token `{unk}`; is it a complete download?");
    Error::new(ErrorKind::Tokenizer, message)
}
