//! Greedy search and multinomial sampling.
//!
//! Reference: `_sample` in `generation/utils.py` of transformers 4.56.2. There rows that ended are filled with
//! padding until the last one ends; here they leave.

use burnpipe_core::Result;
use fastrand::Rng;

use super::choose::{argmax, draw, stream};
use super::record::Trace;
use super::rules::{Form, Rules, expect_rows, prompt_rows};
use super::{Generated, NextRows, RowStep, Search};
use crate::model::RowScores;

/// Takes the best token of every step, or draws one.
pub(super) struct Sample {
    rules: Rules,
    do_sample: bool,
    rows: Vec<Row>,
    /// The rows that go on, in the order of the model's.
    running: Vec<usize>,
    /// Whether the model has the prompt alone, which all rows continue.
    only_prompt: bool,
    new_tokens: Vec<u32>,
}

struct Row {
    tokens: Vec<u32>,
    random: Rng,
    trace: Trace,
}

impl Sample {
    /// Makes `count` rows of a prompt; each draws from a stream of its own.
    pub(super) fn new(
        rules: Rules,
        prompt: &[u32],
        do_sample: bool,
        count: usize,
        seed: u64,
        input: usize,
    ) -> Self {
        let row =
            |row| Row { tokens: prompt.to_vec(), random: stream(seed, input, row), trace: Trace::default() };
        let rows: Vec<Row> = (0..count).map(row).collect();
        let running = (0..rows.len()).collect();
        Self { rules, do_sample, rows, running, only_prompt: true, new_tokens: Vec::new() }
    }
}

impl Search for Sample {
    fn start(&mut self) -> NextRows {
        prompt_rows(self.rows.first().map_or(&[], |row| &row.tokens))
    }

    fn advance(&mut self, mut scores: Vec<RowScores>) -> Result<Option<NextRows>> {
        let shared = std::mem::take(&mut self.only_prompt);
        expect_rows(&scores, if shared { 1 } else { self.running.len() })?;
        let mut steps = Vec::with_capacity(scores.len());
        for (given, &place) in scores.iter_mut().zip(&self.running) {
            steps.push(self.rules.step(given, 0, &self.rows[place].tokens, Form::Logits)?);
        }
        self.rules.record.push(&steps);
        let mut next = Vec::new();
        let mut running = Vec::new();
        for (rank, &place) in self.running.iter().enumerate() {
            let parent = if shared { 0 } else { rank };
            let (row, step) = (&mut self.rows[place], &steps[parent]);
            let token =
                if self.do_sample { draw(&step.scores, &mut row.random)? } else { argmax(&step.scores)? };
            row.tokens.push(token);
            row.trace.push(parent);
            if !self.rules.stops(&row.tokens) {
                running.push(place);
                next.push(RowStep::next(parent, token));
            }
            if place == 0 {
                self.new_tokens.push(token);
            }
        }
        self.running = running;
        Ok((!next.is_empty()).then(|| NextRows::of_model(next)))
    }

    fn stop(&mut self) {
        self.running.clear();
    }

    fn take_new_tokens(&mut self) -> Vec<u32> {
        let tokens = std::mem::take(&mut self.new_tokens);
        if self.rows.len() == 1 { tokens } else { Vec::new() }
    }

    fn finish(&mut self) -> Generated {
        let prompt = self.rules.prompt_length;
        let rows = std::mem::take(&mut self.rows);
        let sequence = |mut row: Row| self.rules.record.sequence(row.tokens.split_off(prompt), &row.trace);
        Generated { sequences: rows.into_iter().map(sequence).collect(), ..Generated::default() }
    }
}
