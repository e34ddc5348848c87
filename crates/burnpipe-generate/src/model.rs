//! What decoding needs of a model.

use burnpipe_core::Result;

/// A model with a cache of keys and values for rows of tokens, on the host's side.
pub trait LanguageModel: Send {
    /// How many tokens there are to choose from.
    fn vocabulary(&self) -> usize;

    /// Runs tokens of some rows in one pass. The rows that are named take the place of all that there were:
    /// row `i` of the next call is `rows[i]` of this one. Several rows may continue the same one.
    ///
    /// # Errors
    ///
    /// When the model cannot take the tokens. The rows are then as they were before the call, so that it can
    /// be repeated without the row that is to blame.
    fn run(&mut self, rows: &[ModelRow<'_>]) -> Result<Vec<RowScores>>;
}

impl<M: LanguageModel + ?Sized> LanguageModel for &mut M {
    fn vocabulary(&self) -> usize {
        (**self).vocabulary()
    }

    fn run(&mut self, rows: &[ModelRow<'_>]) -> Result<Vec<RowScores>> {
        (**self).run(rows)
    }
}

/// A row to run: an earlier one, cut to a length, and tokens after it.
#[derive(Clone, Copy, Debug)]
pub struct ModelRow<'a> {
    /// The input that the row belongs to, by the id that the runner was given; a model with an encoder finds
    /// the encoder's answer by it.
    pub input: usize,
    /// Which row of the last call it continues; `None` for a row from nothing.
    pub parent: Option<usize>,
    /// How many of the parent's tokens stay; `None` for all.
    pub keep: Option<usize>,
    /// The tokens to run; none for a row that waits.
    pub tokens: &'a [u32],
    /// For how many of them, from the end, logits are wanted.
    pub scored: usize,
    /// For how many of them, from the end, the last hidden states are wanted.
    pub hidden_states: usize,
}

/// What the model made of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowScores {
    /// Logits of the token after each that was to be scored: `[scored][vocabulary]`.
    pub logits: Vec<Vec<f32>>,
    /// The last hidden states that were wanted: `[hidden_states][hidden]`.
    pub hidden_states: Vec<Vec<f32>>,
    /// Logits of the same tokens without the prompt: a search with guidance adds them, models leave them out.
    pub unconditional: Vec<Vec<f32>>,
}
