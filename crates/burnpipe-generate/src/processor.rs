//! What is done to the scores of the next token before one is chosen.

use burnpipe_core::Result;

/// Changes the scores of the next token of one row.
///
/// Reference: `LogitsProcessor` in `generation/logits_process.py` of transformers 4.56.2; there a call takes
/// all rows of a batch, here one.
pub trait LogitsProcessor: Send {
    /// `tokens` are those of the row so far, prompt included; `scores` are `[vocabulary]`: logits, or their
    /// log-softmax in a beam search.
    ///
    /// # Errors
    ///
    /// When the scores cannot be used.
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()>;
}
