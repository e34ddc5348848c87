//! The parameters of `generate()`: the pipeline's defaults, the checkpoint's, the call's.

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result, parse_parameters};
use burnpipe_generate::{GenerationConfig, LogitsProcessor, StoppingRule};
use burnpipe_hub::Checkpoint;
use burnpipe_text::{EncodeOptions, TextInput, Tokenizer};
use serde_json::{Map, Value, json};

use super::{TextGeneration, TextGenerationFeatures, TextGenerationOptions};

/// The names of all parameters of a call.
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
    "do_sample",
    "num_beams",
    "num_return_sequences",
    "eos_token_id",
    "seed",
];

/// What holds for a checkpoint before a call says otherwise.
#[derive(Clone, Debug)]
pub(super) struct GenerationDefaults {
    values: Map<String, Value>,
    prefix: Option<String>,
}

/// What one input is decoded by.
pub(super) struct Settings {
    pub(super) config: GenerationConfig,
    pub(super) begin: Vec<u32>,
    pub(super) processors: Vec<Box<dyn LogitsProcessor>>,
    pub(super) stopping: Vec<Box<dyn StoppingRule>>,
}

impl GenerationDefaults {
    pub(super) fn read(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Self> {
        let mut values = Map::from_iter([
            ("max_new_tokens".to_string(), json!(256)),
            ("do_sample".to_string(), json!(true)),
            ("temperature".to_string(), json!(0.7)),
        ]);
        if let Some(bytes) = ModelFiles::read(checkpoint, "generation_config.json")? {
            let own: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| {
                Error::new(ErrorKind::Config, "`generation_config.json` is no JSON object").with_source(error)
            })?;
            values.extend(own);
        }
        let config = checkpoint.config()?;
        let mut prefix = config.get("prefix").and_then(Value::as_str).map(str::to_string);
        let task = config.get("task_specific_params").and_then(|tasks| tasks.get("text-generation"));
        if let Some(Value::Object(own)) = task {
            let mut own = own.clone();
            if let Some(Value::String(text)) = own.remove("prefix") {
                prefix = Some(text);
            }
            values.extend(own);
        }
        if let Some(id) = tokenizer.pad_token_id() {
            values.entry("pad_token_id").or_insert(id.into());
        }
        Ok(Self { values, prefix })
    }

    pub(super) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    pub(super) fn max_length(&self) -> usize {
        let length = self.values.get("max_length").and_then(Value::as_u64);
        length.and_then(|length| usize::try_from(length).ok()).unwrap_or(20)
    }
}

impl TextGeneration {
    pub(super) fn settings(
        &self,
        features: &TextGenerationFeatures,
        options: &TextGenerationOptions,
    ) -> Result<Settings> {
        let mut values = self.defaults.values.clone();
        values.extend(options.generate.clone());
        values.retain(|_, value| !value.is_null());
        let mut config: GenerationConfig = parse_parameters(values)?;
        if let Some(text) = &options.stop_sequence {
            let encode = EncodeOptions { add_special_tokens: false, ..EncodeOptions::default() };
            let windows = self.tokenizer.encode(&TextInput::Text(text.clone()), &encode)?;
            config.eos_token_id = Some(windows.into_iter().flat_map(|window| window.ids).collect());
        }
        let begin = match (features.prompt.is_empty(), config.bos_token_id) {
            (false, _) => features.prompt.clone(),
            (true, Some(bos)) => vec![bos],
            (true, None) => {
                let message =
                    "the prompt has no tokens, and the model no `bos_token_id` to begin with; give a prompt";
                return Err(Error::new(ErrorKind::Input, message));
            }
        };
        Ok(Settings { config, begin, processors: Vec::new(), stopping: Vec::new() })
    }
}
