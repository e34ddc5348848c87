//! Decoding: how tokens are chosen from a language model's scores.
//!
//! A decoding method is a [`Search`]: it is given scores and says which rows of tokens the model must run
//! next, until it is done. Before it chooses, [`LogitsProcessor`]s change the scores; after, [`StoppingRule`]s
//! may end a row. [`GenerationConfig`] holds the parameters of `generate()` of transformers 4.56.2;
//! the searches of many inputs run side by side over one [`LanguageModel`].
//!
//! **Where it sits:** above the core only; the tasks bring models and tokenizers.
//!
//! **What it must not know:** tensors, architectures, tokenizers, files.

#![forbid(unsafe_code)]

mod config;
mod custom_rules;
mod model;
mod processor;
mod search;
mod search_runner;
mod stopping;

pub use config::{
    EarlyStopping, ForcedWords, GenerationConfig, GenerationDefaults, GenerationMode, GenerationSources,
};
pub use custom_rules::{CustomRules, PerPrompt};
pub use model::{LanguageModel, ModelRow, RowScores};
pub use processor::{
    EncoderNoRepeatNGramLogitsProcessor, EncoderRepetitionPenaltyLogitsProcessor, EpsilonLogitsWarper,
    EtaLogitsWarper, ExponentialDecayLengthPenalty, ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor, HammingDiversityLogitsProcessor, InfNanRemoveLogitsProcessor,
    LogitNormalization, LogitsProcessor, MinLengthLogitsProcessor, MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper, NoBadWordsLogitsProcessor, NoRepeatNGramLogitsProcessor,
    PrefixConstrainedLogitsProcessor, ProcessorInputs, RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor, SuppressTokensAtBeginLogitsProcessor, SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, TypicalLogitsWarper,
    WhisperTimeStampLogitsProcessor, processors,
};
pub use search::{BeamScores, Generated, NextRows, RowStep, Search, SearchContext, Sequence, Which, search};
pub use search_runner::{Event, SearchRunner};
pub use stopping::{
    ConfidenceCriteria, EosTokenCriteria, MaxLengthCriteria, MaxTimeCriteria, StopStringCriteria,
    StoppingRule, TokenTexts, stopping_rules,
};
