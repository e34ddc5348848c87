//! `audio-classification`: labels of a sound.
//!
//! - preprocess: samples at the model's rate, and their features;
//! - forward: the audio classifier's logits;
//! - postprocess: softmax, sigmoid or nothing, then the best labels.
//!
//! Reference: `pipelines/audio_classification.py` of transformers 4.56.2. As there, a call without `top_k` answers
//! all labels: the five of Python's documentation hold when the pipeline is made, and no call keeps them.

use burnpipe_audio::{AudioFeatures, FeatureExtractor};
use burnpipe_core::{Error, ErrorKind, JsonTask, Label, Result, Task, parse_parameters};
use burnpipe_nn::{AudioClassifier, BatchLayout, Heads};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::best_labels::best;
use crate::sound_features::{self, AudioInput, Channels, run_on_sounds};
use crate::text_features::read_back;
use crate::{FunctionToApply, InputKind, LoadTask, TaskContext};

/// Labels of a sound.
pub struct AudioClassification {
    extractor: FeatureExtractor,
    model: Box<dyn AudioClassifier>,
    labels: Vec<String>,
}

/// The parameters of [`AudioClassification`].
#[derive(Clone, Debug, Default)]
pub struct AudioClassificationOptions {
    /// How many labels to answer, best first; `None` for all.
    pub top_k: Option<usize>,
    /// What makes scores of logits; `None` for softmax.
    pub function_to_apply: Option<FunctionToApply>,
}

impl LoadTask for AudioClassification {
    const ID: &'static str = "audio-classification";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "labels of a sound";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("superb/wav2vec2-base-superb-ks", "372e048");
    const INPUT: InputKind = InputKind::Sound;

    fn supports(heads: &Heads) -> bool {
        heads.audio_classifier.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let load = context.architecture.head("audio-classifier", heads.audio_classifier)?;
        let labels = context.load.checkpoint.config()?.labels()?;
        Ok(Self {
            extractor: FeatureExtractor::load(context.load.checkpoint)?,
            model: load(&context.load)?,
            labels: labels.iter().map(str::to_string).collect(),
        })
    }
}

impl Task for AudioClassification {
    type Input = AudioInput;
    type Options = AudioClassificationOptions;
    type Features = AudioFeatures;
    type Raw = Vec<f32>;
    type Output = Vec<Label>;

    fn preprocess(
        &self,
        input: AudioInput,
        _: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<AudioFeatures>> + Send + use<>> {
        let samples = input.samples(self.extractor.sampling_rate())?;
        Ok(std::iter::once(self.extractor.extract(&samples)))
    }

    fn prepares_side_by_side(&self) -> bool {
        true
    }

    fn length(&self, features: &AudioFeatures) -> Option<usize> {
        (self.model.layout() == BatchLayout::Padded).then(|| sound_features::numbers(features))
    }

    fn forward(&self, batch: &[AudioFeatures], _: &Self::Options) -> Result<Vec<Vec<f32>>> {
        run_on_sounds(batch.iter(), self.model.layout(), |sounds| {
            let logits = read_back(self.model.forward(sounds)?)?;
            Ok(logits.chunks(self.labels.len()).map(<[f32]>::to_vec).collect())
        })
    }

    fn postprocess(&self, chunks: Vec<Vec<f32>>, options: &Self::Options) -> Result<Vec<Label>> {
        let logits = chunks.into_iter().flatten().collect();
        let scores = options.function_to_apply.unwrap_or(FunctionToApply::Softmax).apply(logits);
        Ok(best(&self.labels, scores, options.top_k.unwrap_or(usize::MAX)))
    }
}

impl JsonTask for AudioClassification {
    const PARAMETERS: &'static [&'static str] = &["top_k", "function_to_apply"];

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        #[derive(Deserialize)]
        struct Given {
            top_k: Option<usize>,
            function_to_apply: Option<String>,
        }
        let given: Given = parse_parameters(parameters)?;
        let function = given.function_to_apply.as_deref().map(|name| match name {
            // Unlike text classification, Python takes no capital letters here.
            "sigmoid" | "softmax" | "none" => FunctionToApply::from_name(name),
            _ => {
                let message = format!(
                    "parameter `function_to_apply`: unknown `{name}`; known: `sigmoid`, `softmax`, `none`"
                );
                Err(Error::new(ErrorKind::Parameter, message))
            }
        });
        Ok(AudioClassificationOptions { top_k: given.top_k, function_to_apply: function.transpose()? })
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<AudioInput> {
        Ok(sound_features::parse_audio(input, Channels::Refused)?.0)
    }
}
