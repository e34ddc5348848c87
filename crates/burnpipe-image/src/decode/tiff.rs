//! The first page of a TIFF.

use std::io::Cursor;

use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::{Decoded, Decoding, MOST_BYTES, check_size, clipped, gather, high, rgb_of_cmyk};

pub(super) fn decode(bytes: &[u8]) -> Decoding<Decoded> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MOST_BYTES;
    limits.intermediate_buffer_size = MOST_BYTES;
    let mut decoder = Decoder::new(Cursor::new(bytes))?.with_limits(limits);
    let (width, height) = decoder.dimensions()?;
    check_size(width.into(), height.into())?;
    let (width, height) = (width as usize, height as usize);
    let color = decoder.colortype()?;
    let orientation = match decoder.find_tag_unsigned::<u16>(Tag::Orientation)? {
        Some(orientation) => u8::try_from(orientation).unwrap_or(1),
        None => 1,
    };
    let is_premultiplied = decoder
        .find_tag_unsigned_vec::<u16>(Tag::ExtraSamples)?
        .is_some_and(|extra| extra.first() == Some(&1));
    let palette = match color {
        ColorType::Palette(_) => decoder.get_tag_u16_vec(Tag::ColorMap)?,
        _ => Vec::new(),
    };
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut samples)?;
    if layout.planes > 1 {
        return Err(
            "its colours lie in separate planes, which are not read: save it with them interleaved".into()
        );
    }
    let unsupported = || format!("{color:?} is not read: save it as 8-bit RGB").into();
    let pixels = match samples {
        DecodingResult::U8(samples) => {
            of_bytes(&samples, color, width, &palette, is_premultiplied).ok_or_else(unsupported)?
        }
        DecodingResult::U16(samples) if !is_premultiplied => {
            of_words(&samples, color).ok_or_else(unsupported)?
        }
        samples if matches!(color, ColorType::Gray(_)) => of_wide_grey(samples).ok_or_else(unsupported)?,
        _ => return Err(unsupported()),
    };
    Ok(Decoded { width, height, pixels, orientation })
}

fn of_bytes(
    samples: &[u8],
    color: ColorType,
    width: usize,
    palette: &[u16],
    is_premultiplied: bool,
) -> Option<Vec<u8>> {
    Some(match color {
        ColorType::Gray(8) => gather(samples, 1, |pixel| [pixel[0]; 3]),
        ColorType::Gray(bits @ (1 | 2 | 4)) => {
            let scale = 255 / ((1u8 << bits) - 1);
            gather(&unpacked(samples, width, bits), 1, |pixel| [pixel[0] * scale; 3])
        }
        ColorType::GrayA(8) => gather(samples, 2, |pixel| [pixel[0]; 3]),
        ColorType::RGB(8) => samples.to_vec(),
        ColorType::RGBA(8) if is_premultiplied => {
            gather(samples, 4, |pixel| [0, 1, 2].map(|band| straight(pixel[band], pixel[3])))
        }
        ColorType::RGBA(8) => gather(samples, 4, |pixel| [pixel[0], pixel[1], pixel[2]]),
        ColorType::CMYK(8) => {
            gather(samples, 4, |pixel| rgb_of_cmyk([pixel[0], pixel[1], pixel[2], pixel[3]]))
        }
        ColorType::Palette(bits @ (1 | 2 | 4 | 8)) => {
            let count = 1 << bits;
            let colors: Vec<[u8; 3]> = (0..count)
                .map(|index| {
                    [0, 1, 2].map(|band| palette.get(band * count + index).map_or(0, |&value| high(value)))
                })
                .collect();
            gather(&unpacked(samples, width, bits), 1, |index| colors[usize::from(index[0])])
        }
        _ => return None,
    })
}

fn of_words(samples: &[u16], color: ColorType) -> Option<Vec<u8>> {
    Some(match color {
        ColorType::Gray(16) => gather(samples, 1, |pixel| [clipped(pixel[0]); 3]),
        ColorType::RGB(16) => gather(samples, 3, |pixel| [0, 1, 2].map(|band| high(pixel[band]))),
        ColorType::RGBA(16) => gather(samples, 4, |pixel| [0, 1, 2].map(|band| high(pixel[band]))),
        ColorType::CMYK(16) => {
            gather(samples, 4, |pixel| rgb_of_cmyk([0, 1, 2, 3].map(|ink| high(pixel[ink]))))
        }
        _ => return None,
    })
}

/// Grey in wider numbers, which Pillow clips to 0 and 255.
fn of_wide_grey(samples: DecodingResult) -> Option<Vec<u8>> {
    Some(match samples {
        DecodingResult::I16(samples) => gather(&samples, 1, |pixel| [pixel[0].clamp(0, 255) as u8; 3]),
        DecodingResult::I32(samples) => gather(&samples, 1, |pixel| [pixel[0].clamp(0, 255) as u8; 3]),
        DecodingResult::U32(samples) => {
            gather(&samples, 1, |pixel| [pixel[0].cast_signed().clamp(0, 255) as u8; 3])
        }
        DecodingResult::F32(samples) => gather(&samples, 1, |pixel| [pixel[0] as u8; 3]),
        _ => return None,
    })
}

/// One number a byte of rows in which several share one.
fn unpacked(samples: &[u8], width: usize, bits: u8) -> Vec<u8> {
    let per_byte = usize::from(8 / bits);
    let mask = (1u16 << bits) as u8 - 1;
    let rows = samples.chunks_exact(width.div_ceil(per_byte).max(1));
    rows.flat_map(|row| {
        (0..width).map(move |x| row[x / per_byte] >> (8 - usize::from(bits) * (x % per_byte + 1)) & mask)
    })
    .collect()
}

/// A colour that alpha had dimmed, at its full strength.
fn straight(color: u8, alpha: u8) -> u8 {
    match alpha {
        0 => 0,
        255 => color,
        _ => (u16::from(color) * 255 / u16::from(alpha)).min(255) as u8,
    }
}
