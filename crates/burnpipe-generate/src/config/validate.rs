//! Settings that contradict each other: `GenerationConfig.validate`, and what `generate()` refuses later.

use burnpipe_core::{Error, ErrorKind, Result};

use super::{ForcedWords, GenerationConfig, GenerationMode};
use crate::processor::HammingDiversityLogitsProcessor;

impl GenerationConfig {
    /// Checks the settings together. What a single processor cannot take, [`processors`](crate::processors)
    /// refuses.
    ///
    /// # Errors
    ///
    /// When settings contradict each other, or there is nothing to do.
    pub fn validate(&self) -> Result<()> {
        if self.max_new_tokens == Some(0) {
            return refuse("`max_new_tokens` must be above 0");
        }
        for (name, count) in [
            ("num_beams", self.num_beams),
            ("num_beam_groups", self.num_beam_groups),
            ("num_return_sequences", self.num_return_sequences),
        ] {
            if count == 0 {
                return refuse(&format!("`{name}` must be above 0"));
            }
        }
        match &self.force_words_ids {
            Some(words) => self.validate_forced_words(words)?,
            None if self.num_beams > 1 => self.validate_groups()?,
            None => {}
        }
        HammingDiversityLogitsProcessor::from_config(self)?;
        self.validate_count()?;
        self.validate_lookup()
    }

    fn validate_forced_words(&self, words: &[ForcedWords]) -> Result<()> {
        if self.num_beams == 1 {
            return refuse("`force_words_ids` needs a beam search; set `num_beams` above 1");
        }
        if self.do_sample {
            return refuse("`force_words_ids` cannot be used with sampling; set `do_sample: false`");
        }
        if self.num_beam_groups != 1 {
            return refuse(
                "`force_words_ids` cannot be used with groups of beams; leave `num_beam_groups` out",
            );
        }
        let empty = |words: &ForcedWords| match words {
            ForcedWords::Phrase(tokens) => tokens.is_empty(),
            ForcedWords::OneOf(phrases) => phrases.is_empty() || phrases.iter().any(Vec::is_empty),
        };
        if words.is_empty() || words.iter().any(empty) {
            return refuse("`force_words_ids` must be a list of phrases, each of one token at least");
        }
        Ok(())
    }

    fn validate_groups(&self) -> Result<()> {
        let (beams, groups) = (self.num_beams, self.num_beam_groups);
        if groups == 1 && self.diversity_penalty == 0.0 {
            return Ok(());
        }
        if self.do_sample {
            let message = "groups of beams (`num_beam_groups`, `diversity_penalty`) cannot be used with sampling; \
                           set `do_sample: false`";
            return refuse(message);
        }
        if !beams.is_multiple_of(groups) {
            let message = format!("`num_beams` ({beams}) must be a multiple of `num_beam_groups` ({groups})");
            return refuse(&message);
        }
        if self.diversity_penalty == 0.0 {
            let message = "`num_beam_groups` needs a `diversity_penalty` above 0, without which all groups are the same";
            return refuse(message);
        }
        Ok(())
    }

    fn validate_count(&self) -> Result<()> {
        let count = self.num_return_sequences;
        if count > 1 && self.num_beams == 1 && !self.do_sample {
            let message = format!(
                "`num_return_sequences` is {count}, and greedy search makes one; set `do_sample: true` or as many `num_beams`"
            );
            return refuse(&message);
        }
        if self.num_beams > 1 && count > self.num_beams {
            let message = format!(
                "`num_return_sequences` ({count}) must be no more than `num_beams` ({})",
                self.num_beams
            );
            return refuse(&message);
        }
        Ok(())
    }

    fn validate_lookup(&self) -> Result<()> {
        if self.generation_mode(false) != GenerationMode::AssistedGeneration {
            return Ok(());
        }
        if self.prompt_lookup_num_tokens == Some(0) {
            return refuse("`prompt_lookup_num_tokens` must be above 0; leave it out to look nothing up");
        }
        if self.num_return_sequences > 1 {
            return refuse("`num_return_sequences` must be 1 with `prompt_lookup_num_tokens`");
        }
        Ok(())
    }
}

fn refuse(message: &str) -> Result<()> {
    Err(Error::new(ErrorKind::Parameter, message))
}
