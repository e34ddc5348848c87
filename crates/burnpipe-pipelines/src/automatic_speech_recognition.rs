//! `automatic-speech-recognition`: the text that is spoken in a sound.
//!
//! - preprocess: samples at the model's rate, in chunks that overlap if `chunk_length_s` says so, and their features;
//! - forward: CTC models give the likeliest letter of every step in time;
//! - postprocess: the letters of all chunks without what overlaps, decoded; on demand with their times.
//!
//! Two kinds of models recognise speech: CTC models (`ctc`), and those that write the text token by token
//! (`whisper`), which a [`Session`](burnpipe_core::Session) runs, so that texts of a batch grow side by side. What they
//! share (inputs, chunks, strides, extra fields) is in this file.
//!
//! Where it differs from Python: samples at another rate are resampled (Python passes the rate twice and does not),
//! `decoder_kwargs` is refused, and checkpoints made for decoding with a language model (`Wav2Vec2ProcessorWithLM`)
//! are decoded without it, as Python does where `pyctcdecode` is not installed.
//!
//! Reference: `pipelines/automatic_speech_recognition.py` of transformers 4.56.2.

use std::sync::Arc;

use burnpipe_audio::{AudioFeatures, FeatureExtractor};
use burnpipe_core::{BoxedSession, Error, ErrorKind, JsonTask, Result, Session as _, Task};
use burnpipe_nn::{BatchLayout, Heads};
use burnpipe_text::WhisperOutput;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sound_features::{self, AudioInput, Channels};
use crate::{InputKind, LoadTask, TaskContext};

mod chunks;
mod ctc;
mod options;
mod session;
mod whisper;

pub use chunks::Stride;
use ctc::CtcRecognizer;
pub use options::{AutomaticSpeechRecognitionOptions, ReturnTimestamps};
use session::SpeechSession;
use whisper::WhisperRecognizer;

/// The text that is spoken in a sound.
pub struct AutomaticSpeechRecognition {
    extractor: FeatureExtractor,
    recognizer: Recognizer,
}

/// The kinds of models that recognise speech.
enum Recognizer {
    /// One that gives a letter for every step in time.
    Ctc(CtcRecognizer),
    /// One that writes text with Whisper's marks.
    Whisper(Arc<WhisperRecognizer>),
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
    /// Samples that they were made of.
    samples: usize,
    stride: Option<Stride>,
    extra: Map<String, Value>,
}

/// What the model heard in a chunk.
#[derive(Clone, Debug)]
pub struct SpeechRaw {
    /// The likeliest letter of every step in time, or the tokens of a text.
    tokens: Vec<u32>,
    /// When each token of a text is said, in seconds of the chunk, where the times of words are wanted.
    token_timestamps: Vec<f32>,
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

/// A part of a text, its time and its language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TranscribedChunk {
    /// A letter, a word, or what is said at a stretch.
    pub text: String,
    /// When it begins and ends, in seconds, as far as the model heard it; `None` where times were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<(Option<f64>, Option<f64>)>,
    /// Its language, `None` inside where the model named none; `None` where languages were not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Option<String>>,
}

impl LoadTask for AutomaticSpeechRecognition {
    const ID: &'static str = "automatic-speech-recognition";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "the text that is spoken in a sound";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("facebook/wav2vec2-base-960h", "22aad52");
    const INPUT: InputKind = InputKind::Sound;

    fn supports(heads: &Heads) -> bool {
        heads.ctc_model.is_some() || heads.speech_seq2seq.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let extractor = FeatureExtractor::load(context.load.checkpoint)?;
        let recognizer = match heads.speech_seq2seq {
            Some(load) => Recognizer::Whisper(Arc::new(WhisperRecognizer::load(context, load, &extractor)?)),
            None => {
                let load = context.architecture.head("ctc-model", heads.ctc_model)?;
                Recognizer::Ctc(CtcRecognizer::load(context, load, &extractor)?)
            }
        };
        Ok(Self { extractor, recognizer })
    }
}

impl AutomaticSpeechRecognition {
    fn check(&self, options: &AutomaticSpeechRecognitionOptions) -> Result<()> {
        match &self.recognizer {
            Recognizer::Ctc(_) => options.check_for_ctc(),
            Recognizer::Whisper(recognizer) => recognizer.check(options),
        }
    }

    /// Samples that chunks and strides are multiples of.
    fn alignment(&self) -> usize {
        match &self.recognizer {
            Recognizer::Ctc(recognizer) => recognizer.inputs_to_logits_ratio(),
            Recognizer::Whisper(_) => 1,
        }
    }

    /// Whether sounds of one length go together best.
    fn sorts(&self) -> bool {
        match &self.recognizer {
            Recognizer::Ctc(recognizer) => recognizer.layout() == BatchLayout::Padded,
            Recognizer::Whisper(_) => false,
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
        // A sound that is not cut is heard whole, however long it is.
        let whole = options.chunk_length_s.is_none_or(|seconds| seconds == 0.0)
            && extractor.n_samples().is_some_and(|longest| samples.len() > longest);
        if whole && let Recognizer::Whisper(recognizer) = &self.recognizer {
            recognizer.check_long(options)?;
        }
        Ok(chunks.into_iter().map(move |(range, stride)| {
            let samples = &samples[range];
            let features =
                if whole { extractor.extract_whole(samples)? } else { extractor.extract(samples)? };
            Ok(SpeechFeatures { features, samples: samples.len(), stride, extra: input.extra.clone() })
        }))
    }

    fn length(&self, chunk: &SpeechFeatures) -> Option<usize> {
        self.sorts().then(|| sound_features::numbers(&chunk.features))
    }

    fn session(task: &Arc<Self>, options: &Self::Options) -> Option<BoxedSession<Self>> {
        match &task.recognizer {
            Recognizer::Ctc(_) => None,
            Recognizer::Whisper(recognizer) => {
                Some(Box::new(SpeechSession::new(recognizer, options.clone())))
            }
        }
    }

    fn forward(&self, batch: &[SpeechFeatures], options: &Self::Options) -> Result<Vec<SpeechRaw>> {
        let recognizer = match &self.recognizer {
            Recognizer::Ctc(recognizer) => recognizer,
            Recognizer::Whisper(recognizer) => return write(recognizer, batch, options),
        };
        let tokens = recognizer.hear(batch.iter().map(|chunk| &chunk.features))?;
        let raw = |(chunk, tokens): (&SpeechFeatures, Vec<u32>)| chunk.raw(tokens, Vec::new());
        Ok(batch.iter().zip(tokens).map(raw).collect())
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
            Recognizer::Whisper(recognizer) => {
                let rate = f64::from(self.extractor.sampling_rate());
                let outputs: Vec<WhisperOutput> =
                    chunks.into_iter().map(|chunk| chunk.output(rate)).collect();
                let transcript = recognizer.transcribe(&outputs, options)?;
                let chunk = |chunk: burnpipe_text::TranscriptChunk| TranscribedChunk {
                    text: chunk.text,
                    timestamp: chunk.timestamp,
                    language: chunk.language.map(|language| language.map(str::to_owned)),
                };
                let chunks = transcript.chunks.map(|chunks| chunks.into_iter().map(chunk).collect());
                Ok(Transcription { text: transcript.text, chunks, extra })
            }
        }
    }
}

/// Writes about a batch that is at hand; the driver takes the session instead.
fn write(
    recognizer: &Arc<WhisperRecognizer>,
    batch: &[SpeechFeatures],
    options: &AutomaticSpeechRecognitionOptions,
) -> Result<Vec<SpeechRaw>> {
    let mut session = SpeechSession::new(recognizer, options.clone());
    for (id, features) in batch.iter().enumerate() {
        session.push(id, features.clone())?;
    }
    let mut raws: Vec<(usize, SpeechRaw)> = Vec::with_capacity(batch.len());
    while session.open() > 0 {
        for (id, raw) in session.step() {
            raws.push((id, raw?));
        }
    }
    raws.sort_by_key(|(id, _)| *id);
    Ok(raws.into_iter().map(|(_, raw)| raw).collect())
}

impl SpeechFeatures {
    /// The features themselves, with nothing left in their place.
    fn take_features(&mut self) -> AudioFeatures {
        std::mem::replace(&mut self.features, AudioFeatures::Samples(Vec::new()))
    }

    fn raw(&self, tokens: Vec<u32>, token_timestamps: Vec<f32>) -> SpeechRaw {
        SpeechRaw { tokens, token_timestamps, stride: self.stride, extra: self.extra.clone() }
    }
}

impl SpeechRaw {
    /// What Whisper wrote, with strides in seconds.
    fn output(self, sampling_rate: f64) -> WhisperOutput {
        let seconds = |samples: usize| samples as f64 / sampling_rate;
        let stride =
            self.stride.map(|stride| (seconds(stride.length), seconds(stride.left), seconds(stride.right)));
        WhisperOutput { tokens: self.tokens, token_timestamps: self.token_timestamps, stride }
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
        let (audio, mut extra) = sound_features::parse_audio(input, Channels::Mixed)?;
        let stride = match extra.remove("stride") {
            None | Some(Value::Null) => None,
            Some(stride) => Some(parse_stride(&stride)?),
        };
        Ok(SpeechInput { audio, stride, extra })
    }
}

/// `[left, right]` in samples.
fn parse_stride(stride: &Value) -> Result<[usize; 2]> {
    let numbers = stride.as_array().map(|parts| parts.iter().map(sound_features::whole_number).collect());
    let numbers: Option<Vec<usize>> = numbers.flatten();
    numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| {
        let message = "`stride` of the input must be two whole numbers of samples, [left, right]";
        Error::new(ErrorKind::Input, message)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strides_of_an_input_are_two_whole_numbers() {
        for (stride, expected) in [(json!([3, 4]), [3, 4]), (json!([3.0, 0]), [3, 0])] {
            assert_eq!(parse_stride(&stride).unwrap(), expected, "{stride}");
        }
        for stride in
            [json!(3), json!([3]), json!([3, 4, 5]), json!([3, -4]), json!([3.5, 0]), json!(["3", 0])]
        {
            assert_eq!(parse_stride(&stride).unwrap_err().kind(), ErrorKind::Input, "{stride}");
        }
    }
}
