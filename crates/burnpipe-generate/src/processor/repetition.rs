//! Processors against repetition: `repetition_penalty`, `no_repeat_ngram_size` and their namesakes for the
//! encoder's input.

use burnpipe_core::Result;

use super::{LogitsProcessor, forbid, refused, score_of};

/// Makes tokens that are there less likely (<https://arxiv.org/abs/1909.05858>); each once, however often
/// it is there.
#[derive(Clone, Debug)]
pub struct RepetitionPenaltyLogitsProcessor {
    penalty: f32,
    prompt_ignore_length: usize,
}

impl RepetitionPenaltyLogitsProcessor {
    /// 1 changes nothing, more makes repetition rarer, less makes it more frequent.
    ///
    /// # Errors
    ///
    /// When `penalty` is not above 0.
    pub fn new(penalty: f64) -> Result<Self> {
        let penalty = above_0("repetition_penalty", penalty)? as f32;
        Ok(Self { penalty, prompt_ignore_length: 0 })
    }

    /// Does not look at so many tokens from the start.
    #[must_use]
    pub fn with_prompt_ignore_length(mut self, prompt_ignore_length: usize) -> Self {
        self.prompt_ignore_length = prompt_ignore_length;
        self
    }
}

impl LogitsProcessor for RepetitionPenaltyLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let mut seen = vec![0_u64; scores.len().div_ceil(64)];
        for &token in tokens.iter().skip(self.prompt_ignore_length) {
            let score = score_of(scores, token)?;
            let Some(word) = seen.get_mut(token as usize / 64) else { continue };
            let bit = 1 << (token % 64);
            if *word & bit == 0 {
                *word |= bit;
                penalise(score, self.penalty);
            }
        }
        Ok(())
    }
}

/// Makes the tokens of the encoder's input likelier, against things made up.
#[derive(Clone, Debug)]
pub struct EncoderRepetitionPenaltyLogitsProcessor {
    penalty: f32,
    distinct: Vec<u32>,
}

impl EncoderRepetitionPenaltyLogitsProcessor {
    /// 1 changes nothing, more keeps closer to the encoder's input.
    ///
    /// # Errors
    ///
    /// When `penalty` is not above 0.
    pub fn new(penalty: f64, encoder_input_ids: &[u32]) -> Result<Self> {
        let penalty = (1.0 / above_0("encoder_repetition_penalty", penalty)?) as f32;
        let mut distinct = encoder_input_ids.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        Ok(Self { penalty, distinct })
    }
}

impl LogitsProcessor for EncoderRepetitionPenaltyLogitsProcessor {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        for &token in &self.distinct {
            penalise(score_of(scores, token)?, self.penalty);
        }
        Ok(())
    }
}

fn above_0(name: &str, penalty: f64) -> Result<f64> {
    if penalty > 0.0 {
        return Ok(penalty);
    }
    Err(refused(format!("`{name}` must be above 0, but is {penalty}; 1 changes nothing")))
}

/// Logits have both signs, and a penalty lowers either.
fn penalise(score: &mut f32, penalty: f32) {
    if *score < 0.0 {
        *score *= penalty;
    } else {
        *score /= penalty;
    }
}

/// Lets no sequence of `ngram_size` tokens come twice.
#[derive(Clone, Debug)]
pub struct NoRepeatNGramLogitsProcessor {
    ngram_size: usize,
}

impl NoRepeatNGramLogitsProcessor {
    /// # Errors
    ///
    /// When `ngram_size` is 0.
    pub fn new(ngram_size: usize) -> Result<Self> {
        Ok(Self { ngram_size: some_tokens("no_repeat_ngram_size", ngram_size)? })
    }
}

impl LogitsProcessor for NoRepeatNGramLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        forbid_ngrams(tokens, tokens, self.ngram_size, scores);
        Ok(())
    }
}

/// Lets no sequence of `encoder_ngram_size` tokens of the encoder's input come.
#[derive(Clone, Debug)]
pub struct EncoderNoRepeatNGramLogitsProcessor {
    ngram_size: usize,
    encoder_input_ids: Vec<u32>,
}

impl EncoderNoRepeatNGramLogitsProcessor {
    /// # Errors
    ///
    /// When `encoder_ngram_size` is 0.
    pub fn new(encoder_ngram_size: usize, encoder_input_ids: Vec<u32>) -> Result<Self> {
        let ngram_size = some_tokens("encoder_no_repeat_ngram_size", encoder_ngram_size)?;
        Ok(Self { ngram_size, encoder_input_ids })
    }
}

impl LogitsProcessor for EncoderNoRepeatNGramLogitsProcessor {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        forbid_ngrams(&self.encoder_input_ids, tokens, self.ngram_size, scores);
        Ok(())
    }
}

fn some_tokens(name: &str, size: usize) -> Result<usize> {
    if size == 0 {
        return Err(refused(format!(
            "`{name}` must be above 0, but is 0; leave the processor out for no such rule"
        )));
    }
    Ok(size)
}

/// Rules out what would complete a sequence of `size` tokens that stands in `source`.
fn forbid_ngrams(source: &[u32], tokens: &[u32], size: usize, scores: &mut [f32]) {
    let Some(start) = (tokens.len() + 1).checked_sub(size) else { return };
    let last = tokens.get(start..).unwrap_or_default();
    for ngram in source.windows(size) {
        if let Some((next, before)) = ngram.split_last()
            && before == last
        {
            forbid(scores, &[*next]);
        }
    }
}
