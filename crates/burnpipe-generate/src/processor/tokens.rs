//! Processors for single tokens and single scores: `suppress_tokens`, `begin_suppress_tokens`,
//! `prefix_allowed_tokens_fn`, `remove_invalid_values`, `renormalize_logits`.

use burnpipe_core::Result;

use super::distribution::Softmax;
use super::{LogitsProcessor, forbid, refused, score_of};

/// Rules tokens out.
#[derive(Clone, Debug)]
pub struct SuppressTokensLogitsProcessor {
    suppress_tokens: Vec<u32>,
}

impl SuppressTokensLogitsProcessor {
    /// For these tokens; those that the model does not have are passed by.
    pub fn new(suppress_tokens: Vec<u32>) -> Self {
        Self { suppress_tokens }
    }
}

impl LogitsProcessor for SuppressTokensLogitsProcessor {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        forbid(scores, &self.suppress_tokens);
        Ok(())
    }
}

/// Rules tokens out at one place.
#[derive(Clone, Debug)]
pub struct SuppressTokensAtBeginLogitsProcessor {
    begin_suppress_tokens: Vec<u32>,
    begin_index: usize,
}

impl SuppressTokensAtBeginLogitsProcessor {
    /// For these tokens, when a row has `begin_index` tokens.
    pub fn new(begin_suppress_tokens: Vec<u32>, begin_index: usize) -> Self {
        Self { begin_suppress_tokens, begin_index }
    }
}

impl LogitsProcessor for SuppressTokensAtBeginLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        if tokens.len() == self.begin_index {
            forbid(scores, &self.begin_suppress_tokens);
        }
        Ok(())
    }
}

/// Which tokens may follow some tokens.
type AllowedTokens = dyn Fn(&[u32]) -> Vec<u32> + Send;

/// Lets only those tokens follow that a function names (<https://arxiv.org/abs/2010.00904>).
pub struct PrefixConstrainedLogitsProcessor {
    prefix_allowed_tokens_fn: Box<AllowedTokens>,
}

impl PrefixConstrainedLogitsProcessor {
    /// The function is given the tokens so far, prompt included, and answers which may follow. It is made
    /// for one input, and is not told which, as Python's is.
    pub fn new(prefix_allowed_tokens_fn: impl Fn(&[u32]) -> Vec<u32> + Send + 'static) -> Self {
        Self { prefix_allowed_tokens_fn: Box::new(prefix_allowed_tokens_fn) }
    }
}

impl std::fmt::Debug for PrefixConstrainedLogitsProcessor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PrefixConstrainedLogitsProcessor").finish_non_exhaustive()
    }
}

impl LogitsProcessor for PrefixConstrainedLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let allowed = (self.prefix_allowed_tokens_fn)(tokens);
        if allowed.is_empty() {
            let message = "`prefix_allowed_tokens_fn` named no token that may follow; let it name at least one, \
                           such as the one that ends a row";
            return Err(refused(message));
        }
        let kept = allowed.iter().map(|&token| Ok((token, *score_of(scores, token)?)));
        let kept = kept.collect::<Result<Vec<_>>>()?;
        scores.fill(f32::NEG_INFINITY);
        for (token, score) in kept {
            *score_of(scores, token)? = score;
        }
        Ok(())
    }
}

/// Puts 0 for NaN, and the largest and smallest number for the infinities.
#[derive(Clone, Copy, Debug, Default)]
pub struct InfNanRemoveLogitsProcessor;

impl LogitsProcessor for InfNanRemoveLogitsProcessor {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        for score in scores {
            *score = if score.is_nan() { 0.0 } else { score.clamp(f32::MIN, f32::MAX) };
        }
        Ok(())
    }
}

/// Takes the log-softmax.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogitNormalization;

impl LogitsProcessor for LogitNormalization {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let softmax = Softmax::of(scores);
        scores.iter_mut().for_each(|score| *score = softmax.log_probability(*score));
        Ok(())
    }
}
