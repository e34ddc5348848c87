//! `automatic-speech-recognition`: the text that is spoken in a sound.
//!
//! - preprocess: samples at the model's rate, in chunks that overlap if `chunk_length_s` says so, and their features;
//! - forward: CTC models give the likeliest letter of every step in time;
//! - postprocess: the letters of all chunks without what overlaps, decoded; on demand with their times.
//!
//! Two kinds of models recognise speech. CTC models (`ctc`) are here. Models that write the text token by token
//! (Whisper, Moonshine) have a [`Recognizer`] of their own: a variant with its head, tokenizer and generation config,
//! loaded where [`AutomaticSpeechRecognition::load`] asks which head the architecture has, run by a
//! [`Session`](burnpipe_core::Session) so that texts of a batch grow side by side, and read by its own way through
//! [`postprocess`](Task::postprocess). What they share with CTC models (inputs, chunks, strides, extra fields) is in
//! this file.
//!
//! Where it differs from Python: samples at another rate are resampled (Python passes the rate twice and does not),
//! `decoder_kwargs` is refused, and checkpoints made for decoding with a language model (`Wav2Vec2ProcessorWithLM`)
//! are decoded without it, as Python does where `pyctcdecode` is not installed.
//!
//! Reference: `pipelines/automatic_speech_recognition.py` of transformers 4.56.2.

use std::sync::Arc;

use burnpipe_audio::{AudioFeatures, FeatureExtractor};
use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task};
use burnpipe_nn::{BatchLayout, Heads};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sound::{self, AudioInput, Channels};
use crate::{InputKind, LoadTask, TaskContext};

mod chunks;
mod ctc;
mod options;

pub use chunks::Stride;
use ctc::CtcRecognizer;
pub use options::{AutomaticSpeechRecognitionOptions, ReturnTimestamps};

/// The text that is spoken in a sound.
pub struct AutomaticSpeechRecognition {
    extractor: FeatureExtractor,
    recognizer: Recognizer,
}

/// The kinds of models that recognise speech.
enum Recognizer {
    /// One that gives a letter for every step in time.
    Ctc(CtcRecognizer),
}

/// A sound with speech.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechInput {
    /// The sound.
    pub audio: AudioInput,
    /// How many samples at its beginning and its end are context only: they are heard and not written. For CTC
    /// models, without `chunk_length_s`.
    pub stride: Option<[usize; 2]>,
    /// Fields that come back with the answer, each as a list with its value for every chunk.
    pub extra: Map<String, Value>,
}

impl<A: Into<AudioInput>> From<A> for SpeechInput {
    fn from(audio: A) -> Self {
        Self { audio: audio.into(), stride: None, extra: Map::new() }
    }
}

/// A chunk of a sound, ready for the model.
#[derive(Clone, Debug)]
pub struct SpeechFeatures {
    features: AudioFeatures,
    stride: Option<Stride>,
    extra: Map<String, Value>,
}

/// What the model heard in a chunk.
#[derive(Clone, Debug)]
pub struct SpeechRaw {
    /// The likeliest letter of every step in time.
    tokens: Vec<u32>,
    stride: Option<Stride>,
    extra: Map<String, Value>,
}

/// What is spoken in a sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transcription {
    /// The text.
    pub text: String,
    /// Its parts and their times, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Vec<TranscribedChunk>>,
    /// The extra fields of the input, each a list with its value for every chunk.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A part of a text and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranscribedChunk {
    /// A letter or a word.
    pub text: String,
    /// When it begins and ends, in seconds; no end where the sound ends inside it.
    pub timestamp: (f64, Option<f64>),
}

impl LoadTask for AutomaticSpeechRecognition {
    const ID: &'static str = "automatic-speech-recognition";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "the text that is spoken in a sound";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("facebook/wav2vec2-base-960h", "22aad52");
    const INPUT: InputKind = InputKind::Sound;

    fn supports(heads: &Heads) -> bool {
        heads.ctc_model.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let load = context.architecture.head("ctc-model", heads.ctc_model)?;
        let extractor = FeatureExtractor::load(context.load.checkpoint)?;
        let recognizer = Recognizer::Ctc(CtcRecognizer::load(context, load, &extractor)?);
        Ok(Self { extractor, recognizer })
    }
}

impl AutomaticSpeechRecognition {
    fn check(&self, options: &AutomaticSpeechRecognitionOptions) -> Result<()> {
        match &self.recognizer {
            Recognizer::Ctc(_) => options.check_for_ctc(),
        }
    }

    /// Samples that chunks and strides are multiples of.
    fn alignment(&self) -> usize {
        match &self.recognizer {
            Recognizer::Ctc(recognizer) => recognizer.inputs_to_logits_ratio(),
        }
    }

    fn layout(&self) -> BatchLayout {
        match &self.recognizer {
            Recognizer::Ctc(recognizer) => recognizer.layout(),
        }
    }
}

impl Task for AutomaticSpeechRecognition {
    type Input = SpeechInput;
    type Options = AutomaticSpeechRecognitionOptions;
    type Features = SpeechFeatures;
    type Raw = SpeechRaw;
    type Output = Transcription;

    fn preprocess(
        &self,
        input: SpeechInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<SpeechFeatures>> + Send + use<>> {
        self.check(options)?;
        let rate = self.extractor.sampling_rate();
        let given_rate = input.audio.sampling_rate().unwrap_or(rate);
        let samples = input.audio.samples(rate)?;
        let chunks = match options.chunk_length_s.filter(|&seconds| seconds != 0.0) {
            Some(seconds) => {
                let strides = options.stride_length_s.unwrap_or([seconds / 6.0; 2]);
                chunks::cut(samples.len(), seconds, strides, rate, self.alignment())?
            }
            None => {
                let stride =
                    input.stride.map(|stride| chunks::given(samples.len(), stride, given_rate, rate));
                vec![(0..samples.len(), stride.transpose()?)]
            }
        };
        let (samples, extractor): (Arc<[f32]>, _) = (samples.into(), self.extractor.clone());
        Ok(chunks.into_iter().map(move |(range, stride)| {
            let features = extractor.extract(&samples[range])?;
            Ok(SpeechFeatures { features, stride, extra: input.extra.clone() })
        }))
    }

    fn length(&self, chunk: &SpeechFeatures) -> Option<usize> {
        (self.layout() == BatchLayout::Padded).then(|| sound::numbers(&chunk.features))
    }

    fn forward(&self, batch: &[SpeechFeatures], _: &Self::Options) -> Result<Vec<SpeechRaw>> {
        let sounds = batch.iter().map(|chunk| &chunk.features);
        let tokens = match &self.recognizer {
            Recognizer::Ctc(recognizer) => recognizer.hear(sounds)?,
        };
        let pairs = batch.iter().zip(tokens);
        Ok(pairs
            .map(|(chunk, tokens)| SpeechRaw { tokens, stride: chunk.stride, extra: chunk.extra.clone() })
            .collect())
    }

    fn postprocess(&self, chunks: Vec<SpeechRaw>, options: &Self::Options) -> Result<Transcription> {
        let mut extra = Map::new();
        for (name, value) in chunks.iter().flat_map(|chunk| &chunk.extra) {
            let values = extra.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            values.as_array_mut().into_iter().for_each(|values| values.push(value.clone()));
        }
        match &self.recognizer {
            Recognizer::Ctc(recognizer) => {
                let (text, chunks) = recognizer.transcribe(&chunks, options.return_timestamps);
                Ok(Transcription { text, chunks, extra })
            }
        }
    }
}

impl JsonTask for AutomaticSpeechRecognition {
    const PARAMETERS: &'static [&'static str] = &[
        "chunk_length_s",
        "stride_length_s",
        "ignore_warning",
        "decoder_kwargs",
        "return_timestamps",
        "return_language",
        "generate_kwargs",
    ];

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        AutomaticSpeechRecognitionOptions::parse(parameters)
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<SpeechInput> {
        let (audio, mut extra) = sound::parse_audio(input, Channels::Mixed)?;
        let stride = match extra.remove("stride") {
            None | Some(Value::Null) => None,
            Some(stride) => Some(serde_json::from_value(stride).map_err(|_| {
                let message = "`stride` of the input must be two numbers of samples, [left, right]";
                Error::new(ErrorKind::Input, message)
            })?),
        };
        Ok(SpeechInput { audio, stride, extra })
    }
}
