//! Changing the sampling rate of samples in memory, as torchaudio does.

use std::f32::consts::PI;

use crate::resampler::greatest_common_divisor;

/// Zero crossings of the sinc on each side.
const LOWPASS_FILTER_WIDTH: f32 = 6.0;
/// Where the filter ends, in parts of the lower Nyquist frequency.
const ROLLOFF: f64 = 0.99;

/// Samples at another rate: `torchaudio.functional.resample(samples, from, to)`, which is what Python's pipelines
/// make of `{"array": .., "sampling_rate": ..}`.
///
/// A sinc under a Hann window of six zero crossings on each side. Files are resampled by a longer filter, ffmpeg's
/// ([`SoundReader`](crate::SoundReader)). A rate of 0 leaves nothing.
///
/// ```
/// let samples = burnpipe_audio::resample(&[0.5; 800], 8_000, 16_000);
/// assert_eq!(samples.len(), 1600);
/// assert!((samples[800] - 0.5).abs() < 0.01);
/// ```
pub fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == 0 || to == 0 {
        return Vec::new();
    }
    let divisor = greatest_common_divisor(from, to);
    let (source, target) = ((from / divisor) as usize, (to / divisor) as usize);
    if source == target {
        return samples.to_vec();
    }
    let base_rate = source.min(target) as f64 * ROLLOFF;
    let width = (f64::from(LOWPASS_FILTER_WIDTH) * source as f64 / base_rate).ceil() as usize;
    let scale = (base_rate / source as f64) as f32;
    let length = (samples.len() as u128 * target as u128).div_ceil(source as u128) as usize;
    let mut resampled = vec![0.0; length];
    // Every `target`th sample lies at the same place between two of the source.
    for phase in 0..target.min(length) {
        let first_tap = (phase * source / target) as isize - width as isize;
        // In f32 throughout, as torchaudio makes its filter for samples of f32.
        let between = phase as f32 / target as f32;
        let kernel: Vec<f32> = (first_tap..=first_tap + 2 * width as isize + 1)
            .map(|tap| weight((tap as f32 / source as f32 - between) * base_rate as f32, scale))
            .collect();
        for (block, value) in resampled.iter_mut().skip(phase).step_by(target).enumerate() {
            let first = (block * source) as isize + first_tap;
            let hidden = first.min(0).unsigned_abs().min(kernel.len());
            let visible = samples.get(first.max(0).unsigned_abs()..).unwrap_or_default();
            *value = visible.iter().zip(&kernel[hidden..]).map(|(sample, weight)| sample * weight).sum();
        }
    }
    resampled
}

/// What a sample counts that lies so many zero crossings from the one that is made.
fn weight(crossings: f32, scale: f32) -> f32 {
    let crossings = crossings.clamp(-LOWPASS_FILTER_WIDTH, LOWPASS_FILTER_WIDTH);
    let window = (crossings * PI / LOWPASS_FILTER_WIDTH / 2.0).cos().powi(2);
    let angle = crossings * PI;
    let sinc = if angle == 0.0 { 1.0 } else { angle.sin() / angle };
    sinc * (window * scale)
}
