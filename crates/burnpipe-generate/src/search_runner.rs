//! Runs the searches of many inputs side by side over one model.
//!
//! Every step is one pass of the model over the rows of all open searches, prompts of new inputs among them. A
//! search that is done leaves at once, so that the caller can give its place to the next input.

use burnpipe_core::{Error, ErrorKind, Result};

use crate::model::{LanguageModel, ModelRow, RowScores};
use crate::search::{Generated, NextRows, RowStep, Search, Which};

/// Open searches over a model, and over a small one that proposes tokens.
pub struct SearchRunner<'m> {
    model: Box<dyn LanguageModel + 'm>,
    assistant: Option<Box<dyn LanguageModel + 'm>>,
    open: Vec<Open>,
}

/// What a step tells of an input.
#[derive(Debug)]
pub enum Event {
    /// New tokens, which will not change.
    Tokens(Vec<u32>),
    /// The input is done, or failed; nothing more comes of it.
    Finished(Result<Generated>),
}

struct Open {
    id: usize,
    search: Box<dyn Search>,
    wanted: NextRows,
    /// Its rows among those that the model and the assistant have.
    rows: [Vec<usize>; 2],
    /// Why it cannot go on.
    failure: Option<Error>,
}

impl<'m> SearchRunner<'m> {
    /// A runner without searches.
    pub fn new(model: impl LanguageModel + 'm) -> Self {
        Self { model: Box::new(model), assistant: None, open: Vec::new() }
    }

    /// The same with a small model for the searches that ask for one.
    #[must_use]
    pub fn with_assistant(mut self, assistant: impl LanguageModel + 'm) -> Self {
        self.assistant = Some(Box::new(assistant));
        self
    }

    /// Opens a search; its prompt runs with the next step. The id is the caller's and tells inputs apart.
    pub fn push(&mut self, id: usize, mut search: Box<dyn Search>) {
        let wanted = search.start();
        self.open.push(Open { id, search, wanted, rows: Default::default(), failure: None });
    }

    /// How many searches are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Ends a search where it is and answers what there is; `None` when it is not open.
    pub fn cancel(&mut self, id: usize) -> Option<Generated> {
        let place = self.open.iter().position(|open| open.id == id)?;
        let mut search = self.open.remove(place).search;
        search.stop();
        Some(search.finish())
    }

    /// Takes every open search one step further and tells what came of it, in the order of the searches.
    pub fn step(&mut self) -> Vec<(usize, Event)> {
        let mut scores: Vec<Option<Vec<RowScores>>> = self.open.iter().map(|_| None).collect();
        for model in [Which::Model, Which::Assistant] {
            for (place, given) in self.run(model) {
                scores[place] = Some(given);
            }
        }
        let mut events = Vec::new();
        let mut going = Vec::with_capacity(self.open.len());
        for (mut open, scores) in std::mem::take(&mut self.open).into_iter().zip(scores) {
            if let Some(finished) = open.advance(scores, &mut events) {
                events.push((open.id, Event::Finished(finished)));
            } else {
                going.push(open);
            }
        }
        self.open = going;
        events
    }

    /// Runs what some searches want. When the joint pass fails each runs alone, so that only the one that is to
    /// blame fails.
    fn run(&mut self, model: Which) -> Vec<(usize, Vec<RowScores>)> {
        let runs = |open: &mut Open| open.wanted.model == model && open.failure.is_none() && open.check();
        let runners: Vec<bool> = self.open.iter_mut().map(runs).collect();
        if !runners.contains(&true) {
            return Vec::new();
        }
        let error = match self.pass(model, &runners) {
            Ok(scores) => return scores,
            Err(error) => error,
        };
        let places: Vec<usize> = (0..runners.len()).filter(|&place| runners[place]).collect();
        if let [only] = *places {
            self.open[only].failure = Some(error);
            return Vec::new();
        }
        let mut answered = Vec::new();
        for place in places {
            let alone: Vec<bool> = (0..runners.len()).map(|other| other == place).collect();
            match self.pass(model, &alone) {
                Ok(scores) => answered.extend(scores),
                Err(error) => self.open[place].failure = Some(error),
            }
        }
        answered
    }

    /// One pass of a model: the rows of the runners go on, those of all others wait.
    fn pass(&mut self, model: Which, runners: &[bool]) -> Result<Vec<(usize, Vec<RowScores>)>> {
        let side = model as usize;
        let mut rows = Vec::new();
        let mut ranges = Vec::with_capacity(self.open.len());
        for (open, runs) in self.open.iter().zip(runners) {
            let first = rows.len();
            if *runs {
                rows.extend(open.wanted.rows.iter().map(|step| open.model_row(step, side)));
            } else {
                rows.extend(open.rows[side].iter().map(|&row| waiting(open.id, row)));
            }
            ranges.push(first..rows.len());
        }
        let scores = match (model, &mut self.assistant) {
            (Which::Model, _) => self.model.run(&rows)?,
            (Which::Assistant, Some(assistant)) => assistant.run(&rows)?,
            (Which::Assistant, None) => return Err(no_assistant()),
        };
        if scores.len() != rows.len() {
            let message = format!("the model answered {} rows of {}", scores.len(), rows.len());
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let mut scores = scores.into_iter();
        let mut answered = Vec::new();
        for (place, range) in ranges.into_iter().enumerate() {
            let given: Vec<RowScores> = scores.by_ref().take(range.len()).collect();
            if runners[place] {
                answered.push((place, given));
            }
            self.open[place].rows[side] = range.collect();
        }
        Ok(answered)
    }
}

impl Open {
    /// Whether its wishes name rows that there are; else it fails, alone.
    fn check(&mut self) -> bool {
        let rows = &self.rows[self.wanted.model as usize];
        let known = |step: &RowStep| step.parent.is_none_or(|parent| parent < rows.len());
        if self.wanted.rows.iter().all(|step| known(step) && !step.tokens.is_empty()) {
            return true;
        }
        let message = "a search asked for a row that it does not have, or for a row without tokens";
        self.failure = Some(Error::new(ErrorKind::Internal, message));
        false
    }

    fn model_row<'a>(&self, step: &'a RowStep, side: usize) -> ModelRow<'a> {
        ModelRow {
            input: self.id,
            parent: step.parent.and_then(|parent| self.rows[side].get(parent).copied()),
            keep: step.keep,
            tokens: &step.tokens,
            scored: step.scored,
            hidden_states: step.hidden_states,
        }
    }

    /// Gives the search its scores; answers what it made when it is done or failed.
    fn advance(
        &mut self,
        scores: Option<Vec<RowScores>>,
        events: &mut Vec<(usize, Event)>,
    ) -> Option<Result<Generated>> {
        if let Some(error) = self.failure.take() {
            return Some(Err(error));
        }
        let next = match self.search.advance(scores.unwrap_or_default()) {
            Ok(next) => next,
            Err(error) => return Some(Err(error)),
        };
        let tokens = self.search.take_new_tokens();
        if !tokens.is_empty() {
            events.push((self.id, Event::Tokens(tokens)));
        }
        match next {
            Some(next) => {
                self.wanted = next;
                None
            }
            None => Some(Ok(self.search.finish())),
        }
    }
}

fn waiting(input: usize, row: usize) -> ModelRow<'static> {
    ModelRow { input, parent: Some(row), keep: None, tokens: &[], scored: 0, hidden_states: 0 }
}

fn no_assistant() -> Error {
    Error::new(ErrorKind::Parameter, "the search asks for an assistant model, and there is none")
}
