//! Sounds as a batch, on the host.

use burn::tensor::{Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};

use crate::Placement;

/// What a model reads of a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoundShape {
    /// This many samples.
    Samples(usize),
    /// A spectrogram. Its numbers lie by steps in time or by bands of frequency, as the model's family has them.
    Spectrogram {
        /// Steps in time.
        frames: usize,
        /// Bands of frequency.
        bins: usize,
    },
}

impl SoundShape {
    fn numbers(self) -> usize {
        match self {
            Self::Samples(samples) => samples,
            Self::Spectrogram { frames, bins } => frames * bins,
        }
    }
}

/// Sounds of one shape, on the host.
///
/// Shorter sounds are not filled up to the longest: what a model computes of silence would change the answers
/// wherever it normalises over time.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundBatch {
    sounds: usize,
    shape: SoundShape,
    values: Vec<f32>,
}

impl SoundBatch {
    /// Puts sounds together, each given by its numbers, row-major.
    ///
    /// # Errors
    ///
    /// When there is no sound, or one has another shape.
    pub fn new(shape: SoundShape, sounds: &[&[f32]]) -> Result<Self> {
        if sounds.is_empty() || sounds.iter().any(|sound| sound.len() != shape.numbers()) {
            return Err(Error::new(ErrorKind::Internal, format!("not all sounds of a batch are {shape:?}")));
        }
        Ok(Self { sounds: sounds.len(), shape, values: sounds.concat() })
    }

    /// How many sounds there are.
    pub fn sounds(&self) -> usize {
        self.sounds
    }

    /// What each is.
    pub fn shape(&self) -> SoundShape {
        self.shape
    }

    /// The samples on the model's device, `[sounds, samples]`.
    ///
    /// # Errors
    ///
    /// When there are spectrograms instead.
    pub fn samples(&self, placement: &Placement) -> Result<Tensor<2>> {
        match self.shape {
            SoundShape::Samples(samples) => Ok(self.to_device([self.sounds, samples], placement)),
            SoundShape::Spectrogram { .. } => Err(not_for("samples", "spectrograms")),
        }
    }

    /// Spectrograms that lie by steps in time, on the model's device: `[sounds, frames, bins]`.
    ///
    /// # Errors
    ///
    /// When there are samples instead.
    pub fn spectrograms_by_frames(&self, placement: &Placement) -> Result<Tensor<3>> {
        match self.shape {
            SoundShape::Spectrogram { frames, bins } => {
                Ok(self.to_device([self.sounds, frames, bins], placement))
            }
            SoundShape::Samples(_) => Err(not_for("spectrograms", "samples")),
        }
    }

    /// Spectrograms that lie by bands of frequency, on the model's device: `[sounds, bins, frames]`.
    ///
    /// # Errors
    ///
    /// When there are samples instead.
    pub fn spectrograms_by_bins(&self, placement: &Placement) -> Result<Tensor<3>> {
        match self.shape {
            SoundShape::Spectrogram { frames, bins } => {
                Ok(self.to_device([self.sounds, bins, frames], placement))
            }
            SoundShape::Samples(_) => Err(not_for("spectrograms", "samples")),
        }
    }

    fn to_device<const D: usize>(&self, shape: [usize; D], placement: &Placement) -> Tensor<D> {
        let data = TensorData::new(self.values.clone(), shape);
        Tensor::from_data(data, (&placement.device, placement.dtype))
    }
}

/// The error for a `preprocessor_config.json` of another kind of model.
fn not_for(wanted: &str, given: &str) -> Error {
    let message = format!("the model reads {wanted}, and its `preprocessor_config.json` makes {given}");
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;

    #[test]
    fn sounds_keep_their_order_and_their_kind() {
        let placement = Placement { device: Device::flex(), dtype: DType::F32 };
        let batch = SoundBatch::new(SoundShape::Samples(2), &[&[1.0, 2.0], &[3.0, 4.0]]).unwrap();
        let samples = batch.samples(&placement).unwrap();
        assert_eq!(samples.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        let error = batch.spectrograms_by_frames(&placement).unwrap_err();
        assert!(error.to_string().contains("reads spectrograms"), "{error}");
        assert!(SoundBatch::new(SoundShape::Spectrogram { frames: 2, bins: 3 }, &[&[0.0; 5]]).is_err());
    }
}
