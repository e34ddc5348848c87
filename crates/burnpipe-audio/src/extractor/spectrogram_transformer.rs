//! The audio spectrogram transformer's features: Kaldi's log-mel filter bank.
//!
//! Reference: `models/audio_spectrogram_transformer/feature_extraction_audio_spectrogram_transformer.py`. Where
//! torchaudio is installed Python calls its `compliance.kaldi.fbank`, else transformers' own `spectrogram`; both
//! compute the same, the first in f32 and the second, which is followed here, in f64. The features differ by up to
//! 2e-4 then, where a sound is nearly silent. In two cases they differ by more: at sampling rates other than 16 kHz
//! torchaudio's frames last 25 ms and come every 10 ms, while transformers' have 400 samples every 160 at any rate;
//! and torchaudio refuses a sound of fewer than 400 samples.

use burnpipe_core::{Error, ErrorKind, Result};
use rayon::prelude::*;
use serde::Deserialize;

use super::AudioFeatures;
use crate::mel::{MelBank, MelBankConfig, MelScale};
use crate::spectrum::{PowerSpectrum, hann_window};

const FRAME_LENGTH: usize = 400;
const HOP_LENGTH: usize = 160;
const FFT_LENGTH: usize = 512;
const PREEMPHASIS: f64 = 0.97;
/// The least that is taken the logarithm of: the step of f32 at one.
const MEL_FLOOR: f64 = 1.192_092_955_078_125e-7;
/// What no model comes near.
const MOST_FRAMES: usize = 1 << 20;

/// What `preprocessor_config.json` says, with HF's defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct SpectrogramTransformerConfig {
    sampling_rate: u32,
    num_mel_bins: usize,
    max_length: usize,
    do_normalize: bool,
    mean: f64,
    std: f64,
}

impl Default for SpectrogramTransformerConfig {
    fn default() -> Self {
        Self {
            sampling_rate: 16_000,
            num_mel_bins: 128,
            max_length: 1024,
            do_normalize: true,
            mean: -4.2677393,
            std: 4.5689974,
        }
    }
}

/// Makes the features of one configuration.
#[derive(Clone, Debug)]
pub(super) struct SpectrogramTransformerFeatureExtractor {
    config: SpectrogramTransformerConfig,
    spectrum: PowerSpectrum,
    mel_filters: MelBank,
}

impl SpectrogramTransformerFeatureExtractor {
    /// The extractor of a configuration.
    ///
    /// # Errors
    ///
    /// When its numbers cannot be used.
    pub(super) fn new(config: SpectrogramTransformerConfig) -> Result<Self> {
        let half_rate = f64::from(config.sampling_rate / 2);
        if !(1..=FFT_LENGTH).contains(&config.num_mel_bins)
            || !(1..=MOST_FRAMES).contains(&config.max_length)
            || half_rate <= 20.0
        {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "`preprocessor_config.json` asks for {} bands of {} frames at {} Hz: this cannot be computed",
                    config.num_mel_bins, config.max_length, config.sampling_rate
                ),
            ));
        }
        let mel_filters = MelBank::new(&MelBankConfig {
            num_frequency_bins: FFT_LENGTH / 2 + 1,
            num_mel_filters: config.num_mel_bins,
            min_frequency: 20.0,
            max_frequency: half_rate,
            sampling_rate: config.sampling_rate,
            slaney_norm: false,
            mel_scale: MelScale::Kaldi,
            triangularize_in_mel_space: true,
        });
        let spectrum = PowerSpectrum::new(hann_window(FRAME_LENGTH, false), FFT_LENGTH);
        Ok(Self { config, spectrum, mel_filters })
    }

    /// The features of `max_length` frames: shorter sounds are filled, longer ones cut.
    ///
    /// # Errors
    ///
    /// When the sound is shorter than what transformers makes anything of.
    pub(super) fn extract(&self, samples: &[f32]) -> Result<AudioFeatures> {
        // Python's number of frames, `1 + (samples - 400) // 160`, is below zero for fewer.
        if samples.len() < FRAME_LENGTH - HOP_LENGTH {
            return Err(Error::new(
                ErrorKind::Input,
                format!("a sound of {} samples is too short: a frame has {FRAME_LENGTH}", samples.len()),
            ));
        }
        let bins = self.mel_filters.len();
        let mut values = vec![self.normalize(0.0); self.config.max_length * bins];
        values.par_chunks_mut(bins).enumerate().try_for_each_init(
            || self.spectrum.workspace(),
            |workspace, (frame, bands)| {
                let start = frame * HOP_LENGTH;
                let Some(samples) = samples.get(start..start + FRAME_LENGTH) else { return Ok(()) };
                emphasize(samples, &mut workspace.frame);
                self.spectrum.take(workspace)?;
                for (value, band) in bands.iter_mut().zip(self.mel_filters.bands(&workspace.power)) {
                    *value = self.normalize(band.max(MEL_FLOOR).ln() as f32);
                }
                Ok(())
            },
        )?;
        Ok(AudioFeatures::Spectrogram { frames: self.config.max_length, bins, values })
    }

    fn normalize(&self, value: f32) -> f32 {
        if self.config.do_normalize {
            (value - self.config.mean as f32) / (self.config.std * 2.0) as f32
        } else {
            value
        }
    }
}

/// Takes the mean from a frame, and from each sample most of the one before it; the first stands for its own
/// predecessor.
fn emphasize(samples: &[f32], frame: &mut [f64]) {
    let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / samples.len() as f64;
    let mut before = samples.first().map_or(0.0, |&sample| f64::from(sample) - mean);
    for (value, sample) in frame.iter_mut().zip(samples) {
        let centred = f64::from(*sample) - mean;
        *value = centred - PREEMPHASIS * before;
        before = centred;
    }
}
