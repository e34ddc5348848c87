//! The parameters of `generate()`: the pipeline's defaults, the checkpoint's, the call's.

use std::sync::OnceLock;

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_generate::{
    GenerationConfig, GenerationDefaults, GenerationSources, LogitsProcessor, StoppingRule, TokenTexts,
    processors, stopping_rules,
};
use burnpipe_hub::Checkpoint;
use burnpipe_text::{DecodeOptions, EncodeOptions, TextInput, Tokenizer};
use serde_json::{Map, Value, json};

use super::{TextGeneration, TextGenerationFeatures, TextGenerationOptions};
use crate::generation_config;

/// The task's id, by which `task_specific_params` are looked up.
const TASK: &str = "text-generation";

/// What holds for a checkpoint before a call says otherwise.
#[derive(Debug)]
pub(super) struct TaskDefaults {
    generation: GenerationDefaults,
    /// What stands before every prompt.
    prefix: Option<String>,
    /// `max_position_embeddings`, which bounds the default length.
    positions: Option<usize>,
    /// The texts of tokens, made when a call first asks for stop strings.
    texts: OnceLock<TokenTexts>,
}

/// What one input is decoded by.
pub(super) struct Settings {
    pub(super) config: GenerationConfig,
    /// The tokens that sequences begin with.
    pub(super) begin: Vec<u32>,
    pub(super) processors: Vec<Box<dyn LogitsProcessor>>,
    pub(super) stopping: Vec<Box<dyn StoppingRule>>,
    /// The prompt that guidance moves away from.
    pub(super) negative_prompt: Option<Vec<u32>>,
}

impl TaskDefaults {
    pub(super) fn read(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Self> {
        let own_file = generation_config::read(checkpoint)?;
        let config = checkpoint.config()?;
        let model_config = config.value().as_object();
        let pipeline = json!({"max_new_tokens": 256, "do_sample": true, "temperature": 0.7});
        let generation = GenerationDefaults::new(&GenerationSources {
            generation_config: own_file.as_ref(),
            model_config,
            pipeline: pipeline.as_object(),
            task: TASK,
            init: None,
            pad_token_id: tokenizer.pad_token_id(),
        })?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_string);
        let of_task = config.get("task_specific_params").and_then(|tasks| tasks.get(TASK));
        let prefix = text(of_task.and_then(|task| task.get("prefix"))).or_else(|| text(config.get("prefix")));
        let positions = ["max_position_embeddings", "n_positions"].iter().find_map(|key| config.get(key));
        let positions = positions.and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
        Ok(Self { generation, prefix, positions, texts: OnceLock::new() })
    }

    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// `max_length` where a call does not say it.
    pub(super) fn max_length(&self) -> Option<usize> {
        let length = self.generation.get("max_length")?.as_u64()?;
        usize::try_from(length).ok()
    }

    /// The texts of a tokenizer's tokens.
    fn texts(&self, tokenizer: &Tokenizer) -> Result<&TokenTexts> {
        if let Some(texts) = self.texts.get() {
            return Ok(texts);
        }
        let encode = EncodeOptions { add_special_tokens: false, ..EncodeOptions::default() };
        let prefix = tokenizer.encode(&TextInput::Text(TokenTexts::PREFIX_TEXT.to_string()), &encode)?;
        let prefix = prefix.into_iter().flat_map(|window| window.ids).collect();
        let tokenizer = tokenizer.clone();
        let decode = DecodeOptions { skip_special_tokens: false, clean_up_tokenization_spaces: Some(false) };
        let texts = TokenTexts::from_decoder(prefix, move |ids| tokenizer.decode(ids, decode).ok());
        Ok(self.texts.get_or_init(|| texts))
    }
}

impl TextGeneration {
    /// What an input is decoded by.
    pub(super) fn settings(
        &self,
        features: &TextGenerationFeatures,
        options: &TextGenerationOptions,
    ) -> Result<Settings> {
        let (config, negative_prompt) = self.config(features.prefix, options)?;
        config.validate()?;
        let config = config.with_special_tokens(false)?;
        let begin = match (features.prompt.is_empty(), config.bos_token_id) {
            (false, _) => features.prompt.clone(),
            (true, Some(bos)) => vec![bos],
            (true, None) => {
                let message =
                    "the prompt has no tokens, and the model no `bos_token_id` to begin with; give a prompt";
                return Err(Error::new(ErrorKind::Input, message));
            }
        };
        let config = config.for_prompt(begin.len(), self.defaults.positions)?;
        let processors = processors(&config, &begin, options.custom.processor_inputs(&begin))?;
        let texts = match config.stop_strings {
            Some(_) => Some(self.defaults.texts(&self.tokenizer)?),
            None => None,
        };
        let stopping = stopping_rules(&config, texts, options.custom.stopping_rules(&begin))?;
        Ok(Settings { config, begin, processors, stopping, negative_prompt })
    }

    /// The parameters of a call, and the prompt that guidance moves away from.
    pub(super) fn config(
        &self,
        prefix: usize,
        options: &TextGenerationOptions,
    ) -> Result<(GenerationConfig, Option<Vec<u32>>)> {
        let mut call = self.call(prefix, options)?;
        let negative_prompt = match call.remove("negative_prompt_ids") {
            None | Some(Value::Null) => None,
            Some(ids) => Some(negative_prompt(&ids)?),
        };
        Ok((self.defaults.generation.with_call(&call)?, negative_prompt))
    }

    /// The keyword arguments of `generate()`, with what the pipeline makes of its own.
    fn call(&self, prefix: usize, options: &TextGenerationOptions) -> Result<Map<String, Value>> {
        let mut call = options.generate.clone();
        if prefix > 0 {
            // A prefix is not counted, unless the new tokens are.
            if !call.contains_key("max_new_tokens") {
                let length = call.get("max_length").and_then(Value::as_u64).filter(|&length| length > 0);
                let length = length.or_else(|| self.defaults.max_length().map(|length| length as u64));
                call.insert("max_length".into(), (length.unwrap_or(0) + prefix as u64).into());
            }
            if !call.contains_key("min_new_tokens")
                && let Some(length) = call.get("min_length").and_then(Value::as_u64)
            {
                call.insert("min_length".into(), (length + prefix as u64).into());
            }
        }
        if let Some(text) = &options.stop_sequence {
            let encode = EncodeOptions { add_special_tokens: false, ..EncodeOptions::default() };
            let windows = self.tokenizer.encode(&TextInput::Text(text.clone()), &encode)?;
            let ids: Vec<u32> = windows.into_iter().flat_map(|window| window.ids).collect();
            call.insert("eos_token_id".into(), ids.into());
        }
        Ok(call)
    }
}

/// Ids, or a list of one row of them.
fn negative_prompt(ids: &Value) -> Result<Vec<u32>> {
    let row = ids.as_array().and_then(|rows| rows.first()).filter(|row| row.is_array()).unwrap_or(ids);
    serde_json::from_value(row.clone()).map_err(|error| {
        let message = "parameter `negative_prompt_ids` must be a list of token ids";
        Error::new(ErrorKind::Parameter, message).with_source(error)
    })
}

/// The names of all parameters of a call: the pipeline's own, the tokenizer's, and those of `generate()`.
pub(super) const PARAMETERS: &[&str] = &[
    "return_full_text",
    "return_tensors",
    "return_text",
    "return_type",
    "clean_up_tokenization_spaces",
    "prefix",
    "handle_long_generation",
    "stop_sequence",
    "continue_final_message",
    "skip_special_tokens",
    "tokenizer_encode_kwargs",
    "generate_kwargs",
    "add_special_tokens",
    "padding",
    "truncation",
    "max_length",
    "max_new_tokens",
    "min_length",
    "min_new_tokens",
    "early_stopping",
    "max_time",
    "stop_strings",
    "do_sample",
    "num_beams",
    "num_beam_groups",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "diversity_penalty",
    "repetition_penalty",
    "encoder_repetition_penalty",
    "length_penalty",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "bad_words_ids",
    "force_words_ids",
    "renormalize_logits",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "exponential_decay_length_penalty",
    "suppress_tokens",
    "begin_suppress_tokens",
    "sequence_bias",
    "guidance_scale",
    "negative_prompt_ids",
    "num_return_sequences",
    "output_scores",
    "output_logits",
    "return_dict_in_generate",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "assistant_confidence_threshold",
    "prompt_lookup_num_tokens",
    "max_matching_ngram_size",
    "penalty_alpha",
    "generation_config",
    "use_cache",
    "cache_implementation",
    "low_memory",
    "seed",
];
