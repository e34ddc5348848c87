//! `sentencepiece.bpe.model`: SentencePiece with the vocabulary order of fairseq, as XLM-RoBERTa has
//! it.

use std::collections::{HashMap, HashSet};

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Precompiled, Replace, Sequence, Strip};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, ModelWrapper, NormalizerWrapper};

use super::sentencepiece::{self, CONTROL, ModelProto, TrainerSpec, USER_DEFINED};
use crate::files;
use crate::settings::Settings;

const FILE: &str = "sentencepiece.bpe.model";

/// fairseq's own order of the first tokens; SentencePiece has `<unk>`, `<s>`, `</s>` in their place.
const FAIRSEQ_TOKENS: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];
const SENTENCEPIECE_TOKENS: usize = 3;
const UNKNOWN_ID: usize = 3;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let (proto, trainer_spec) = sentencepiece::read(model, FILE)?;
    let unusable = || files::broken(model, FILE);
    let mut library = tokenizers::Tokenizer::new(build_model(model, &proto, &trainer_spec)?);
    library.add_tokens(&added_tokens(&proto));
    let metaspace = Metaspace::new('▁', PrependScheme::Always, true);
    library
        .with_normalizer(Some(normalizer(&proto).context(ErrorKind::Tokenizer, unusable)?))
        .with_pre_tokenizer(Some(metaspace.clone()))
        .with_decoder(Some(metaspace))
        .with_post_processor(Some(post_processor(settings).context(ErrorKind::Tokenizer, unusable)?));
    Ok(library)
}

fn build_model(
    model: &dyn ModelFiles,
    proto: &ModelProto,
    trainer_spec: &TrainerSpec,
) -> Result<ModelWrapper> {
    let vocabulary = vocabulary(proto);
    match trainer_spec.model_type() {
        sentencepiece::UNIGRAM => Unigram::from(vocabulary, Some(UNKNOWN_ID), false).map(Into::into),
        sentencepiece::BPE => {
            let merges = merges(proto, &vocabulary);
            let tokens = vocabulary.into_iter().zip(0..).map(|((token, _), id)| (token, id));
            BPE::builder()
                .vocab_and_merges(tokens.collect::<Vocab>(), merges)
                .unk_token(trainer_spec.unk_piece().to_owned())
                .fuse_unk(true)
                .build()
                .map(Into::into)
        }
        other => {
            let message =
                format!("model type {other} is not supported; SentencePiece models are unigram or BPE");
            Err(Error::new(ErrorKind::Unsupported, message).into())
        }
    }
    .context(ErrorKind::Tokenizer, || files::broken(model, FILE))
}

/// The pieces with their scores, in fairseq's order.
fn vocabulary(proto: &ModelProto) -> Vec<(String, f64)> {
    let first = FAIRSEQ_TOKENS.iter().map(|token| ((*token).to_owned(), 0.0));
    let pieces = proto.pieces.iter().skip(SENTENCEPIECE_TOKENS);
    let pieces = pieces.map(|piece| (piece.piece().to_owned(), f64::from(piece.score())));
    first.chain(pieces).chain([("<mask>".to_owned(), 0.0)]).collect()
}

/// The merges that lead to each piece, best score first; a SentencePiece model only lists the pieces.
fn merges(proto: &ModelProto, vocabulary: &[(String, f64)]) -> Merges {
    let ids: HashMap<&str, usize> = proto.pieces.iter().map(|piece| piece.piece()).zip(0..).collect();
    // As in a Python dictionary, a piece that comes twice has its first place and its last score.
    let scores: HashMap<&str, f64> =
        vocabulary.iter().map(|(token, score)| (token.as_str(), *score)).collect();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut merges = Vec::new();
    for (token, _) in vocabulary {
        if !seen.insert(token) {
            continue;
        }
        let score = scores.get(token.as_str()).copied().unwrap_or_default();
        let splits = token.char_indices().skip(1).map(|(place, _)| token.split_at(place));
        let mut splits: Vec<_> = splits
            .filter_map(|(left, right)| Some((*ids.get(left)?, *ids.get(right)?, left, right)))
            .collect();
        splits.sort_by_key(|(left_id, right_id, _, _)| (*left_id, *right_id));
        merges.extend(splits.into_iter().map(|(_, _, left, right)| (score, left, right)));
    }
    let lengths = |left: &str, right: &str| (left.chars().count(), right.chars().count());
    merges.sort_by(|(score_a, left_a, right_a), (score_b, left_b, right_b)| {
        let by_score = score_b.total_cmp(score_a);
        by_score.then_with(|| lengths(left_b, right_b).cmp(&lengths(left_a, right_a)))
    });
    merges.into_iter().map(|(_, left, right)| (left.to_owned(), right.to_owned())).collect()
}

fn added_tokens(proto: &ModelProto) -> Vec<AddedToken> {
    let pieces = proto.pieces.iter().filter(|piece| matches!(piece.kind(), CONTROL | USER_DEFINED));
    pieces.map(|piece| AddedToken::from(piece.piece(), piece.kind() == CONTROL).normalized(false)).collect()
}

fn normalizer(proto: &ModelProto) -> tokenizers::Result<Sequence> {
    let charsmap = proto.normalizer_spec.as_ref().map(|spec| spec.precompiled_charsmap()).unwrap_or_default();
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if !charsmap.is_empty() {
        steps.push(Precompiled::from(charsmap)?.into());
    }
    steps.push(Strip::new(false, true).into());
    steps.push(Replace::new(ReplacePattern::Regex(" {2,}".to_owned()), "▁")?.into());
    Ok(Sequence::new(steps))
}

fn post_processor(settings: &Settings) -> tokenizers::Result<TemplateProcessing> {
    // The slow tokenizer has these two at fairseq's places unless the files give them others.
    let id = |token: &str, place: u32| {
        let added = settings.added_tokens.iter().rfind(|(_, added)| added.content == token);
        added.and_then(|(id, _)| u32::try_from(*id).ok()).unwrap_or(place)
    };
    let template = TemplateProcessing::builder()
        .try_single("<s> $A </s>")?
        .try_pair("<s> $A </s> </s> $B </s>")?
        .special_tokens(vec![("<s>", id("<s>", 0)), ("</s>", id("</s>", 2))])
        .build()?;
    Ok(template)
}
