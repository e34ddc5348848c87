//! What is done to the scores of the next token before one is chosen.
//!
//! Reference: `generation/logits_process.py` and `_get_logits_processor` in `generation/utils.py` of
//! transformers 4.56.2. Scores are f32 and changed in place; a token that is ruled out has minus infinity.

mod cutoff;
mod distribution;
mod diversity;
mod length;
mod list;
mod repetition;
mod sequence_bias;
mod tokens;
mod warper;
mod whisper;

use burnpipe_core::{Error, ErrorKind, Result};

pub use cutoff::{EpsilonLogitsWarper, EtaLogitsWarper, TypicalLogitsWarper};
pub use diversity::HammingDiversityLogitsProcessor;
pub use length::{
    ExponentialDecayLengthPenalty, ForcedBOSTokenLogitsProcessor, ForcedEOSTokenLogitsProcessor,
    MinLengthLogitsProcessor, MinNewTokensLengthLogitsProcessor,
};
pub use list::{ProcessorInputs, processors};
pub use repetition::{
    EncoderNoRepeatNGramLogitsProcessor, EncoderRepetitionPenaltyLogitsProcessor,
    NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor,
};
pub use sequence_bias::{NoBadWordsLogitsProcessor, SequenceBiasLogitsProcessor};
pub use tokens::{
    InfNanRemoveLogitsProcessor, LogitNormalization, PrefixConstrainedLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor, SuppressTokensLogitsProcessor,
};
pub use warper::{MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper};
pub use whisper::WhisperTimeStampLogitsProcessor;

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

    /// Which kind it is: one that a caller passes takes the place of the one of its kind that
    /// [`processors`] would make.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// An error about a parameter.
fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Parameter, message)
}

/// The score of a token.
fn score_of(scores: &mut [f32], token: u32) -> Result<&mut f32> {
    let vocabulary = scores.len();
    scores.get_mut(token as usize).ok_or_else(|| {
        let message = format!("token {token} is not one of the model's {vocabulary} tokens");
        Error::new(ErrorKind::Input, message)
    })
}

/// Rules tokens out; those that the model does not have are passed by.
fn forbid(scores: &mut [f32], tokens: &[u32]) {
    for &token in tokens {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = f32::NEG_INFINITY;
        }
    }
}

/// Rules out everything but these tokens, whose scores become 0.
fn force(scores: &mut [f32], tokens: &[u32]) -> Result<()> {
    scores.fill(f32::NEG_INFINITY);
    for &token in tokens {
        *score_of(scores, token)? = 0.0;
    }
    Ok(())
}
