//! The scores of every step, for callers that want them returned.
//!
//! Reference: `scores`, `logits` and `beam_indices` of `GenerateDecoderOnlyOutput` and `GenerateBeamDecoderOnlyOutput` in
//! `generation/utils.py` of transformers 4.56.2. There they are of rows; a [`Sequence`] has those of its own tokens.

use std::sync::Arc;

use super::rules::Step;
use super::{BeamScores, Sequence};
use crate::config::GenerationConfig;

/// The steps of a search so far: of each, the rows that the model ran.
pub(super) struct Record {
    output_scores: bool,
    output_logits: bool,
    scores: Vec<Rows>,
    logits: Vec<Rows>,
}

/// What each row had at a step: `[rows][vocabulary]`. Rows that go on share it with the step.
type Rows = Vec<Arc<Vec<f32>>>;

/// The row of every step that a sequence's token was chosen from.
#[derive(Clone, Default)]
pub(super) struct Trace(Vec<usize>);

impl Trace {
    /// Adds the row of one more step.
    pub(super) fn push(&mut self, row: usize) {
        self.0.push(row);
    }

    /// The same with the row of one more step.
    pub(super) fn and(&self, row: usize) -> Self {
        let mut longer = self.clone();
        longer.push(row);
        longer
    }

    /// Counts rows from another one on.
    pub(super) fn shift(&mut self, first: usize) {
        self.0.iter_mut().for_each(|row| *row += first);
    }
}

impl Record {
    /// Nothing yet.
    pub(super) fn new(config: &GenerationConfig) -> Self {
        let (output_scores, output_logits) = (config.output_scores, config.output_logits);
        Self { output_scores, output_logits, scores: Vec::new(), logits: Vec::new() }
    }

    /// Whether anything is kept.
    pub(super) fn is_wanted(&self) -> bool {
        self.output_scores || self.output_logits
    }

    /// Whether the model's own logits are kept.
    pub(super) fn wants_logits(&self) -> bool {
        self.output_logits
    }

    /// Adds a step: those of all rows that ran, or one that they share.
    pub(super) fn push(&mut self, steps: &[Step]) {
        if self.output_scores {
            self.scores.push(steps.iter().map(|step| step.scores.clone()).collect());
        }
        if self.output_logits {
            self.logits.push(steps.iter().filter_map(|step| step.logits.clone()).collect());
        }
    }

    /// A sequence of new tokens with the scores that they were chosen from.
    pub(super) fn sequence(&self, tokens: Vec<u32>, trace: &Trace) -> Sequence {
        let chosen = |steps: &[Rows]| -> Vec<Vec<f32>> {
            let rows = steps.iter().zip(&trace.0);
            rows.filter_map(|(rows, row)| Some(rows.get(*row).or(rows.first())?.to_vec())).collect()
        };
        Sequence { tokens, scores: chosen(&self.scores), logits: chosen(&self.logits), ..Sequence::default() }
    }

    /// The same of a beam search, with its final score and its beams.
    pub(super) fn beam_sequence(&self, tokens: Vec<u32>, trace: Trace, score: f32) -> Sequence {
        let sequence = self.sequence(tokens, &trace);
        Sequence { score: Some(score), beam_indices: trace.0, ..sequence }
    }

    /// What all beams had at every step.
    pub(super) fn beams(&self, count: usize) -> BeamScores {
        let of_beams = |steps: &[Rows]| -> Vec<Vec<Vec<f32>>> {
            let rows = |rows: &Rows| rows.iter().cycle().take(count).map(|row| row.to_vec()).collect();
            steps.iter().map(rows).collect()
        };
        BeamScores { scores: of_beams(&self.scores), logits: of_beams(&self.logits) }
    }
}
