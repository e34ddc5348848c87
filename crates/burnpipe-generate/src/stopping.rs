//! When a row ends.
//!
//! Reference: `generation/stopping_criteria.py` and `_get_stopping_criteria` in `generation/utils.py` of
//! transformers 4.56.2.

mod stop_strings;

use std::time::Instant;

use burnpipe_core::{Error, ErrorKind, Result};

pub use stop_strings::{StopStringCriteria, TokenTexts};

use crate::config::GenerationConfig;

/// Says when a row of tokens is finished.
///
/// Reference: `StoppingCriteria` in `generation/stopping_criteria.py` of transformers 4.56.2.
pub trait StoppingRule: Send {
    /// `tokens` are those of the row, prompt included and the newest last.
    fn stops(&self, tokens: &[u32]) -> bool;
}

/// The rules that a configuration asks for, then the caller's own.
///
/// `config` is that of [`GenerationConfig::for_prompt`]; time runs from now on. `texts` are those of the
/// vocabulary, for `stop_strings`.
///
/// # Errors
///
/// When there are `stop_strings` and no `texts`, or none in the list.
pub fn stopping_rules(
    config: &GenerationConfig,
    texts: Option<&TokenTexts>,
    custom: Vec<Box<dyn StoppingRule>>,
) -> Result<Vec<Box<dyn StoppingRule>>> {
    let mut rules: Vec<Box<dyn StoppingRule>> = vec![Box::new(MaxLengthCriteria::new(config.max_length))];
    if let Some(max_time) = config.max_time {
        rules.push(Box::new(MaxTimeCriteria::new(max_time, Instant::now())));
    }
    if let Some(stop_strings) = &config.stop_strings {
        let texts = texts.ok_or_else(|| {
            let message = "`stop_strings` needs the texts of the model's tokens, and there is no tokenizer";
            Error::new(ErrorKind::Parameter, message)
        })?;
        rules.push(Box::new(StopStringCriteria::new(stop_strings.clone(), texts.clone())?));
    }
    if let Some(tokens) = config.eos_token_id.as_ref().filter(|tokens| !tokens.is_empty()) {
        rules.push(Box::new(EosTokenCriteria::new(tokens.clone())));
    }
    rules.extend(custom);
    Ok(rules)
}

/// Ends a row at a length.
#[derive(Clone, Debug)]
pub struct MaxLengthCriteria {
    max_length: usize,
}

impl MaxLengthCriteria {
    /// `max_length` counts tokens, prompt included.
    pub fn new(max_length: usize) -> Self {
        Self { max_length }
    }
}

impl StoppingRule for MaxLengthCriteria {
    fn stops(&self, tokens: &[u32]) -> bool {
        tokens.len() >= self.max_length
    }
}

/// Ends a row after a time.
#[derive(Clone, Debug)]
pub struct MaxTimeCriteria {
    max_time: f64,
    initial_timestamp: Instant,
}

impl MaxTimeCriteria {
    /// `max_time` is in seconds from `initial_timestamp` on.
    pub fn new(max_time: f64, initial_timestamp: Instant) -> Self {
        Self { max_time, initial_timestamp }
    }
}

impl StoppingRule for MaxTimeCriteria {
    fn stops(&self, _tokens: &[u32]) -> bool {
        self.initial_timestamp.elapsed().as_secs_f64() > self.max_time
    }
}

/// Ends a row with one of some tokens.
#[derive(Clone, Debug)]
pub struct EosTokenCriteria {
    eos_token_id: Vec<u32>,
}

impl EosTokenCriteria {
    /// With any of these.
    pub fn new(eos_token_id: Vec<u32>) -> Self {
        Self { eos_token_id }
    }
}

impl StoppingRule for EosTokenCriteria {
    fn stops(&self, tokens: &[u32]) -> bool {
        tokens.last().is_some_and(|token| self.eos_token_id.contains(token))
    }
}

/// Ends an assistant's proposals where it is not sure of one.
///
/// It looks at scores and so is no [`StoppingRule`]: assisted generation asks it for each proposal.
#[derive(Clone, Debug)]
pub struct ConfidenceCriteria {
    assistant_confidence_threshold: f64,
}

impl ConfidenceCriteria {
    /// The one that a configuration asks for, if it does.
    pub fn from_config(config: &GenerationConfig) -> Option<Self> {
        let threshold = config.assistant_confidence_threshold.filter(|&threshold| threshold > 0.0)?;
        Some(Self { assistant_confidence_threshold: threshold })
    }

    /// Whether to stop after `token`, which was taken from `scores`: the processed ones, `[vocabulary]`.
    pub fn stops(&self, token: u32, scores: &[f32]) -> bool {
        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |score: f32| f64::from((score - max).exp());
        let sum: f64 = scores.iter().map(|&score| weight(score)).sum();
        let probability = scores.get(token as usize).map_or(0.0, |&score| weight(score) / sum);
        probability < self.assistant_confidence_threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops_with(config: &GenerationConfig, tokens: &[u32]) -> bool {
        let rules = stopping_rules(config, None, Vec::new()).expect("no stop strings");
        rules.iter().any(|rule| rule.stops(tokens))
    }

    #[test]
    fn a_row_ends_by_its_length_and_by_its_last_token() {
        let config =
            GenerationConfig { max_length: 3, eos_token_id: Some(vec![7, 8]), ..GenerationConfig::default() };
        assert!(!stops_with(&config, &[7, 1]));
        assert!(stops_with(&config, &[1, 8]));
        assert!(stops_with(&config, &[1, 2, 3]));
    }

    #[test]
    fn a_row_ends_by_time() {
        let config = GenerationConfig { max_time: Some(0.0), ..GenerationConfig::default() };
        assert!(stops_with(&config, &[1]));
        let config = GenerationConfig { max_time: Some(1e9), ..GenerationConfig::default() };
        assert!(!stops_with(&config, &[1]));
    }

    #[test]
    fn stop_strings_need_texts() {
        let config = GenerationConfig { stop_strings: Some(vec!["a".into()]), ..GenerationConfig::default() };
        assert!(stopping_rules(&config, None, Vec::new()).is_err());
    }

    #[test]
    fn an_assistant_stops_where_it_is_unsure() {
        // Probabilities 1/4 and 3/4.
        let scores = [0.0, 3.0_f32.ln()];
        let config =
            GenerationConfig { assistant_confidence_threshold: Some(0.5), ..GenerationConfig::default() };
        let confidence = ConfidenceCriteria::from_config(&config).expect("a threshold");
        assert!(confidence.stops(0, &scores));
        assert!(!confidence.stops(1, &scores));
        let config = GenerationConfig { assistant_confidence_threshold: Some(0.0), ..config };
        assert!(ConfidenceCriteria::from_config(&config).is_none());
    }
}
