//! Resizing, bit for bit as Pillow and torchvision do it.
//!
//! Pillow's `Resample.c`: a pass over the rows, then one over the columns, each output the weighted sum of the
//! inputs below a filter that is stretched when the image shrinks. Sums are whole numbers and every pass rounds to
//! eight bits. torchvision, on a CPU with AVX2 where its resizing stays in eight bits, differs in nothing but the
//! bits that a weight has ([`Arithmetic`]). `fast_image_resize` has 16-bit weights only, so Pillow's cannot be had
//! from it.

mod float;
mod passes;
mod taps;

use burnpipe_core::{Error, ErrorKind, Result};

use crate::Image;

pub(crate) use float::resize_planes;
pub(crate) use taps::Arithmetic;

/// How a pixel is made of those around it, by the names of Pillow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// A windowed sinc, three pixels to each side.
    Lanczos,
    /// A triangle.
    Bilinear,
    /// Cubics, two pixels to each side.
    Bicubic,
    /// The mean.
    Box,
    /// A windowed sinc, one pixel to each side.
    Hamming,
}

impl Filter {
    /// The filter that a config calls by Pillow's number.
    pub fn from_id(id: u64) -> Option<Self> {
        Some(match id {
            0 => Self::Nearest,
            1 => Self::Lanczos,
            2 => Self::Bilinear,
            3 => Self::Bicubic,
            4 => Self::Box,
            5 => Self::Hamming,
            _ => return None,
        })
    }
}

/// More pixels than this are no model's input.
const MOST_PIXELS: usize = 1 << 28;

/// More weights than this belong to sides of tens of millions of pixels.
const MOST_WEIGHTS: usize = 1 << 28;

/// The image at another size, as Pillow's `Image.resize` makes it.
///
/// # Errors
///
/// When a side would be nothing, there would be more than 2^28 pixels, or a side would need more than 2^28 weights.
pub fn resize(image: &Image, width: usize, height: usize, filter: Filter) -> Result<Image> {
    resize_with(image, width, height, filter, Arithmetic::Pillow)
}

/// As [`resize`], with the arithmetic of either library.
pub(crate) fn resize_with(
    image: &Image,
    width: usize,
    height: usize,
    filter: Filter,
    arithmetic: Arithmetic,
) -> Result<Image> {
    check(width, height)?;
    if (width, height) == (image.width(), image.height()) {
        return Ok(image.clone());
    }
    let pixels = if filter == Filter::Nearest {
        passes::nearest(image, width, height, arithmetic)
    } else {
        // Pillow's order of passes makes nothing between them that is larger than the image before or after.
        if arithmetic == Arithmetic::Torch {
            check_pass_between(image, width, height)?;
        }
        check_weights(image, width, height, filter)?;
        passes::convolved(image, width, height, filter, arithmetic)
    };
    Image::from_rgb(width, height, pixels)
}

/// That a size can be made.
pub(crate) fn check(width: usize, height: usize) -> Result<()> {
    if width == 0 || height == 0 || width.saturating_mul(height) > MOST_PIXELS {
        let message = format!("an image cannot be resized to {width} x {height} pixels");
        return Err(Error::new(ErrorKind::Input, message));
    }
    Ok(())
}

/// That [`resize_planes`] can make a size.
pub(crate) fn check_passes(image: &Image, width: usize, height: usize, filter: Filter) -> Result<()> {
    check(width, height)?;
    check_pass_between(image, width, height)?;
    check_weights(image, width, height, filter)
}

/// That rows can be resized before columns: an image of one column may have many rows.
fn check_pass_between(image: &Image, width: usize, height: usize) -> Result<()> {
    if image.height().saturating_mul(width) > MOST_PIXELS {
        return Err(too_large(image, width, height));
    }
    Ok(())
}

fn check_weights(image: &Image, width: usize, height: usize, filter: Filter) -> Result<()> {
    let sides = [(image.width(), width), (image.height(), height)];
    if sides.iter().any(|&(inputs, outputs)| taps::weights(inputs, outputs, filter) > MOST_WEIGHTS) {
        return Err(too_large(image, width, height));
    }
    Ok(())
}

fn too_large(image: &Image, width: usize, height: usize) -> Error {
    let (old_width, old_height) = (image.width(), image.height());
    let message = format!(
        "an image of {old_width} x {old_height} pixels cannot be resized to {width} x {height}: it is too long a strip"
    );
    Error::new(ErrorKind::Input, message)
}
