//! BMP.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;

use super::{Decoded, Decoding, of_crate};

pub(super) fn decode(bytes: &[u8]) -> Decoding<Decoded> {
    let mut decoded = of_crate(BmpDecoder::new(Cursor::new(bytes))?)?;
    if short(bytes, 28) == Some(16) {
        let greens = if is_of_six_greens(bytes) { 63 } else { 31 };
        for color in decoded.pixels.as_chunks_mut::<3>().0 {
            *color = [stretched(color[0], 31), stretched(color[1], greens), stretched(color[2], 31)];
        }
    }
    Ok(decoded)
}

/// Whether a pixel of 16 bits has five bits of red and blue and six of green, and not five each.
fn is_of_six_greens(bytes: &[u8]) -> bool {
    const BIT_FIELDS: u16 = 3;
    const GREEN_OF_SIX: u16 = 0x07e0;
    short(bytes, 30) == Some(BIT_FIELDS) && short(bytes, 58) == Some(GREEN_OF_SIX)
}

/// A colour of five or six bits, which the decoder has stretched to eight and rounded; Pillow cuts off.
fn stretched(color: u8, most: u16) -> u8 {
    let few_bits = (u16::from(color) * most + 127) / 255;
    (few_bits * 255 / most) as u8
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&bytes| u16::from_le_bytes(bytes))
}
