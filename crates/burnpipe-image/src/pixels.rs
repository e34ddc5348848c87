//! Images before and after a processor.

use burnpipe_core::{Error, ErrorKind, Result};

/// An image in 8-bit RGB, cheap to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    /// `[height, width, 3]`
    pixels: Vec<u8>,
}

impl Image {
    /// An image of pixels that are there already: row by row, red, green and blue of each.
    ///
    /// # Errors
    ///
    /// When there are not `width * height * 3` numbers, or none.
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
}

/// What a model reads of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelValues {
    /// Three, or one for a model of grey images.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `[channels, height, width]`
    pub values: Vec<f32>,
}
