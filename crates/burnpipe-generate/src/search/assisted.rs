//! Assisted decoding: tokens are proposed and the model confirms several in one pass.
//!
//! Greedy search makes the same tokens as without; sampling draws from the same distribution (speculative
//! sampling, arXiv 2211.17192).
//!
//! Reference: `_assisted_decoding` and `_speculative_sampling` in `generation/utils.py` of transformers 4.56.2. There
//! a stopping rule that holds in the midst of accepted tokens is not seen, and a look-up may overrun
//! `max_length`; here every token is looked at.

use burnpipe_core::Result;
use fastrand::Rng;

use super::choose::{argmax, draw, draw_weighted, softmax, stream};
use super::propose::Proposer;
use super::record::Trace;
use super::rules::{Form, Rules, Step, expect_rows};
use super::{Generated, NextRows, RowStep, Search, Which};
use crate::config::GenerationConfig;
use crate::model::RowScores;

/// Greedy search or sampling with proposed tokens.
pub(super) struct Assisted {
    rules: Rules,
    /// The draws of sampling.
    random: Option<Rng>,
    proposer: Proposer,
    tokens: Vec<u32>,
    /// Tokens of the row that the model has run.
    cached: usize,
    proposal: Vec<u32>,
    /// The scores that the assistant chose them from.
    proposal_scores: Vec<Step>,
    /// How many may be proposed in this round.
    room: usize,
    drafting: bool,
    trace: Trace,
    new_tokens: Vec<u32>,
}

impl Assisted {
    /// # Errors
    ///
    /// When the parameters of the proposals cannot be used.
    pub(super) fn new(
        rules: Rules,
        config: &GenerationConfig,
        prompt: Vec<u32>,
        seed: u64,
        input: usize,
    ) -> Result<Self> {
        Ok(Self {
            rules,
            random: config.do_sample.then(|| stream(seed, input, 0)),
            proposer: Proposer::new(config)?,
            tokens: prompt,
            cached: 0,
            proposal: Vec::new(),
            proposal_scores: Vec::new(),
            room: 0,
            drafting: false,
            trace: Trace::default(),
            new_tokens: Vec::new(),
        })
    }

    /// Begins a round: what runs is the assistant, or the model where tokens are looked up.
    fn propose(&mut self) -> NextRows {
        self.proposal.clear();
        self.proposal_scores.clear();
        // The model adds one of its own.
        self.room = (self.rules.max_length - 1).saturating_sub(self.tokens.len());
        match &self.proposer {
            Proposer::Lookup(lookup) => {
                self.proposal = lookup.tokens(&self.tokens, self.room, |token| self.rules.is_eos(token));
            }
            Proposer::Assistant(assistant) => {
                self.room = self.room.min(assistant.most);
                if self.room > 0 {
                    self.drafting = true;
                    let row = continued(&self.tokens, assistant.cached, &[]);
                    return NextRows { model: Which::Assistant, rows: vec![row] };
                }
            }
        }
        self.confirm()
    }

    /// Asks the model about the proposal.
    fn confirm(&mut self) -> NextRows {
        self.drafting = false;
        NextRows::of_model(vec![continued(&self.tokens, self.cached, &self.proposal)])
    }

    /// Takes a token from the assistant.
    fn draft(&mut self, row: &mut RowScores) -> Result<NextRows> {
        let so_far = [&*self.tokens, &*self.proposal].concat();
        let step = self.rules.step(row, 0, &so_far, Form::Logits)?;
        let token = choose(&step, self.random.as_mut())?;
        let Proposer::Assistant(assistant) = &mut self.proposer else { return Ok(self.confirm()) };
        assistant.cached = so_far.len();
        let doubtful =
            assistant.confidence.as_ref().is_some_and(|confidence| confidence.stops(token, &step.scores));
        self.proposal.push(token);
        self.proposal_scores.push(step);
        if doubtful || self.rules.is_eos(token) || self.proposal.len() >= self.room {
            return Ok(self.confirm());
        }
        Ok(NextRows { model: Which::Assistant, rows: vec![RowStep::next(0, token)] })
    }

    /// Takes as much of the proposal as the model agrees with, and one token of the model's own. Answers
    /// whether the row ended.
    fn accept(&mut self, row: &mut RowScores) -> Result<bool> {
        let before = self.tokens.len();
        let mut taken = 0;
        let mut ended = false;
        for place in 0..=self.proposal.len() {
            let step = self.rules.step(row, place, &self.tokens, Form::Logits)?;
            let proposed = self.proposal.get(place).copied();
            let token = match (&mut self.random, proposed, self.proposal_scores.get(place)) {
                (Some(random), Some(token), Some(draft)) => speculate(&step, draft, token, random)?,
                (random, ..) => choose(&step, random.as_mut())?,
            };
            self.tokens.push(token);
            self.new_tokens.push(token);
            self.rules.record.push(&[step]);
            self.trace.push(0);
            ended = self.rules.stops(&self.tokens);
            if ended || proposed != Some(token) {
                break;
            }
            taken += 1;
        }
        // The last token is the model's own, which it has not run.
        self.cached = before + taken;
        self.proposer.learn(taken, self.proposal.len(), self.cached);
        Ok(ended)
    }
}

/// A row from the first token that a model has not run, with tokens after it, which are all scored.
fn continued(tokens: &[u32], cached: usize, proposal: &[u32]) -> RowStep {
    RowStep {
        parent: (cached > 0).then_some(0),
        keep: (cached > 0).then_some(cached),
        tokens: [&tokens[cached..], proposal].concat(),
        scored: proposal.len() + 1,
        hidden_states: 0,
    }
}

/// The best token, or a drawn one.
fn choose(step: &Step, random: Option<&mut Rng>) -> Result<u32> {
    match random {
        Some(random) => draw(&step.scores, random),
        None => argmax(&step.scores),
    }
}

/// The proposed token as often as the model would draw it, else one of those that the assistant proposes too
/// rarely: altogether the model's distribution.
fn speculate(step: &Step, draft: &Step, proposed: u32, random: &mut Rng) -> Result<u32> {
    let model = softmax(&step.scores)?;
    let assistant = softmax(&draft.scores)?;
    let of = |probabilities: &[f32]| probabilities.get(proposed as usize).copied().unwrap_or(0.0);
    if random.f32() * of(&assistant) < of(&model) {
        return Ok(proposed);
    }
    let rest = model.iter().zip(&assistant).map(|(model, assistant)| f64::from((model - assistant).max(0.0)));
    draw_weighted(rest, random).or_else(|_| draw(&step.scores, random))
}

impl Search for Assisted {
    fn start(&mut self) -> NextRows {
        self.propose()
    }

    fn advance(&mut self, mut scores: Vec<RowScores>) -> Result<Option<NextRows>> {
        expect_rows(&scores, 1)?;
        if self.drafting {
            return self.draft(&mut scores[0]).map(Some);
        }
        let ended = self.accept(&mut scores[0])?;
        Ok(if ended { None } else { Some(self.propose()) })
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
