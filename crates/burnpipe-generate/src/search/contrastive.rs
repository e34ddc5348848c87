//! Contrastive search: of the likeliest tokens, the one that is least like what is there (arXiv 2202.06417).
//!
//! Reference: `_contrastive_search` of transformers up to 4.55; 4.56.2 loads the same from the Hub
//! (`transformers-community/contrastive-search`).

use burnpipe_core::{Error, ErrorKind, Result};

use super::choose::{softmax, top};
use super::record::Trace;
use super::rules::{Form, Rules, Step, expect_rows};
use super::{Generated, NextRows, RowStep, Search};
use crate::config::GenerationConfig;
use crate::model::RowScores;

/// Runs the `top_k` candidates of every step and keeps one.
pub(super) struct Contrastive {
    rules: Rules,
    penalty_alpha: f32,
    top_k: usize,
    tokens: Vec<u32>,
    /// How many of them are padding, which has no hidden states.
    padding: usize,
    /// Hidden states of all tokens so far, each of length 1.
    context: Vec<Vec<f32>>,
    /// What is running: tokens with their probabilities; none while the prompt runs.
    candidates: Vec<(u32, f32)>,
    /// The scores that the candidates are from.
    step: Option<Step>,
    trace: Trace,
    new_tokens: Vec<u32>,
}

impl Contrastive {
    /// A search for configurations with `penalty_alpha` and `top_k`.
    pub(super) fn new(rules: Rules, config: &GenerationConfig, prompt: Vec<u32>, padding: usize) -> Self {
        Self {
            rules,
            penalty_alpha: config.penalty_alpha.unwrap_or_default() as f32,
            top_k: config.top_k.unwrap_or(1),
            tokens: prompt,
            padding,
            context: Vec::new(),
            candidates: Vec::new(),
            step: None,
            trace: Trace::default(),
            new_tokens: Vec::new(),
        }
    }

    /// The candidate that is likely and unlike the context, and its hidden state.
    fn choose(&self, scores: &[RowScores]) -> Result<(usize, Vec<f32>)> {
        let mut best: Option<(usize, Vec<f32>, f32)> = None;
        for (place, (row, (_, probability))) in scores.iter().zip(&self.candidates).enumerate() {
            let hidden = unit(row.hidden_states.last().ok_or_else(missing)?);
            let similarity =
                |other: &Vec<f32>| hidden.iter().zip(other).map(|(one, other)| one * other).sum();
            let degeneration = self.context.iter().map(similarity).fold(f32::NEG_INFINITY, f32::max);
            let score = (1.0 - self.penalty_alpha) * probability - self.penalty_alpha * degeneration;
            if score.is_finite() && best.as_ref().is_none_or(|best| score > best.2) {
                best = Some((place, hidden, score));
            }
        }
        let message = "the model's hidden states are not numbers (NaN); load it in f32";
        let best = best.ok_or_else(|| Error::new(ErrorKind::Weights, message))?;
        Ok((best.0, best.1))
    }

    /// The candidates after a row of the model.
    fn candidates(&mut self, row: &mut RowScores, parent: usize) -> Result<NextRows> {
        let step = self.rules.step(row, 0, &self.tokens, Form::Logits)?;
        let likely = top(softmax(&step.scores)?.into_iter(), self.top_k);
        // A token that a processor forbids is none, however unlike the rest it is.
        let possible = likely.into_iter().filter(|(_, probability)| *probability > 0.0);
        self.candidates = possible.map(|(token, probability)| (token as u32, probability)).collect();
        self.step = Some(step);
        let row = |&(token, _): &(u32, f32)| RowStep { hidden_states: 1, ..RowStep::next(parent, token) };
        Ok(NextRows::of_model(self.candidates.iter().map(row).collect()))
    }
}

impl Search for Contrastive {
    fn start(&mut self) -> NextRows {
        let prompt = RowStep { hidden_states: self.tokens.len(), ..RowStep::prompt(&self.tokens) };
        NextRows::of_model(vec![prompt])
    }

    fn advance(&mut self, mut scores: Vec<RowScores>) -> Result<Option<NextRows>> {
        expect_rows(&scores, self.candidates.len().max(1))?;
        let mut place = 0;
        if let Some(step) = self.step.take() {
            let (chosen, hidden) = self.choose(&scores)?;
            place = chosen;
            let token = self.candidates[place].0;
            self.rules.record.push(&[step]);
            self.trace.push(0);
            self.tokens.push(token);
            self.new_tokens.push(token);
            self.context.push(hidden);
            if self.rules.stops(&self.tokens) {
                return Ok(None);
            }
        } else {
            self.context = scores[0].hidden_states.iter().map(|hidden| unit(hidden)).collect();
            if self.context.len() + self.padding != self.tokens.len() {
                return Err(missing());
            }
        }
        self.candidates(&mut scores[place], place).map(Some)
    }

    fn stop(&mut self) {}

    fn take_new_tokens(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.new_tokens)
    }

    fn finish(&mut self) -> Generated {
        let tokens = self.tokens.split_off(self.rules.prompt_length);
        Generated { sequences: vec![self.rules.record.sequence(tokens, &self.trace)], ..Generated::default() }
    }
}

/// The vector of length 1 in the same direction.
fn unit(vector: &[f32]) -> Vec<f32> {
    let square: f32 = vector.iter().map(|value| value * value).sum();
    let length = square.sqrt().max(f32::MIN_POSITIVE);
    vector.iter().map(|value| value / length).collect()
}

fn missing() -> Error {
    let message = "the model gives no hidden states, which contrastive search (`penalty_alpha`) needs";
    Error::new(ErrorKind::Unsupported, message)
}
