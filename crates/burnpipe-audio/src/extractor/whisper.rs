//! Whisper's features: a log-mel spectrogram of 30 seconds.
//!
//! Reference: `models/whisper/feature_extraction_whisper.py`, `_torch_extract_fbank_features`, which is what runs
//! where torch is installed. It computes in f32; the spectra here are in f64, which is nearer to what both mean.

use burnpipe_core::{Error, ErrorKind, Result};
use rayon::prelude::*;
use serde::Deserialize;

use super::AudioFeatures;
use crate::mel::{MelBank, MelBankConfig, MelScale};
use crate::spectrum::{PowerSpectrum, hann_window};

/// What `preprocessor_config.json` says, with HF's defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct WhisperConfig {
    feature_size: usize,
    sampling_rate: u32,
    hop_length: usize,
    chunk_length: usize,
    n_fft: usize,
    padding_value: f32,
    padding_side: PaddingSide,
    dither: f32,
}

/// Where short sounds are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PaddingSide {
    Left,
    Right,
}

impl Default for WhisperConfig {
    fn default() -> Self {
        Self {
            feature_size: 80,
            sampling_rate: 16_000,
            hop_length: 160,
            chunk_length: 30,
            n_fft: 400,
            padding_value: 0.0,
            padding_side: PaddingSide::Right,
            dither: 0.0,
        }
    }
}

/// Frames that are computed before they are put in their places: enough for all threads, few against a sound.
const FRAMES_AT_ONCE: usize = 1024;
/// Frames that a thread takes at a time.
const FRAMES_PER_THREAD: usize = 32;
/// The most samples of a transform, and the most of a chunk: what no model comes near.
const LARGEST_TRANSFORM: usize = 1 << 20;
const LONGEST_CHUNK: usize = 1 << 30;

/// Makes the features of one configuration.
#[derive(Clone, Debug)]
pub(super) struct WhisperFeatureExtractor {
    config: WhisperConfig,
    n_samples: usize,
    spectrum: PowerSpectrum,
    mel_filters: MelBank,
}

impl WhisperFeatureExtractor {
    /// The extractor of a configuration.
    ///
    /// # Errors
    ///
    /// When its numbers cannot be used.
    pub(super) fn new(config: WhisperConfig) -> Result<Self> {
        let n_samples = config.chunk_length.saturating_mul(config.sampling_rate as usize);
        let usable = (2..=LARGEST_TRANSFORM).contains(&config.n_fft)
            && (1..=LARGEST_TRANSFORM).contains(&config.hop_length)
            && (2..=config.n_fft).contains(&config.feature_size)
            && (config.n_fft..=LONGEST_CHUNK).contains(&n_samples);
        if !usable {
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "`preprocessor_config.json` asks for {} bands of a transform of {} samples every {} samples of \
                     {} s: this cannot be computed",
                    config.feature_size, config.n_fft, config.hop_length, config.chunk_length
                ),
            ));
        }
        let mel_filters = MelBank::new(&MelBankConfig {
            num_frequency_bins: 1 + config.n_fft / 2,
            num_mel_filters: config.feature_size,
            min_frequency: 0.0,
            max_frequency: 8000.0,
            sampling_rate: config.sampling_rate,
            slaney_norm: true,
            mel_scale: MelScale::Slaney,
            triangularize_in_mel_space: false,
        })
        .rounded_to_f32();
        let spectrum = PowerSpectrum::new(hann_window(config.n_fft, true), config.n_fft);
        Ok(Self { config, n_samples, spectrum, mel_filters })
    }

    /// Samples of a chunk.
    pub(super) fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Samples between two frames.
    pub(super) fn hop_length(&self) -> usize {
        self.config.hop_length
    }

    /// The features of one chunk: shorter sounds are filled, longer ones cut.
    pub(super) fn extract_chunk(&self, samples: &[f32]) -> Result<AudioFeatures> {
        let samples = samples.get(..self.n_samples).unwrap_or(samples);
        self.spectrogram(samples, self.n_samples)
    }

    /// The features of a sound as long as it is.
    pub(super) fn extract_whole(&self, samples: &[f32]) -> Result<AudioFeatures> {
        if samples.len() <= self.config.n_fft / 2 {
            return Err(Error::new(
                ErrorKind::Input,
                format!("a sound of {} samples is too short to be taken as it is", samples.len()),
            ));
        }
        self.spectrogram(samples, samples.len())
    }

    fn spectrogram(&self, samples: &[f32], length: usize) -> Result<AudioFeatures> {
        let missing = length - samples.len();
        let padding_before = if self.config.padding_side == PaddingSide::Left { missing } else { 0 };
        let mut padded =
            PaddedSamples { samples, padding_before, length, padding_value: self.config.padding_value };
        let dithered;
        if self.config.dither != 0.0 {
            dithered = self.dithered(&padded);
            padded = PaddedSamples { samples: &dithered, padding_before: 0, ..padded };
        }
        let bins = self.mel_filters.len();
        // The frames of a centred transform, without the last one.
        let frames = (length + 2 * (self.config.n_fft / 2) - self.config.n_fft) / self.config.hop_length;
        if frames == 0 {
            let message = format!("a sound of {length} samples is too short for a frame of a spectrogram");
            return Err(Error::new(ErrorKind::Input, message));
        }
        let mut values = vec![0.0_f32; bins * frames];
        let mut block = vec![0.0_f32; bins * frames.min(FRAMES_AT_ONCE)];
        for first_frame in (0..frames).step_by(FRAMES_AT_ONCE) {
            let block = &mut block[..bins * FRAMES_AT_ONCE.min(frames - first_frame)];
            self.log_mels(&padded, first_frame, block)?;
            let block = &*block;
            values.par_chunks_mut(frames).enumerate().for_each(|(bin, row)| {
                for (value, frame) in row[first_frame..].iter_mut().zip(block.chunks_exact(bins)) {
                    *value = frame[bin];
                }
            });
        }
        let loudest = values.par_iter().copied().reduce(|| f32::NEG_INFINITY, f32::max);
        values.par_iter_mut().for_each(|value| *value = (value.max(loudest - 8.0) + 4.0) / 4.0);
        Ok(AudioFeatures::Spectrogram { frames, bins, values })
    }

    /// The logarithms of the bands of the frames from `first_frame` on, `[frames, bins]`.
    fn log_mels(&self, padded: &PaddedSamples<'_>, first_frame: usize, block: &mut [f32]) -> Result<()> {
        let bins = self.mel_filters.len();
        block.par_chunks_mut(bins * FRAMES_PER_THREAD).enumerate().try_for_each_init(
            || self.spectrum.workspace(),
            |workspace, (part, block)| {
                for (offset, bands) in block.chunks_exact_mut(bins).enumerate() {
                    let frame = first_frame + part * FRAMES_PER_THREAD + offset;
                    let start = (frame * self.config.hop_length) as isize - (self.config.n_fft / 2) as isize;
                    padded.copy_reflected(start, &mut workspace.frame);
                    self.spectrum.take(workspace)?;
                    for (value, band) in bands.iter_mut().zip(self.mel_filters.bands(&workspace.power)) {
                        *value = band.max(1e-10).log10() as f32;
                    }
                }
                Ok(())
            },
        )
    }

    /// The padded samples with noise added. Python takes the noise from torch's generator, so that no two answers
    /// are the same; here the same sound always gets the same noise.
    fn dithered(&self, padded: &PaddedSamples<'_>) -> Vec<f32> {
        let mut generator = fastrand::Rng::with_seed(0);
        (0..padded.length)
            .map(|position| {
                let radius = (-2.0 * (1.0 - generator.f64()).ln()).sqrt();
                let normal = radius * (std::f64::consts::TAU * generator.f64()).cos();
                padded.at(position) + self.config.dither * normal as f32
            })
            .collect()
    }
}

/// Samples with silence before or after them, which is not stored.
struct PaddedSamples<'a> {
    samples: &'a [f32],
    padding_before: usize,
    length: usize,
    padding_value: f32,
}

impl PaddedSamples<'_> {
    fn at(&self, position: usize) -> f32 {
        let index = position.checked_sub(self.padding_before);
        index.and_then(|index| self.samples.get(index)).copied().unwrap_or(self.padding_value)
    }

    /// Copies a frame that may begin before the first sample and end behind the last one, where the sound is
    /// mirrored.
    fn copy_reflected(&self, start: isize, frame: &mut [f64]) {
        let inside = usize::try_from(start)
            .ok()
            .and_then(|start| start.checked_sub(self.padding_before))
            .and_then(|start| self.samples.get(start..start + frame.len()));
        if let Some(inside) = inside {
            for (value, sample) in frame.iter_mut().zip(inside) {
                *value = f64::from(*sample);
            }
            return;
        }
        for (position, value) in (start..).zip(frame) {
            let position = position.unsigned_abs();
            let mirrored = if position < self.length {
                position
            } else {
                (2 * (self.length - 1)).saturating_sub(position)
            };
            *value = f64::from(self.at(mirrored));
        }
    }
}
