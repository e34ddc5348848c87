//! Which inputs make an output, and how much of each.

use std::f64::consts::PI;

use super::Filter;

/// Whose whole numbers weights are made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// 22 bits behind the point.
    Pillow,
    /// As many bits behind the point as the largest weight leaves of 16.
    Torch,
}

/// Bits of Pillow's weights behind the point: 32 less eight of a pixel, less two for sums beyond one and signs.
const PILLOW_BITS: u32 = 22;

/// The inputs of every output along one side.
pub(super) struct Taps<T> {
    /// The first input of each output.
    pub(super) starts: Vec<usize>,
    /// How many inputs each output has.
    pub(super) counts: Vec<usize>,
    /// `[outputs, longest]`, zero behind an output's own.
    weights: Vec<T>,
    longest: usize,
}

/// How many weights there are for a side, about.
pub(super) fn weights(inputs: usize, outputs: usize, filter: Filter) -> usize {
    let stretch = (inputs as f64 / outputs as f64).max(1.0);
    outputs.saturating_mul((filter.support() * stretch).ceil() as usize * 2 + 1)
}

impl<T> Taps<T> {
    /// The weights of one output.
    pub(super) fn weights(&self, output: usize) -> &[T] {
        &self.weights[output * self.longest..][..self.counts[output]]
    }

    /// Of every output: first input, weights.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[T])> {
        (0..self.starts.len()).map(|output| (self.starts[output], self.weights(output)))
    }

    /// The inputs that are used at all, from the first to behind the last.
    pub(super) fn used(&self) -> (usize, usize) {
        let first = self.starts.first().copied().unwrap_or(0);
        let end = self.starts.iter().zip(&self.counts).map(|(start, count)| start + count).max();
        (first, end.unwrap_or(first))
    }
}

impl Taps<f64> {
    /// `precompute_coeffs` of Pillow.
    pub(super) fn new(inputs: usize, outputs: usize, filter: Filter) -> Self {
        let scale = inputs as f64 / outputs as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let longest = support.ceil() as usize * 2 + 1;
        let mut taps = Self {
            starts: Vec::with_capacity(outputs),
            counts: Vec::with_capacity(outputs),
            weights: vec![0.0; outputs * longest],
            longest,
        };
        for output in 0..outputs {
            let center = (output as f64 + 0.5) * scale;
            let start = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(inputs);
            let count = end.saturating_sub(start).min(longest);
            let weights = &mut taps.weights[output * longest..][..count];
            for (input, weight) in (start..).zip(weights.iter_mut()) {
                *weight = filter.at((input as f64 - center + 0.5) * (1.0 / stretch));
            }
            let sum: f64 = weights.iter().sum();
            if sum != 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
            taps.starts.push(start);
            taps.counts.push(count);
        }
        taps
    }

    /// The weights as whole numbers, and how many of their bits stand behind the point.
    pub(super) fn whole(self, arithmetic: Arithmetic) -> (Taps<i32>, u32) {
        let bits = match arithmetic {
            Arithmetic::Pillow => PILLOW_BITS,
            Arithmetic::Torch => {
                let largest = self.weights.iter().copied().fold(0.0, f64::max);
                let is_too_large =
                    |bits: &u32| (0.5 + largest * f64::from(1 << (bits + 1))) as i32 >= 1 << 15;
                (0..22).find(is_too_large).unwrap_or(22)
            }
        };
        let scale = f64::from(1 << bits);
        let whole = |weight: f64| (weight * scale + f64::copysign(0.5, weight)) as i32;
        let weights = self.weights.into_iter().map(whole).collect();
        (Taps { starts: self.starts, counts: self.counts, weights, longest: self.longest }, bits)
    }
}

impl Taps<f32> {
    /// The weights that torch computes in single precision, for [`Filter::Bilinear`] and [`Filter::Bicubic`].
    pub(super) fn single(inputs: usize, outputs: usize, filter: Filter) -> Self {
        let scale = inputs as f32 / outputs as f32;
        let stretch = scale.max(1.0);
        let support = filter.support() as f32 * stretch;
        let longest = support.ceil() as usize * 2 + 1;
        let mut taps = Self {
            starts: Vec::with_capacity(outputs),
            counts: Vec::with_capacity(outputs),
            weights: vec![0.0; outputs * longest],
            longest,
        };
        for output in 0..outputs {
            let center = (f64::from(scale) * (output as f64 + 0.5)) as f32;
            let start = (f64::from(center - support) + 0.5) as usize;
            let end = ((f64::from(center + support) + 0.5) as usize).min(inputs);
            let count = end.saturating_sub(start).min(longest);
            let weights = &mut taps.weights[output * longest..][..count];
            for (input, weight) in (start..).zip(weights.iter_mut()) {
                let distance = f64::from(input as f32 - center) + 0.5;
                *weight = filter.at_single((distance * f64::from(1.0 / stretch)) as f32);
            }
            let sum: f32 = weights.iter().sum();
            if sum != 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= sum);
            }
            taps.starts.push(start);
            taps.counts.push(count);
        }
        taps
    }
}

impl Filter {
    /// Pixels to each side of the middle.
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        match self {
            Self::Nearest | Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Bicubic => bicubic(x.abs()),
            Self::Hamming if x == 0.0 => 1.0,
            Self::Hamming if x.abs() >= 1.0 => 0.0,
            // Pillow's two numbers are in single precision.
            Self::Hamming => sinc(x.abs()) * (f64::from(0.54f32) + f64::from(0.46f32) * (x.abs() * PI).cos()),
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

impl Filter {
    /// [`Filter::at`] in single precision.
    fn at_single(self, x: f32) -> f32 {
        const A: f32 = -0.5;
        let x = x.abs();
        match self {
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A,
            Self::Bicubic => 0.0,
            _ => (1.0 - x).max(0.0),
        }
    }
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}
