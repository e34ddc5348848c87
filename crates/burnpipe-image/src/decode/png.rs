//! PNG.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Info, Limits, Transformations};

use super::{Decoded, Decoding, MOST_BYTES, check_size, clipped, gather};
use crate::orientation;

/// Longer texts are no metadata of a photograph; a few bytes can be made to hold gigabytes.
const MOST_TEXT: usize = 2 << 20;

pub(super) fn decode(bytes: &[u8]) -> Decoding<Decoded> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: MOST_BYTES });
    decoder.set_transformations(Transformations::EXPAND);
    // Colour profiles change no pixel here, and a few bytes of them can be made to hold gigabytes too.
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info()?;
    let is_grey = header.color_type == ColorType::Grayscale;
    check_size(header.width.into(), header.height.into())?;
    let mut reader = decoder.read_info()?;
    let mut samples = vec![0; reader.output_buffer_size().ok_or("it is too big")?];
    let frame = reader.next_frame(&mut samples)?;
    samples.truncate(frame.buffer_size());
    // EXIF may stand behind the pixels; what is broken there harms nobody.
    let _ = reader.finish();

    let pixels = match (frame.color_type, frame.bit_depth) {
        (ColorType::Rgb, BitDepth::Eight) => samples,
        (ColorType::Rgba, BitDepth::Eight) => gather(&samples, 4, |pixel| [pixel[0], pixel[1], pixel[2]]),
        (ColorType::Grayscale, BitDepth::Eight) => gather(&samples, 1, |pixel| [pixel[0]; 3]),
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => gather(&samples, 2, |pixel| [pixel[0]; 3]),
        (ColorType::Rgb, BitDepth::Sixteen) => gather(&samples, 6, |pixel| [pixel[0], pixel[2], pixel[4]]),
        (ColorType::Rgba, BitDepth::Sixteen) => gather(&samples, 8, |pixel| [pixel[0], pixel[2], pixel[4]]),
        (ColorType::Grayscale, BitDepth::Sixteen) => gather(&samples, 2, |pixel| [grey(pixel); 3]),
        // Alpha that a transparent grey became leaves the grey what it is to Pillow.
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) if is_grey => {
            gather(&samples, 4, |pixel| [grey(pixel); 3])
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => gather(&samples, 4, |pixel| [pixel[0]; 3]),
        (color, depth) => return Err(format!("{color:?} of {depth:?} is not read").into()),
    };
    let orientation = orientation_of(reader.info());
    Ok(Decoded { width: frame.width as usize, height: frame.height as usize, pixels, orientation })
}

fn grey(big_endian: &[u8]) -> u8 {
    clipped(u16::from_be_bytes([big_endian[0], big_endian[1]]))
}

fn orientation_of(info: &Info<'_>) -> u8 {
    let exif = info.exif_metadata.as_deref().map(<[u8]>::to_vec).or_else(|| raw_profile(info));
    let xmp = info.utf8_text.iter().find(|text| text.keyword == "XML:com.adobe.xmp");
    let xmp = xmp.cloned().and_then(|mut text| {
        text.decompress_text_with_limit(MOST_TEXT).ok()?;
        text.get_text().ok()
    });
    orientation::of(exif.as_deref(), xmp.as_deref().map(str::as_bytes))
}

/// EXIF in hexadecimal digits, as ImageMagick wrote it before PNG had a place for it.
fn raw_profile(info: &Info<'_>) -> Option<Vec<u8>> {
    const KEYWORD: &str = "Raw profile type exif";
    let plain = info.uncompressed_latin1_text.iter().find(|text| text.keyword == KEYWORD);
    let compressed = || {
        let mut text = info.compressed_latin1_text.iter().find(|text| text.keyword == KEYWORD)?.clone();
        text.decompress_text_with_limit(MOST_TEXT).ok()?;
        text.get_text().ok()
    };
    let text = plain.map(|text| text.text.clone()).or_else(compressed)?;
    let digits: Vec<u8> = text
        .splitn(4, '\n')
        .nth(3)?
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    Some(digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect())
}
