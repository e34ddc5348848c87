//! Image files to RGB, as Python's `load_image` gives them.
//!
//! `PIL.Image.open`, `ImageOps.exif_transpose` and `.convert("RGB")` of Pillow 13: the format is told by the
//! bytes and not by a name, the first frame of an animation is taken, EXIF turns the image, alpha is dropped.

mod bmp;
mod gif;
mod jpeg;
mod png;
mod tiff;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};
use image::{DynamicImage, ImageDecoder};

use crate::{Image, orientation};

/// More pixels than this are taken for a decompression bomb: twice Pillow's `MAX_IMAGE_PIXELS`, where it raises.
const MOST_PIXELS: u64 = 2 * 89_478_485;

/// More than any image of [`MOST_PIXELS`] needs while it is decoded.
const MOST_BYTES: usize = 2 << 30;

/// What goes wrong inside a decoder.
type BoxedError = Box<dyn std::error::Error + Send + Sync>;
type Decoding<T> = std::result::Result<T, BoxedError>;

/// An image before EXIF has turned it.
struct Decoded {
    width: usize,
    height: usize,
    /// `[height, width, 3]`
    pixels: Vec<u8>,
    /// Of EXIF: 1 to 8.
    orientation: u8,
}

#[derive(Clone, Copy)]
enum Format {
    Bmp,
    Gif,
    Jpeg,
    Png,
    Tiff,
    WebP,
}

impl Format {
    /// By the first bytes, as Pillow tells them.
    fn of(bytes: &[u8]) -> Option<Self> {
        const TIFF: [&[u8]; 6] =
            [b"MM\x00\x2a", b"II\x2a\x00", b"MM\x2a\x00", b"II\x00\x2a", b"MM\x00\x2b", b"II\x2b\x00"];
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'B', b'M', ..] => Some(Self::Bmp),
            _ if TIFF.iter().any(|magic| bytes.starts_with(magic)) => Some(Self::Tiff),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
        }
    }

    fn decode(self, bytes: &[u8]) -> Decoding<Decoded> {
        match self {
            Self::Bmp => bmp::decode(bytes),
            Self::Gif => gif::decode(bytes),
            Self::Jpeg => jpeg::decode(bytes),
            Self::Png => png::decode(bytes),
            Self::Tiff => tiff::decode(bytes),
            Self::WebP => of_crate(image::codecs::webp::WebPDecoder::new(Cursor::new(bytes))?),
        }
    }
}

/// The image in the bytes of a file, turned as its EXIF says; `name` is what messages call it.
pub(crate) fn decode(bytes: &[u8], name: &str) -> Result<Image> {
    let format = Format::of(bytes).ok_or_else(|| unknown(bytes, name))?;
    let message = || format!("cannot read {name} as a {} image", format.name());
    // The decoders are fuzzed by their makers and so are they here; a panic that is left costs one image only.
    let decoded = catch_unwind(AssertUnwindSafe(|| format.decode(bytes)))
        .unwrap_or_else(|_| Err("its decoder broke".into()))
        .context(ErrorKind::Media, message)?;
    let turned = orientation::apply(decoded.orientation, decoded.width, decoded.height, decoded.pixels);
    Image::from_rgb(turned.0, turned.1, turned.2).context(ErrorKind::Media, message)
}

/// BMP and WebP, which the crate `image` decodes whole.
fn of_crate(mut decoder: impl ImageDecoder) -> Decoding<Decoded> {
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into())?;
    let exif = decoder.exif_metadata().ok().flatten();
    let xmp = decoder.xmp_metadata().ok().flatten();
    let orientation = orientation::of(exif.as_deref(), xmp.as_deref());
    let pixels = rgb_of(DynamicImage::from_decoder(decoder)?);
    Ok(Decoded { width: width as usize, height: height as usize, pixels, orientation })
}

/// Stops before the memory for an image is taken.
fn check_size(width: u64, height: u64) -> Decoding<()> {
    if width.saturating_mul(height) > MOST_PIXELS {
        return Err(format!(
            "{width} x {height} pixels are more than the {MOST_PIXELS} that are read, which guards against \
             decompression bombs: make the image smaller first"
        )
        .into());
    }
    Ok(())
}

fn unknown(bytes: &[u8], name: &str) -> Error {
    let other = match bytes {
        [] => return Error::new(ErrorKind::Media, format!("cannot read {name} as an image: it is empty")),
        [0, 0, 0, 0x0c, b'j', b'P', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => "a JPEG 2000 file",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "an AVIF or HEIC image, or a video",
        [0, 0, 1 | 2, 0, ..] => "an icon",
        [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..] => "a PNM file",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop file",
        [b'%', b'P', b'D', b'F', ..] => "a PDF",
        [b'<', ..] => "SVG, HTML or XML",
        _ => "of no format that is known",
    };
    let message = format!(
        "cannot read {name} as an image: it is {other}; BMP, GIF, JPEG, PNG, TIFF and WebP are read, so convert it"
    );
    Error::new(ErrorKind::Media, message)
}

/// Eight bits of red, green and blue as Pillow's `convert("RGB")` makes them.
pub(crate) fn rgb_of(image: DynamicImage) -> Vec<u8> {
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => gather(image.as_raw(), 4, |pixel| [pixel[0], pixel[1], pixel[2]]),
        DynamicImage::ImageLuma8(image) => gather(image.as_raw(), 1, |pixel| [pixel[0]; 3]),
        DynamicImage::ImageLumaA8(image) => gather(image.as_raw(), 2, |pixel| [pixel[0]; 3]),
        DynamicImage::ImageLuma16(image) => gather(image.as_raw(), 1, |pixel| [clipped(pixel[0]); 3]),
        DynamicImage::ImageLumaA16(image) => gather(image.as_raw(), 2, |pixel| [high(pixel[0]); 3]),
        DynamicImage::ImageRgb16(image) => {
            gather(image.as_raw(), 3, |pixel| [0, 1, 2].map(|band| high(pixel[band])))
        }
        DynamicImage::ImageRgba16(image) => {
            gather(image.as_raw(), 4, |pixel| [0, 1, 2].map(|band| high(pixel[band])))
        }
        other => other.into_rgb8().into_raw(),
    }
}

/// RGB of samples that lie `step` to a pixel.
fn gather<T>(samples: &[T], step: usize, rgb: impl Fn(&[T]) -> [u8; 3]) -> Vec<u8> {
    let mut pixels = vec![0; samples.len() / step * 3];
    for (pixel, samples) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(samples.chunks_exact(step)) {
        *pixel = rgb(samples);
    }
    pixels
}

/// Sixteen bits of grey in eight: Pillow's mode `I;16` clips.
fn clipped(sample: u16) -> u8 {
    u8::try_from(sample).unwrap_or(u8::MAX)
}

/// Sixteen bits of a colour in eight: Pillow reads the upper byte.
fn high(sample: u16) -> u8 {
    sample.to_be_bytes()[0]
}

/// Pillow's product of two parts of 255, rounded.
fn part(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    ((product + (product >> 8)) >> 8) as u8
}

/// RGB of inks, where 255 is full.
fn rgb_of_cmyk([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let paper = 255 - black;
    [cyan, magenta, yellow].map(|ink| paper.saturating_sub(part(ink, paper)))
}
