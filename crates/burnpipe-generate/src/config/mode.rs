//! Which decoding method settings ask for.

use super::GenerationConfig;

/// A decoding method: `GenerationMode` of transformers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationMode {
    /// The best token each time, of those that are unlike what is there (<https://arxiv.org/abs/2202.06417>).
    ContrastiveSearch,
    /// The best token each time.
    GreedySearch,
    /// A token drawn each time.
    Sample,
    /// The best token or one drawn, with several proposed at a time by a small model or from the prompt.
    AssistedGeneration,
    /// The best sequences.
    BeamSearch,
    /// Good sequences with tokens drawn.
    BeamSample,
    /// The best sequences that hold certain words.
    ConstrainedBeamSearch,
    /// The best sequences in groups that are kept apart.
    GroupBeamSearch,
}

impl GenerationConfig {
    /// The method that these settings ask for: `get_generation_mode`. An assistant, a small model beside the
    /// one, changes it for greedy search and sampling only.
    pub fn generation_mode(&self, has_assistant: bool) -> GenerationMode {
        let contrastive =
            self.top_k.is_some_and(|top_k| top_k > 1) && self.penalty_alpha.is_some_and(|alpha| alpha > 0.0);
        let assisted = has_assistant || self.prompt_lookup_num_tokens.is_some();
        if self.force_words_ids.is_some() {
            GenerationMode::ConstrainedBeamSearch
        } else if self.num_beams != 1 {
            match (self.num_beam_groups > 1, self.do_sample) {
                (true, _) => GenerationMode::GroupBeamSearch,
                (false, true) => GenerationMode::BeamSample,
                (false, false) => GenerationMode::BeamSearch,
            }
        } else if contrastive && !self.do_sample {
            GenerationMode::ContrastiveSearch
        } else if assisted {
            GenerationMode::AssistedGeneration
        } else if self.do_sample {
            GenerationMode::Sample
        } else {
            GenerationMode::GreedySearch
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_pythons() {
        let modes = [
            (GenerationConfig::default(), GenerationMode::GreedySearch),
            (GenerationConfig { do_sample: true, ..Default::default() }, GenerationMode::Sample),
            (GenerationConfig { num_beams: 2, ..Default::default() }, GenerationMode::BeamSearch),
            (
                GenerationConfig { num_beams: 2, do_sample: true, ..Default::default() },
                GenerationMode::BeamSample,
            ),
            (
                GenerationConfig { num_beams: 2, num_beam_groups: 2, ..Default::default() },
                GenerationMode::GroupBeamSearch,
            ),
            (
                GenerationConfig { num_beams: 2, force_words_ids: Some(vec![]), ..Default::default() },
                GenerationMode::ConstrainedBeamSearch,
            ),
            (
                GenerationConfig { penalty_alpha: Some(0.6), ..Default::default() },
                GenerationMode::ContrastiveSearch,
            ),
            (
                GenerationConfig { penalty_alpha: Some(0.6), top_k: Some(1), ..Default::default() },
                GenerationMode::GreedySearch,
            ),
            (
                GenerationConfig { prompt_lookup_num_tokens: Some(3), do_sample: true, ..Default::default() },
                GenerationMode::AssistedGeneration,
            ),
        ];
        for (config, mode) in modes {
            assert_eq!(config.generation_mode(false), mode);
        }
        assert_eq!(GenerationConfig::default().generation_mode(true), GenerationMode::AssistedGeneration);
        let beams = GenerationConfig { num_beams: 2, ..Default::default() };
        assert_eq!(beams.generation_mode(true), GenerationMode::BeamSearch);
    }
}
