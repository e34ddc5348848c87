//! Warpers that cut a distribution down before a token is drawn: `temperature`, `top_k`, `top_p`, `min_p`.

use burnpipe_core::Result;

use super::distribution::{Softmax, Ties, Weighted, edge, keep_best, nth_largest};
use super::{LogitsProcessor, refused};

/// How many tokens a warper leaves at least.
///
/// # Errors
///
/// When it is 0.
pub(super) fn at_least_one(min_tokens_to_keep: usize) -> Result<usize> {
    if min_tokens_to_keep == 0 {
        return Err(refused("`min_tokens_to_keep` must be above 0, because one token is chosen"));
    }
    Ok(min_tokens_to_keep)
}

/// Divides scores by the temperature: below 1 the likely become likelier, above 1 less so.
#[derive(Clone, Debug)]
pub struct TemperatureLogitsWarper {
    temperature: f32,
}

impl TemperatureLogitsWarper {
    /// # Errors
    ///
    /// When the temperature is not above 0.
    pub fn new(temperature: f64) -> Result<Self> {
        if temperature > 0.0 {
            return Ok(Self { temperature: temperature as f32 });
        }
        let message = format!(
            "`temperature` must be above 0, but is {temperature}; use `do_sample: false` to take the best token always"
        );
        Err(refused(message))
    }
}

impl LogitsProcessor for TemperatureLogitsWarper {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        scores.iter_mut().for_each(|score| *score /= self.temperature);
        Ok(())
    }
}

/// Keeps the best tokens, and those that are as good as the last of them.
#[derive(Clone, Debug)]
pub struct TopKLogitsWarper {
    top_k: usize,
}

impl TopKLogitsWarper {
    /// Keeps `top_k` tokens, or `min_tokens_to_keep` if that is more.
    ///
    /// # Errors
    ///
    /// When `top_k` is 0.
    pub fn new(top_k: usize, min_tokens_to_keep: usize) -> Result<Self> {
        if top_k == 0 {
            return Err(refused(
                "`top_k` must be above 0, but is 0; leave the warper out to keep all tokens",
            ));
        }
        Ok(Self { top_k: top_k.max(min_tokens_to_keep) })
    }
}

impl LogitsProcessor for TopKLogitsWarper {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        if self.top_k < scores.len() {
            let least = nth_largest(scores.iter().copied(), self.top_k);
            scores.iter_mut().filter(|score| **score < least).for_each(|score| *score = f32::NEG_INFINITY);
        }
        Ok(())
    }
}

/// Keeps the best tokens that have a probability of `top_p` together (<https://arxiv.org/abs/1904.09751>).
///
/// Of equal scores at the edge the last stay, as after a stable sort; torch's order of more than 16 equal
/// scores is its own.
#[derive(Clone, Debug)]
pub struct TopPLogitsWarper {
    top_p: f64,
    min_tokens_to_keep: usize,
}

impl TopPLogitsWarper {
    /// # Errors
    ///
    /// When `top_p` is not from 0 to 1, or `min_tokens_to_keep` is 0.
    pub fn new(top_p: f64, min_tokens_to_keep: usize) -> Result<Self> {
        if !(0.0..=1.0).contains(&top_p) {
            return Err(refused(format!("`top_p` must be from 0 to 1, but is {top_p}")));
        }
        Ok(Self { top_p, min_tokens_to_keep: at_least_one(min_tokens_to_keep)? })
    }
}

impl LogitsProcessor for TopPLogitsWarper {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let softmax = Softmax::of(scores);
        // Python sums from the worst token on, and drops as long as the sum is no more than this.
        let dropped = (1.0 - self.top_p) as f32;
        // Tokens that are no likelier than this come to no more than that together, and need no order.
        let negligible = dropped * 0.999 / scores.len() as f32;
        let mut below = 0.0_f64;
        let mut weighted: Vec<Weighted> = Vec::new();
        for &score in scores.iter() {
            let probability = softmax.probability(score);
            if probability > negligible {
                weighted.push((score, probability));
            } else {
                below += f64::from(probability);
            }
        }
        let kept = edge(&mut weighted, below, |_, from_it_on| from_it_on as f32 > dropped);
        let count = kept.max(self.min_tokens_to_keep);
        let least = match weighted.get(count - 1).filter(|_| kept == count) {
            Some(&(score, _)) => score,
            None => nth_largest(scores.iter().copied(), count),
        };
        keep_best(scores, |score| score, least, count, Ties::Last);
        Ok(())
    }
}

/// Keeps tokens that are at least `min_p` times as likely as the best.
#[derive(Clone, Debug)]
pub struct MinPLogitsWarper {
    min_p: f32,
    min_tokens_to_keep: usize,
}

impl MinPLogitsWarper {
    /// # Errors
    ///
    /// When `min_p` is not from 0 to 1, or `min_tokens_to_keep` is 0.
    pub fn new(min_p: f64, min_tokens_to_keep: usize) -> Result<Self> {
        if !(0.0..=1.0).contains(&min_p) {
            return Err(refused(format!("`min_p` must be from 0 to 1, but is {min_p}")));
        }
        Ok(Self { min_p: min_p as f32, min_tokens_to_keep: at_least_one(min_tokens_to_keep)? })
    }
}

impl LogitsProcessor for MinPLogitsWarper {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let softmax = Softmax::of(scores);
        let best = nth_largest(scores.iter().copied(), 1);
        let least = self.min_p * softmax.probability(best);
        // The best tokens are spared, of equals the first; there are enough of them where the last is likely.
        let good = nth_largest(scores.iter().copied(), self.min_tokens_to_keep);
        if softmax.probability(good) < least {
            keep_best(scores, |score| score, good, self.min_tokens_to_keep, Ties::First);
        } else {
            softmax.cut_below(least, f32::INFINITY, scores);
        }
        Ok(())
    }
}
