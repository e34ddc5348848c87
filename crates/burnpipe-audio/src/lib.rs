//! Sound: read, resampled and turned into what models hear, as transformers' feature extractors do.
//!
//! ```
//! use burnpipe_audio::Waveform;
//!
//! let sound = Waveform { samples: vec![0.0; 16_000], sampling_rate: 16_000 };
//! assert_eq!(sound.seconds(), 1.0);
//! ```
//!
//! **Where it sits:** above core, beside the hub and the tokenizers; tasks hand it the bytes of a file and the
//! model's [`ModelFiles`](burnpipe_core::ModelFiles), and get features for a model.
//!
//! **What it must not know:** tensors, networks, models, tasks.

#![forbid(unsafe_code)]

mod decoder;
mod downmix;
mod extractor;
mod mel;
mod mp4_edits;
mod reader;
mod resample;
mod resampler;
mod spectrum;
mod wav;
mod wav_header;
mod waveform;

pub use extractor::{AudioFeatures, FeatureExtractor};
pub use reader::{PcmFormat, SAMPLING_RATES, SoundReader};
pub use resample::resample;
pub use wav::WavFormat;
pub use waveform::Waveform;
