//! Diverse beam search (arXiv 1610.02424): groups of beams that are charged for the tokens of earlier groups.
//!
//! Reference: `_group_beam_search` in `generation/utils.py`, `BeamSearchScorer` in `generation/beam_search.py` and
//! `HammingDiversityLogitsProcessor` of transformers 4.56.2.

use burnpipe_core::{Error, ErrorKind, Result};

use super::beam::NEVER;
use super::choose::top;
use super::hypotheses::{Hypotheses, best};
use super::record::Trace;
use super::rules::{Form, Rules, Step, expect_rows, extended, prompt_rows, sums};
use super::{Generated, NextRows, RowStep, Search};
use crate::config::GenerationConfig;
use crate::model::RowScores;
use crate::processor::HammingDiversityLogitsProcessor;

/// Beam searches side by side, each over a group of beams.
pub(super) struct GroupBeam {
    rules: Rules,
    num_return_sequences: usize,
    diversity: HammingDiversityLogitsProcessor,
    pad_token_id: u32,
    groups: Vec<Group>,
    /// Whether the model has the prompt alone, which all beams continue.
    only_prompt: bool,
    /// Whether a cancellation ended it.
    stopped: bool,
}

struct Group {
    beams: Vec<Running>,
    hypotheses: Hypotheses,
    done: bool,
}

impl Group {
    /// Makes a group that is done longer, as the reference does: its padding counts for later groups.
    fn pad(&mut self, token: u32) {
        if let Some(first) = self.beams.first().cloned() {
            let tokens = extended(&first.tokens, token);
            self.beams.fill(Running { tokens, parent: 0, ..first });
        }
    }
}

/// A row that goes on.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) tokens: Vec<u32>,
    /// The sum of its log-probabilities.
    pub(super) sum: f32,
    /// The beam that it continues.
    pub(super) parent: usize,
    pub(super) trace: Trace,
}

impl Running {
    /// The beams of a prompt: only the first counts, lest all make the same.
    pub(super) fn of_prompt(prompt: &[u32], count: usize) -> Vec<Self> {
        let beam = |place| Self {
            tokens: prompt.to_vec(),
            sum: if place == 0 { 0.0 } else { -NEVER },
            parent: 0,
            trace: Trace::default(),
        };
        (0..count).map(beam).collect()
    }
}

impl GroupBeam {
    /// # Errors
    ///
    /// When nothing keeps the groups apart.
    pub(super) fn new(rules: Rules, config: &GenerationConfig, prompt: &[u32]) -> Result<Self> {
        let size = config.num_beams / config.num_beam_groups;
        let group = |_| Group {
            beams: Running::of_prompt(prompt, size),
            hypotheses: Hypotheses::new(config, &rules, size),
            done: false,
        };
        Ok(Self {
            num_return_sequences: config.num_return_sequences,
            diversity: HammingDiversityLogitsProcessor::new(
                config.diversity_penalty,
                config.num_beams,
                config.num_beam_groups,
            )?,
            pad_token_id: config.pad_token_id.or(rules.eos_token_ids.first().copied()).unwrap_or_default(),
            groups: (0..config.num_beam_groups).map(group).collect(),
            only_prompt: true,
            stopped: false,
            rules,
        })
    }

    /// The steps of a group's beams; the tokens are those that earlier groups chose in this step. There is one row
    /// for each beam, or the prompt's for all.
    fn steps(&self, place: usize, mut rows: Vec<RowScores>, earlier: &[u32]) -> Result<Vec<Step>> {
        let group = &self.groups[place];
        let mut steps = Vec::with_capacity(group.beams.len());
        for (given, beam) in rows.iter_mut().zip(&group.beams) {
            let charge = |scores: &mut [f32]| self.diversity.process(earlier, scores);
            steps.push(self.rules.step_after(given, 0, &beam.tokens, Form::LogProbabilities, charge)?);
        }
        Ok(steps.iter().cloned().cycle().take(group.beams.len()).collect())
    }

    /// Goes on with one group.
    fn advance_group(&mut self, place: usize, steps: &[Step]) -> Result<()> {
        let group = &mut self.groups[place];
        let candidates = continuations(&self.rules, &group.beams, steps)?;
        let length = group.beams.first().map_or(0, |beam| beam.tokens.len()) + 1 - self.rules.prompt_length;
        let best = candidates.first().map_or(-NEVER, |candidate| candidate.sum);
        let size = group.beams.len();
        let mut next = Vec::with_capacity(size);
        for (rank, candidate) in candidates.into_iter().enumerate() {
            if self.rules.is_eos(candidate.token) {
                // One that is not among the best is there to fill the beams only.
                if rank < size {
                    let beam = &group.beams[candidate.beam];
                    let trace = beam.trace.and(candidate.beam);
                    group.hypotheses.add(&beam.tokens, candidate.sum, length, trace);
                }
            } else {
                next.push(candidate.running(&group.beams));
            }
            if next.len() == size {
                break;
            }
        }
        expect_beams(next.len(), size)?;
        group.done = group.hypotheses.is_done(best, length);
        group.beams = next;
        Ok(())
    }
}

/// A token after a beam.
pub(super) struct Continuation {
    pub(super) beam: usize,
    pub(super) token: u32,
    pub(super) sum: f32,
}

impl Continuation {
    /// The row that it makes.
    pub(super) fn running(&self, beams: &[Running]) -> Running {
        let beam = &beams[self.beam];
        let trace = beam.trace.and(self.beam);
        Running { tokens: extended(&beam.tokens, self.token), sum: self.sum, parent: self.beam, trace }
    }
}

/// The best continuations of some beams: enough that all go on when the best end. One step per beam.
pub(super) fn continuations(rules: &Rules, beams: &[Running], steps: &[Step]) -> Result<Vec<Continuation>> {
    let wanted = rules.eos_token_ids.len().saturating_add(1).max(2) * beams.len();
    let sums = sums(beams.iter().map(|beam| beam.sum), steps)?;
    let vocabulary = sums.len() / beams.len();
    let continuation = |(place, sum): (usize, f32)| Continuation {
        beam: place / vocabulary,
        token: (place % vocabulary) as u32,
        sum,
    };
    Ok(top(sums.into_iter(), wanted).into_iter().map(continuation).collect())
}

/// Fails when too many continuations end for all beams to go on.
pub(super) fn expect_beams(beams: usize, wanted: usize) -> Result<()> {
    if beams == wanted {
        return Ok(());
    }
    let message =
        format!("only {beams} of {wanted} beams can go on; the vocabulary is too small for `num_beams`");
    Err(Error::new(ErrorKind::Parameter, message))
}

impl Search for GroupBeam {
    fn start(&mut self) -> NextRows {
        prompt_rows(
            self.groups.first().and_then(|group| group.beams.first()).map_or(&[], |beam| &beam.tokens),
        )
    }

    fn advance(&mut self, scores: Vec<RowScores>) -> Result<Option<NextRows>> {
        let shared = std::mem::take(&mut self.only_prompt);
        let size = self.groups.first().map_or(0, |group| group.beams.len());
        // Where scores are returned, groups that are done run on, as they do in the reference.
        let all_run = self.rules.record.is_wanted();
        let open = self.groups.iter().filter(|group| all_run || !group.done).count();
        expect_rows(&scores, if shared { 1 } else { open * size })?;
        let prompt = if shared { scores.clone() } else { Vec::new() };
        let mut scores = scores.into_iter();
        let (mut earlier, mut rows, mut all_steps) = (Vec::new(), Vec::new(), Vec::new());
        let mut first_row = 0;
        for place in 0..self.groups.len() {
            let done = self.groups[place].done;
            if all_run || !done {
                let given = if shared { prompt.clone() } else { scores.by_ref().take(size).collect() };
                let steps = self.steps(place, given, &earlier)?;
                if !done {
                    self.advance_group(place, &steps)?;
                }
                all_steps.extend(steps);
            }
            if done {
                self.groups[place].pad(self.pad_token_id);
            }
            let group = &self.groups[place];
            let chosen = |beam: &Running| beam.tokens.last().copied().unwrap_or_default();
            earlier.extend(group.beams.iter().map(chosen));
            if all_run || !group.done {
                let parent = |beam: &Running| if shared { 0 } else { first_row + beam.parent };
                rows.extend(group.beams.iter().map(|beam| RowStep::next(parent(beam), chosen(beam))));
            }
            first_row += if all_run || !done { size } else { 0 };
        }
        self.rules.record.push(&all_steps);
        let mut beams = self.groups.iter().flat_map(|group| &group.beams);
        let ended =
            self.groups.iter().all(|group| group.done) || beams.all(|beam| self.rules.stops(&beam.tokens));
        Ok((!ended).then(|| NextRows::of_model(rows)))
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    /// Beams may change to their first token, so nothing is certain before the end.
    fn take_new_tokens(&mut self) -> Vec<u32> {
        Vec::new()
    }

    fn finish(&mut self) -> Generated {
        let (mut rows, mut beams) = (Vec::new(), 0);
        for mut group in std::mem::take(&mut self.groups) {
            let size = group.beams.len();
            for beam in group.beams.into_iter().filter(|_| !group.done) {
                let length = beam.tokens.len() - self.rules.prompt_length;
                group.hypotheses.add(&beam.tokens, beam.sum, length, beam.trace);
            }
            let mut kept = group.hypotheses.take();
            kept.iter_mut().for_each(|row| row.trace.shift(beams));
            rows.extend(kept);
            beams += size;
        }
        best(rows, self.num_return_sequences, beams, &self.rules, self.stopped)
    }
}
