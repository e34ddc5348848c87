//! Where the tokens come from that the model only has to confirm: a small model, or the text so far.
//!
//! Reference: `AssistedCandidateGenerator` and `PromptLookupCandidateGenerator` in
//! `generation/candidate_generator.py` of transformers 4.56.2.

use burnpipe_core::{Error, ErrorKind, Result};

use crate::config::GenerationConfig;
use crate::stopping::ConfidenceCriteria;

/// What proposes tokens.
pub(super) enum Proposer {
    Assistant(Assistant),
    Lookup(Lookup),
}

/// A small model with the same tokenizer.
///
/// The reference learns `assistant_confidence_threshold` from the hits so far where scikit-learn is installed, and
/// keeps a `heuristic` number of tokens for the next input; here every input starts with the configuration's. Both
/// change how fast an answer comes, and not the answer.
pub(super) struct Assistant {
    /// How many tokens it proposes; the heuristic changes it.
    pub(super) most: usize,
    heuristic: bool,
    /// When it stops early, if it does.
    pub(super) confidence: Option<ConfidenceCriteria>,
    /// Tokens of the row that it has run.
    pub(super) cached: usize,
}

/// Looks for the last tokens earlier in the text and proposes what came after them.
pub(super) struct Lookup {
    most: usize,
    longest_match: usize,
}

impl Proposer {
    /// # Errors
    ///
    /// When there is more than one row to make, or the schedule is not known.
    pub(super) fn new(config: &GenerationConfig) -> Result<Self> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Parameter, message));
        if config.num_return_sequences > 1 {
            return refuse("`num_return_sequences` must be 1 with an assistant model".into());
        }
        if let Some(most) = config.prompt_lookup_num_tokens {
            let longest_match = config.max_matching_ngram_size.filter(|size| *size > 0).unwrap_or(2);
            return Ok(Self::Lookup(Lookup { most, longest_match }));
        }
        let heuristic = match &*config.num_assistant_tokens_schedule {
            "constant" => false,
            "heuristic" | "heuristic_transient" => true,
            other => {
                let known = "`constant`, `heuristic` and `heuristic_transient`";
                return refuse(format!("`num_assistant_tokens_schedule` is `{other}`; known are {known}"));
            }
        };
        Ok(Self::Assistant(Assistant {
            most: config.num_assistant_tokens,
            heuristic,
            confidence: ConfidenceCriteria::from_config(config),
            cached: 0,
        }))
    }

    /// Learns how many of the proposed tokens the model took, and that of the row so much stays.
    pub(super) fn learn(&mut self, taken: usize, proposed: usize, kept: usize) {
        if let Self::Assistant(assistant) = self {
            assistant.cached = assistant.cached.min(kept);
            if assistant.heuristic && taken == proposed {
                assistant.most += 2;
            } else if assistant.heuristic {
                assistant.most = assistant.most.saturating_sub(1).max(1);
            }
        }
    }
}

impl Lookup {
    /// At most `room` tokens after an earlier place with the same last tokens, up to one that ends.
    pub(super) fn tokens(&self, tokens: &[u32], room: usize, is_eos: impl Fn(u32) -> bool) -> Vec<u32> {
        for size in (1..=self.longest_match.min(tokens.len().saturating_sub(1))).rev() {
            let last = &tokens[tokens.len() - size..];
            // The last place is the end itself, after which there is nothing.
            let found = tokens.windows(size).position(|window| window == last).map(|place| place + size);
            if let Some(start) = found.filter(|start| *start < tokens.len()) {
                let after = tokens[start..].iter().copied().take(self.most.min(room));
                return after.take_while(|token| !is_eos(*token)).collect();
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_and_the_first_of_them() {
        let lookup = Lookup { most: 3, longest_match: 2 };
        let tokens = |tokens: &[u32], room| lookup.tokens(tokens, room, |token| token == 9);
        assert_eq!(tokens(&[1, 2, 3, 4, 2, 5, 6, 7, 1, 2], 10), [3, 4, 2]);
        assert_eq!(tokens(&[1, 2, 3, 4, 2, 5, 6, 7, 1, 2], 1), [3]);
        assert_eq!(tokens(&[4, 2, 5, 9, 7, 1, 2], 10), [5]);
        assert_eq!(tokens(&[1, 2, 3], 10), [0_u32; 0]);
        assert_eq!(tokens(&[1], 10), [0_u32; 0]);
        assert_eq!(tokens(&[8, 8], 10), [8]);
    }
}
