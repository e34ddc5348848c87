//! JPEG, with the arithmetic of libjpeg-turbo, which Pillow reads with.

use libjpeg_turbo_rs::{Decoder, PixelFormat};

use super::{Decoded, Decoding, check_size, gather, rgb_of_cmyk};
use crate::orientation;

/// The marker before the pixels.
const START_OF_SCAN: u8 = 0xda;

pub(super) fn decode(bytes: &[u8]) -> Decoding<Decoded> {
    if !has_end(bytes) {
        return Err("it is cut off".into());
    }
    let mut decoder = Decoder::new(bytes)?;
    let header = decoder.header();
    let (width, height) = (header.width, header.height);
    let components = header.components.len();
    check_size(width.into(), height.into())?;
    if !matches!(components, 1 | 3 | 4) || header.precision != 8 {
        return Err(format!("{components} components of {} bits are not read", header.precision).into());
    }
    // libjpeg warns of damage and goes on, and Pillow takes what it gets.
    decoder.set_lenient(true);
    decoder.set_output_format(if components == 4 { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    let image = decoder.decode_image()?;
    let orientation = orientation::of(image.exif_data.as_deref(), image.xmp_data.as_deref());
    let pixels = if components == 4 {
        // Pillow takes Adobe's convention, inks inverted, for every file of four components.
        gather(&image.data, 4, |inks| rgb_of_cmyk([0, 1, 2, 3].map(|ink| 255 - inks[ink])))
    } else {
        image.data
    };
    Ok(Decoded { width: image.width, height: image.height, pixels, orientation })
}

/// Whether the marker that ends an image comes: without it Pillow waits for more bytes.
fn has_end(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    // Past the segments before the first scan: a thumbnail in one of them has an end of its own.
    loop {
        rest = match rest {
            // Any number of bytes may fill the space before a marker; libjpeg skips what is no marker, too.
            [0xff, following @ ..] if following.first() == Some(&0xff) => following,
            [0xff, marker, segment @ ..] => {
                let &[high, low, ..] = segment else { break };
                let behind = segment.get(usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default();
                if *marker == START_OF_SCAN {
                    rest = behind;
                    break;
                }
                behind
            }
            [_, following @ ..] => following,
            [] => break,
        };
    }
    rest.windows(2).rev().any(|window| window == [0xff, 0xd9])
}
