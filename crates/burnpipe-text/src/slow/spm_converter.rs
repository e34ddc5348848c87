//! SentencePiece models: what Python's `SpmConverter` makes of them.
//!
//! Each family with such a model has a file of its own for what it changes: the vocabulary, how text is
//! rewritten before it is split, and what stands around it.

use std::collections::{HashMap, HashSet};

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, NFKD, Precompiled, Replace, Sequence, Strip, StripAccents};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::utils::SysRegex;
use tokenizers::{AddedToken, DecoderWrapper, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::sentencepiece::{self, CONTROL, ModelProto, Piece, TrainerSpec, USER_DEFINED};
use super::{SpecialIds, template};
use crate::files;
use crate::settings::Settings;

/// Tokens with their scores, in the order of their ids.
pub(super) type Vocabulary = Vec<(String, f64)>;

/// A SentencePiece model on its way to a tokenizer.
pub(super) struct SpmConverter<'a> {
    model: &'a dyn ModelFiles,
    file: &'static str,
    proto: ModelProto,
    trainer_spec: TrainerSpec,
}

/// What a family makes of its model.
pub(super) struct Parts {
    pub(super) vocabulary: Vocabulary,
    pub(super) unknown_id: usize,
    pub(super) normalizer: Vec<NormalizerWrapper>,
    pub(super) pre_tokenizer: PreTokenizerWrapper,
    pub(super) post_processor: TemplateProcessing,
}

impl<'a> SpmConverter<'a> {
    pub(super) fn read(model: &'a dyn ModelFiles, file: &'static str) -> Result<Self> {
        let (proto, trainer_spec) = sentencepiece::read(model, file)?;
        Ok(Self { model, file, proto, trainer_spec })
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.proto.pieces
    }

    /// The pieces as the model has them.
    pub(super) fn vocabulary(&self) -> Vocabulary {
        scored(self.pieces()).collect()
    }

    /// The pieces, with numbers before a comma made so unlikely that the two are split.
    pub(super) fn vocabulary_without_number_commas(&self) -> Result<Vocabulary> {
        // Python's `isdigit`: the decimal digits, and those that stand for nothing but a digit.
        const DIGIT_AND_COMMA: &str = "[\\p{Nd}\u{B2}-\u{B3}\u{B9}\u{1369}-\u{1371}\u{19DA}\u{2070}\
            \u{2074}-\u{2079}\u{2080}-\u{2089}\u{2460}-\u{2468}\u{2474}-\u{247C}\u{2488}-\u{2490}\u{24EA}\
            \u{24F5}-\u{24FD}\u{24FF}\u{2776}-\u{277E}\u{2780}-\u{2788}\u{278A}-\u{2792}\
            \u{10A40}-\u{10A43}\u{10E60}-\u{10E68}\u{11052}-\u{1105A}\u{1F100}-\u{1F10A}],\\z";
        const DOWNGRADE: f64 = 100.0;
        let pattern = SysRegex::new(DIGIT_AND_COMMA).context(ErrorKind::Tokenizer, || self.unusable())?;
        let pieces = scored(self.pieces()).map(|(piece, score)| {
            let is_downgraded = piece.ends_with(',') && pattern.find_iter(&piece).next().is_some();
            (piece, if is_downgraded { score - DOWNGRADE } else { score })
        });
        Ok(pieces.collect())
    }

    /// The place of the unknown token that the model was trained with.
    pub(super) fn unknown_id(&self) -> Result<usize> {
        let id = self.trainer_spec.unk_id();
        usize::try_from(id).map_err(|_| {
            let message = format!("{}; it has no unknown token: its `unk_id` is {id}", self.unusable());
            Error::new(ErrorKind::Tokenizer, message)
        })
    }

    /// The template with the ids of its tokens in a slow tokenizer whose ids are the places of the pieces.
    pub(super) fn template(
        &self,
        settings: &Settings,
        single: &str,
        pair: &str,
        tokens: &[&'static str],
    ) -> Result<TemplateProcessing> {
        let places: HashMap<&str, u32> = self.pieces().iter().map(Piece::piece).zip(0..).collect();
        let place = |token: &str| places.get(token).copied();
        let ids = SpecialIds::new(settings, places.len(), place);
        let unknown = || self.pieces().iter().zip(0..).find(|(piece, _)| piece.is_unknown());
        let id = |token| ids.get(token).or_else(|| place(token)).or_else(|| Some(unknown()?.1));
        let tokens: Vec<_> = tokens.iter().filter_map(|token| Some((*token, id(token)?))).collect();
        template(single, pair, &tokens)
    }

    /// The model's own table of characters; none when it has none.
    pub(super) fn precompiled(&self) -> Result<Option<NormalizerWrapper>> {
        let spec = self.proto.normalizer_spec.as_ref();
        let charsmap = spec.map(|spec| spec.precompiled_charsmap()).unwrap_or_default();
        if charsmap.is_empty() {
            return Ok(None);
        }
        crate::charsmap::check(charsmap).context(ErrorKind::Tokenizer, || self.unusable())?;
        let precompiled = Precompiled::from(charsmap).context(ErrorKind::Tokenizer, || self.unusable())?;
        Ok(Some(precompiled.into()))
    }

    /// How `SpmConverter` itself rewrites text.
    pub(super) fn normalizer(&self) -> Result<Vec<NormalizerWrapper>> {
        let steps = [Strip::new(false, true).into(), join_spaces("▁")?];
        Ok(self.precompiled()?.into_iter().chain(steps).collect())
    }

    /// The model alone, which gives a byte for each of a character that is in no piece. Some user-defined pieces may be
    /// special, and a token may stand for a piece of another name in merges.
    pub(super) fn with_bytes(
        &self,
        vocabulary: Vocabulary,
        unknown_id: usize,
        special: &[&str],
        renamed: Option<(&str, &str)>,
    ) -> Result<tokenizers::Tokenizer> {
        let model = self.build(vocabulary, unknown_id, true, renamed)?;
        let mut library = tokenizers::Tokenizer::new(model);
        library.add_tokens(&added_tokens(self.pieces(), special));
        Ok(library)
    }

    pub(super) fn converted(&self, parts: Parts) -> Result<tokenizers::Tokenizer> {
        let model = self.build(parts.vocabulary, parts.unknown_id, false, None)?;
        let mut library = tokenizers::Tokenizer::new(model);
        library.add_tokens(&added_tokens(self.pieces(), &[]));
        library
            .with_normalizer(Some(Sequence::new(parts.normalizer)))
            .with_pre_tokenizer(Some(parts.pre_tokenizer))
            .with_decoder(Some(metaspace()))
            .with_post_processor(Some(parts.post_processor));
        Ok(library)
    }

    fn build(
        &self,
        vocabulary: Vocabulary,
        unknown_id: usize,
        byte_fallback: bool,
        renamed: Option<(&str, &str)>,
    ) -> Result<ModelWrapper> {
        match self.trainer_spec.model_type() {
            sentencepiece::UNIGRAM => {
                Unigram::from(vocabulary, Some(unknown_id), byte_fallback).map(Into::into)
            }
            sentencepiece::BPE => {
                let mut ids: HashMap<&str, usize> =
                    self.pieces().iter().map(|piece| piece.piece()).zip(0..).collect();
                if let Some((token, piece)) = renamed
                    && let Some(id) = ids.get(piece).copied()
                {
                    ids.entry(token).or_insert(id);
                }
                let merges = merges(&ids, &vocabulary);
                let tokens = vocabulary.into_iter().zip(0..).map(|((token, _), id)| (token, id));
                BPE::builder()
                    .vocab_and_merges(tokens.collect::<Vocab>(), merges)
                    .unk_token(self.trainer_spec.unk_piece().to_owned())
                    .fuse_unk(true)
                    .byte_fallback(byte_fallback)
                    .build()
                    .map(Into::into)
            }
            other => {
                let message =
                    format!("model type {other} is not supported; SentencePiece models are unigram or BPE");
                Err(Error::new(ErrorKind::Unsupported, message).into())
            }
        }
        .context(ErrorKind::Tokenizer, || self.unusable())
    }

    fn unusable(&self) -> String {
        files::broken(self.model, self.file)
    }
}

/// Pieces with their scores.
pub(super) fn scored(pieces: &[Piece]) -> impl Iterator<Item = (String, f64)> {
    pieces.iter().map(|piece| (piece.piece().to_owned(), f64::from(piece.score())))
}

/// Marks the beginnings of words, also that of the first one.
pub(super) fn metaspace() -> Metaspace {
    Metaspace::new('▁', PrependScheme::Always, true)
}

/// Two spaces and more become one `joined`.
pub(super) fn join_spaces(joined: &str) -> Result<NormalizerWrapper> {
    replace(ReplacePattern::Regex(" {2,}".to_owned()), joined)
}

/// TeX's quotation marks become those of a typewriter.
pub(super) fn straight_quotes() -> Result<[NormalizerWrapper; 2]> {
    let quote = |pattern: &str| replace(ReplacePattern::String(pattern.to_owned()), "\"");
    Ok([quote("``")?, quote("''")?])
}

/// Spaces become the mark of a word's beginning.
pub(super) fn spaces_to_marks() -> Result<NormalizerWrapper> {
    replace(ReplacePattern::String(" ".to_owned()), "▁")
}

/// And back.
pub(super) fn spaces_from_marks() -> Result<DecoderWrapper> {
    let replace = Replace::new(ReplacePattern::String("▁".to_owned()), " ");
    Ok(replace.context(ErrorKind::Tokenizer, || "cannot build the decoder")?.into())
}

fn replace(pattern: ReplacePattern, content: &str) -> Result<NormalizerWrapper> {
    let replace = Replace::new(pattern, content);
    Ok(replace.context(ErrorKind::Tokenizer, || "cannot build the normalizer")?.into())
}

/// Which of case and accents go where the files do not say.
#[derive(Clone, Copy)]
pub(super) struct CaseAndAccents {
    pub(super) do_lower_case: bool,
    pub(super) keep_accents: bool,
}

impl CaseAndAccents {
    /// The steps that take case and accents away.
    pub(super) fn steps(self, settings: &Settings) -> Result<Vec<NormalizerWrapper>> {
        let mut steps: Vec<NormalizerWrapper> = Vec::new();
        if !settings.truth("keep_accents", self.keep_accents)? {
            steps.extend([NFKD.into(), StripAccents.into()]);
        }
        if settings.truth("do_lower_case", self.do_lower_case)? {
            steps.push(Lowercase.into());
        }
        Ok(steps)
    }
}

/// The merges that lead to each piece, best score first; a SentencePiece model only lists the pieces.
fn merges(ids: &HashMap<&str, usize>, vocabulary: &[(String, f64)]) -> Merges {
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

fn added_tokens(pieces: &[Piece], special: &[&str]) -> Vec<AddedToken> {
    let pieces = pieces.iter().filter(|piece| matches!(piece.kind(), CONTROL | USER_DEFINED));
    let is_special = |piece: &Piece| piece.kind() == CONTROL || special.contains(&piece.piece());
    pieces.map(|piece| AddedToken::from(piece.piece(), is_special(piece)).normalized(false)).collect()
}
