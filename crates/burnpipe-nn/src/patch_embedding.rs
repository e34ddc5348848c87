//! Images cut into patches, as ViT and its many relatives read them.
//!
//! References: `modeling_vit.py`, `modeling_dinov2.py` of transformers 4.56.2.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::{Linear, Placement};

/// The height and the width of an image or a patch; a config may write `224` for `[224, 224]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "SidesInConfig")]
pub struct Sides {
    /// From top to bottom.
    pub height: usize,
    /// From left to right.
    pub width: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SidesInConfig {
    Same(usize),
    Both([usize; 2]),
}

impl From<SidesInConfig> for Sides {
    fn from(sides: SidesInConfig) -> Self {
        match sides {
            SidesInConfig::Same(side) => Self::square(side),
            SidesInConfig::Both([height, width]) => Self { height, width },
        }
    }
}

impl Sides {
    /// As high as wide.
    pub fn square(side: usize) -> Self {
        Self { height: side, width: side }
    }

    /// How many patches fit, from top to bottom and from left to right.
    pub fn patches(self, patch: Self) -> Self {
        let fit = |side: usize, patch: usize| side.checked_div(patch).unwrap_or(0);
        Self { height: fit(self.height, patch.height), width: fit(self.width, patch.width) }
    }

    /// Height times width.
    pub fn area(self) -> usize {
        self.height * self.width
    }
}

/// A vector for every patch of an image: a convolution whose stride is its kernel, computed as the linear layer that
/// it is.
#[derive(Module, Debug)]
pub struct PatchEmbedding {
    /// Checkpoints hold its weight as `[hidden, channels, patch height, patch width]`.
    pub projection: Linear,
    #[module(skip)]
    channels: usize,
    #[module(skip)]
    patch: Sides,
}

impl PatchEmbedding {
    /// A layer for patches of this size.
    ///
    /// # Errors
    ///
    /// When patches have no size.
    pub fn new(channels: usize, hidden_size: usize, patch: Sides, placement: &Placement) -> Result<Self> {
        if patch.area() == 0 {
            return Err(Error::new(ErrorKind::Config, "`patch_size` 0 in `config.json` cuts no patches"));
        }
        let projection = Linear::new(channels * patch.area(), hidden_size, placement);
        Ok(Self { projection, channels, patch })
    }

    /// # Shapes
    ///
    /// - `pixels`: `[images, channels, height, width]`
    /// - result: `[images, patches, hidden]`, row by row
    ///
    /// # Errors
    ///
    /// When the images have other channels, or no patch fits.
    pub fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<3>> {
        check_channels(&pixels, self.channels)?;
        Ok(self.projection.forward(cut_patches(pixels, self.patch)?))
    }
}

/// Refuses images that have not the channels of the model.
///
/// # Errors
///
/// When they have others.
pub fn check_channels(pixels: &Tensor<4>, channels: usize) -> Result<()> {
    let [_, found, ..] = pixels.dims();
    if found == channels {
        return Ok(());
    }
    let message = format!(
        "the model reads images of {channels} channels (`num_channels`), and its `preprocessor_config.json` makes {found}"
    );
    Err(Error::new(ErrorKind::Config, message))
}

/// How many patches fit into images, from top to bottom and from left to right.
///
/// # Errors
///
/// When none does.
pub fn count_patches(pixels: &Tensor<4>, patch: Sides) -> Result<Sides> {
    let [_, _, height, width] = pixels.dims();
    let fit = Sides { height, width }.patches(patch);
    if fit.area() > 0 {
        return Ok(fit);
    }
    let message = format!(
        "an image of {width} x {height} pixels is smaller than the model's patch of {} x {}",
        patch.width, patch.height
    );
    Err(Error::new(ErrorKind::Input, message))
}

/// The patches of images, row by row; what is left over on the right and at the bottom is not looked at.
///
/// # Shapes
///
/// - `pixels`: `[images, channels, height, width]`
/// - result: `[images, patches, channels * patch height * patch width]`
///
/// # Errors
///
/// When no patch fits.
fn cut_patches(pixels: Tensor<4>, patch: Sides) -> Result<Tensor<3>> {
    let fit = count_patches(&pixels, patch)?;
    let [images, channels, ..] = pixels.dims();
    let pixels = pixels.narrow(2, 0, fit.height * patch.height).narrow(3, 0, fit.width * patch.width);
    let patches = pixels.reshape([images, channels, fit.height, patch.height, fit.width, patch.width]);
    Ok(patches.permute([0, 2, 4, 1, 3, 5]).reshape([images, fit.area(), channels * patch.area()]))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;

    #[test]
    fn patches_lie_row_by_row_and_channels_come_first_in_each() {
        // Two channels of 3 x 5 pixels, patches of 1 x 2: a column on the right is left over.
        let values: Vec<f32> = (0..30).map(|value| value as f32).collect();
        let pixels =
            Tensor::<4>::from_data(TensorData::new(values, [1, 2, 3, 5]), (&Device::flex(), DType::F32));
        let patches = cut_patches(pixels.clone(), Sides { height: 1, width: 2 }).unwrap();
        assert_eq!(patches.dims(), [1, 6, 4]);
        let patches = patches.into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(&patches[..8], [0.0, 1.0, 15.0, 16.0, 2.0, 3.0, 17.0, 18.0]);
        assert_eq!(&patches[20..], [12.0, 13.0, 27.0, 28.0]);
        let error = cut_patches(pixels, Sides::square(4)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("5 x 3") && error.to_string().contains("4 x 4"), "{error}");
    }

    #[test]
    fn a_config_writes_sides_as_one_number_or_two() {
        let sides = |text: &str| serde_json::from_str::<Sides>(text).unwrap();
        assert_eq!(sides("14"), Sides { height: 14, width: 14 });
        assert_eq!(sides("[30, 42]").patches(Sides::square(8)), Sides { height: 3, width: 5 });
    }
}
