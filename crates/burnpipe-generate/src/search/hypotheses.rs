//! The finished rows of the beam searches that keep them in a list.
//!
//! Reference: `BeamHypotheses` and the end of `BeamSearchScorer.finalize` in `generation/beam_search.py` of
//! transformers 4.56.2. Scores are f64 there, as Python's numbers are.

use super::Generated;
use super::record::Trace;
use super::rules::Rules;
use crate::config::{EarlyStopping, GenerationConfig};

/// The best rows that ended, up to a number.
pub(super) struct Hypotheses {
    kept: Vec<Hypothesis>,
    size: usize,
    worst: f64,
    length_penalty: f64,
    early_stopping: EarlyStopping,
    /// Tokens that a row may get after the prompt.
    longest: usize,
}

/// A row that ended. A token that ended it is not among its tokens.
pub(super) struct Hypothesis {
    score: f64,
    tokens: Vec<u32>,
    pub(super) trace: Trace,
}

impl Hypotheses {
    /// An empty list for `size` rows.
    pub(super) fn new(config: &GenerationConfig, rules: &Rules, size: usize) -> Self {
        Self {
            kept: Vec::new(),
            size,
            worst: 1.0e9,
            length_penalty: config.length_penalty,
            early_stopping: config.early_stopping,
            longest: rules.max_length - rules.prompt_length,
        }
    }

    /// Takes a row in, if there is room or it is better than the worst, which then goes. `sum` is that of its
    /// log-probabilities, `length` counts its new tokens with the one that ended it.
    pub(super) fn add(&mut self, tokens: &[u32], sum: f32, length: usize, trace: Trace) {
        let score = f64::from(sum) / self.divisor(length);
        if self.kept.len() >= self.size && score <= self.worst {
            return;
        }
        self.kept.push(Hypothesis { score, tokens: tokens.to_vec(), trace });
        if self.kept.len() <= self.size {
            self.worst = self.worst.min(score);
            return;
        }
        let mut worst = 0;
        for (place, hypothesis) in self.kept.iter().enumerate() {
            if hypothesis.score < self.kept[worst].score {
                worst = place;
            }
        }
        self.kept.remove(worst);
        self.worst = self.kept.iter().map(|hypothesis| hypothesis.score).fold(f64::INFINITY, f64::min);
    }

    /// Whether no running row can come in any more, by the best of their sums and their length.
    pub(super) fn is_done(&self, best_sum: f32, length: usize) -> bool {
        if self.kept.len() < self.size {
            return false;
        }
        let never = self.early_stopping == EarlyStopping::Never && self.length_penalty > 0.0;
        let reachable = f64::from(best_sum) / self.divisor(if never { self.longest } else { length });
        self.early_stopping == EarlyStopping::Yes || self.worst >= reachable
    }

    /// The rows, best or not.
    pub(super) fn take(&mut self) -> Vec<Hypothesis> {
        std::mem::take(&mut self.kept)
    }

    fn divisor(&self, length: usize) -> f64 {
        (length as f64).powf(self.length_penalty)
    }
}

/// The best of some rows; of equals the one that came last. The first of the tokens that end a sequence is put
/// behind each that has room for it, unless they were cut off.
pub(super) fn best(
    mut rows: Vec<Hypothesis>,
    count: usize,
    beams: usize,
    rules: &Rules,
    cut_off: bool,
) -> Generated {
    rows.sort_by(|one, other| one.score.total_cmp(&other.score));
    let sequence = |row: Hypothesis| {
        let mut tokens = row.tokens;
        if tokens.len() < rules.max_length && !cut_off {
            tokens.extend(rules.eos_token_ids.first());
        }
        rules.record.beam_sequence(tokens.split_off(rules.prompt_length), row.trace, row.score as f32)
    };
    Generated {
        sequences: rows.into_iter().rev().take(count).map(sequence).collect(),
        beams: rules.record.beams(beams),
    }
}
