//! Processors that look at how many tokens there are: `min_length`, `min_new_tokens`,
//! `forced_bos_token_id`, `forced_eos_token_id`, `exponential_decay_length_penalty`.

use burnpipe_core::Result;

use super::{LogitsProcessor, forbid, force, refused, score_of};

/// Rules the end out as long as a row is shorter than `min_length`, prompt included.
#[derive(Clone, Debug)]
pub struct MinLengthLogitsProcessor {
    min_length: usize,
    eos_token_id: Vec<u32>,
}

impl MinLengthLogitsProcessor {
    /// `min_length` counts tokens, `eos_token_id` are the tokens that end a row.
    pub fn new(min_length: usize, eos_token_id: Vec<u32>) -> Self {
        Self { min_length, eos_token_id }
    }
}

impl LogitsProcessor for MinLengthLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        if tokens.len() < self.min_length {
            forbid(scores, &self.eos_token_id);
        }
        Ok(())
    }
}

/// Rules the end out as long as a row has fewer than `min_new_tokens` after its prompt.
#[derive(Clone, Debug)]
pub struct MinNewTokensLengthLogitsProcessor {
    min_length: usize,
    eos_token_id: Vec<u32>,
}

impl MinNewTokensLengthLogitsProcessor {
    /// `prompt_length_to_skip` and `min_new_tokens` count tokens.
    pub fn new(prompt_length_to_skip: usize, min_new_tokens: usize, eos_token_id: Vec<u32>) -> Self {
        Self { min_length: prompt_length_to_skip.saturating_add(min_new_tokens), eos_token_id }
    }
}

impl LogitsProcessor for MinNewTokensLengthLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        if tokens.len() < self.min_length {
            forbid(scores, &self.eos_token_id);
        }
        Ok(())
    }
}

/// Makes `bos_token_id` the first token after the decoder's start token.
#[derive(Clone, Debug)]
pub struct ForcedBOSTokenLogitsProcessor {
    bos_token_id: u32,
}

impl ForcedBOSTokenLogitsProcessor {
    /// For this token.
    pub fn new(bos_token_id: u32) -> Self {
        Self { bos_token_id }
    }
}

impl LogitsProcessor for ForcedBOSTokenLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        if tokens.len() == 1 { force(scores, &[self.bos_token_id]) } else { Ok(()) }
    }
}

/// Makes one of `eos_token_id` the token with which `max_length` is reached.
#[derive(Clone, Debug)]
pub struct ForcedEOSTokenLogitsProcessor {
    max_length: usize,
    eos_token_id: Vec<u32>,
}

impl ForcedEOSTokenLogitsProcessor {
    /// `max_length` counts tokens, prompt included.
    pub fn new(max_length: usize, eos_token_id: Vec<u32>) -> Self {
        Self { max_length, eos_token_id }
    }
}

impl LogitsProcessor for ForcedEOSTokenLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        if tokens.len() + 1 == self.max_length { force(scores, &self.eos_token_id) } else { Ok(()) }
    }
}

/// Makes the end likelier with every token from some length on.
///
/// Where another processor has ruled the end out, it stays so; Python's sum is NaN there.
#[derive(Clone, Debug)]
pub struct ExponentialDecayLengthPenalty {
    regulation_start: i64,
    regulation_factor: f64,
    eos_token_id: Vec<u32>,
}

impl ExponentialDecayLengthPenalty {
    /// `(start, factor)`: from `start` tokens after a prompt of `input_ids_seq_length` on, the score of the
    /// end grows by `factor` with each.
    ///
    /// # Errors
    ///
    /// When there is no token that ends a row.
    pub fn new(
        exponential_decay_length_penalty: (i64, f64),
        mut eos_token_id: Vec<u32>,
        input_ids_seq_length: usize,
    ) -> Result<Self> {
        if eos_token_id.is_empty() {
            return Err(refused(
                "`exponential_decay_length_penalty` needs `eos_token_id`, and the model has none",
            ));
        }
        eos_token_id.sort_unstable();
        eos_token_id.dedup();
        let (start, regulation_factor) = exponential_decay_length_penalty;
        let prompt = i64::try_from(input_ids_seq_length).unwrap_or(i64::MAX);
        Ok(Self { regulation_start: start.saturating_add(prompt), regulation_factor, eos_token_id })
    }
}

impl LogitsProcessor for ExponentialDecayLengthPenalty {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let length = i64::try_from(tokens.len()).unwrap_or(i64::MAX);
        let over = length.saturating_sub(self.regulation_start);
        if over <= 0 {
            return Ok(());
        }
        let growth = (self.regulation_factor.powf(over as f64) - 1.0) as f32;
        for &token in &self.eos_token_id {
            let score = score_of(scores, token)?;
            if *score != f32::NEG_INFINITY {
                *score += score.abs() * growth;
            }
        }
        Ok(())
    }
}
