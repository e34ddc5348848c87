//! Classifier-free guidance (arXiv 2306.17806): beside every row of another search runs the same row after a
//! negative prompt; scores are pushed away from its.
//!
//! Reference: `UnbatchedClassifierFreeGuidanceLogitsProcessor` in `generation/logits_process.py` of transformers
//! 4.56.2. There rows without the prompt do not follow their beams when these change places, nor take tokens back
//! that a model does not confirm; here they do. An assistant proposes without guidance.

use burnpipe_core::{Error, ErrorKind, Result};

use super::{Generated, NextRows, RowStep, Search, Which};
use crate::model::RowScores;

/// A search and its rows' twins, which come after its own rows.
pub(super) struct Guided {
    search: Box<dyn Search>,
    prompt_length: usize,
    negative_prompt: Vec<u32>,
    /// Rows of the search that the model has.
    rows: usize,
    /// Whether the assistant is running, whose rows have no twins.
    assistant: bool,
}

impl Guided {
    /// Guides a search of a prompt; without a negative prompt the prompt's last token is one.
    ///
    /// # Errors
    ///
    /// When the negative prompt is empty.
    pub(super) fn new(search: Box<dyn Search>, prompt: &[u32], negative: Option<Vec<u32>>) -> Result<Self> {
        let last = || prompt.last().copied().into_iter().collect();
        let negative_prompt: Vec<u32> = negative.unwrap_or_else(last);
        if negative_prompt.is_empty() {
            return Err(Error::new(ErrorKind::Input, "the negative prompt of the guidance has no token"));
        }
        Ok(Self { search, prompt_length: prompt.len(), negative_prompt, rows: 0, assistant: false })
    }

    fn with_twins(&mut self, mut next: NextRows) -> NextRows {
        self.assistant = next.model == Which::Assistant;
        if !self.assistant {
            let twins: Vec<RowStep> = next.rows.iter().map(|row| self.twin(row)).collect();
            self.rows = twins.len();
            next.rows.extend(twins);
        }
        next
    }

    fn twin(&self, row: &RowStep) -> RowStep {
        let after_prompt =
            |length: usize| length.saturating_sub(self.prompt_length) + self.negative_prompt.len();
        let tokens = match row.parent {
            Some(_) => row.tokens.clone(),
            None => {
                [&*self.negative_prompt, row.tokens.get(self.prompt_length..).unwrap_or_default()].concat()
            }
        };
        RowStep {
            parent: row.parent.map(|parent| parent + self.rows),
            keep: row.keep.map(after_prompt),
            tokens,
            scored: row.scored,
            hidden_states: 0,
        }
    }
}

impl Search for Guided {
    fn start(&mut self) -> NextRows {
        let next = self.search.start();
        self.with_twins(next)
    }

    fn advance(&mut self, mut scores: Vec<RowScores>) -> Result<Option<NextRows>> {
        if !self.assistant {
            let twins = scores.split_off(self.rows.min(scores.len()));
            for (row, twin) in scores.iter_mut().zip(twins) {
                row.unconditional = twin.logits;
            }
        }
        let next = self.search.advance(scores)?;
        Ok(next.map(|next| self.with_twins(next)))
    }

    fn stop(&mut self) {
        self.search.stop();
    }

    fn take_new_tokens(&mut self) -> Vec<u32> {
        self.search.take_new_tokens()
    }

    fn finish(&mut self) -> Generated {
        self.search.finish()
    }
}
