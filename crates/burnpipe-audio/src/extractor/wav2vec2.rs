//! Wav2Vec2's features: the samples, brought to mean 0 and variance 1.
//!
//! Reference: `models/wav2vec2/feature_extraction_wav2vec2.py`. numpy sums in f32, in blocks that are added in
//! pairs; the sums here follow it, because a sound that hardly moves is divided by nearly nothing, and then the
//! last bit of its mean shows.

use serde::Deserialize;

/// The part of `preprocessor_config.json` that changes the samples.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wav2Vec2FeatureExtractor {
    do_normalize: bool,
}

impl Default for Wav2Vec2FeatureExtractor {
    fn default() -> Self {
        Self { do_normalize: true }
    }
}

impl Wav2Vec2FeatureExtractor {
    /// The samples as the model reads them.
    pub(super) fn extract(&self, samples: &[f32]) -> Vec<f32> {
        if !self.do_normalize {
            return samples.to_vec();
        }
        let mean = mean(samples);
        let mut values: Vec<f32> = samples.iter().map(|sample| (sample - mean) * (sample - mean)).collect();
        let deviation = (self::mean(&values) + 1e-7).sqrt();
        for (value, sample) in values.iter_mut().zip(samples) {
            *value = (sample - mean) / deviation;
        }
        values
    }
}

/// `np.mean` of f32.
fn mean(values: &[f32]) -> f32 {
    (f64::from(pairwise_sum(values)) / values.len() as f64) as f32
}

/// numpy's pairwise sum: eight running sums in blocks of up to 128 values, blocks added in pairs.
fn pairwise_sum(values: &[f32]) -> f32 {
    if values.len() < 8 {
        // numpy begins with -0, so that a sum of minus zeros is one.
        return values.iter().fold(-0.0, |sum, value| sum + value);
    }
    if values.len() > 128 {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half - half % 8);
        return pairwise_sum(first) + pairwise_sum(second);
    }
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (index, eight) in eights.iter().enumerate() {
        for (sum, value) in sums.iter_mut().zip(eight) {
            *sum = if index == 0 { *value } else { *sum + value };
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
}
