//! What the tasks over images share: inputs to pixels, pixels to batches.

use std::path::PathBuf;
use std::time::Duration;

use burn::tensor::{Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Media, Result};
use burnpipe_image::{Image, PixelValues};
use burnpipe_nn::{BatchLayout, Placement, run_model};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::media::read_media;
use crate::shapes::run_by_shape;

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
/// When the model cannot take the images, or does not answer for each.
pub(crate) fn run_by_size<Raw: Send>(
    images: &[PixelValues],
    placement: &Placement,
    run: impl Fn(Tensor<4>) -> Result<Vec<Raw>> + Sync,
) -> Result<Vec<Raw>> {
    let sizes: Vec<[usize; 3]> =
        images.iter().map(|image| [image.channels, image.height, image.width]).collect();
    run_by_shape(&sizes, |places| {
        let Some(&[channels, height, width]) = places.first().and_then(|&first| sizes.get(first)) else {
            return Ok(Vec::new());
        };
        let values: Vec<f32> = places.iter().flat_map(|&at| images[at].values.iter().copied()).collect();
        let data = TensorData::new(values, [places.len(), channels, height, width]);
        let pixels = Tensor::from_data(data, (&placement.device, placement.dtype));
        // On the CPU models of images run on the pool as those of joined texts do.
        run_model(BatchLayout::fastest(placement), || run(pixels))
    })
}

/// Reads the parameter `timeout`: seconds to wait for an address.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(seconds) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
    let wrong = || de::Error::custom(format!("`{seconds}` is not a number of seconds above 0"));
    duration.map(Some).ok_or_else(wrong)
}
