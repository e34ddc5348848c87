//! When a row ends.

/// Says when a row of tokens is finished.
///
/// Reference: `StoppingCriteria` in `generation/stopping_criteria.py` of transformers 4.56.2.
pub trait StoppingRule: Send {
    /// `tokens` are those of the row, prompt included and the newest last.
    fn stops(&self, tokens: &[u32]) -> bool;
}
