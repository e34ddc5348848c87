//! Warpers that cut by the shape of a distribution: `typical_p`, `epsilon_cutoff`, `eta_cutoff`.

use burnpipe_core::Result;

use super::distribution::{Softmax, Ties, Weighted, edge, keep_best, nth_largest};
use super::warper::at_least_one;
use super::{LogitsProcessor, refused};

/// Keeps the tokens whose information is nearest to the entropy and that have a probability of
/// `typical_p` together (<https://arxiv.org/abs/2202.00666>).
#[derive(Clone, Debug)]
pub struct TypicalLogitsWarper {
    mass: f32,
    min_tokens_to_keep: usize,
}

impl TypicalLogitsWarper {
    /// # Errors
    ///
    /// When `typical_p` is not between 0 and 1, or `min_tokens_to_keep` is 0.
    pub fn new(typical_p: f64, min_tokens_to_keep: usize) -> Result<Self> {
        let mass = between_0_and_1("typical_p", typical_p)?;
        Ok(Self { mass, min_tokens_to_keep: at_least_one(min_tokens_to_keep)? })
    }
}

impl LogitsProcessor for TypicalLogitsWarper {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let softmax = Softmax::of(scores);
        let entropy = softmax.entropy(scores);
        // Largest where a token is most typical.
        let typicality = |score: f32| -(-softmax.log_probability(score) - entropy).abs();
        let mut weighted: Vec<Weighted> =
            scores.iter().map(|&score| (typicality(score), softmax.probability(score))).collect();
        let count = edge(&mut weighted, 0.0, |down_to_it, _| (down_to_it as f32) < self.mass);
        let least = weighted.get(count).map_or(f32::NEG_INFINITY, |&(typicality, _)| typicality);
        let good = nth_largest(scores.iter().map(|&score| typicality(score)), self.min_tokens_to_keep);
        if good < least {
            keep_best(scores, typicality, good, self.min_tokens_to_keep, Ties::First);
            return Ok(());
        }
        for score in scores {
            *score = if typicality(*score) < least { f32::NEG_INFINITY } else { *score };
        }
        Ok(())
    }
}

/// Keeps tokens that are at least this likely (<https://arxiv.org/abs/2210.15191>).
#[derive(Clone, Debug)]
pub struct EpsilonLogitsWarper {
    epsilon: f32,
    min_tokens_to_keep: usize,
}

impl EpsilonLogitsWarper {
    /// # Errors
    ///
    /// When `epsilon` is not between 0 and 1, or `min_tokens_to_keep` is 0.
    pub fn new(epsilon: f64, min_tokens_to_keep: usize) -> Result<Self> {
        let epsilon = between_0_and_1("epsilon_cutoff", epsilon)?;
        Ok(Self { epsilon, min_tokens_to_keep: at_least_one(min_tokens_to_keep)? })
    }
}

impl LogitsProcessor for EpsilonLogitsWarper {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let good = nth_largest(scores.iter().copied(), self.min_tokens_to_keep);
        Softmax::of(scores).cut_below(self.epsilon, good, scores);
        Ok(())
    }
}

/// Keeps tokens that are at least as likely as `epsilon`, or as a bound that falls with the entropy if
/// that is lower (<https://arxiv.org/abs/2210.15191>).
#[derive(Clone, Debug)]
pub struct EtaLogitsWarper {
    epsilon: f32,
    min_tokens_to_keep: usize,
}

impl EtaLogitsWarper {
    /// # Errors
    ///
    /// When `epsilon` is not between 0 and 1, or `min_tokens_to_keep` is 0.
    pub fn new(epsilon: f64, min_tokens_to_keep: usize) -> Result<Self> {
        let epsilon = between_0_and_1("eta_cutoff", epsilon)?;
        Ok(Self { epsilon, min_tokens_to_keep: at_least_one(min_tokens_to_keep)? })
    }
}

impl LogitsProcessor for EtaLogitsWarper {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let softmax = Softmax::of(scores);
        let eta = self.epsilon.min(self.epsilon.sqrt() * (-softmax.entropy(scores)).exp());
        let good = nth_largest(scores.iter().copied(), self.min_tokens_to_keep);
        softmax.cut_below(eta, good, scores);
        Ok(())
    }
}

fn between_0_and_1(name: &str, value: f64) -> Result<f32> {
    if value > 0.0 && value < 1.0 {
        return Ok(value as f32);
    }
    Err(refused(format!("`{name}` must be above 0 and below 1, but is {value}")))
}
