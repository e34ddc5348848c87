//! What a checkpoint of Whisper's says about writing.

use std::collections::BTreeMap;

use burnpipe_core::{ErrorContext, ErrorKind, Result};
use burnpipe_generate::{GenerationDefaults, GenerationSources};
use burnpipe_hub::Checkpoint;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::generation_config;

/// The task's id, by which `task_specific_params` are looked up.
const TASK: &str = "automatic-speech-recognition";

/// What holds before a call says otherwise.
#[derive(Debug)]
pub(super) struct WhisperSettings {
    pub(super) generation: GenerationDefaults,
    pub(super) own: WhisperGenerationConfig,
    pub(super) model: WhisperModelConfig,
}

/// The keys of generation_config.json that only Whisper has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WhisperGenerationConfig {
    /// Layers and heads of the decoder whose attention to the sound tells when words are said.
    pub(super) alignment_heads: Option<Vec<(usize, usize)>>,
    pub(super) compression_ratio_threshold: Option<f64>,
    pub(super) condition_on_prev_tokens: Option<bool>,
    /// Places and tokens that a text begins with, as it was said before there were `language` and `task`.
    pub(super) forced_decoder_ids: Option<Vec<(usize, Option<u32>)>>,
    pub(super) is_multilingual: Option<bool>,
    pub(super) lang_to_id: Option<BTreeMap<String, u32>>,
    pub(super) language: Option<String>,
    pub(super) logprob_threshold: Option<f64>,
    pub(super) max_initial_timestamp_index: Option<u32>,
    pub(super) no_speech_threshold: Option<f64>,
    /// The token behind which the marks of times stand.
    pub(super) no_timestamps_token_id: Option<u32>,
    pub(super) prev_sot_token_id: Option<u32>,
    pub(super) return_timestamps: Option<bool>,
    pub(super) task: Option<String>,
    pub(super) task_to_id: Option<BTreeMap<String, u32>>,
}

/// The keys of config.json that writing asks for, with the defaults of `WhisperConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct WhisperModelConfig {
    pub(super) max_source_positions: usize,
    pub(super) max_target_positions: usize,
    pub(super) median_filter_width: usize,
    pub(super) vocab_size: usize,
    forced_decoder_ids: Option<Vec<(usize, Option<u32>)>>,
}

impl Default for WhisperModelConfig {
    fn default() -> Self {
        Self {
            max_source_positions: 1500,
            max_target_positions: 448,
            median_filter_width: 7,
            vocab_size: 51865,
            forced_decoder_ids: None,
        }
    }
}

impl WhisperModelConfig {
    /// Frames of a window: two for each position of the encoder.
    pub(super) fn frames(&self) -> usize {
        self.max_source_positions.saturating_mul(2)
    }
}

impl WhisperSettings {
    /// Reads generation_config.json, or config.json where there is no such file.
    pub(super) fn read(checkpoint: &Checkpoint, pad_token_id: Option<u32>) -> Result<Self> {
        let file = generation_config::read(checkpoint)?;
        let config = checkpoint.config()?;
        let model: WhisperModelConfig = config.parse()?;
        let mut model_config = config.value().as_object().cloned().unwrap_or_default();
        add_defaults(&mut model_config);
        let mut own: WhisperGenerationConfig = match &file {
            Some(file) => part(file, "generation_config.json")?,
            None => WhisperGenerationConfig::default(),
        };
        own.forced_decoder_ids = own.forced_decoder_ids.or_else(|| model.forced_decoder_ids.clone());
        let pipeline = json!({"max_new_tokens": 256, "num_beams": 5});
        let generation = GenerationDefaults::new(&GenerationSources {
            generation_config: file.as_ref(),
            model_config: Some(&model_config),
            pipeline: pipeline.as_object(),
            task: TASK,
            init: None,
            pad_token_id,
        })?;
        Ok(Self { generation, own, model })
    }
}

/// Puts the defaults of `WhisperConfig` where config.json says nothing.
fn add_defaults(config: &mut Map<String, Value>) {
    let defaults = [
        ("bos_token_id", json!(50256)),
        ("eos_token_id", json!(50256)),
        ("pad_token_id", json!(50256)),
        ("decoder_start_token_id", json!(50257)),
        ("begin_suppress_tokens", json!([220, 50256])),
    ];
    for (key, value) in defaults {
        config.entry(key).or_insert(value);
    }
}

/// The keys of a file that a struct knows.
fn part<T: DeserializeOwned>(file: &Map<String, Value>, name: &str) -> Result<T> {
    let broken = || format!("a setting of Whisper's in `{name}` has a value that cannot be used");
    serde_json::from_value(Value::Object(file.clone())).context(ErrorKind::Config, broken)
}
