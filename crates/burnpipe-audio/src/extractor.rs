//! The feature extractors of `preprocessor_config.json`.
//!
//! Reference: `FeatureExtractionMixin.get_feature_extractor_dict` and `AutoFeatureExtractor.from_pretrained`.

mod spectrogram_transformer;
mod wav2vec2;
mod whisper;

use std::sync::Arc;

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, ProcessorConfig, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use spectrogram_transformer::SpectrogramTransformerFeatureExtractor;
use wav2vec2::Wav2Vec2FeatureExtractor;
use whisper::WhisperFeatureExtractor;

/// What makes [`AudioFeatures`] of samples, as a model's `preprocessor_config.json` says: Wav2Vec2's, Whisper's,
/// the audio spectrogram transformer's.
///
/// ```
/// use std::borrow::Cow;
///
/// use burnpipe_audio::{AudioFeatures, FeatureExtractor};
/// use burnpipe_core::{ModelFiles, Result};
///
/// struct Whisper;
///
/// impl ModelFiles for Whisper {
///     fn model_name(&self) -> &str {
///         "whisper"
///     }
///
///     fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
///         let config = br#"{"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}"#;
///         Ok((file == "preprocessor_config.json").then_some(Cow::Borrowed(config.as_slice())))
///     }
/// }
///
/// let extractor = FeatureExtractor::load(&Whisper)?;
/// let AudioFeatures::Spectrogram { frames, bins, .. } = extractor.extract(&[0.1, -0.1, 0.1])? else { panic!() };
/// assert_eq!((bins, frames), (80, 3000));
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FeatureExtractor {
    sampling_rate: u32,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Wav2Vec2(Wav2Vec2FeatureExtractor),
    Whisper(Arc<WhisperFeatureExtractor>),
    SpectrogramTransformer(Arc<SpectrogramTransformerFeatureExtractor>),
}

/// What a model reads of a sound.
#[derive(Clone, Debug, PartialEq)]
pub enum AudioFeatures {
    /// The samples themselves, normalised or not: `input_values` of Wav2Vec2.
    Samples(Vec<f32>),
    /// A spectrogram.
    Spectrogram {
        /// Steps in time.
        frames: usize,
        /// Bands of frequency.
        bins: usize,
        /// `[bins, frames]` of Whisper's `input_features`, `[frames, bins]` of the AST's `input_values`
        values: Vec<f32>,
    },
}

/// The setting that names the class of an extractor.
const TYPE: &str = "feature_extractor_type";

/// The extractors of models whose files do not name one.
const EXTRACTOR_OF_MODEL: [(&str, &str); 13] = [
    ("audio-spectrogram-transformer", "ASTFeatureExtractor"),
    ("data2vec-audio", "Wav2Vec2FeatureExtractor"),
    ("hubert", "Wav2Vec2FeatureExtractor"),
    ("moonshine", "Wav2Vec2FeatureExtractor"),
    ("sew", "Wav2Vec2FeatureExtractor"),
    ("sew-d", "Wav2Vec2FeatureExtractor"),
    ("unispeech", "Wav2Vec2FeatureExtractor"),
    ("unispeech-sat", "Wav2Vec2FeatureExtractor"),
    ("wav2vec2", "Wav2Vec2FeatureExtractor"),
    ("wav2vec2-bert", "Wav2Vec2FeatureExtractor"),
    ("wav2vec2-conformer", "Wav2Vec2FeatureExtractor"),
    ("wavlm", "Wav2Vec2FeatureExtractor"),
    ("whisper", "WhisperFeatureExtractor"),
];

impl FeatureExtractor {
    /// Reads `preprocessor_config.json`, or the `feature_extractor` of `processor_config.json` where there is no such
    /// file. An extractor that they do not name is the one of the `model_type` in `config.json`.
    ///
    /// # Errors
    ///
    /// When both files are missing, or ask for what is not known.
    pub fn load(files: &dyn ModelFiles) -> Result<Self> {
        let config = ProcessorConfig::read(files, "feature_extractor")?;
        let named = |settings: &Map<String, Value>| Some(settings.get(TYPE)?.as_str()?.to_owned());
        let name = config.class(files, TYPE, named, extractor_of_model)?;
        let message = || format!("cannot use `{}` of `{}`", config.file, files.model_name());
        Self::new(&name, config.settings)
            .map_err(|error| Error::new(error.kind(), message()).with_source(error))
    }

    /// The extractor of this class with the settings of a configuration.
    fn new(name: &str, config: Map<String, Value>) -> Result<Self> {
        let sampling_rate = match config.get("sampling_rate") {
            None => 16_000,
            Some(value) => match value.as_u64().and_then(|rate| u32::try_from(rate).ok()) {
                Some(rate) if rate > 0 => rate,
                _ => {
                    let message = format!("`sampling_rate` is {value}: no number of samples in a second");
                    return Err(Error::new(ErrorKind::Config, message));
                }
            },
        };
        let kind = match name {
            "Wav2Vec2FeatureExtractor" => Kind::Wav2Vec2(settings(config)?),
            "WhisperFeatureExtractor" => {
                Kind::Whisper(Arc::new(WhisperFeatureExtractor::new(settings(config)?)?))
            }
            "ASTFeatureExtractor" => Kind::SpectrogramTransformer(Arc::new(
                SpectrogramTransformerFeatureExtractor::new(settings(config)?)?,
            )),
            _ => {
                let message = format!(
                    "`{name}` is not there: `ASTFeatureExtractor`, `Wav2Vec2FeatureExtractor` and \
                     `WhisperFeatureExtractor` are"
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        };
        Ok(Self { sampling_rate, kind })
    }

    /// The sampling rate that the model wants.
    pub fn sampling_rate(&self) -> u32 {
        self.sampling_rate
    }

    /// Samples of the chunks that [`extract`](Self::extract) fills or cuts a sound to: Whisper's `n_samples`.
    pub fn n_samples(&self) -> Option<usize> {
        match &self.kind {
            Kind::Whisper(whisper) => Some(whisper.n_samples()),
            Kind::Wav2Vec2(_) | Kind::SpectrogramTransformer(_) => None,
        }
    }

    /// Samples between two frames of Whisper's spectrogram.
    pub fn hop_length(&self) -> Option<usize> {
        match &self.kind {
            Kind::Whisper(whisper) => Some(whisper.hop_length()),
            Kind::Wav2Vec2(_) | Kind::SpectrogramTransformer(_) => None,
        }
    }

    /// The features of samples at [`sampling_rate`](Self::sampling_rate), as Python's extractor makes them when it
    /// is asked for nothing else: Whisper's and the spectrogram transformer's are filled or cut to their length.
    ///
    /// # Errors
    ///
    /// When the samples cannot be used: too few, or not numbers.
    pub fn extract(&self, samples: &[f32]) -> Result<AudioFeatures> {
        check_finite(samples, self.sampling_rate)?;
        match &self.kind {
            Kind::Wav2Vec2(_) if samples.is_empty() => {
                Err(Error::new(ErrorKind::Input, "the sound has no samples"))
            }
            Kind::Wav2Vec2(wav2vec2) => Ok(AudioFeatures::Samples(wav2vec2.extract(samples))),
            Kind::Whisper(whisper) => whisper.extract_chunk(samples),
            Kind::SpectrogramTransformer(transformer) => transformer.extract(samples),
        }
    }

    /// The features of a sound as long as it is: Whisper's with `truncation=False, padding="longest"`, which Python
    /// takes of sounds longer than [`n_samples`](Self::n_samples). Other extractors make what
    /// [`extract`](Self::extract) makes.
    ///
    /// # Errors
    ///
    /// When the samples cannot be used: too few, or not numbers.
    pub fn extract_whole(&self, samples: &[f32]) -> Result<AudioFeatures> {
        match &self.kind {
            Kind::Whisper(whisper) => {
                check_finite(samples, self.sampling_rate)?;
                whisper.extract_whole(samples)
            }
            Kind::Wav2Vec2(_) | Kind::SpectrogramTransformer(_) => self.extract(samples),
        }
    }
}

/// Python goes on with samples that are not numbers, and every score is then not a number either.
fn check_finite(samples: &[f32], sampling_rate: u32) -> Result<()> {
    match samples.iter().position(|sample| !sample.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::new(
            ErrorKind::Input,
            format!(
                "sample {index} of the sound, at {:.3} s, is {}: it must be a number",
                index as f64 / f64::from(sampling_rate),
                samples[index]
            ),
        )),
    }
}

/// The settings of one extractor, HF's defaults where the configuration is silent.
fn settings<T: DeserializeOwned>(config: Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(config))
        .context(ErrorKind::Config, || "a setting has a value that cannot be used")
}

fn extractor_of_model(model_type: &str) -> Option<&'static str> {
    EXTRACTOR_OF_MODEL.iter().find(|(model, _)| *model == model_type).map(|(_, extractor)| *extractor)
}
