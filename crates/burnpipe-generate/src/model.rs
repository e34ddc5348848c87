//! What decoding needs of a model.

use burnpipe_core::Result;

/// A model with a cache of keys and values for rows of tokens, on the host's side.
pub trait LanguageModel: Send {
    /// How many tokens there are to choose from.
    fn vocabulary(&self) -> usize;

    /// Runs tokens of some rows in one pass. The rows that are named take the place of all that there were:
    /// row `i` of the next call is `rows[i]` of this one.
    ///
    /// # Errors
    ///
    /// When the model cannot take the tokens.
    fn run(&mut self, rows: &[ModelRow<'_>]) -> Result<Vec<RowScores>>;
}

/// A row to run: an earlier one, cut to a length, and tokens after it.
#[derive(Clone, Copy, Debug)]
pub struct ModelRow<'a> {
    /// Which row of the last call it continues; `None` for a row from nothing.
    pub parent: Option<usize>,
    /// How many of the parent's tokens stay; `None` for all.
    pub keep: Option<usize>,
    /// The tokens to run; none for a row that waits.
    pub tokens: &'a [u32],
    /// For how many of them, from the end, scores are wanted.
    pub scored: usize,
    /// Whether the last hidden states of the scored tokens are wanted too.
    pub hidden_states: bool,
}

/// What the model made of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowScores {
    /// Logits of the token after each that was to be scored: `[scored][vocabulary]`.
    pub logits: Vec<Vec<f32>>,
    /// Their last hidden states, if wanted: `[scored][hidden]`.
    pub hidden_states: Vec<Vec<f32>>,
}
