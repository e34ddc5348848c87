//! Beam search and beam sampling.
//!
//! Reference: `_beam_search` in `generation/utils.py` of transformers 4.56.2, with its sums in f32 and its -1e9
//! for what must not be chosen. The prompt runs once, where the reference runs it for every beam.

use burnpipe_core::Result;
use fastrand::Rng;

use super::choose::{draw_several, softmax, stream, top};
use super::record::Trace;
use super::rules::{Form, Rules, Step, expect_rows, extended, prompt_rows, sums};
use super::{Generated, NextRows, RowStep, Search};
use crate::config::{EarlyStopping, GenerationConfig};
use crate::model::RowScores;

/// What is taken off the score of a row that must not be chosen; it must fit into f32 beside real scores.
pub(super) const NEVER: f32 = 1.0e9;

/// Keeps the `num_beams` best rows of every step, and the best of those that ended.
pub(super) struct Beam {
    rules: Rules,
    num_beams: usize,
    num_return_sequences: usize,
    length_penalty: f64,
    early_stopping: EarlyStopping,
    /// The draws of beam sampling.
    random: Option<Rng>,
    running: Vec<Candidate>,
    finished: Vec<Candidate>,
    /// Whether the model has the prompt alone, which all beams continue.
    only_prompt: bool,
}

/// A row with its score: the sum of log-probabilities, divided by the length when it ended.
#[derive(Clone)]
struct Candidate {
    tokens: Vec<u32>,
    score: f32,
    /// The beam that it continues.
    parent: usize,
    /// Whether it ended, by a token or a rule.
    ended: bool,
    trace: Trace,
}

impl Beam {
    pub(super) fn new(
        rules: Rules,
        config: &GenerationConfig,
        prompt: &[u32],
        seed: u64,
        input: usize,
    ) -> Self {
        // All beams are the prompt at first: only the first counts, lest all make the same.
        let beam = |place| Candidate {
            tokens: prompt.to_vec(),
            score: if place == 0 { 0.0 } else { -NEVER },
            parent: 0,
            ended: false,
            trace: Trace::default(),
        };
        Self {
            num_beams: config.num_beams,
            num_return_sequences: config.num_return_sequences,
            length_penalty: config.length_penalty,
            early_stopping: config.early_stopping,
            random: config.do_sample.then(|| stream(seed, input, 0)),
            running: (0..config.num_beams).map(beam).collect(),
            finished: (1..=config.num_beams).map(beam).collect(),
            only_prompt: true,
            rules,
        }
    }

    /// The best continuations of all beams: enough that `num_beams` go on when the best all end.
    fn continuations(&mut self, steps: &[Step]) -> Result<Vec<Candidate>> {
        let wanted = self.rules.eos_token_ids.len().saturating_add(1).max(2) * self.num_beams;
        let sums = sums(self.running.iter().map(|beam| beam.score), steps)?;
        let vocabulary = sums.len() / self.running.len();
        let places: Vec<usize> = match &mut self.random {
            Some(random) => draw_several(&softmax(&sums)?, wanted, random),
            None => top(sums.iter().copied(), wanted).into_iter().map(|(place, _)| place).collect(),
        };
        let candidate = |place: usize| {
            let beam = place / vocabulary;
            let tokens = extended(&self.running[beam].tokens, (place % vocabulary) as u32);
            let trace = self.running[beam].trace.and(beam);
            let ended = self.rules.stops(&tokens);
            Candidate { tokens, score: sums[place], parent: beam, ended, trace }
        };
        Ok(places.into_iter().map(candidate).collect())
    }

    /// The beams of the next step: the best that did not end.
    fn go_on_with(&mut self, candidates: &[Candidate]) {
        let charge = |candidate: &Candidate| if candidate.ended { NEVER } else { 0.0 };
        let scores = candidates.iter().map(|candidate| candidate.score - charge(candidate));
        let best = top(scores, self.num_beams);
        let beam = |(place, score): (usize, f32)| Candidate { score, ..candidates[place].clone() };
        self.running = best.into_iter().map(beam).collect();
    }

    /// Takes those that ended among the `num_beams` best into the finished ones, if they are better.
    fn finish_with(&mut self, mut candidates: Vec<Candidate>, length: usize) {
        let divisor = self.penalty(length);
        for (rank, candidate) in candidates.iter_mut().enumerate() {
            candidate.ended &= rank < self.num_beams;
            candidate.score /= divisor;
            candidate.score -= if candidate.ended { 0.0 } else { NEVER };
        }
        let mut merged: Vec<Option<Candidate>> =
            std::mem::take(&mut self.finished).into_iter().chain(candidates).map(Some).collect();
        let best = top(merged.iter().flatten().map(|candidate| candidate.score), self.num_beams);
        self.finished = best.into_iter().filter_map(|(place, _)| merged[place].take()).collect();
    }

    /// Whether the best running beam may come before the worst that ended; an estimate, as the reference's.
    fn may_improve(&self, length: usize) -> bool {
        let longest = self.rules.max_length - self.rules.prompt_length;
        let never = self.early_stopping == EarlyStopping::Never && self.length_penalty > 0.0;
        let divisor = self.penalty(if never { longest } else { length });
        let reachable = self.running.first().map_or(-NEVER, |beam| beam.score) / divisor;
        let worst = self.finished.iter().map(|beam| beam.score).fold(f32::INFINITY, f32::min);
        self.finished.iter().any(|beam| reachable > if beam.ended { worst } else { -NEVER })
    }

    fn penalty(&self, length: usize) -> f32 {
        (length as f64).powf(self.length_penalty) as f32
    }
}

impl Search for Beam {
    fn start(&mut self) -> NextRows {
        prompt_rows(self.running.first().map_or(&[], |beam| &beam.tokens))
    }

    fn advance(&mut self, mut scores: Vec<RowScores>) -> Result<Option<NextRows>> {
        let shared = std::mem::take(&mut self.only_prompt);
        expect_rows(&scores, if shared { 1 } else { self.running.len() })?;
        let mut steps = Vec::with_capacity(scores.len());
        for (given, beam) in scores.iter_mut().zip(&self.running) {
            steps.push(self.rules.step(given, 0, &beam.tokens, Form::LogProbabilities)?);
        }
        self.rules.record.push(&steps);
        let candidates = self.continuations(&steps)?;
        let length = candidates.first().map_or(0, |candidate| candidate.tokens.len());
        let length = length.saturating_sub(self.rules.prompt_length);
        let all_ended = candidates.iter().all(|candidate| candidate.ended);
        self.go_on_with(&candidates);
        self.finish_with(candidates, length);
        let full = self.early_stopping == EarlyStopping::Yes && self.finished.iter().all(|beam| beam.ended);
        if all_ended || full || !self.may_improve(length) {
            return Ok(None);
        }
        let row = |beam: &Candidate| {
            let parent = if shared { 0 } else { beam.parent };
            beam.tokens.last().map(|token| RowStep::next(parent, *token))
        };
        Ok(Some(NextRows::of_model(self.running.iter().filter_map(row).collect())))
    }

    fn stop(&mut self) {
        let length = self.running.first().map_or(0, |beam| beam.tokens.len());
        let length = length.saturating_sub(self.rules.prompt_length);
        if length > 0 {
            let mut candidates = std::mem::take(&mut self.running);
            candidates.iter_mut().for_each(|candidate| candidate.ended = true);
            self.finish_with(candidates, length);
        }
    }

    /// Beams may change to their first token, so nothing is certain before the end.
    fn take_new_tokens(&mut self) -> Vec<u32> {
        Vec::new()
    }

    fn finish(&mut self) -> Generated {
        let prompt = self.rules.prompt_length;
        let best = std::mem::take(&mut self.finished).into_iter().take(self.num_return_sequences);
        let sequence = |mut beam: Candidate| {
            let tokens = beam.tokens.split_off(prompt);
            self.rules.record.beam_sequence(tokens, beam.trace, beam.score)
        };
        Generated { sequences: best.map(sequence).collect(), beams: self.rules.record.beams(self.num_beams) }
    }
}
