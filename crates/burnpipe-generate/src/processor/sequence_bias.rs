//! `sequence_bias` and `bad_words_ids`: sequences of tokens that are made likelier, or impossible.

use burnpipe_core::{Error, ErrorKind, Result};

use super::{LogitsProcessor, refused, score_of};

/// Adds to the score of a token that would complete a sequence.
#[derive(Clone, Debug)]
pub struct SequenceBiasLogitsProcessor {
    /// Sequences with their biases; those with the same last token stand together.
    biases: Vec<(Vec<u32>, f32)>,
    largest: u32,
}

impl SequenceBiasLogitsProcessor {
    /// `[(tokens, bias)]`. Of a sequence that is named twice, the last bias counts.
    ///
    /// # Errors
    ///
    /// When there is no sequence, or one of no tokens.
    pub fn new(sequence_bias: &[(Vec<u32>, f64)]) -> Result<Self> {
        if sequence_bias.is_empty() {
            return Err(refused("`sequence_bias` names no sequence; leave it out for no bias"));
        }
        let biases = sequence_bias.iter().map(|(sequence, bias)| (sequence.clone(), *bias as f32));
        Self::of(biases.collect(), "sequence_bias")
    }

    fn of(mut biases: Vec<(Vec<u32>, f32)>, parameter: &str) -> Result<Self> {
        if biases.iter().any(|(sequence, _)| sequence.is_empty()) {
            return Err(refused(format!("`{parameter}` has a sequence of no tokens")));
        }
        // By the last token and then the rest; the sort is stable, so that of equals the last stays last.
        biases.sort_by(|(left, _), (right, _)| left.iter().rev().cmp(right.iter().rev()));
        biases.reverse();
        let mut distinct: Vec<(Vec<u32>, f32)> = Vec::with_capacity(biases.len());
        for (sequence, bias) in biases {
            if distinct.last().is_none_or(|(before, _)| *before != sequence) {
                distinct.push((sequence, bias));
            }
        }
        let largest = distinct.iter().flat_map(|(sequence, _)| sequence).copied().max().unwrap_or(0);
        Ok(Self { biases: distinct, largest })
    }
}

impl LogitsProcessor for SequenceBiasLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let vocabulary = scores.len();
        if self.largest as usize >= vocabulary {
            let message = format!(
                "`sequence_bias` or `bad_words_ids` names token {}, and the model has {vocabulary} tokens",
                self.largest
            );
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        let last_token = |(sequence, _): &(Vec<u32>, f32)| sequence.last().copied();
        for group in self.biases.chunk_by(|left, right| last_token(left) == last_token(right)) {
            let completed = group.iter().filter(|(sequence, _)| completes(tokens, sequence));
            let bias: f32 = completed.map(|(_, bias)| bias).sum();
            if let Some(token) = group.first().and_then(last_token) {
                *score_of(scores, token)? += bias;
            }
        }
        Ok(())
    }
}

/// Whether a row's end is the sequence without its last token. As in Python, a sequence that is longer than
/// the row does not count, although its last token is yet to come.
fn completes(tokens: &[u32], sequence: &[u32]) -> bool {
    match sequence.split_last() {
        Some((_, [])) => true,
        Some((_, before)) => sequence.len() <= tokens.len() && tokens.ends_with(before),
        None => false,
    }
}

/// Rules out tokens that would complete one of some sequences.
#[derive(Clone, Debug)]
pub struct NoBadWordsLogitsProcessor {
    bias: SequenceBiasLogitsProcessor,
}

impl NoBadWordsLogitsProcessor {
    /// A sequence that is only a token of `eos_token_id` is passed by, so that a row can end.
    ///
    /// # Errors
    ///
    /// When there is no such sequence, or one of no tokens.
    pub fn new(bad_words_ids: &[Vec<u32>], eos_token_id: &[u32]) -> Result<Self> {
        if bad_words_ids.is_empty() {
            return Err(refused("`bad_words_ids` names no sequence; leave it out for no bad words"));
        }
        let ends = |sequence: &[u32]| matches!(sequence, [token] if eos_token_id.contains(token));
        let bad = bad_words_ids.iter().filter(|sequence| !ends(sequence));
        let biases = bad.map(|sequence| (sequence.clone(), f32::NEG_INFINITY)).collect();
        Ok(Self { bias: SequenceBiasLogitsProcessor::of(biases, "bad_words_ids")? })
    }
}

impl LogitsProcessor for NoBadWordsLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        self.bias.process(tokens, scores)
    }
}
