//! Layer norm, RMS norm and softmax over rows.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

use crate::attention::softmax_row;
use crate::isa::dispatch;

/// Numbers that a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// How a row is brought to a common scale.
#[derive(Clone, Copy, Debug)]
pub enum Norm<'a> {
    /// `(x - mean) / sqrt(variance + epsilon) * gamma + beta`
    Layer {
        /// `[size]`
        gamma: &'a [f32],
        /// `[size]`
        beta: Option<&'a [f32]>,
        /// Added to the variance.
        epsilon: f32,
    },
    /// `x / sqrt(mean of x^2 + epsilon) * gamma`
    Rms {
        /// `[size]`
        gamma: &'a [f32],
        /// Added to the mean.
        epsilon: f32,
    },
}

impl Norm<'_> {
    fn size(&self) -> usize {
        match self {
            Self::Layer { gamma, .. } | Self::Rms { gamma, .. } => gamma.len(),
        }
    }

    /// Normalises rows, in place and in parallel, after adding `residual` if there is one.
    ///
    /// # Panics
    ///
    /// When the lengths do not fit each other.
    ///
    /// ```
    /// use burnpipe_kernels::Norm;
    ///
    /// let mut rows = [3.0, 1.0];
    /// Norm::Layer { gamma: &[1.0, 1.0], beta: None, epsilon: 0.0 }.apply(&mut rows, None);
    /// assert_eq!(rows, [1.0, -1.0]);
    /// ```
    pub fn apply(&self, rows: &mut [f32], residual: Option<&[f32]>) {
        let size = self.size().max(1);
        assert!(rows.len().is_multiple_of(size), "whole rows of {size} numbers");
        assert!(residual.is_none_or(|residual| residual.len() == rows.len()), "a residual per number");
        let chunk = CHUNK.div_ceil(size) * size;
        let run =
            |rows: &mut [f32], residual: Option<&[f32]>| dispatch(NormRows { rows, residual, norm: *self });
        match residual {
            _ if rows.len() <= chunk => run(rows, residual),
            None => rows.par_chunks_mut(chunk).for_each(|rows| run(rows, None)),
            Some(residual) => {
                let pairs = rows.par_chunks_mut(chunk).zip(residual.par_chunks(chunk));
                pairs.for_each(|(rows, residual)| run(rows, Some(residual)));
            }
        }
    }
}

struct NormRows<'a> {
    rows: &'a mut [f32],
    residual: Option<&'a [f32]>,
    norm: Norm<'a>,
}

impl SimdOp for NormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let size = self.norm.size().max(1);
        for (index, row) in self.rows.chunks_mut(size).enumerate() {
            if let Some(residual) = self.residual {
                let residual = &residual[index * size..(index + 1) * size];
                row.iter_mut().zip(residual).for_each(|(x, residual)| *x += residual);
            }
            match self.norm {
                Norm::Layer { gamma, beta, epsilon } => {
                    let mean = sum(
                        isa,
                        row,
                        #[inline(always)]
                        |x| x,
                    ) / size as f32;
                    let ops = isa.f32();
                    let center = ops.splat(mean);
                    let variance = sum(
                        isa,
                        row,
                        #[inline(always)]
                        |x| {
                            let distance = ops.sub(x, center);
                            ops.mul(distance, distance)
                        },
                    );
                    let variance = variance / size as f32;
                    let scale = 1.0 / (variance + epsilon).sqrt();
                    row.iter_mut().zip(gamma).for_each(|(x, gamma)| *x = (*x - mean) * scale * gamma);
                    if let Some(beta) = beta {
                        row.iter_mut().zip(beta).for_each(|(x, beta)| *x += beta);
                    }
                }
                Norm::Rms { gamma, epsilon } => {
                    let squares = sum(
                        isa,
                        row,
                        #[inline(always)]
                        |x| isa.f32().mul(x, x),
                    );
                    let scale = 1.0 / (squares / size as f32 + epsilon).sqrt();
                    row.iter_mut().zip(gamma).for_each(|(x, gamma)| *x = *x * scale * gamma);
                }
            }
        }
    }
}

/// The sum of a function over a row.
#[inline(always)]
fn sum<I: Isa>(isa: I, row: &[f32], function: impl Fn(I::F32) -> I::F32) -> f32 {
    let ops = isa.f32();
    let mut sums = [ops.zero(), ops.zero()];
    let mut vectors = row.chunks_exact(2 * ops.len());
    for pair in &mut vectors {
        let (left, right) = pair.split_at(ops.len());
        sums[0] = ops.add(sums[0], function(ops.load(left)));
        sums[1] = ops.add(sums[1], function(ops.load(right)));
    }
    let sum: f32 = ops.add(sums[0], sums[1]).to_array().into_iter().sum();
    let rest = vectors.remainder().chunks(ops.len());
    let mut sum = sum;
    for vector in rest {
        let last = function(ops.load_pad(vector).0).to_array();
        sum += last.into_iter().take(vector.len()).sum::<f32>();
    }
    sum
}

/// Softmax of every row, in place and in parallel.
///
/// # Panics
///
/// When there are no whole rows of `size`.
///
/// ```
/// let mut row = [2.0, 2.0];
/// burnpipe_kernels::softmax(&mut row, 2);
/// assert_eq!(row, [0.5, 0.5]);
/// ```
pub fn softmax(rows: &mut [f32], size: usize) {
    let size = size.max(1);
    assert!(rows.len().is_multiple_of(size), "whole rows of {size} numbers");
    let chunk = CHUNK.div_ceil(size) * size;
    if rows.len() <= chunk {
        dispatch(SoftmaxRows { rows, size });
    } else {
        rows.par_chunks_mut(chunk).for_each(|rows| dispatch(SoftmaxRows { rows, size }));
    }
}

struct SoftmaxRows<'a> {
    rows: &'a mut [f32],
    size: usize,
}

impl SimdOp for SoftmaxRows<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        self.rows.chunks_mut(self.size).for_each(|row| softmax_row(isa, row));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    fn close(answer: f32, expected: f64) -> bool {
        (f64::from(answer) - expected).abs() < 1e-5 * expected.abs().max(1.0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn norms_equal_f64(size in 1_usize..80, count in 1_usize..5, offset in -3.0_f32..3.0) {
            let values: Vec<f32> = numbers(size * count, 1).iter().map(|x| x + offset).collect();
            let residual = numbers(size * count, 2);
            let (gamma, beta) = (numbers(size, 3), numbers(size, 4));
            let mut layer = values.clone();
            Norm::Layer { gamma: &gamma, beta: Some(&beta), epsilon: 1e-3 }.apply(&mut layer, Some(&residual));
            let mut rms = values.clone();
            Norm::Rms { gamma: &gamma, epsilon: 1e-3 }.apply(&mut rms, None);
            for (at, (layer, rms)) in layer.iter().zip(&rms).enumerate() {
                let (row, column) = (at / size * size, at % size);
                let x: Vec<f64> =
                    (row..row + size).map(|i| f64::from(values[i]) + f64::from(residual[i])).collect();
                let mean = x.iter().sum::<f64>() / size as f64;
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / size as f64;
                let (gamma, beta) = (f64::from(gamma[column]), f64::from(beta[column]));
                let expected = (x[column] - mean) / (variance + 1e-3).sqrt() * gamma + beta;
                prop_assert!(close(*layer, expected), "{layer} is not {expected}");
                let squares = values[row..row + size].iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
                let expected = f64::from(values[at]) / (squares / size as f64 + 1e-3).sqrt() * gamma;
                prop_assert!(close(*rms, expected), "{rms} is not {expected}");
            }
        }

        #[test]
        fn softmax_equals_f64(values in prop::collection::vec(-30.0_f32..30.0, 1..80)) {
            let most = values.iter().copied().fold(f32::MIN, f32::max);
            let powers: Vec<f64> = values.iter().map(|&x| (f64::from(x) - f64::from(most)).exp()).collect();
            let mut answers = values.clone();
            softmax(&mut answers, values.len());
            for (answer, power) in answers.iter().zip(&powers) {
                prop_assert!(close(*answer, power / powers.iter().sum::<f64>()));
            }
        }
    }

    #[test]
    fn many_rows_are_covered_to_the_end() {
        let size = 7;
        let count = 2 * CHUNK / size + 3;
        let mut rows = numbers(size * count, 5);
        softmax(&mut rows, size);
        assert!(rows.chunks(size).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5));
    }
}
