//! The joint between decoding methods and the model; a file for each method.

mod assisted;
mod beam;
mod choose;
mod constrained_beam;
mod constraints;
mod contrastive;
mod group_beam;
mod guided;
mod hypotheses;
mod mode;
mod padded;
mod propose;
mod record;
mod rules;
mod sample;

use burnpipe_core::Result;

use crate::model::RowScores;
pub use mode::{SearchContext, search};

/// A decoding method on its way through one input.
///
/// It owns some rows of tokens, whose keys and values the model has. [`start`](Self::start) says what to run
/// first; every answer of the model then goes to [`advance`](Self::advance), which says what to run next. The
/// searches of other inputs run beside it and are not seen.
pub trait Search: Send {
    /// The first rows to run. There are none before, so no row has a `parent`.
    fn start(&mut self) -> NextRows;

    /// Takes the scores of the rows that were asked for, in their order, and says what to run next; `None`
    /// when it is done.
    ///
    /// # Errors
    ///
    /// When the scores cannot be used, or a processor fails.
    fn advance(&mut self, scores: Vec<RowScores>) -> Result<Option<NextRows>>;

    /// Ends it where it is, for a cancellation or for want of time.
    fn stop(&mut self);

    /// Tokens that were chosen since the last call and will not change: of methods that write one row.
    fn take_new_tokens(&mut self) -> Vec<u32>;

    /// What was made. Called once, when it is done.
    fn finish(&mut self) -> Generated;
}

/// Rows for the model to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextRows {
    /// By which model.
    pub model: Which,
    /// The rows: they take the place of all rows that the search had with that model.
    pub rows: Vec<RowStep>,
}

impl NextRows {
    /// Rows for the model itself.
    fn of_model(rows: Vec<RowStep>) -> Self {
        Self { model: Which::Model, rows }
    }
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
    /// For how many of them, from the end, logits are wanted.
    pub scored: usize,
    /// For how many of them, from the end, the last hidden states are wanted.
    pub hidden_states: usize,
}

impl RowStep {
    /// A row from nothing, of which the last token is scored.
    fn prompt(tokens: &[u32]) -> Self {
        Self { parent: None, keep: None, tokens: tokens.to_vec(), scored: 1, hidden_states: 0 }
    }

    /// One token after a row.
    fn next(parent: usize, token: u32) -> Self {
        Self { parent: Some(parent), keep: None, tokens: vec![token], scored: 1, hidden_states: 0 }
    }
}

/// What a search made of one input, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// `num_return_sequences` of them.
    pub sequences: Vec<Sequence>,
    /// Of a beam search with `output_scores` or `output_logits`: what all beams had, returned or not.
    pub beams: BeamScores,
}

/// One sequence of new tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequence {
    /// The tokens after the prompt, the one that ended it included.
    pub tokens: Vec<u32>,
    /// A beam search's final score: `sequences_scores`.
    pub score: Option<f32>,
    /// Of a beam search: the beam that every new token was chosen from, `beam_indices`.
    pub beam_indices: Vec<usize>,
    /// With `output_scores`, what every new token was chosen from: `[vocabulary]` each, processed. Logits, or
    /// log-probabilities in a beam search. A token that was put behind the last step to end a row has none.
    pub scores: Vec<Vec<f32>>,
    /// With `output_logits`, the model's logits in the same steps: `[vocabulary]` each.
    pub logits: Vec<Vec<f32>>,
}

/// What all beams of a search had at every step, as `generate()` returns it: `[steps][beams][vocabulary]`.
///
/// Of a constrained beam search Python adds to the log-probabilities what the beam had before; here they are
/// without.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BeamScores {
    /// The processed log-probabilities, with `output_scores`.
    pub scores: Vec<Vec<Vec<f32>>>,
    /// The model's logits, with `output_logits`.
    pub logits: Vec<Vec<Vec<f32>>>,
}
