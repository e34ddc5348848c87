//! Images before and after a processor.

use std::fmt;

use burnpipe_core::{Error, ErrorKind, Result};
use image::DynamicImage;

use crate::decode;

/// An image in 8-bit RGB.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    /// `[height, width, 3]`
    pixels: Vec<u8>,
}

impl Image {
    /// The image in the bytes of a BMP, GIF, JPEG, PNG, TIFF or WebP file, as Python's `load_image` gives it: turned
    /// as EXIF says, in RGB without alpha, the first frame of several. `name` is what messages call it.
    ///
    /// # Errors
    ///
    /// When the bytes are no image, are cut off, or hold more than 178,956,970 pixels.
    pub fn decode(bytes: &[u8], name: &str) -> Result<Self> {
        decode::decode(bytes, name)
    }

    /// An image of pixels that are there already: `[height, width, 3]`, red, green and blue of each.
    ///
    /// # Errors
    ///
    /// When there are not `width * height * 3` bytes, or none.
    pub fn from_rgb(width: usize, height: usize, pixels: Vec<u8>) -> Result<Self> {
        let wanted = width.checked_mul(height).and_then(|count| count.checked_mul(3));
        if pixels.is_empty() || wanted != Some(pixels.len()) {
            let message = format!("{} bytes are no RGB image of {width} x {height} pixels", pixels.len());
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(Self { width, height, pixels })
    }

    /// Pixels from left to right.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> usize {
        self.height
    }

    /// `[height, width, 3]`
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels themselves, `[height, width, 3]`.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

/// An image of the crate `image`, in RGB as Pillow's `convert("RGB")` makes it. One without pixels is an error.
impl TryFrom<DynamicImage> for Image {
    type Error = Error;

    fn try_from(image: DynamicImage) -> Result<Self> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        Self::from_rgb(width, height, decode::rgb_of(image))
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an image of {} x {} pixels", self.width, self.height)
    }
}

/// What a model reads of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelValues {
    /// Three: red, green and blue, or blue, green and red where the processor turns them round.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `[channels, height, width]`
    pub values: Vec<f32>,
}
