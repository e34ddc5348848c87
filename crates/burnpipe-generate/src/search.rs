//! The joint between decoding methods and the model.

use burnpipe_core::Result;

use crate::model::RowScores;

/// A decoding method on its way through one input.
///
/// It owns some rows of tokens, whose keys and values the model has. [`start`](Self::start) says what to run
/// first; every answer of the model then goes to [`advance`](Self::advance), which says what to run next. The
/// searches of other inputs run beside it and are not seen.
pub trait Search: Send {
    /// The first rows to run. There are none before, so `parent` is not looked at.
    fn start(&mut self) -> NextRows;

    /// Takes the scores of the rows that were asked for, in their order, and says what to run next; `None`
    /// when it is done.
    ///
    /// # Errors
    ///
    /// When the scores cannot be used, or a processor fails.
    fn advance(&mut self, scores: &[RowScores]) -> Result<Option<NextRows>>;

    /// Ends it where it is, for a cancellation or for want of time.
    fn stop(&mut self);

    /// Tokens that were chosen since the last call and will not change: of methods that write one row.
    fn take_new_tokens(&mut self) -> Vec<u32>;

    /// What was made. Called once, when it is done.
    fn finish(&mut self) -> Generated;
}

/// Rows for the model to run.
#[derive(Clone, Debug, PartialEq)]
pub struct NextRows {
    /// By which model.
    pub model: Which,
    /// The rows: they take the place of all rows that the search had with that model.
    pub rows: Vec<RowStep>,
}

/// Which of two models runs rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The model itself.
    #[default]
    Model,
    /// The small one that proposes tokens.
    Assistant,
}

/// A row: an earlier one, cut to a length, and tokens after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowStep {
    /// Which of the search's last rows it continues; `None` for a row from nothing.
    pub parent: Option<usize>,
    /// How many of the parent's tokens stay; `None` for all.
    pub keep: Option<usize>,
    /// The tokens to run; at least one.
    pub tokens: Vec<u32>,
    /// For how many of them, from the end, scores are wanted.
    pub scored: usize,
    /// Whether their hidden states are wanted too.
    pub hidden_states: bool,
}

/// What a search made of one input, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// `num_return_sequences` of them.
    pub sequences: Vec<Sequence>,
}

/// One sequence of new tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequence {
    /// The tokens after the prompt, the one that ended it included.
    pub tokens: Vec<u32>,
    /// A beam search's final score: `sequences_scores`.
    pub score: Option<f32>,
    /// The processed scores of every new token's step, with `output_scores`: `[vocabulary]` each.
    pub scores: Vec<Vec<f32>>,
    /// The model's logits of every new token's step, with `output_logits`: `[vocabulary]` each.
    pub logits: Vec<Vec<f32>>,
}
