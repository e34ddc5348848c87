//! Pooling: the largest numbers of windows, and the mean of whole images, channel by channel.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use crate::images::{Arranged, Images, product};
use crate::isa::dispatch;
use crate::windows::Sliding;

/// The largest number of every window: `[batch, height, width, channels]`, as high and wide as there are
/// [windows](Sliding::windows). What is around images counts for nothing; where a number is none, so is the largest.
///
/// # Panics
///
/// When the images do not hold what they say.
///
/// ```
/// use burnpipe_kernels::{Images, Sliding, max_pool};
///
/// let images = Images::channels_first(&[1.0, 3.0, 2.0, -1.0], 1, 1, [1, 4]);
/// let sliding = Sliding { stride: [1, 2], ..Sliding::default() };
/// assert_eq!(max_pool(images, [1, 2], &sliding), [3.0, 2.0]);
/// ```
pub fn max_pool(images: Images<'_>, kernel: [usize; 2], sliding: &Sliding) -> Vec<f32> {
    assert!(sliding.stride.iter().all(|&stride| stride > 0), "steps between windows");
    let arranged = images.arranged(1, [0; 4]);
    let [down, right] = sliding.windows(images.size, kernel);
    let mut result = vec![f32::NEG_INFINITY; product([images.batch, down, right, images.channels])];
    let rows = result.par_chunks_mut((right * images.channels).max(1)).enumerate();
    rows.for_each(|(row, to)| {
        let (image, y) = (row / down, row % down);
        dispatch(PoolRow { arranged: &arranged, image, y, kernel, sliding, to });
    });
    result
}

/// The windows of a row.
struct PoolRow<'a> {
    arranged: &'a Arranged<'a>,
    image: usize,
    y: usize,
    kernel: [usize; 2],
    sliding: &'a Sliding,
    to: &'a mut [f32],
}

impl SimdOp for PoolRow<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Arranged { channels, size: [height, width], image_stride, row_stride, .. } = *self.arranged;
        let Sliding { stride, dilation, padding: [top, left, ..] } = *self.sliding;
        for (x, to) in self.to.chunks_exact_mut(channels.max(1)).enumerate() {
            for at in 0..self.kernel[0] * self.kernel[1] {
                let y = self.y * stride[0] + at / self.kernel[1] * dilation[0];
                let x = x * stride[1] + at % self.kernel[1] * dilation[1];
                let inside = y.checked_sub(top).zip(x.checked_sub(left));
                let Some((y, x)) = inside.filter(|&(y, x)| y < height && x < width) else { continue };
                let start = self.image * image_stride + y * row_stride + x * channels;
                keep_larger(isa, to, &self.arranged.values[start..start + channels]);
            }
        }
    }
}

/// Puts those numbers of `others` in place that are larger, or none.
#[inline(always)]
fn keep_larger<I: Isa>(isa: I, largest: &mut [f32], others: &[f32]) {
    let ops = isa.f32();
    let mut vectors = largest.chunks_exact_mut(ops.len());
    let mut other_vectors = others.chunks_exact(ops.len());
    for (largest, other) in (&mut vectors).zip(&mut other_vectors) {
        let (most, other) = (ops.load(largest), ops.load(other));
        let most = ops.select(other, most, ops.gt(other, most));
        ops.store(ops.select(most, other, ops.eq(other, other)), largest);
    }
    for (most, &other) in vectors.into_remainder().iter_mut().zip(other_vectors.remainder()) {
        if other > *most || other.is_nan() {
            *most = other;
        }
    }
}

/// The mean of all pixels of every image: `[batch, channels]`.
///
/// # Panics
///
/// When the images do not hold what they say.
///
/// ```
/// use burnpipe_kernels::{Images, mean_of_pixels};
///
/// assert_eq!(mean_of_pixels(Images::channels_first(&[1.0, 3.0, 5.0, 5.0], 1, 2, [1, 2])), [2.0, 5.0]);
/// ```
pub fn mean_of_pixels(images: Images<'_>) -> Vec<f32> {
    let arranged = images.arranged(1, [0; 4]);
    let channels = images.channels;
    let mut means = vec![0.0; images.batch * channels];
    means.par_chunks_mut(channels.max(1)).enumerate().for_each(|(image, mean)| {
        dispatch(Mean { arranged: &arranged, image, mean });
    });
    means
}

struct Mean<'a> {
    arranged: &'a Arranged<'a>,
    image: usize,
    mean: &'a mut [f32],
}

impl SimdOp for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _isa: I) {
        let Arranged { channels, size: [height, width], image_stride, row_stride, .. } = *self.arranged;
        // Rows are summed by themselves first: so many numbers in one sum would lose digits.
        let mut row_sum = vec![0.0; channels];
        for y in 0..height {
            row_sum.fill(0.0);
            let start = self.image * image_stride + y * row_stride;
            for pixel in self.arranged.values[start..start + width * channels].chunks_exact(channels.max(1)) {
                row_sum.iter_mut().zip(pixel).for_each(|(sum, number)| *sum += number);
            }
            self.mean.iter_mut().zip(&row_sum).for_each(|(sum, row)| *sum += row);
        }
        let count = (height * width).max(1) as f32;
        self.mean.iter_mut().for_each(|sum| *sum /= count);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn the_largest_of_windows_are_found(
            batch in 1_usize..3,
            channels in 1_usize..20,
            size in [3_usize..9, 3_usize..9],
            kernel in [1_usize..4, 1_usize..4],
            stride in [1_usize..3, 1_usize..3],
            padding in [0_usize..2, 0_usize..2, 0_usize..2, 0_usize..2],
        ) {
            let values = numbers(batch * channels * size[0] * size[1], 1);
            let images = Images::channels_first(&values, batch, channels, size);
            let sliding = Sliding { stride, padding, ..Sliding::default() };
            let answers = max_pool(images, kernel, &sliding);
            let [down, right] = sliding.windows(size, kernel);
            prop_assert_eq!(answers.len(), batch * down * right * channels);
            for (at, answer) in answers.into_iter().enumerate() {
                let (channel, x, y) = (at % channels, at / channels % right, at / channels / right % down);
                let plane = (at / channels / right / down * channels + channel) * size[0] * size[1];
                let mut most = f32::NEG_INFINITY;
                for window in 0..kernel[0] * kernel[1] {
                    let y = (y * stride[0] + window / kernel[1]).wrapping_sub(padding[0]);
                    let x = (x * stride[1] + window % kernel[1]).wrapping_sub(padding[1]);
                    if y < size[0] && x < size[1] {
                        most = most.max(values[plane + y * size[1] + x]);
                    }
                }
                prop_assert_eq!(answer, most);
            }
        }

        #[test]
        fn means_equal_f64(batch in 1_usize..3, channels in 1_usize..20, size in [1_usize..9, 1_usize..9]) {
            let area = size[0] * size[1];
            let values = numbers(batch * channels * area, 1);
            let means = mean_of_pixels(Images::channels_first(&values, batch, channels, size));
            prop_assert_eq!(means.len(), batch * channels);
            for (mean, plane) in means.into_iter().zip(values.chunks(area)) {
                let expected = plane.iter().map(|&number| f64::from(number)).sum::<f64>() / area as f64;
                prop_assert!((f64::from(mean) - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for at in 0..3 {
            let mut values = [1.0; 3 * 9];
            values[at * 9..(at + 1) * 9].fill(f32::NAN);
            let answers = max_pool(Images::channels_last(&values, 1, 9, [1, 3]), [1, 3], &Sliding::default());
            assert!(answers.iter().all(|answer| answer.is_nan()));
        }
    }
}
