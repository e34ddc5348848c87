//! The feature extractors of `preprocessor_config.json`.

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};

/// What makes [`AudioFeatures`] of samples, as a model's `preprocessor_config.json` says: Wav2Vec2's, Whisper's,
/// the audio spectrogram transformer's.
#[derive(Clone, Debug)]
pub struct FeatureExtractor {}

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

impl FeatureExtractor {
    /// Reads `preprocessor_config.json`.
    ///
    /// # Errors
    ///
    /// When it is missing, or asks for what is not known.
    pub fn load(_files: &dyn ModelFiles) -> Result<Self> {
        Err(Error::new(ErrorKind::Unsupported, "feature extractors are not there yet"))
    }

    /// The sampling rate that the model wants.
    pub fn sampling_rate(&self) -> u32 {
        16_000
    }

    /// The features of samples at [`sampling_rate`](Self::sampling_rate).
    ///
    /// # Errors
    ///
    /// When the samples cannot be used: none, or not numbers.
    pub fn extract(&self, _samples: &[f32]) -> Result<AudioFeatures> {
        Err(Error::new(ErrorKind::Unsupported, "feature extractors are not there yet"))
    }
}
