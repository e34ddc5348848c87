//! Padding before a prompt: it counts for lengths and processors, and the model does not read it.
//!
//! Reference: `generate()` of transformers 4.56.2 with an `attention_mask`: nobody sees padding, and positions are
//! counted from the first token that is none. Such tokens need not run.

use burnpipe_core::Result;

use super::{Generated, NextRows, Search};
use crate::model::RowScores;

/// A search whose rows begin with padding.
pub(super) struct Padded {
    search: Box<dyn Search>,
    /// Tokens that every row begins with and the model does not read.
    padding: usize,
}

impl Padded {
    pub(super) fn new(search: Box<dyn Search>, padding: usize) -> Self {
        Self { search, padding }
    }

    fn without_padding(&self, mut next: NextRows) -> NextRows {
        for row in &mut next.rows {
            if row.parent.is_none() {
                row.tokens.drain(..self.padding.min(row.tokens.len()));
                row.hidden_states = row.hidden_states.min(row.tokens.len());
            }
            row.keep = row.keep.map(|keep| keep.saturating_sub(self.padding));
        }
        next
    }
}

impl Search for Padded {
    fn start(&mut self) -> NextRows {
        let next = self.search.start();
        self.without_padding(next)
    }

    fn advance(&mut self, scores: Vec<RowScores>) -> Result<Option<NextRows>> {
        let next = self.search.advance(scores)?;
        Ok(next.map(|next| self.without_padding(next)))
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
