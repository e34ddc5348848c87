//! What all decoding methods share: how the model's logits become scores, and when a row ends.

use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, Result};

use super::RowStep;
use super::choose::{argmax, has_nan, log_softmax};
use super::record::Record;
use crate::config::GenerationConfig;
use crate::model::RowScores;
use crate::processor::LogitsProcessor;
use crate::stopping::StoppingRule;

/// The processors, the ends and the lengths of one input.
pub(super) struct Rules {
    processors: Vec<Box<dyn LogitsProcessor>>,
    stopping: Vec<Box<dyn StoppingRule>>,
    /// The tokens that end a sequence, in the order of `eos_token_id`.
    pub(super) eos_token_ids: Vec<u32>,
    /// Tokens of the prompt.
    pub(super) prompt_length: usize,
    /// Tokens that a row may have, prompt included.
    pub(super) max_length: usize,
    guidance_scale: f32,
    /// The steps that will be returned.
    pub(super) record: Record,
}

/// What the model's logits are turned into before the processors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// They stay.
    Logits,
    /// Their log-softmax, as beam searches add them up.
    LogProbabilities,
}

/// The scores that one token is chosen from. Beams share them, so they lie behind a pointer.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) scores: Arc<Vec<f32>>,
    /// The model's own, where they will be returned.
    pub(super) logits: Option<Arc<Vec<f32>>>,
}

impl Rules {
    /// The rules for a prompt.
    ///
    /// # Errors
    ///
    /// When the prompt is empty or leaves no room for a token.
    pub(super) fn new(
        config: &GenerationConfig,
        prompt: &[u32],
        processors: Vec<Box<dyn LogitsProcessor>>,
        stopping: Vec<Box<dyn StoppingRule>>,
    ) -> Result<Self> {
        let max_length = match config.max_new_tokens {
            Some(new_tokens) => prompt.len().saturating_add(new_tokens),
            None => config.max_length,
        };
        if prompt.is_empty() {
            return Err(Error::new(ErrorKind::Input, "the prompt has no token to continue"));
        }
        if prompt.len() >= max_length {
            let tokens = prompt.len();
            let message = format!(
                "the prompt has {tokens} tokens, but `max_length` is {max_length}; raise it, or set `max_new_tokens`"
            );
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        Ok(Self {
            processors,
            stopping,
            eos_token_ids: config.eos_token_id.clone().unwrap_or_default(),
            prompt_length: prompt.len(),
            max_length,
            guidance_scale: config.guidance_scale.unwrap_or(1.0) as f32,
            record: Record::new(config),
        })
    }

    /// The scores of the token after `tokens`; `place` says which of the row's logits they are.
    ///
    /// # Errors
    ///
    /// When the model gave none, a processor fails, or a score is not a number.
    pub(super) fn step(&self, row: &mut RowScores, place: usize, tokens: &[u32], form: Form) -> Result<Step> {
        self.step_after(row, place, tokens, form, |_| Ok(()))
    }

    /// The same with something done to the scores before the processors see them.
    pub(super) fn step_after(
        &self,
        row: &mut RowScores,
        place: usize,
        tokens: &[u32],
        form: Form,
        first: impl FnOnce(&mut [f32]) -> Result<()>,
    ) -> Result<Step> {
        let given = row.logits.get_mut(place).map(std::mem::take).filter(|logits| !logits.is_empty());
        let mut scores = given.ok_or_else(missing_scores)?;
        let logits = self.record.wants_logits().then(|| Arc::new(scores.clone()));
        match row.unconditional.get_mut(place) {
            Some(unconditional) => self.guide(&mut scores, unconditional),
            None if form == Form::LogProbabilities => log_softmax(&mut scores),
            None => {}
        }
        first(&mut scores)?;
        for processor in &self.processors {
            processor.process(tokens, &mut scores)?;
        }
        if has_nan(&scores) {
            let message = "the model's scores of the next token are not numbers (NaN); load it in f32, or set \
                           `remove_invalid_values`";
            return Err(Error::new(ErrorKind::Weights, message));
        }
        Ok(Step { scores: Arc::new(scores), logits })
    }

    /// Classifier-free guidance (arXiv 2306.17806): pushes log-probabilities away from those without the
    /// prompt. It comes before all processors and is not normalised again, as
    /// `UnbatchedClassifierFreeGuidanceLogitsProcessor` has it.
    fn guide(&self, scores: &mut [f32], unconditional: &mut [f32]) {
        log_softmax(scores);
        log_softmax(unconditional);
        for (score, without) in scores.iter_mut().zip(unconditional) {
            *score = self.guidance_scale * (*score - *without) + *without;
        }
    }

    /// Whether a row ends with its last token.
    pub(super) fn stops(&self, tokens: &[u32]) -> bool {
        tokens.len() >= self.max_length
            || tokens.last().is_some_and(|token| self.is_eos(*token))
            || self.stopping.iter().any(|rule| rule.stops(tokens))
    }

    /// Whether the token ends a sequence.
    pub(super) fn is_eos(&self, token: u32) -> bool {
        self.eos_token_ids.contains(&token)
    }
}

/// Fails when the model answered another number of rows than it was asked for.
pub(super) fn expect_rows(scores: &[RowScores], wanted: usize) -> Result<()> {
    if scores.len() == wanted {
        return Ok(());
    }
    let message = format!("the model answered {} rows, {wanted} were asked for", scores.len());
    Err(Error::new(ErrorKind::Internal, message))
}

/// The scores of every token after every beam, added to the beam's: `[beams * vocabulary]`. Where the model has
/// the prompt alone there is one step for all beams.
///
/// # Errors
///
/// When no continuation of any beam is possible, or the rows differ in width.
pub(super) fn sums(beams: impl Iterator<Item = f32>, steps: &[Step]) -> Result<Vec<f32>> {
    let mut sums = Vec::new();
    for (beam, step) in beams.zip(steps.iter().cycle()) {
        if step.scores.len() != steps[0].scores.len() {
            return Err(Error::new(ErrorKind::Internal, "the model gave rows of different widths"));
        }
        sums.extend(step.scores.iter().map(|score| score + beam));
    }
    argmax(&sums)?;
    Ok(sums)
}

fn missing_scores() -> Error {
    Error::new(ErrorKind::Internal, "the model gave no logits for a token that was to be scored")
}

/// A row with one token more.
pub(super) fn extended(tokens: &[u32], token: u32) -> Vec<u32> {
    let mut longer = Vec::with_capacity(tokens.len() + 1);
    longer.extend_from_slice(tokens);
    longer.push(token);
    longer
}

/// The first rows of most methods: the prompt once, however many rows go on from it.
pub(super) fn prompt_rows(prompt: &[u32]) -> super::NextRows {
    super::NextRows::of_model(vec![RowStep::prompt(prompt)])
}
