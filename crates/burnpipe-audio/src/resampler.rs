//! Changing the sampling rate of a sound that comes in pieces, as ffmpeg does.
//!
//! Python's pipelines read files through `ffmpeg -ar RATE`, so the filter is that of libswresample's defaults: a
//! sinc under a Kaiser window with beta 9, of 32 zero crossings, half down at 0.97 of the lower of both Nyquist
//! frequencies, one set of coefficients for each position between two samples, up to 1024 of them.
//!
//! Its quality: frequencies up to 0.8 of the lower Nyquist frequency pass within 0.01 dB, those above 1.2 of it are
//! 85 dB down. What lies between folds back into the band from 0.8 up, as it does in Python.

use std::f64::consts::PI;

/// Samples of the filter in units of the slower of both clocks.
const FILTER_SIZE: f64 = 32.0;
/// Where the filter is half down, in parts of the lower Nyquist frequency.
const CUTOFF: f64 = 0.97;
const KAISER_BETA: f64 = 9.0;
/// Positions between two samples that have coefficients of their own; others are between two of them.
const MOST_PHASES: usize = 1024;

/// Resamples one channel.
pub(crate) struct Resampler {
    /// Both rates without their common divisor.
    source_rate: usize,
    target_rate: usize,
    phases: usize,
    taps: usize,
    /// `phases + 1` rows of `taps` coefficients; the last row is the first one, a sample later.
    filters: Vec<f32>,
    /// Samples that windows still to come read.
    pending: Vec<f32>,
    /// Whether what lies before the first sample is there.
    started: bool,
    /// Where in `pending` the next window begins, and the rest in parts of `target_rate`.
    position: usize,
    remainder: usize,
}

impl Resampler {
    /// From `source_rate` to `target_rate`, both above 0.
    pub(crate) fn new(source_rate: u32, target_rate: u32) -> Self {
        let divisor = greatest_common_divisor(source_rate.max(1), target_rate.max(1));
        let (source_rate, target_rate) = (source_rate.max(1) / divisor, target_rate.max(1) / divisor);
        let factor = (f64::from(target_rate) * CUTOFF / f64::from(source_rate)).min(1.0);
        let taps = ((FILTER_SIZE / factor).ceil() as usize).next_multiple_of(2);
        let phases = (target_rate as usize).min(MOST_PHASES);
        Self {
            source_rate: source_rate as usize,
            target_rate: target_rate as usize,
            phases,
            taps,
            filters: filter_bank(factor, taps, phases),
            pending: Vec::new(),
            started: false,
            position: 0,
            remainder: 0,
        }
    }

    /// Takes the next samples and appends what can be told already.
    pub(crate) fn process(&mut self, samples: &[f32], resampled: &mut Vec<f32>) {
        self.pending.extend_from_slice(samples);
        if !self.started && self.pending.len() > self.taps {
            self.mirror_the_beginning();
        }
        if self.started {
            self.run(resampled);
        }
    }

    /// Appends what is left, with the end mirrored.
    pub(crate) fn finish(&mut self, resampled: &mut Vec<f32>) {
        if self.pending.is_empty() {
            return;
        }
        if !self.started {
            self.mirror_the_beginning();
            self.run(resampled);
        }
        let left = self.pending.len() - self.position.min(self.pending.len());
        let end = self.pending.len();
        for back in 1..=left.min(self.taps).div_ceil(2) {
            self.pending.push(self.pending[end - back]);
        }
        self.run(resampled);
        self.pending.clear();
    }

    /// Puts the first samples in reverse before the first one, which stands in the middle of the first window.
    fn mirror_the_beginning(&mut self) {
        let last = self.pending.len().saturating_sub(1);
        let before = (self.taps - 1) / 2;
        let mirrored: Vec<f32> = (1..=before).rev().map(|index| self.pending[index.min(last)]).collect();
        self.pending.splice(0..0, mirrored);
        self.started = true;
    }

    fn run(&mut self, resampled: &mut Vec<f32>) {
        while let Some(window) = self.pending.get(self.position..self.position + self.taps) {
            let scaled = self.remainder * self.phases;
            let (phase, between) = (scaled / self.target_rate, scaled % self.target_rate);
            let row = |phase: usize| &self.filters[phase * self.taps..][..self.taps];
            let mut value = dot(window, row(phase));
            if between > 0 {
                let next = dot(window, row(phase + 1));
                value += (next - value) * (between as f32 / self.target_rate as f32);
            }
            resampled.push(value);
            self.position += self.source_rate / self.target_rate;
            self.remainder += self.source_rate % self.target_rate;
            if self.remainder >= self.target_rate {
                self.remainder -= self.target_rate;
                self.position += 1;
            }
        }
        let read = self.position.min(self.pending.len());
        self.pending.drain(..read);
        self.position -= read;
    }
}

/// The coefficients of every position between two samples, and those of the next sample.
fn filter_bank(factor: f64, taps: usize, phases: usize) -> Vec<f32> {
    let center = ((taps - 1) / 2) as f64;
    let coefficient = |phase: usize, tap: usize| {
        let x = PI * (tap as f64 - center - phase as f64 / phases as f64) * factor;
        let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
        let w = 2.0 * x / (factor * taps as f64 * PI);
        sinc * bessel_i0(KAISER_BETA * (1.0 - w * w).max(0.0).sqrt())
    };
    let gain: f64 = (0..taps).map(|tap| coefficient(0, tap)).sum();
    let mut filters = Vec::with_capacity((phases + 1) * taps);
    for phase in 0..phases {
        filters.extend((0..taps).map(|tap| (coefficient(phase, tap) / gain) as f32));
    }
    filters.push(0.0);
    filters.extend_from_within(..taps - 1);
    filters
}

/// The modified Bessel function of order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut order) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= quarter / (order * order);
        sum += term;
        order += 1.0;
    }
    sum
}

/// A product summed in eight lanes, which compilers make vectors of.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let (left_eights, left_rest) = left.as_chunks::<8>();
    let (right_eights, right_rest) = right.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (left, right) in left_eights.iter().zip(right_eights) {
        for lane in 0..8 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}

pub(crate) fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}
