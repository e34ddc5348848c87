//! What the tasks over images share: inputs to pixels, pixels to batches.

use std::path::PathBuf;
use std::time::Duration;

use burn::tensor::{Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Media, Result};
use burnpipe_image::{Image, PixelValues};
use burnpipe_nn::{BatchLayout, Placement, run_model};
use serde_json::Value;

use crate::media::read_media;

/// An image as a caller gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageInput {
    /// One that is still to be read and decoded.
    Media(Media),
    /// One that is there already.
    Image(Image),
}

impl ImageInput {
    /// Reads and decodes it.
    ///
    /// # Errors
    ///
    /// When it cannot be read or is no image; the message names it.
    pub(crate) fn read(self, timeout: Option<Duration>) -> Result<Image> {
        match self {
            Self::Image(image) => Ok(image),
            Self::Media(media) => Image::decode(&read_media(&media, timeout)?, &media.to_string()),
        }
    }

    /// Reads an input in the shape that Python's pipelines accept.
    ///
    /// # Errors
    ///
    /// When it is no text.
    pub(crate) fn parse(input: Value) -> Result<Self> {
        match input {
            Value::String(text) => Ok(text.as_str().into()),
            _ => {
                let message = "the input must be an image: a text with a path, an address or a data URI";
                Err(Error::new(ErrorKind::Input, message))
            }
        }
    }
}

impl From<&str> for ImageInput {
    /// An address, a data URI or a path.
    fn from(text: &str) -> Self {
        Self::Media(text.into())
    }
}

impl From<PathBuf> for ImageInput {
    fn from(path: PathBuf) -> Self {
        Self::Media(path.into())
    }
}

impl From<Media> for ImageInput {
    fn from(media: Media) -> Self {
        Self::Media(media)
    }
}

impl From<Image> for ImageInput {
    fn from(image: Image) -> Self {
        Self::Image(image)
    }
}

/// Runs a model on images, those of one size at a time, for models take no others in a batch. `run` gives a result for
/// each image of its batch.
///
/// # Errors
///
/// When the model cannot take the images.
pub(crate) fn run_by_size<Raw: Send>(
    images: &[PixelValues],
    placement: &Placement,
    run: impl Fn(Tensor<4>) -> Result<Vec<Raw>> + Sync,
) -> Result<Vec<Raw>> {
    let size = |image: &PixelValues| [image.channels, image.height, image.width];
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by_key(|&at| size(&images[at]));
    let mut raws: Vec<(usize, Raw)> = Vec::with_capacity(images.len());
    for group in order.chunk_by(|&left, &right| size(&images[left]) == size(&images[right])) {
        let Some(&first) = group.first() else { continue };
        let [channels, height, width] = size(&images[first]);
        let values: Vec<f32> = group.iter().flat_map(|&at| images[at].values.iter().copied()).collect();
        let data = TensorData::new(values, [group.len(), channels, height, width]);
        let pixels = Tensor::from_data(data, (&placement.device, placement.dtype));
        // On the CPU models of images run on the pool as those of joined texts do.
        let answers = run_model(BatchLayout::fastest(placement), || run(pixels))?;
        raws.extend(group.iter().copied().zip(answers));
    }
    raws.sort_by_key(|(at, _)| *at);
    Ok(raws.into_iter().map(|(_, raw)| raw).collect())
}
