//! Depthwise convolutions: every channel has one filter of its own.
//!
//! There is no product of matrices in them. With channels last, neighbouring channels are a vector, and the
//! windows of some pixels beside each other are summed in registers.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use crate::Finish;
use crate::gemm::Target;
use crate::images::Arranged;
use crate::isa::{apart, dispatch};
use crate::packed::VECTORS;
use crate::windows::Sliding;

/// Filters, `[kernel height, kernel width, channels]`.
#[derive(Clone, Debug)]
pub(crate) struct DepthwiseFilters {
    weights: Vec<f32>,
    kernel: [usize; 2],
    channels: usize,
}

impl DepthwiseFilters {
    /// Packs `[channels, kernel height, kernel width]`, each number by its place.
    pub(crate) fn new(weight: impl Fn(usize) -> f32, channels: usize, kernel: [usize; 2]) -> Self {
        let area = kernel[0] * kernel[1];
        let weights = (0..area * channels).map(|at| weight(at % channels * area + at / channels)).collect();
        Self { weights, kernel, channels }
    }

    /// Multiplies each filter by a number of its own.
    pub(crate) fn scale(&mut self, scales: &[f32]) {
        assert_eq!(scales.len(), self.channels, "a scale per filter");
        let weights = self.weights.iter_mut().zip(scales.iter().cycle());
        weights.for_each(|(weight, scale)| *weight *= scale);
    }

    /// Slides them over images, and writes `[images, height, width, channels]`.
    pub(crate) fn slide(
        &self,
        arranged: &Arranged<'_>,
        images: usize,
        windows: [usize; 2],
        sliding: &Sliding,
        finish: &Finish<'_>,
        target: Target,
    ) {
        let [down, right] = windows;
        let reach = |axis: usize| {
            (windows[axis] - 1) * sliding.stride[axis]
                + (self.kernel[axis].max(1) - 1) * sliding.dilation[axis]
        };
        let last = (images - 1) * arranged.image_stride + reach(0) * arranged.row_stride;
        let end = last + (reach(1) + 1) * self.channels;
        assert!(self.weights.is_empty() || arranged.values.len() >= end, "windows inside the images");
        (0..images * down).into_par_iter().for_each(|row| {
            let (image, y) = (row / down, row % down);
            let start = image * arranged.image_stride + y * sliding.stride[0] * arranged.row_stride;
            let images = &arranged.values[start..];
            let row = row * right;
            dispatch(Row { filters: self, images, arranged, sliding, finish, target, row, right });
        });
    }
}

/// The windows of one row.
struct Row<'a> {
    filters: &'a DepthwiseFilters,
    /// The images from the first window on.
    images: &'a [f32],
    arranged: &'a Arranged<'a>,
    sliding: &'a Sliding,
    finish: &'a Finish<'a>,
    target: Target,
    /// The row's first window, counted over all images.
    row: usize,
    /// Windows of a row.
    right: usize,
}

/// Windows of a tile, so that their sums fill the registers.
const WINDOWS: usize = 6;

impl SimdOp for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let lanes = isa.f32().len();
        let channels = self.filters.channels;
        let tiles = self.right.div_ceil(WINDOWS);
        for channel in (0..channels).step_by(VECTORS * lanes) {
            for tile in 0..tiles {
                let (first, end) = (tile * self.right / tiles, (tile + 1) * self.right / tiles);
                if channel + VECTORS * lanes <= channels {
                    self.tile::<I, VECTORS>(isa, channel, (first, end - first), lanes);
                    continue;
                }
                for channel in (channel..channels).step_by(lanes) {
                    let count = lanes.min(channels - channel);
                    self.tile::<I, 1>(isa, channel, (first, end - first), count);
                }
            }
            if !self.finish.is_empty() {
                let channels = (channel, channels.min(channel + VECTORS * lanes));
                // SAFETY: the tiles have written these channels of the row's windows, which are this row's alone.
                unsafe { self.finish.apply(self.target, (self.row, self.row + self.right), channels) };
            }
        }
    }
}

/// A vector of all channels, or of those of a mask.
///
/// # Safety
///
/// They are there.
#[inline(always)]
unsafe fn load<I: Isa>(isa: I, at: *const f32, mask: Option<I::M32>) -> I::F32 {
    // SAFETY: the caller's promise.
    unsafe {
        match mask {
            None => isa.f32().load_ptr(at),
            Some(mask) => isa.f32().load_ptr_mask(at, mask),
        }
    }
}

impl Row<'_> {
    /// Some windows by `V` vectors of channels, or by the `count` that are left.
    #[inline(always)]
    fn tile<I: Isa, const V: usize>(
        &self,
        isa: I,
        channel: usize,
        (first, windows): (usize, usize),
        count: usize,
    ) {
        macro_rules! by_windows {
            ($($windows:literal)*) => {
                match (windows, count == isa.f32().len()) {
                    $(
                        ($windows, true) => apart(
                            isa,
                            #[inline(always)]
                            || self.sum::<I, $windows, V, true>(isa, channel, first, count),
                        ),
                        ($windows, false) => apart(
                            isa,
                            #[inline(always)]
                            || self.sum::<I, $windows, V, false>(isa, channel, first, count),
                        ),
                    )*
                    _ => unreachable!("tiles have at most {WINDOWS} windows"),
                }
            };
        }
        by_windows!(1 2 3 4 5 6);
    }

    /// The windows of a tile. Unless `WHOLE`, a vector is only `count` channels.
    #[inline(always)]
    fn sum<I: Isa, const R: usize, const V: usize, const WHOLE: bool>(
        &self,
        isa: I,
        channel: usize,
        first: usize,
        count: usize,
    ) {
        let ops = isa.f32();
        let DepthwiseFilters { weights, kernel: [down, right], channels } = self.filters;
        let (row_stride, column) =
            (self.sliding.dilation[0] * self.arranged.row_stride, self.sliding.dilation[1] * channels);
        let step = self.sliding.stride[1] * channels;
        let mask = if WHOLE { None } else { Some(ops.first_n_mask(count)) };
        let images = self.images[first * step + channel..].as_ptr();
        let mut sums = [[ops.zero(); V]; R];
        for line in 0..*down {
            for pixel in 0..*right {
                let weights = weights[(line * right + pixel) * channels + channel..].as_ptr();
                let mut filter = [ops.zero(); V];
                for (vector, filter) in filter.iter_mut().enumerate() {
                    // SAFETY: the filter has a weight for each of these channels.
                    *filter = unsafe { load(isa, weights.add(vector * ops.len()), mask) };
                }
                let at = images.wrapping_add(line * row_stride + pixel * column);
                for (window, sums) in sums.iter_mut().enumerate() {
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: `slide` has checked that all windows lie inside the images.
                        let pixel =
                            unsafe { load(isa, at.wrapping_add(window * step + vector * ops.len()), mask) };
                        *sum = ops.mul_add(pixel, filter[vector], *sum);
                    }
                }
            }
        }
        for (window, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                let channel = channel + vector * ops.len();
                let at = (self.row + first + window) * self.target.stride + channel;
                // SAFETY: the channels lie inside the result, and are this row's alone.
                unsafe {
                    let to = self.target.start.add(at);
                    match mask {
                        None => ops.store_ptr(sum, to),
                        Some(mask) => ops.store_ptr_mask(sum, to, mask),
                    }
                }
            }
        }
    }
}
