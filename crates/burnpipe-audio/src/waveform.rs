//! Samples of one channel.

/// A sound of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    /// From -1 to 1.
    pub samples: Vec<f32>,
    /// Samples in a second.
    pub sampling_rate: u32,
}

impl Waveform {
    /// How long it lasts.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sampling_rate)
    }
}
