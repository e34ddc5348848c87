//! Marks of times in what Whisper writes.

use burnpipe_core::Result;

use super::{LogitsProcessor, forbid};

/// Keeps marks of times in pairs and in order, and lets one follow where they are likelier together than any token
/// of text (<https://arxiv.org/abs/2212.04356>).
#[derive(Clone, Debug)]
pub struct WhisperTimeStampLogitsProcessor {
    no_timestamps_token_id: u32,
    eos_token_id: u32,
    begin_index: usize,
    max_initial_timestamp_index: Option<u32>,
}

impl WhisperTimeStampLogitsProcessor {
    /// For a model whose marks begin behind `no_timestamps_token_id`, and whose text lies before `eos_token_id`.
    /// `begin_index` counts the tokens that a row begins with; `max_initial_timestamp_index` is the latest mark that
    /// may come first.
    pub fn new(
        no_timestamps_token_id: u32,
        eos_token_id: u32,
        begin_index: usize,
        max_initial_timestamp_index: Option<u32>,
    ) -> Self {
        Self { no_timestamps_token_id, eos_token_id, begin_index, max_initial_timestamp_index }
    }

    /// Rules out what would break a pair, or go back in time.
    fn keep_order(&self, new: &[u32], begin: u32, scores: &mut [f32]) {
        let is_time = |back: usize| new.len().checked_sub(back).map(|place| new[place] >= begin);
        let last_is_time = is_time(1) == Some(true);
        let penultimate_is_time = is_time(2) != Some(false);
        if last_is_time && penultimate_is_time {
            from(scores, begin).fill(f32::NEG_INFINITY);
        } else if last_is_time {
            before(scores, self.eos_token_id).fill(f32::NEG_INFINITY);
        }
        if let Some(&last) = new.iter().rev().find(|&&token| token >= begin) {
            // A part may begin when the one before ends, but not end when it begins.
            let earliest = if last_is_time && !penultimate_is_time { last } else { last.saturating_add(1) };
            from(before(scores, earliest), begin).fill(f32::NEG_INFINITY);
        }
    }
}

impl LogitsProcessor for WhisperTimeStampLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let begin = self.no_timestamps_token_id.saturating_add(1);
        forbid(scores, &[self.no_timestamps_token_id]);
        self.keep_order(tokens.get(self.begin_index..).unwrap_or_default(), begin, scores);
        if tokens.len() == self.begin_index {
            before(scores, begin).fill(f32::NEG_INFINITY);
            if let Some(latest) = self.max_initial_timestamp_index {
                from(scores, begin.saturating_add(latest).saturating_add(1)).fill(f32::NEG_INFINITY);
            }
        }
        let best_text = before(scores, begin).iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if log_sum(from(scores, begin)) > best_text {
            before(scores, begin).fill(f32::NEG_INFINITY);
        }
        Ok(())
    }
}

/// The scores of the tokens before one.
fn before(scores: &mut [f32], token: u32) -> &mut [f32] {
    let end = scores.len().min(token as usize);
    &mut scores[..end]
}

/// The scores of a token and those after it.
fn from(scores: &mut [f32], token: u32) -> &mut [f32] {
    let start = scores.len().min(token as usize);
    &mut scores[start..]
}

/// The score of all together: `logsumexp`.
fn log_sum(scores: &[f32]) -> f32 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if largest == f32::NEG_INFINITY {
        return largest;
    }
    let sum: f64 = scores.iter().map(|score| f64::from((score - largest).exp())).sum();
    largest + sum.ln() as f32
}
