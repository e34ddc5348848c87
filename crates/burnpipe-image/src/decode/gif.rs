//! The first frame of a GIF.

use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::{Decoded, Decoding, check_size, gather};

pub(super) fn decode(bytes: &[u8]) -> Decoding<Decoded> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // The size of the frame is checked here, before its memory is taken.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(Cursor::new(bytes))?;
    let screen = (usize::from(decoder.width()), usize::from(decoder.height()));
    let frame = decoder.next_frame_info()?.ok_or("it holds no image")?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (frame_width, frame_height) = (usize::from(frame.width), usize::from(frame.height));
    let background = frame.transparent.unwrap_or(0);
    // A frame that does not fit makes the image larger.
    let (width, height) = (screen.0.max(left + frame_width), screen.1.max(top + frame_height));
    check_size(width as u64, height as u64)?;

    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices)?;
    if (left, top, frame_width, frame_height) != (0, 0, width, height) && frame_width > 0 {
        let mut canvas = vec![background; width * height];
        let rows = canvas.chunks_exact_mut(width).skip(top);
        for (canvas_row, row) in rows.zip(indices.chunks_exact(frame_width)) {
            canvas_row[left..left + frame_width].copy_from_slice(row);
        }
        indices = canvas;
    }
    let palette = decoder.palette().unwrap_or(&[]);
    let colors: Vec<[u8; 3]> = (0..=255).map(|index| color(palette, index)).collect();
    let pixels = gather(&indices, 1, |index| colors[usize::from(index[0])]);
    Ok(Decoded { width, height, pixels, orientation: 1 })
}

/// Pillow's palettes are ramps of grey until they are filled.
fn color(palette: &[u8], index: u8) -> [u8; 3] {
    palette.as_chunks().0.get(usize::from(index)).copied().unwrap_or([index; 3])
}
