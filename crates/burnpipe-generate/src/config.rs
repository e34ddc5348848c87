//! The parameters of generation, as `generation_config.json` and the arguments of `generate()` name them.
//!
//! Reference: `generation/configuration_utils.py` of transformers 4.56.2.

mod keys;
mod layers;
mod mode;
mod prompt;
mod validate;
mod written;

use serde::{Deserialize, Serialize};

pub use layers::{GenerationDefaults, GenerationSources};
pub use mode::GenerationMode;
pub use written::{EarlyStopping, ForcedWords};

/// The parameters of `generate()`, with its defaults.
///
/// A call's come from [`GenerationDefaults`], which merges layers of settings (the checkpoint's file,
/// `task_specific_params`, the call) as JSON objects; [`for_prompt`](Self::for_prompt) then settles the
/// lengths.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct GenerationConfig {
    /// Tokens that a sequence may have, prompt included.
    pub max_length: usize,
    /// Tokens that may be added to the prompt; goes before `max_length`.
    pub max_new_tokens: Option<usize>,
    /// Tokens that a sequence must have, prompt included, before it may end.
    pub min_length: usize,
    /// Tokens that must be added before a sequence may end.
    pub min_new_tokens: Option<usize>,
    /// When a beam search ends.
    pub early_stopping: EarlyStopping,
    /// Seconds after which generation ends.
    pub max_time: Option<f64>,
    /// Texts that end a sequence.
    #[serde(deserialize_with = "written::one_or_many")]
    pub stop_strings: Option<Vec<String>>,
    /// Whether tokens are drawn instead of the best taken.
    pub do_sample: bool,
    /// Beams of a beam search; 1 for none.
    pub num_beams: usize,
    /// Groups of beams that are kept apart from each other.
    pub num_beam_groups: usize,
    /// What logits are divided by before a token is drawn.
    pub temperature: f64,
    /// Only so many of the best tokens are drawn from; 0 for all.
    pub top_k: Option<usize>,
    /// Only the best tokens that make up this probability are drawn from.
    pub top_p: Option<f64>,
    /// Only tokens that are at least this part as likely as the best are drawn from.
    pub min_p: Option<f64>,
    /// Only the most typical tokens that make up this probability are drawn from.
    pub typical_p: Option<f64>,
    /// Only tokens more likely than this are drawn from.
    pub epsilon_cutoff: Option<f64>,
    /// Only tokens more likely than this, or than a bound by the entropy, are drawn from.
    pub eta_cutoff: Option<f64>,
    /// What a group of beams is charged for a token that another group has at the same place.
    pub diversity_penalty: f64,
    /// What the logits of tokens that are there are divided by.
    pub repetition_penalty: f64,
    /// The same for what is not in the encoder's input.
    pub encoder_repetition_penalty: f64,
    /// The power of the length that a beam's score is divided by.
    pub length_penalty: f64,
    /// Sequences of so many tokens occur once only; 0 for no such rule.
    #[serde(deserialize_with = "written::or_none_below_zero")]
    pub no_repeat_ngram_size: usize,
    /// Sequences of so many tokens of the encoder's input do not occur; 0 for no such rule.
    #[serde(deserialize_with = "written::or_none_below_zero")]
    pub encoder_no_repeat_ngram_size: usize,
    /// Sequences of tokens that are not made.
    pub bad_words_ids: Option<Vec<Vec<u32>>>,
    /// Sequences of tokens that must be made: each a phrase, or a list of phrases of which one.
    pub force_words_ids: Option<Vec<ForcedWords>>,
    /// Whether scores are normalised again after the processors.
    pub renormalize_logits: bool,
    /// The first token.
    pub forced_bos_token_id: Option<u32>,
    /// The last token when `max_length` is reached: one of these.
    #[serde(deserialize_with = "written::one_or_many")]
    pub forced_eos_token_id: Option<Vec<u32>>,
    /// Whether NaN and infinite logits are replaced.
    pub remove_invalid_values: bool,
    /// From which new token on the end is made likelier, and by which factor each.
    pub exponential_decay_length_penalty: Option<(i64, f64)>,
    /// Tokens that are never made.
    #[serde(deserialize_with = "written::tokens")]
    pub suppress_tokens: Option<Vec<u32>>,
    /// Tokens that are not made first.
    #[serde(deserialize_with = "written::tokens")]
    pub begin_suppress_tokens: Option<Vec<u32>>,
    /// Sequences of tokens and what is added to the score of their last.
    #[serde(deserialize_with = "written::sequence_bias")]
    pub sequence_bias: Option<Vec<(Vec<u32>, f64)>>,
    /// How far scores are pushed away from those without the prompt; 1 or nothing for not at all.
    pub guidance_scale: Option<f64>,
    /// How many sequences are answered for a prompt.
    pub num_return_sequences: usize,
    /// Whether the processed scores of every step are returned.
    pub output_scores: bool,
    /// Whether the model's logits of every step are returned.
    pub output_logits: bool,
    /// Whether a pipeline's answer in JSON holds what is returned beside the sequences; in Rust it always does.
    pub return_dict_in_generate: bool,
    /// The padding token.
    #[serde(deserialize_with = "written::token")]
    pub pad_token_id: Option<u32>,
    /// The token that a text begins with.
    #[serde(deserialize_with = "written::token")]
    pub bos_token_id: Option<u32>,
    /// The tokens that end a sequence.
    #[serde(deserialize_with = "written::tokens")]
    pub eos_token_id: Option<Vec<u32>>,
    /// The first token of a decoder that has an encoder.
    #[serde(deserialize_with = "written::token")]
    pub decoder_start_token_id: Option<u32>,
    /// Tokens that an assistant proposes at a time.
    pub num_assistant_tokens: usize,
    /// How that number changes: `constant`, `heuristic` or `heuristic_transient`.
    pub num_assistant_tokens_schedule: String,
    /// The probability below which an assistant stops proposing.
    pub assistant_confidence_threshold: Option<f64>,
    /// Tokens that are proposed from the prompt, where the last tokens stand in it already.
    pub prompt_lookup_num_tokens: Option<usize>,
    /// The longest sequence of tokens that is looked up in the prompt.
    pub max_matching_ngram_size: Option<usize>,
    /// What contrastive search takes off for being like what is there.
    pub penalty_alpha: Option<f64>,
    /// Whether the call itself gave `max_length`: then 20 is no default.
    #[serde(skip)]
    pub max_length_is_given: bool,
    /// The seed that tokens are drawn from; not of transformers, whose generator is torch's.
    pub seed: Option<u64>,
}

impl Default for GenerationConfig {
    fn default() -> Self {
        Self {
            max_length: 20,
            max_new_tokens: None,
            min_length: 0,
            min_new_tokens: None,
            early_stopping: EarlyStopping::No,
            max_time: None,
            stop_strings: None,
            do_sample: false,
            num_beams: 1,
            num_beam_groups: 1,
            temperature: 1.0,
            top_k: Some(50),
            top_p: Some(1.0),
            min_p: None,
            typical_p: Some(1.0),
            epsilon_cutoff: Some(0.0),
            eta_cutoff: Some(0.0),
            diversity_penalty: 0.0,
            repetition_penalty: 1.0,
            encoder_repetition_penalty: 1.0,
            length_penalty: 1.0,
            no_repeat_ngram_size: 0,
            encoder_no_repeat_ngram_size: 0,
            bad_words_ids: None,
            force_words_ids: None,
            renormalize_logits: false,
            forced_bos_token_id: None,
            forced_eos_token_id: None,
            remove_invalid_values: false,
            exponential_decay_length_penalty: None,
            suppress_tokens: None,
            begin_suppress_tokens: None,
            sequence_bias: None,
            guidance_scale: None,
            num_return_sequences: 1,
            output_scores: false,
            output_logits: false,
            return_dict_in_generate: false,
            pad_token_id: None,
            bos_token_id: None,
            eos_token_id: None,
            decoder_start_token_id: None,
            num_assistant_tokens: 20,
            num_assistant_tokens_schedule: "constant".into(),
            assistant_confidence_threshold: Some(0.4),
            prompt_lookup_num_tokens: None,
            max_matching_ngram_size: None,
            penalty_alpha: None,
            max_length_is_given: false,
            seed: None,
        }
    }
}
