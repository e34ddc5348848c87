//! Beam search that makes given words: `force_words_ids`.
//!
//! Beside the best continuations it keeps those that bring a row further with the words. Rows are sorted into
//! banks by how far they are, and the beams are filled from all banks in turn.
//!
//! Reference: `_constrained_beam_search` in `generation/utils.py` and `ConstrainedBeamSearchScorer` in
//! `generation/beam_search.py` of transformers 4.56.2.

use burnpipe_core::{Error, ErrorKind, Result};

use super::constraints::{Constraint, Progresses};
use super::group_beam::{Continuation, Running, continuations, expect_beams};
use super::hypotheses::{Hypotheses, best};
use super::rules::{Form, Rules, Step, expect_rows, extended, prompt_rows};
use super::{Generated, NextRows, RowStep, Search};
use crate::config::GenerationConfig;
use crate::model::RowScores;

/// Beams that make words.
pub(super) struct ConstrainedBeam {
    rules: Rules,
    num_return_sequences: usize,
    constraints: Vec<Constraint>,
    beams: Vec<Running>,
    hypotheses: Hypotheses,
    done: bool,
    /// Whether the model has the prompt alone, which all beams continue.
    only_prompt: bool,
    /// Whether a cancellation ended it.
    stopped: bool,
}

impl ConstrainedBeam {
    /// # Errors
    ///
    /// When the words cannot be forced.
    pub(super) fn new(rules: Rules, config: &GenerationConfig, prompt: &[u32]) -> Result<Self> {
        Ok(Self {
            num_return_sequences: config.num_return_sequences,
            constraints: Constraint::of(config.force_words_ids.as_deref().unwrap_or_default())?,
            beams: Running::of_prompt(prompt, config.num_beams),
            hypotheses: Hypotheses::new(config, &rules, config.num_beams),
            done: false,
            only_prompt: true,
            stopped: false,
            rules,
        })
    }

    /// Whether a row has all words.
    fn completes(&self, tokens: &[u32]) -> bool {
        Progresses::of(&self.constraints, tokens).completed
    }

    /// Sorts ends and continuations of a step apart; answers the continuations.
    fn sort_out(&mut self, steps: &[Step]) -> Result<Vec<Continuation>> {
        let candidates = continuations(&self.rules, &self.beams, steps)?;
        let length = self.beams.first().map_or(0, |beam| beam.tokens.len()) + 1 - self.rules.prompt_length;
        let best = candidates.first().map_or(f32::NEG_INFINITY, |candidate| candidate.sum);
        let size = self.beams.len();
        let mut next = Vec::with_capacity(size);
        for (rank, candidate) in candidates.into_iter().enumerate() {
            if !self.rules.is_eos(candidate.token) {
                next.push(candidate);
            } else if rank < size && self.completes(&self.beams[candidate.beam].tokens) {
                let beam = &self.beams[candidate.beam];
                let trace = beam.trace.and(candidate.beam);
                self.hypotheses.add(&beam.tokens, candidate.sum, length, trace);
            }
            if next.len() == size {
                break;
            }
        }
        expect_beams(next.len(), size)?;
        self.done = self.hypotheses.is_done(best, length);
        Ok(next)
    }

    /// Puts the continuations that bring a word further beside the best, and takes as many as there are beams
    /// from the banks in turn: `step_sentence_constraint`.
    ///
    /// # Errors
    ///
    /// When a word has a token that is not in the vocabulary.
    fn with_words(&self, mut next: Vec<Continuation>, steps: &[Step]) -> Result<Vec<Continuation>> {
        let row = |next: &Continuation| extended(&self.beams[next.beam].tokens, next.token);
        let mut rows: Vec<Vec<u32>> = next.iter().map(row).collect();
        let mut banks: Vec<usize> =
            rows.iter().map(|tokens| Progresses::of(&self.constraints, tokens).bank()).collect();
        let best = next.len();
        let mut states = Vec::new();
        for (beam, running) in self.beams.iter().enumerate() {
            let state = Progresses::of(&self.constraints, &running.tokens);
            let tokens = if state.completed { Vec::new() } else { state.next_tokens() };
            for token in tokens {
                let after = state.after(token);
                let tokens = extended(&running.tokens, token);
                let score = steps[beam].scores.get(token as usize).ok_or_else(|| unknown(token))?;
                if !rows.contains(&tokens) {
                    rows.push(tokens);
                    states.push(after);
                    next.push(Continuation { beam, token, sum: score + running.sum });
                }
            }
        }
        banks.extend(states.iter().map(Progresses::bank));
        Ok(if states.is_empty() { next } else { in_turn(next, &banks, best) })
    }
}

/// The best of the furthest bank, the best of the next one and so on, then the second of each.
fn in_turn(next: Vec<Continuation>, banks: &[usize], count: usize) -> Vec<Continuation> {
    let mut order: Vec<usize> = (0..next.len()).collect();
    let weight = |place: usize| (banks[place] * 100) as f32 + next[place].sum;
    order.sort_by(|&one, &other| weight(other).total_cmp(&weight(one)));
    let mut ranks: Vec<(usize, usize)> = Vec::with_capacity(order.len());
    for &place in &order {
        let rank =
            ranks.last().filter(|(_, last)| banks[*last] == banks[place]).map_or(0, |(rank, _)| rank + 1);
        ranks.push((rank, place));
    }
    ranks.sort_by_key(|(rank, _)| *rank);
    let mut next: Vec<Option<Continuation>> = next.into_iter().map(Some).collect();
    ranks.into_iter().take(count).filter_map(|(_, place)| next[place].take()).collect()
}

fn unknown(token: u32) -> Error {
    let message = format!("`force_words_ids` has the token {token}, which the model's vocabulary does not");
    Error::new(ErrorKind::Parameter, message)
}

impl Search for ConstrainedBeam {
    fn start(&mut self) -> NextRows {
        prompt_rows(self.beams.first().map_or(&[], |beam| &beam.tokens))
    }

    fn advance(&mut self, mut scores: Vec<RowScores>) -> Result<Option<NextRows>> {
        let shared = std::mem::take(&mut self.only_prompt);
        expect_rows(&scores, if shared { 1 } else { self.beams.len() })?;
        let mut steps = Vec::with_capacity(self.beams.len());
        for (given, beam) in scores.iter_mut().zip(&self.beams) {
            steps.push(self.rules.step(given, 0, &beam.tokens, Form::LogProbabilities)?);
        }
        self.rules.record.push(&steps);
        let steps: Vec<Step> = steps.iter().cloned().cycle().take(self.beams.len()).collect();
        let next = self.sort_out(&steps)?;
        let next = self.with_words(next, &steps)?;
        self.beams = next.iter().map(|next| next.running(&self.beams)).collect();
        if self.done || self.beams.iter().all(|beam| self.rules.stops(&beam.tokens)) {
            return Ok(None);
        }
        let parent = |next: &Continuation| if shared { 0 } else { next.beam };
        Ok(Some(NextRows::of_model(
            next.iter().map(|next| RowStep::next(parent(next), next.token)).collect(),
        )))
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    /// Beams may change to their first token, so nothing is certain before the end.
    fn take_new_tokens(&mut self) -> Vec<u32> {
        Vec::new()
    }

    /// Rows that have all words go before those that do not, which are taken where there are too few.
    fn finish(&mut self) -> Generated {
        let beams = std::mem::take(&mut self.beams);
        let count = beams.len();
        let (complete, others): (Vec<Running>, Vec<Running>) =
            beams.into_iter().partition(|beam| self.completes(&beam.tokens));
        let enough = complete.len() >= self.num_return_sequences;
        let others = others.into_iter().filter(|_| !enough);
        for beam in complete.into_iter().chain(others).filter(|_| !self.done) {
            let length = beam.tokens.len() - self.rules.prompt_length;
            self.hypotheses.add(&beam.tokens, beam.sum, length, beam.trace);
        }
        best(self.hypotheses.take(), self.num_return_sequences, count, &self.rules, self.stopped)
    }
}
