//! `diversity_penalty`: groups of beams are kept from choosing the same tokens.

use burnpipe_core::Result;

use super::{refused, score_of};
use crate::config::GenerationConfig;

/// Charges a group of beams for tokens that earlier groups chose at the same place
/// (<https://arxiv.org/abs/1610.02424>).
///
/// It needs what other rows chose and so is no [`LogitsProcessor`](super::LogitsProcessor): group beam search
/// calls it before the others. In Python it comes right after `sequence_bias`; both only add.
#[derive(Clone, Debug)]
pub struct HammingDiversityLogitsProcessor {
    diversity_penalty: f64,
}

impl HammingDiversityLogitsProcessor {
    /// `num_beams` are those of all groups together.
    ///
    /// # Errors
    ///
    /// When the penalty is not above 0, or there are not at least two beams in at least two groups.
    pub fn new(diversity_penalty: f64, num_beams: usize, num_beam_groups: usize) -> Result<Self> {
        let message = if diversity_penalty.is_nan() || diversity_penalty <= 0.0 {
            format!("`diversity_penalty` must be above 0, but is {diversity_penalty}")
        } else if num_beams < 2 {
            format!("`diversity_penalty` needs `num_beams` of at least 2, but there are {num_beams}")
        } else if num_beam_groups < 2 {
            format!(
                "`diversity_penalty` needs `num_beam_groups` of at least 2, but there are {num_beam_groups}"
            )
        } else if num_beam_groups > num_beams {
            format!(
                "there are {num_beam_groups} `num_beam_groups` for {num_beams} `num_beams`; use no more groups than beams"
            )
        } else {
            return Ok(Self { diversity_penalty });
        };
        Err(refused(message))
    }

    /// The one that a configuration asks for, if it does.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn from_config(config: &GenerationConfig) -> Result<Option<Self>> {
        let asked = config.diversity_penalty > 0.0;
        asked
            .then(|| Self::new(config.diversity_penalty, config.num_beams, config.num_beam_groups))
            .transpose()
    }

    /// Changes the scores of one beam. `current_tokens` are those that all beams of earlier groups of the
    /// same input took in this step.
    ///
    /// # Errors
    ///
    /// When one of them is not in the vocabulary.
    pub fn process(&self, current_tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        for (at, token) in current_tokens.iter().enumerate() {
            let earlier = current_tokens.iter().take(at);
            if earlier.clone().any(|other| other == token) {
                continue;
            }
            let frequency = current_tokens.iter().filter(|other| *other == token).count();
            *score_of(scores, *token)? -= (self.diversity_penalty as f32) * frequency as f32;
        }
        Ok(())
    }
}
