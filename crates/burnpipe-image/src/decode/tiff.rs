//! The first page of a TIFF.

use std::borrow::Cow;
use std::io::Cursor;

use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

use super::{Decoded, Decoding, MOST_BYTES, check_size, clipped, gather, high, rgb_of_cmyk};
use crate::orientation::Tags;

/// Values of `PhotometricInterpretation`.
const WHITE_IS_ZERO: u16 = 0;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// The first value of `ExtraSamples` where alpha has dimmed the colours.
const DIMMED: u16 = 1;

pub(super) fn decode(bytes: &[u8]) -> Decoding<Decoded> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MOST_BYTES;
    limits.intermediate_buffer_size = MOST_BYTES;
    let bytes = palette_as_grey(bytes);
    let mut decoder = Decoder::new(Cursor::new(&*bytes))?.with_limits(limits);
    let (width, height) = decoder.dimensions()?;
    check_size(width.into(), height.into())?;
    let color = decoder.colortype()?;
    let mut tag = |tag| decoder.find_tag_unsigned::<u16>(tag);
    // Pillow passes over a value that is no number; an `ExtraSamples` that is none it does not read.
    let orientation = tag(Tag::Orientation).ok().flatten();
    let orientation = orientation.and_then(|value| u8::try_from(value).ok()).unwrap_or(1);
    let is_inverted = tag(Tag::PhotometricInterpretation)? == Some(WHITE_IS_ZERO);
    if tag(Tag::FillOrder)?.is_some_and(|order| order != 1) {
        return Err("its bits lie from right to left, which is not read: save it anew".into());
    }
    let palette = decoder.find_tag_unsigned_vec::<u16>(Tag::ColorMap)?.unwrap_or_default();
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples)?.unwrap_or_default();
    let is_dimmed = extra.first() == Some(&DIMMED);

    let mut samples = DecodingResult::U8(Vec::new());
    let planes = decoder.read_image_to_buffer(&mut samples)?.planes;
    let pixels = match (samples, color) {
        (DecodingResult::U8(samples), _) => {
            of_bytes(&interleaved(samples, planes), color, width as usize, &palette, is_dimmed)
        }
        // Pillow takes white for zero in bytes only.
        (DecodingResult::U16(samples), ColorType::Gray(_)) => {
            let grey = |sample: u16| clipped(if is_inverted { !sample } else { sample });
            Some(gather(&samples, 1, |pixel| [grey(pixel[0]); 3]))
        }
        (DecodingResult::U16(samples), color) => {
            let samples = samples.into_iter().map(high).collect();
            of_bytes(&interleaved(samples, planes), in_bytes(color), width as usize, &palette, is_dimmed)
        }
        (samples, ColorType::Gray(_)) => of_wide_grey(samples),
        _ => None,
    };
    let pixels = pixels.ok_or_else(|| format!("{color:?} is not read: save it as 8-bit RGB"))?;
    Ok(Decoded { width: width as usize, height: height as usize, pixels, orientation })
}

/// The same file with its indices called grey: the decoder reads no palettes, and the numbers are the same.
fn palette_as_grey(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(tags) = Tags::of_tiff(bytes) else { return bytes.into() };
    match tags.find(Tag::PhotometricInterpretation.to_u16()) {
        Some((at, value)) if value == u32::from(PALETTE) => {
            let mut bytes = bytes.to_vec();
            bytes[at..at + 2].copy_from_slice(&tags.short_bytes(BLACK_IS_ZERO));
            bytes.into()
        }
        _ => bytes.into(),
    }
}

/// Planes of one colour each as pixels of all.
fn interleaved(samples: Vec<u8>, planes: usize) -> Vec<u8> {
    if planes < 2 {
        return samples;
    }
    let length = samples.len() / planes;
    (0..length).flat_map(|pixel| samples[pixel..].iter().step_by(length).take(planes).copied()).collect()
}

/// What a colour of 16 bits is when only the upper byte is kept.
fn in_bytes(color: ColorType) -> ColorType {
    match color {
        ColorType::RGB(16) => ColorType::RGB(8),
        ColorType::RGBA(16) => ColorType::RGBA(8),
        ColorType::CMYK(16) => ColorType::CMYK(8),
        other => other,
    }
}

fn of_bytes(
    samples: &[u8],
    color: ColorType,
    width: usize,
    palette: &[u16],
    is_dimmed: bool,
) -> Option<Vec<u8>> {
    Some(match color {
        ColorType::Gray(bits @ (1 | 2 | 4 | 8)) => {
            let count = 1 << bits;
            let scale = 255 / (count - 1);
            let color_of = |index: usize| match palette.len() / 3 {
                0 => [(index * scale) as u8; 3],
                stride => {
                    [0, 1, 2].map(|band| palette.get(band * stride + index).map_or(0, |&value| high(value)))
                }
            };
            let colors: Vec<[u8; 3]> = (0..count).map(color_of).collect();
            gather(&unpacked(samples, width, bits), 1, |index| colors[usize::from(index[0])])
        }
        ColorType::GrayA(8) | ColorType::Multiband { bit_depth: 8, num_samples: 2 } if !is_dimmed => {
            gather(samples, 2, |pixel| [pixel[0]; 3])
        }
        ColorType::RGB(8) => samples.to_vec(),
        ColorType::RGBA(8) if is_dimmed => {
            gather(samples, 4, |pixel| [0, 1, 2].map(|band| straight(pixel[band], pixel[3])))
        }
        ColorType::RGBA(8) => gather(samples, 4, |pixel| [pixel[0], pixel[1], pixel[2]]),
        ColorType::CMYK(8) => {
            gather(samples, 4, |pixel| rgb_of_cmyk([pixel[0], pixel[1], pixel[2], pixel[3]]))
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

/// One number a byte, of rows in which several share one.
fn unpacked(samples: &[u8], width: usize, bits: u8) -> Cow<'_, [u8]> {
    if bits == 8 {
        return samples.into();
    }
    let per_byte = usize::from(8 / bits);
    let mask = (1 << bits) - 1;
    let number =
        |row: &[u8], x: usize| row[x / per_byte] >> (8 - usize::from(bits) * (x % per_byte + 1)) & mask;
    let rows = samples.chunks_exact(width.div_ceil(per_byte).max(1));
    rows.flat_map(|row| (0..width).map(move |x| number(row, x))).collect()
}

/// A colour that alpha had dimmed, at its full strength.
fn straight(color: u8, alpha: u8) -> u8 {
    match alpha {
        0 => 0,
        255 => color,
        _ => (u16::from(color) * 255 / u16::from(alpha)).min(255) as u8,
    }
}
