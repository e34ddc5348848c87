//! `vocab.txt`: WordPiece, as BERT and its relatives have it.
//!
//! The relatives only put other special tokens, or other type ids, around a text.

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::template::TemplateProcessing;

use super::{SpecialIds, lines, template};
use crate::files;
use crate::settings::Settings;

const VOCABULARY: &str = "vocab.txt";

/// What stands around a text and around a pair; `CLS` and `SEP` stand for the tokens of the files.
pub(super) struct Templates {
    single: &'static str,
    pair: &'static str,
}

pub(super) const BERT: Templates =
    Templates { single: "CLS:0 $A:0 SEP:0", pair: "CLS:0 $A:0 SEP:0 $B:1 SEP:1" };
/// The type id of `<cls>` is one of its own.
pub(super) const FUNNEL: Templates =
    Templates { single: "CLS:2 $A:0 SEP:0", pair: "CLS:2 $A:0 SEP:0 $B:1 SEP:1" };
/// As in RoBERTa, two tokens stand between the texts.
pub(super) const MPNET: Templates =
    Templates { single: "CLS:0 $A:0 SEP:0", pair: "CLS:0 $A:0 SEP:0 SEP:0 $B:1 SEP:1" };

pub(super) fn convert(
    model: &dyn ModelFiles,
    settings: &Settings,
    templates: &Templates,
) -> Result<tokenizers::Tokenizer> {
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
        .with_post_processor(Some(post_processor(settings, &ids, templates)?))
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

fn post_processor(
    settings: &Settings,
    ids: &SpecialIds,
    templates: &Templates,
) -> Result<TemplateProcessing> {
    let (cls, cls_id) = ids.named(settings, "cls_token")?;
    let (sep, sep_id) = ids.named(settings, "sep_token")?;
    let unusable = || format!("cannot put `cls_token` `{cls}` and `sep_token` `{sep}` around a text");
    let around = |template: &str| {
        let parts = template.split(' ').map(|part| match part.split_once(':') {
            Some(("CLS", type_id)) => format!("{cls}:{type_id}"),
            Some(("SEP", type_id)) => format!("{sep}:{type_id}"),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join(" ")
    };
    let tokens = [(cls.as_str(), cls_id), (sep.as_str(), sep_id)];
    template(&around(templates.single), &around(templates.pair), &tokens)
        .context(ErrorKind::Tokenizer, unusable)
}

fn without_unknown(model: &dyn ModelFiles, unk: &str) -> Error {
    let name = model.model_name();
    let message =
        format!("`{VOCABULARY}` of `{name}` has no unknown token `{unk}`; is it a complete download?");
    Error::new(ErrorKind::Tokenizer, message)
}
