//! What a call asks of writing: `generate_kwargs`, those of Whisper's `generate` apart from those of every `generate`.

use burnpipe_core::{Error, ErrorKind, Result, parse_parameters};
use burnpipe_generate::{
    GenerationConfig, LogitsProcessor, SuppressTokensAtBeginLogitsProcessor, SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::WhisperRecognizer;
use super::settings::WhisperGenerationConfig;
use crate::automatic_speech_recognition::{AutomaticSpeechRecognitionOptions, ReturnTimestamps};

/// A call's settings, with the checkpoint's where it says nothing.
#[derive(Clone, Debug)]
pub(crate) struct WhisperCall {
    pub(super) generation: GenerationConfig,
    pub(super) language: Option<String>,
    pub(super) task: Option<String>,
    /// Whether marks of times are written.
    pub(super) timestamps: bool,
    /// Whether the times of tokens are wanted.
    pub(super) token_timestamps: bool,
    /// Tokens of a text that could stand before.
    pub(super) prompt_ids: Option<Vec<u32>>,
    /// Whether that text stands before every window, and not only in place of the one before the first.
    pub(super) prompts_all_segments: bool,
    /// Whether the first window, and those after it, are written after what was written before them.
    pub(super) conditions: [bool; 2],
}

/// The arguments of `generate` that only Whisper's has.
#[derive(Deserialize)]
struct Own {
    return_timestamps: Option<bool>,
    task: Option<String>,
    language: Option<Languages>,
    is_multilingual: Option<bool>,
    prompt_ids: Option<Vec<u32>>,
    prompt_condition_type: Option<String>,
    condition_on_prev_tokens: Option<bool>,
    temperature: Option<Temperatures>,
    compression_ratio_threshold: Option<f64>,
    logprob_threshold: Option<f64>,
    no_speech_threshold: Option<f64>,
}

const OWN: &[&str] = &[
    "return_timestamps",
    "task",
    "language",
    "is_multilingual",
    "prompt_ids",
    "prompt_condition_type",
    "condition_on_prev_tokens",
    "temperature",
    "compression_ratio_threshold",
    "logprob_threshold",
    "no_speech_threshold",
];

/// Arguments that would change what `generate` returns, which the pipeline of Python does not expect either.
const REFUSED: &[&str] = &[
    "return_token_timestamps",
    "return_segments",
    "force_unique_generate_call",
    "num_segment_frames",
    "time_precision",
    "time_precision_features",
    "monitor_progress",
    "attention_mask",
    "decoder_input_ids",
];

#[derive(Deserialize)]
#[serde(untagged)]
enum Languages {
    Same(String),
    Each(Vec<String>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Temperatures {
    Same(f64),
    /// One after the other, where thresholds ask for another try.
    Each(Vec<f64>),
}

impl WhisperRecognizer {
    /// Reads the settings of a call.
    pub(crate) fn call(&self, options: &AutomaticSpeechRecognitionOptions) -> Result<WhisperCall> {
        let (own, generate): (Map<_, _>, Map<_, _>) =
            options.generate_kwargs.clone().into_iter().partition(|(name, _)| OWN.contains(&name.as_str()));
        if let Some(name) = generate.keys().find(|name| REFUSED.contains(&name.as_str())) {
            return refuse(format!("`{name}` in `generate_kwargs` is not supported; leave it out"));
        }
        let own: Own = parse_parameters(own)?;
        let settings = &self.settings.own;
        own.check(settings)?;
        let times = self.timestamps(options);
        let timestamps = match times {
            ReturnTimestamps::No => own.return_timestamps.or(settings.return_timestamps).unwrap_or(false),
            _ => true,
        };
        if timestamps && settings.no_timestamps_token_id.is_none() {
            let message = "`return_timestamps` needs `no_timestamps_token_id` in `generation_config.json`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let token_timestamps = times == ReturnTimestamps::Word;
        if token_timestamps && settings.alignment_heads.is_none() {
            let message = "`return_timestamps: \"word\"` needs `alignment_heads` in `generation_config.json`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let generation = self.generation(&generate, own.temperature.as_ref())?;
        let asked = own.condition_on_prev_tokens;
        // Tokens that were drawn freely are no good beginning.
        let first = own.temperature.as_ref().and_then(Temperatures::first);
        let cool = first.is_none_or(|temperature| temperature < 0.5);
        let conditions = asked.or(settings.condition_on_prev_tokens).unwrap_or(false);
        Ok(WhisperCall {
            language: own.language()?.or_else(|| settings.language.clone()),
            task: own.task.or_else(|| settings.task.clone()),
            timestamps,
            token_timestamps,
            prompts_all_segments: own.prompt_condition_type.as_deref() == Some("all-segments"),
            prompt_ids: own.prompt_ids.filter(|prompt| !prompt.is_empty()),
            conditions: [asked.unwrap_or(false), conditions && cool],
            generation,
        })
    }

    /// The settings of every `generate`. Of a call only a temperature makes Whisper draw.
    fn generation(
        &self,
        generate: &Map<String, Value>,
        temperature: Option<&Temperatures>,
    ) -> Result<GenerationConfig> {
        let own = match temperature.and_then(Temperatures::first).filter(|&temperature| temperature > 0.0) {
            Some(temperature) => json!({"do_sample": true, "temperature": temperature, "num_beams": 1}),
            None => json!({"do_sample": false, "temperature": 1.0}),
        };
        let own = own.as_object().cloned().unwrap_or_default();
        let mut config = self.settings.generation.with_call_handed_on(generate, own)?;
        // Of several sequences the pipeline takes the first.
        config.num_return_sequences = 1;
        config.validate()?;
        config.with_special_tokens(true)
    }
}

impl Temperatures {
    /// That of the first try.
    fn first(&self) -> Option<f64> {
        match self {
            Self::Same(temperature) => Some(*temperature),
            Self::Each(temperatures) => temperatures.first().copied(),
        }
    }
}

impl Own {
    /// Refuses what the checkpoint cannot do, and what there is nothing for.
    fn check(&self, settings: &WhisperGenerationConfig) -> Result<()> {
        let outdated = |name: &str, key: &str| {
            refuse(format!("`{name}` in `generate_kwargs` needs `{key}` in `generation_config.json`"))
        };
        if self.is_multilingual.is_some() && settings.is_multilingual.is_none() {
            return outdated("is_multilingual", "is_multilingual");
        }
        let english = self.is_multilingual.or(settings.is_multilingual) == Some(false);
        if english && (self.task.is_some() || self.language.is_some()) {
            return refuse(
                "`task` and `language` in `generate_kwargs` are for models of many languages, and this one is English only",
            );
        }
        if self.language.is_some() && settings.lang_to_id.is_none() {
            return outdated("language", "lang_to_id");
        }
        if self.task.is_some() && settings.task_to_id.is_none() {
            return outdated("task", "task_to_id");
        }
        let thresholds = [
            (
                "compression_ratio_threshold",
                self.compression_ratio_threshold.or(settings.compression_ratio_threshold),
            ),
            ("logprob_threshold", self.logprob_threshold.or(settings.logprob_threshold)),
            ("no_speech_threshold", self.no_speech_threshold.or(settings.no_speech_threshold)),
        ];
        if let Some((name, _)) = thresholds.iter().find(|(_, threshold)| threshold.is_some()) {
            let message = format!("`{name}` is not supported, and would change the result; leave it out");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        match self.prompt_condition_type.as_deref() {
            None | Some("first-segment") => Ok(()),
            Some("all-segments")
                if self.condition_on_prev_tokens.or(settings.condition_on_prev_tokens) == Some(true) =>
            {
                Ok(())
            }
            Some("all-segments") => refuse(
                "`prompt_condition_type: \"all-segments\"` in `generate_kwargs` needs `condition_on_prev_tokens: true`",
            ),
            Some(other) => refuse(format!(
                "`prompt_condition_type` in `generate_kwargs`: unknown `{other}`; known: `first-segment`, `all-segments`"
            )),
        }
    }

    /// The language; of a list the only one, as sounds go to `generate` one by one.
    fn language(&self) -> Result<Option<String>> {
        match &self.language {
            None => Ok(None),
            Some(Languages::Same(language)) => Ok(Some(language.clone())),
            Some(Languages::Each(languages)) => match languages.as_slice() {
                [language] => Ok(Some(language.clone())),
                _ => refuse("`language` in `generate_kwargs` must be one language, for every sound the same"),
            },
        }
    }
}

impl WhisperCall {
    /// The generation of a text that begins with some tokens, and the processors of its scores.
    pub(super) fn processors(
        &self,
        settings: &WhisperGenerationConfig,
        begin_index: usize,
    ) -> (GenerationConfig, Vec<Box<dyn LogitsProcessor>>) {
        let mut config = self.generation.clone();
        let mut custom: Vec<Box<dyn LogitsProcessor>> = Vec::new();
        // Whisper has these behind all others, where `generate` has them among them.
        if let Some(tokens) = config.begin_suppress_tokens.take() {
            custom.push(Box::new(SuppressTokensAtBeginLogitsProcessor::new(tokens, begin_index)));
        }
        if let Some(tokens) = config.suppress_tokens.take() {
            custom.push(Box::new(SuppressTokensLogitsProcessor::new(tokens)));
        }
        let eos = config.eos_token_id.iter().flatten().next().copied().or(config.bos_token_id);
        if self.timestamps
            && let (Some(no_timestamps), Some(eos)) = (settings.no_timestamps_token_id, eos)
        {
            custom.push(Box::new(WhisperTimeStampLogitsProcessor::new(
                no_timestamps,
                eos,
                begin_index,
                settings.max_initial_timestamp_index,
            )));
        }
        (config, custom)
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::new(ErrorKind::Parameter, message))
}
