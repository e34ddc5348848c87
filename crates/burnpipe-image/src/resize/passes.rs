//! The passes over rows and columns of 8-bit pixels.

use super::taps::Taps;
use super::{Arithmetic, Filter};
use crate::Image;

/// Every output the pixel at its place, `[height, width, 3]`.
pub(super) fn nearest(image: &Image, width: usize, height: usize, arithmetic: Arithmetic) -> Vec<u8> {
    let columns = places(image.width(), width, arithmetic);
    let rows = places(image.height(), height, arithmetic);
    let mut pixels = vec![0; width * height * 3];
    for (y, target) in pixels.chunks_exact_mut(width * 3).enumerate() {
        let Some(row) = rows.get(y) else { continue };
        let source = image.pixels()[row * image.width() * 3..].as_chunks::<3>().0;
        for (pixel, &column) in target.as_chunks_mut::<3>().0.iter_mut().zip(&columns) {
            *pixel = source[column];
        }
    }
    pixels
}

/// The input of each output, as far as there are inputs.
fn places(inputs: usize, outputs: usize, arithmetic: Arithmetic) -> Vec<usize> {
    match arithmetic {
        Arithmetic::Pillow => {
            // Pillow adds steps up, and so rounds as sums do.
            let step = inputs as f64 / outputs as f64;
            let places = std::iter::successors(Some(step * 0.5), |place| Some(place + step));
            places.map(|place| place as usize).take(outputs).take_while(|&place| place < inputs).collect()
        }
        Arithmetic::Torch => {
            let scale = inputs as f32 / outputs as f32;
            let place = |output| ((output as f64 + 0.5) * f64::from(scale)) as f32 as usize;
            (0..outputs).map(|output| place(output).min(inputs - 1)).collect()
        }
    }
}

/// Both passes, as far as a side changes, `[height, width, 3]`.
pub(super) fn convolved(
    image: &Image,
    width: usize,
    height: usize,
    filter: Filter,
    arithmetic: Arithmetic,
) -> Vec<u8> {
    let (old_width, old_height) = (image.width(), image.height());
    let horizontal = (old_width != width).then(|| Taps::new(old_width, width, filter));
    let vertical = (old_height != height).then(|| Taps::new(old_height, height, filter));
    match (horizontal, vertical) {
        (None, None) => image.pixels().to_vec(),
        (Some(horizontal), None) => {
            let (taps, bits) = horizontal.whole(arithmetic);
            along_rows(image.pixels(), old_width, width, &taps, bits)
        }
        (None, Some(vertical)) => {
            let (taps, bits) = vertical.whole(arithmetic);
            along_columns(image.pixels(), width, &taps, bits)
        }
        (Some(horizontal), Some(vertical)) => {
            let ((horizontal, row_bits), (mut vertical, column_bits)) =
                (horizontal.whole(arithmetic), vertical.whole(arithmetic));
            if arithmetic == Arithmetic::Pillow && is_columns_first(image, width, height) {
                let shortened = along_columns(image.pixels(), old_width, &vertical, column_bits);
                return along_rows(&shortened, old_width, width, &horizontal, row_bits);
            }
            // Rows that the second pass does not read are not made.
            let (first, end) = vertical.used();
            vertical.starts.iter_mut().for_each(|start| *start -= first);
            let used = &image.pixels()[first * old_width * 3..end * old_width * 3];
            let narrowed = along_rows(used, old_width, width, &horizontal, row_bits);
            along_columns(&narrowed, width, &vertical, column_bits)
        }
    }
}

/// Pillow 13 begins with the columns where that leaves less to do; earlier ones always begin with the rows.
fn is_columns_first(image: &Image, width: usize, height: usize) -> bool {
    let fewer = |old: usize, new: usize| old as isize - new as isize;
    let fewer_rows = fewer(image.height(), height);
    fewer_rows > 0 && fewer_rows > 2 * fewer(image.width(), width)
}

fn along_rows(rows: &[u8], width: usize, new_width: usize, taps: &Taps<i32>, bits: u32) -> Vec<u8> {
    let mut pixels = vec![0; rows.len() / width * new_width];
    let targets = pixels.chunks_exact_mut(new_width * 3);
    for (row, target) in rows.chunks_exact(width * 3).zip(targets) {
        let (source, _) = row.as_chunks::<3>();
        let (target, _) = target.as_chunks_mut::<3>();
        for (pixel, (start, weights)) in target.iter_mut().zip(taps.iter()) {
            let mut sums = [1i32 << (bits - 1); 3];
            for (input, &weight) in source[start..].iter().zip(weights) {
                for (sum, &color) in sums.iter_mut().zip(input) {
                    *sum = sum.wrapping_add(i32::from(color).wrapping_mul(weight));
                }
            }
            *pixel = sums.map(|sum| rounded(sum, bits));
        }
    }
    pixels
}

fn along_columns(rows: &[u8], width: usize, taps: &Taps<i32>, bits: u32) -> Vec<u8> {
    let length = width * 3;
    let mut pixels = vec![0; taps.starts.len() * length];
    let mut sums = vec![0i32; length];
    for (target, (start, weights)) in pixels.chunks_exact_mut(length).zip(taps.iter()) {
        sums.fill(1 << (bits - 1));
        for (row, &weight) in rows[start * length..].chunks_exact(length).zip(weights) {
            for (sum, &color) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(i32::from(color).wrapping_mul(weight));
            }
        }
        for (color, &sum) in target.iter_mut().zip(&sums) {
            *color = rounded(sum, bits);
        }
    }
    pixels
}

/// A sum, whose half was added before, in eight bits.
fn rounded(sum: i32, bits: u32) -> u8 {
    (sum >> bits).clamp(0, 255) as u8
}
