//! Images, and sequences as images of height 1: how they lie in memory, and how kernels want them.
//!
//! The numbers of a pixel lie side by side ("channels last"): a window over a whole width of pixels is one run
//! of numbers, filters stand where the weights of a linear layer do, and what is done channel by channel is done
//! a vector at a time. Other layouts are copied into this one.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use rayon::prelude::*;

/// Numbers that a thread copies at a time.
const CHUNK: usize = 1 << 13;

/// Images and where their numbers lie.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// How many images.
    pub batch: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Height and width.
    pub size: [usize; 2],
    /// Numbers from one image, channel, row and column to the next.
    pub strides: [usize; 4],
}

impl<'a> Images<'a> {
    /// Images of `[batch, channels, height, width]`.
    pub fn channels_first(values: &'a [f32], batch: usize, channels: usize, size: [usize; 2]) -> Self {
        let [height, width] = size;
        let strides = [channels * height * width, height * width, width, 1];
        Self { values, batch, channels, size, strides }
    }

    /// Images of `[batch, height, width, channels]`.
    pub fn channels_last(values: &'a [f32], batch: usize, channels: usize, size: [usize; 2]) -> Self {
        let [height, width] = size;
        let strides = [height * width * channels, 1, width * channels, channels];
        Self { values, batch, channels, size, strides }
    }

    /// Panics unless all numbers are there. Strides are whatever the caller says, so nothing may wrap around.
    fn check(&self) {
        let counts = [self.batch, self.channels, self.size[0], self.size[1]];
        let last = counts.iter().zip(self.strides).try_fold(0_usize, |last, (count, stride)| {
            count.saturating_sub(1).checked_mul(stride).and_then(|distance| last.checked_add(distance))
        });
        assert!(
            counts.contains(&0) || last.is_some_and(|last| self.values.len() > last),
            "a number for every channel of every pixel"
        );
    }

    /// Whether the numbers of a pixel lie side by side, and those of the next after them.
    fn is_channels_last(&self) -> bool {
        let [_, channel, _, column] = self.strides;
        (channel == 1 || self.channels == 1) && (column == self.channels || self.size[1] == 1)
    }

    /// The images with channels last, each group of channels by itself, and with zeros around: top, left, bottom,
    /// right. They are copied only if they do not lie so.
    pub(crate) fn arranged(&self, groups: usize, padding: [usize; 4]) -> Arranged<'a> {
        self.check();
        let channels = self.channels / groups;
        let [top, left, bottom, right] = padding;
        if groups == 1 && padding == [0; 4] && self.is_channels_last() {
            let [image_stride, _, row_stride, _] = self.strides;
            let values = Cow::Borrowed(self.values);
            return Arranged { values, channels, size: self.size, group_stride: 0, image_stride, row_stride };
        }
        let size = [sum([top, self.size[0], bottom]), sum([left, self.size[1], right])];
        let row_stride = product([size[1], channels]);
        let image_stride = product([size[0], row_stride]);
        let group_stride = product([self.batch, image_stride]);
        let length = product([groups, group_stride]);
        let mut values = Vec::with_capacity(length);
        let rows = values.spare_capacity_mut()[..length].par_chunks_exact_mut(row_stride.max(1));
        rows.with_min_len(CHUNK.div_ceil(row_stride.max(1))).enumerate().for_each(|(row, to)| {
            let (plane, y) = (row / size[0], row % size[0]);
            let (group, image) = (plane / self.batch, plane % self.batch);
            match y.checked_sub(top).filter(|&y| y < self.size[0]) {
                Some(y) => {
                    let inside = left * channels..(left + self.size[1]) * channels;
                    zero(&mut to[..inside.start]);
                    zero(&mut to[inside.end..]);
                    let [image_stride, channel_stride, line_stride, _] = self.strides;
                    let start = image * image_stride + group * channels * channel_stride + y * line_stride;
                    self.copy_row(start, channels, &mut to[inside]);
                }
                None => zero(to),
            }
        });
        // SAFETY: every row was written, to its end.
        unsafe { values.set_len(length) };
        Arranged { values: Cow::Owned(values), channels, size, group_stride, image_stride, row_stride }
    }

    /// Copies `channels` of every pixel of a row.
    fn copy_row(&self, start: usize, channels: usize, to: &mut [MaybeUninit<f32>]) {
        let [_, channel_stride, _, column_stride] = self.strides;
        if channel_stride == 1 && column_stride == channels {
            to.write_copy_of_slice(&self.values[start..start + to.len()]);
            return;
        }
        let pixels = to.chunks_exact_mut(channels.max(1)).enumerate();
        if channel_stride == 1 {
            pixels.for_each(|(column, pixel)| {
                let start = start + column * column_stride;
                pixel.write_copy_of_slice(&self.values[start..start + channels]);
            });
            return;
        }
        // Some channels at a time, so that what is read of each stays in the cache from one pixel to the next.
        for first in (0..channels).step_by(CHANNELS) {
            let last = channels.min(first + CHANNELS);
            for (column, pixel) in to.chunks_exact_mut(channels).enumerate() {
                let start = start + column * column_stride;
                for (channel, number) in pixel[first..last].iter_mut().enumerate() {
                    number.write(self.values[start + (first + channel) * channel_stride]);
                }
            }
        }
    }
}

/// The product of counts of which no memory holds more than fit into a number.
///
/// # Panics
///
/// When they do not.
pub(crate) fn product<const N: usize>(counts: [usize; N]) -> usize {
    let product = counts.into_iter().try_fold(1, usize::checked_mul);
    product.unwrap_or_else(|| too_large(&counts))
}

/// The sum of such counts.
fn sum<const N: usize>(counts: [usize; N]) -> usize {
    let sum = counts.into_iter().try_fold(0, usize::checked_add);
    sum.unwrap_or_else(|| too_large(&counts))
}

#[expect(clippy::panic, reason = "as `Vec` does when no memory is so large")]
fn too_large(counts: &[usize]) -> ! {
    panic!("no memory holds so many numbers: {counts:?}")
}

/// Channels whose lines are in the cache together while they are woven into pixels.
const CHANNELS: usize = 16;

fn zero(numbers: &mut [MaybeUninit<f32>]) {
    numbers.iter_mut().for_each(|number| {
        number.write(0.0);
    });
}

/// Images of which every row is one run of pixels.
pub(crate) struct Arranged<'a> {
    pub(crate) values: Cow<'a, [f32]>,
    /// Channels of a group: the numbers of a pixel.
    pub(crate) channels: usize,
    /// Height and width, with the zeros around.
    pub(crate) size: [usize; 2],
    /// Numbers from one group of channels to the next.
    pub(crate) group_stride: usize,
    /// Numbers from one image to the next.
    pub(crate) image_stride: usize,
    /// Numbers from one row of pixels to the next.
    pub(crate) row_stride: usize,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn arranged_images_hold_the_same_numbers(
            batch in 1_usize..3,
            groups in 1_usize..4,
            channels in 1_usize..20,
            size in [1_usize..6, 1_usize..6],
            padding in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3],
            order in 0_usize..3,
        ) {
            let channels = channels * groups;
            let values = numbers(batch * channels * size[0] * size[1] * 2, 1);
            let mut images = match order {
                0 => Images::channels_first(&values, batch, channels, size),
                _ => Images::channels_last(&values, batch, channels, size),
            };
            if order == 2 {
                // Every other number.
                images.strides = images.strides.map(|stride| 2 * stride);
            }
            let arranged = images.arranged(groups, padding);
            let [top, left, bottom, right] = padding;
            prop_assert_eq!(arranged.size, [top + size[0] + bottom, left + size[1] + right]);
            for at in 0..batch * channels * arranged.size[0] * arranged.size[1] {
                let (x, y) = (at % arranged.size[1], at / arranged.size[1] % arranged.size[0]);
                let plane = at / arranged.size[1] / arranged.size[0];
                let (image, channel) = (plane / channels, plane % channels);
                let inside = y.checked_sub(top).zip(x.checked_sub(left));
                let expected = inside.filter(|&(y, x)| y < size[0] && x < size[1]).map_or(0.0, |(y, x)| {
                    let index = [image, channel, y, x];
                    values[index.iter().zip(images.strides).map(|(index, stride)| index * stride).sum::<usize>()]
                });
                let (group, channel) = (channel / arranged.channels, channel % arranged.channels);
                let start = group * arranged.group_stride + image * arranged.image_stride;
                let number = arranged.values[start + y * arranged.row_stride + x * arranged.channels + channel];
                prop_assert_eq!(number, expected);
            }
        }
    }
    #[test]
    #[should_panic(expected = "a number for every channel")]
    fn strides_that_wrap_around_are_refused() {
        let images =
            Images { values: &[1.0; 4], batch: 1, channels: 1, size: [3, 1], strides: [0, 1, 1 << 63, 1] };
        images.arranged(1, [0; 4]);
    }

    #[test]
    #[should_panic(expected = "no memory holds")]
    fn zeros_around_that_wrap_around_are_refused() {
        Images::channels_first(&[1.0; 4], 1, 1, [2, 2]).arranged(1, [usize::MAX, 0, 0, 0]);
    }
}
