//! Samples of one channel.

use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, Result};

use crate::{SoundReader, resample};

/// A sound of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    /// From -1 to 1.
    pub samples: Vec<f32>,
    /// Samples in a second.
    pub sampling_rate: u32,
}

impl Waveform {
    /// Decodes the bytes of a file and brings them to one channel and a sampling rate, as `ffmpeg_read` does in
    /// Python. `name` is how messages call the file. [`SoundReader`] does the same piece by piece.
    ///
    /// # Errors
    ///
    /// When the bytes are no sound that can be decoded, or hold no samples.
    pub fn decode(bytes: Arc<[u8]>, name: &str, sampling_rate: u32) -> Result<Self> {
        let mut samples = Vec::new();
        for block in SoundReader::new(bytes, name, sampling_rate)? {
            samples.append(&mut block?);
        }
        if samples.is_empty() {
            return Err(Error::new(
                ErrorKind::Media,
                format!("{name} holds no sound: it is empty or broken"),
            ));
        }
        Ok(Self { samples, sampling_rate })
    }

    /// The same sound at another rate, as Python resamples arrays: by [`resample`].
    #[must_use]
    pub fn resampled(self, sampling_rate: u32) -> Self {
        if self.sampling_rate == sampling_rate {
            return self;
        }
        let samples = resample(&self.samples, self.sampling_rate, sampling_rate);
        Self { samples, sampling_rate }
    }

    /// How long it lasts.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sampling_rate)
    }
}
