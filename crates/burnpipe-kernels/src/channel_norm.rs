//! Normalisation of channels over their length.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use crate::isa::dispatch;
use crate::norm::sum;

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` for every channel, in place and in parallel.
///
/// `values` are `[batch, channels, length]`, `gamma` and `beta` `[channels]`.
///
/// # Panics
///
/// When the lengths do not fit each other.
///
/// ```
/// let mut channels = [3.0, 1.0, 5.0, 9.0];
/// burnpipe_kernels::norm_channels(&mut channels, 2, &[1.0, 2.0], &[0.0, 1.0], 0.0);
/// assert_eq!(channels, [1.0, -1.0, -1.0, 3.0]);
/// ```
pub fn norm_channels(values: &mut [f32], length: usize, gamma: &[f32], beta: &[f32], epsilon: f32) {
    assert_eq!(gamma.len(), beta.len(), "a shift per scale");
    let whole = (length * gamma.len()).max(1);
    assert!(values.len().is_multiple_of(whole), "whole batches of {whole} numbers");
    let channels = values.par_chunks_mut(length.max(1)).enumerate();
    channels.for_each(|(index, channel)| {
        let (gamma, beta) = (gamma[index % gamma.len()], beta[index % gamma.len()]);
        dispatch(NormChannel { channel, gamma, beta, epsilon });
    });
}

struct NormChannel<'a> {
    channel: &'a mut [f32],
    gamma: f32,
    beta: f32,
    epsilon: f32,
}

impl SimdOp for NormChannel<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let length = self.channel.len() as f32;
        let mean = sum(
            isa,
            self.channel,
            #[inline(always)]
            |x| x,
        ) / length;
        let ops = isa.f32();
        let center = ops.splat(mean);
        let squares = sum(
            isa,
            self.channel,
            #[inline(always)]
            |x| {
                let distance = ops.sub(x, center);
                ops.mul(distance, distance)
            },
        );
        let scale = self.gamma / (squares / length + self.epsilon).sqrt();
        self.channel.iter_mut().for_each(|x| *x = (*x - mean) * scale + self.beta);
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
        fn channels_equal_f64(batch in 1_usize..3, count in 1_usize..5, length in 1_usize..90, offset in -3.0_f32..3.0) {
            let values: Vec<f32> = numbers(batch * count * length, 1).iter().map(|x| x + offset).collect();
            let (gamma, beta) = (numbers(count, 2), numbers(count, 3));
            let mut answers = values.clone();
            norm_channels(&mut answers, length, &gamma, &beta, 1e-3);
            for (index, channel) in values.chunks(length).enumerate() {
                let mean = channel.iter().copied().map(f64::from).sum::<f64>() / length as f64;
                let squares = channel.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
                let deviation = (squares / length as f64 + 1e-3).sqrt();
                let (gamma, beta) = (f64::from(gamma[index % count]), f64::from(beta[index % count]));
                for (x, answer) in channel.iter().zip(&answers[index * length..]) {
                    let expected = (f64::from(*x) - mean) / deviation * gamma + beta;
                    prop_assert!((f64::from(*answer) - expected).abs() < 2e-5, "{answer} is not {expected}");
                }
            }
        }
    }
}
