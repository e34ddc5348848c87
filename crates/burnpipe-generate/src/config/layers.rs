//! Which settings hold for a call: those of the checkpoint, the task, the pipeline and the call together.
//!
//! Reference: `Pipeline.__init__` in `pipelines/base.py`, `_prepare_generation_config` in
//! `generation/utils.py` and `GenerationConfig.from_model_config` of transformers 4.56.2. There a setting that
//! a layer does not name is the global default, and a layer that names the default is one that does not name
//! it.

use burnpipe_core::{Result, parse_parameters};
use serde_json::{Value, json};

use super::GenerationConfig;
use super::keys::{Settings, defaults, drop_nulls, of_call, of_file, refuse_unsupported, same};

/// Where a pipeline's settings come from, as they are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct GenerationSources<'a> {
    /// `generation_config.json`, if the checkpoint has one.
    pub generation_config: Option<&'a Settings>,
    /// `config.json`. Without the other file its own settings count: those of keys that are not written are
    /// the defaults of `generate()`, so that the token ids of a configuration class must be added where
    /// `config.json` leaves them out.
    pub model_config: Option<&'a Settings>,
    /// The pipeline's `_default_generation_config`.
    pub pipeline: Option<&'a Settings>,
    /// The task's id, which `task_specific_params` are looked up by.
    pub task: &'a str,
    /// The settings that the pipeline was made with.
    pub init: Option<&'a Settings>,
    /// The tokenizer's padding token, for a model that names none.
    pub pad_token_id: Option<u32>,
}

/// The settings of a pipeline, before a call says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationDefaults {
    /// Those of the checkpoint.
    model: Settings,
    /// Whether the checkpoint's hold, in a call too, where others are the global default.
    model_fills: bool,
    /// Those of the pipeline, the checkpoint's included.
    pipeline: Settings,
}

impl GenerationDefaults {
    /// Merges all that is known before a call.
    ///
    /// # Errors
    ///
    /// When the pipeline was made with a setting that is not known.
    pub fn new(sources: &GenerationSources<'_>) -> Result<Self> {
        let model = match (sources.generation_config, sources.model_config) {
            (Some(file), _) => of_file(file),
            (None, Some(config)) => of_model_config(config),
            (None, None) => Settings::new(),
        };
        let own = sources.pipeline.map(of_file).unwrap_or_default();
        let mut pipeline = filled(own.clone(), &model);
        pipeline.extend(sources.init.map(of_call).transpose()?.unwrap_or_default());
        honour_max_length(&mut pipeline, &own);
        let task = sources.model_config.and_then(|config| config.get("task_specific_params"));
        if let Some(Value::Object(settings)) = task.and_then(|tasks| tasks.get(sources.task)) {
            pipeline.extend(of_file(settings));
        }
        if let Some(token) = sources.pad_token_id
            && pipeline.get("pad_token_id").is_none_or(Value::is_null)
        {
            pipeline.insert("pad_token_id".into(), token.into());
        }
        Ok(Self { model, model_fills: is_recent(sources.generation_config), pipeline })
    }

    /// A setting that holds where a call does not say otherwise; null and `None` both stand for none.
    pub fn get(&self, key: &str) -> Option<Value> {
        self.pipeline.get(key).cloned().or_else(|| defaults().remove(key))
    }

    /// The settings of a call, whose keys are those of `generate()`. `generation_config` may be among them,
    /// an object that takes the place of the pipeline's settings.
    ///
    /// # Errors
    ///
    /// When a key is not known, is not supported, or has a value that it cannot take.
    pub fn with_call(&self, call: &Settings) -> Result<GenerationConfig> {
        let mut config = parsed(self.with_model_and(call)?)?;
        config.max_length_is_given = call.get("max_length").is_some_and(|length| !length.is_null());
        Ok(config)
    }

    /// The settings of a call to a `generate()` that settles its `own` and hands all on to the common one, as Whisper's
    /// does: what is the global default by then, even if the call says so, is the checkpoint's once more.
    ///
    /// # Errors
    ///
    /// As [`with_call`](Self::with_call).
    pub fn with_call_handed_on(&self, call: &Settings, own: Settings) -> Result<GenerationConfig> {
        let mut settings = self.with_model_and(call)?;
        settings.extend(own);
        parsed(self.with_model(settings, self.model_fills))
    }

    /// The settings of the pipeline and the model, and over them those of a call.
    fn with_model_and(&self, call: &Settings) -> Result<Settings> {
        let mut call = call.clone();
        let given = match call.remove("generation_config") {
            Some(Value::Object(settings)) => of_call(&settings)?,
            _ => self.pipeline.clone(),
        };
        let fills = match call.remove("use_model_defaults") {
            Some(Value::Bool(fills)) => fills,
            _ => self.model_fills,
        };
        let mut settings = self.with_model(given, fills);
        settings.extend(of_call(&call)?);
        Ok(settings)
    }

    fn with_model(&self, settings: Settings, fills: bool) -> Settings {
        if fills { filled(settings, &self.model) } else { with_model_tokens(settings, &self.model) }
    }
}

fn parsed(mut settings: Settings) -> Result<GenerationConfig> {
    refuse_unsupported(&mut settings)?;
    drop_nulls(&mut settings);
    parse_parameters(settings)
}

/// Settings in whose place the model's stand where they are the global default.
fn filled(mut settings: Settings, model: &Settings) -> Settings {
    let defaults = defaults();
    for (key, value) in model {
        let default = defaults.get(key).unwrap_or(&Value::Null);
        if same(settings.get(key).unwrap_or(default), default) && !same(value, default) {
            settings.insert(key.clone(), value.clone());
        }
    }
    if settings.get("temperature").is_some_and(|temperature| same(temperature, &json!(0.0))) {
        settings.insert("do_sample".into(), false.into());
    }
    settings
}

/// Settings with the model's special tokens where they name none, as it was before 4.50.
fn with_model_tokens(mut settings: Settings, model: &Settings) -> Settings {
    for key in ["bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"] {
        if settings.get(key).is_none_or(Value::is_null)
            && let Some(token) = model.get(key)
        {
            settings.insert(key.into(), token.clone());
        }
    }
    settings
}

/// A checkpoint's `max_length` goes before the pipeline's `max_new_tokens`, if it is not the default.
fn honour_max_length(settings: &mut Settings, pipeline: &Settings) {
    let Some(new_tokens) = pipeline.get("max_new_tokens").filter(|tokens| !tokens.is_null()) else { return };
    let kept = settings.get("max_new_tokens").is_some_and(|tokens| same(tokens, new_tokens));
    let length = settings.get("max_length").filter(|length| !length.is_null() && !same(length, &json!(20)));
    if kept && length.is_some() {
        settings.insert("max_new_tokens".into(), Value::Null);
    }
}

/// The settings that stand in `config.json`, and in its decoder's part where the whole names none.
fn of_model_config(config: &Settings) -> Settings {
    let named = |config: &Settings| {
        let mut settings = of_file(config);
        settings.retain(|_, value| !value.is_null());
        settings
    };
    let mut settings = named(config);
    let mut decoders =
        ["decoder", "generator", "text_config"].into_iter().filter_map(|name| match config.get(name) {
            Some(Value::Object(decoder)) => Some(decoder),
            _ => None,
        });
    if let (Some(decoder), None) = (decoders.next(), decoders.next()) {
        let defaults = defaults();
        for (key, value) in named(decoder) {
            let default = defaults.get(&key).unwrap_or(&Value::Null);
            if settings.get(&key).is_none_or(|own| same(own, default)) {
                settings.insert(key, value);
            }
        }
    }
    settings
}

/// Whether the file was written by transformers 4.50 or later; what does not say counts as new.
fn is_recent(generation_config: Option<&Settings>) -> bool {
    let version = generation_config.and_then(|file| file.get("transformers_version")).and_then(Value::as_str);
    let mut parts = version.into_iter().flat_map(|version| version.split('.')).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (4, 50),
        _ => true,
    }
}
