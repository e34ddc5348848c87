//! Group norm: images, or sequences, brought to a common scale by groups of channels over all pixels.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use crate::Activation;
use crate::activation::Apply;
use crate::isa::dispatch;

/// Numbers that a thread takes at a time: an eighth of a megabyte, read twice for a mean and what is around it.
const CHUNK: usize = 1 << 15;

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, by groups of channels, each over all pixels of an image.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm<'a> {
    /// Groups of channels; as many as channels norm each by itself.
    pub groups: usize,
    /// `[channels]`
    pub gamma: &'a [f32],
    /// `[channels]`
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
    /// Applied after the norm.
    pub activation: Option<Activation>,
}

impl GroupNorm<'_> {
    /// Normalises images of `[pixels, channels]` each, in place and in parallel.
    ///
    /// # Panics
    ///
    /// When there are no whole images, or no whole groups.
    ///
    /// ```
    /// use burnpipe_kernels::GroupNorm;
    ///
    /// let mut pixels = [3.0, 0.0, 1.0, 0.0]; // two pixels of two channels
    /// let (gamma, beta) = (&[1.0; 2], &[0.0; 2]);
    /// GroupNorm { groups: 2, gamma, beta, epsilon: 1e-9, activation: None }.apply(&mut pixels, 1);
    /// assert_eq!(pixels, [1.0, 0.0, -1.0, 0.0]);
    /// ```
    pub fn apply(&self, values: &mut [f32], images: usize) {
        let channels = self.gamma.len();
        if values.is_empty() {
            return;
        }
        assert!(self.groups > 0 && channels.is_multiple_of(self.groups), "channels in equal groups");
        assert_eq!(self.beta.len(), channels, "a beta per channel");
        assert!(values.len().is_multiple_of(images * channels), "whole pixels of whole images");
        let chunk = CHUNK.div_ceil(channels) * channels;
        for image in values.chunks_mut(values.len() / images) {
            let parts = image.par_chunks(chunk).map(|pixels| dispatch(Measure { pixels, channels }));
            let lines = self.lines(&parts.collect::<Vec<Vec<Moments>>>());
            let pixels = image.par_chunks_mut(chunk);
            pixels.for_each(|pixels| dispatch(Line { pixels, lines: &lines, activation: self.activation }));
        }
    }

    /// What each channel is multiplied by, and what is added then.
    fn lines(&self, parts: &[Vec<Moments>]) -> [Vec<f32>; 2] {
        let channels = self.gamma.len();
        let size = channels / self.groups;
        let mut lines = [Vec::with_capacity(channels), Vec::with_capacity(channels)];
        for group in 0..self.groups {
            let channels = group * size..(group + 1) * size;
            let moments = parts.iter().flat_map(|part| &part[channels.clone()]);
            let Moments { count, mean, squares } = moments.copied().fold(Moments::default(), Moments::and);
            let scale = 1.0 / (squares / count + f64::from(self.epsilon)).sqrt();
            for channel in channels {
                let scale = scale * f64::from(self.gamma[channel]);
                lines[0].push(scale as f32);
                lines[1].push((f64::from(self.beta[channel]) - mean * scale) as f32);
            }
        }
        lines
    }
}

/// Of some numbers: how many there are, their mean, and the sum of the squares of their distances from it.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Those of both (Chan, Golub and LeVeque, *Updating formulae and a pairwise algorithm for computing sample
    /// variances*, 1979).
    fn and(self, other: Self) -> Self {
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        let share = other.count / count;
        Self {
            count,
            mean: self.mean + distance * share,
            squares: self.squares + other.squares + distance * distance * self.count * share,
        }
    }
}

/// The moments of every channel over some pixels.
struct Measure<'a> {
    pixels: &'a [f32],
    channels: usize,
}

impl SimdOp for Measure<'_> {
    type Output = Vec<Moments>;

    #[inline(always)]
    fn eval<I: Isa>(self, _isa: I) -> Vec<Moments> {
        let Self { pixels, channels } = self;
        let count = pixels.len() / channels;
        let mut means = vec![0.0_f32; channels];
        for pixel in pixels.chunks_exact(channels) {
            means.iter_mut().zip(pixel).for_each(|(sum, number)| *sum += number);
        }
        means.iter_mut().for_each(|sum| *sum /= count as f32);
        let mut squares = vec![0.0_f32; channels];
        for pixel in pixels.chunks_exact(channels) {
            for ((sum, number), mean) in squares.iter_mut().zip(pixel).zip(&means) {
                let distance = number - mean;
                *sum += distance * distance;
            }
        }
        let moments = means.iter().zip(&squares).map(|(&mean, &squares)| Moments {
            count: count as f64,
            mean: f64::from(mean),
            squares: f64::from(squares),
        });
        moments.collect()
    }
}

/// Multiplies and adds numbers of their own to the channels of some pixels.
struct Line<'a> {
    pixels: &'a mut [f32],
    lines: &'a [Vec<f32>; 2],
    activation: Option<Activation>,
}

impl SimdOp for Line<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let [scales, shifts] = self.lines;
        for pixel in self.pixels.chunks_exact_mut(scales.len()) {
            let mut numbers = pixel.chunks_exact_mut(ops.len());
            let lines = scales.chunks_exact(ops.len()).zip(shifts.chunks_exact(ops.len()));
            for (numbers, (scale, shift)) in (&mut numbers).zip(lines) {
                ops.store(ops.mul_add(ops.load(numbers), ops.load(scale), ops.load(shift)), numbers);
            }
            let rest = numbers.into_remainder();
            let whole = scales.len() - rest.len();
            for ((number, scale), shift) in rest.iter_mut().zip(&scales[whole..]).zip(&shifts[whole..]) {
                *number = *number * scale + shift;
            }
            // A pass of its own, while the pixel is in the nearest cache: within the loop above it is not inlined.
            if let Some(activation) = self.activation {
                Apply { values: pixel, activation }.eval(isa);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    fn check(images: usize, pixels: usize, groups: usize, size: usize, offset: f32) {
        let channels = groups * size;
        let values: Vec<f32> = numbers(images * pixels * channels, 1).iter().map(|x| x + offset).collect();
        let (gamma, beta) = (numbers(channels, 2), numbers(channels, 3));
        let mut answers = values.clone();
        let activation = Some(Activation::Relu);
        GroupNorm { groups, gamma: &gamma, beta: &beta, epsilon: 1e-3, activation }
            .apply(&mut answers, images);
        for (at, answer) in answers.iter().enumerate() {
            let (image, channel) = (at / channels / pixels, at % channels);
            let of_group =
                |at: &usize| at / channels / pixels == image && at % channels / size == channel / size;
            let x: Vec<f64> = (0..values.len()).filter(of_group).map(|at| f64::from(values[at])).collect();
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let normed = (f64::from(values[at]) - mean) / (variance + 1e-3).sqrt();
            let expected = (normed * f64::from(gamma[channel]) + f64::from(beta[channel])).max(0.0);
            assert!((f64::from(*answer) - expected).abs() < 1e-4, "{answer} is not {expected}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 32 }))]

        #[test]
        fn norms_equal_f64(
            images in 1_usize..3,
            pixels in 1_usize..9,
            groups in 1_usize..5,
            size in 1_usize..6,
            offset in -3.0_f32..3.0,
        ) {
            check(images, pixels, groups, size, offset);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes minutes")]
    fn parts_of_a_long_sequence_are_put_together() {
        let (pixels, channels) = (3 * CHUNK + 7, 1);
        let mut values: Vec<f32> =
            numbers(pixels, 1).iter().enumerate().map(|(at, x)| x + at as f32 * 1e-4).collect();
        let x: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
        let mean = x.iter().sum::<f64>() / pixels as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / pixels as f64;
        let (gamma, beta) = (&vec![1.0; channels], &vec![0.0; channels]);
        GroupNorm { groups: 1, gamma, beta, epsilon: 0.0, activation: None }.apply(&mut values, 1);
        for (answer, x) in values.iter().zip(x) {
            assert!((f64::from(*answer) - (x - mean) / variance.sqrt()).abs() < 1e-4);
        }
    }
}
