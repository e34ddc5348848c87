//! Activations, element by element.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::{ApproxGelu, Gelu, Sigmoid, Silu, Swish, Tanh};

use crate::isa::dispatch;

/// How many elements a thread takes at a time: below this, a second thread costs more than it saves.
const CHUNK: usize = 1 << 14;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Exact GELU, by erf.
    Gelu,
    /// GELU by tanh.
    GeluTanh,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// The logistic function.
    Sigmoid,
    /// `x * sigmoid(x)`.
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// Applies it to every element, in parallel.
    ///
    /// ```
    /// let mut values = [-1.0, 2.0];
    /// burnpipe_kernels::Activation::Relu.apply(&mut values);
    /// assert_eq!(values, [0.0, 2.0]);
    /// ```
    pub fn apply(self, values: &mut [f32]) {
        if values.len() <= CHUNK {
            dispatch(Apply { values, activation: self });
        } else {
            let chunks = values.par_chunks_mut(CHUNK);
            chunks.for_each(|values| dispatch(Apply { values, activation: self }));
        }
    }

    /// Multiplies the activated `gates` into `values`: the gated forms (SwiGLU, GeGLU and others).
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn apply_gate(self, gates: &[f32], values: &mut [f32]) {
        assert_eq!(gates.len(), values.len(), "a gate per value");
        let chunks = values.par_chunks_mut(CHUNK).zip(gates.par_chunks(CHUNK));
        chunks.for_each(|(values, gates)| dispatch(Gate { values, gates, activation: self }));
    }

    /// Applies it to a vector of numbers.
    #[inline(always)]
    pub(crate) fn apply_simd<I: Isa>(self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        match self {
            Self::Gelu => Gelu {}.eval(isa, x),
            Self::GeluTanh => ApproxGelu {}.eval(isa, x),
            Self::QuickGelu => Swish { alpha: 1.702 }.eval(isa, x),
            // Not by `max`, which makes a number of NaN.
            Self::Relu => ops.select(ops.zero(), x, ops.lt(x, ops.zero())),
            Self::Sigmoid => Sigmoid {}.eval(isa, x),
            Self::Silu => Silu {}.eval(isa, x),
            Self::Tanh => Tanh {}.eval(isa, x),
        }
    }
}

/// Applies an activation to numbers, on one thread.
pub(crate) struct Apply<'a> {
    pub(crate) values: &'a mut [f32],
    pub(crate) activation: Activation,
}

impl SimdOp for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let mut vectors = self.values.chunks_exact_mut(ops.len());
        for chunk in &mut vectors {
            ops.store(self.activation.apply_simd(isa, ops.load(chunk)), chunk);
        }
        let rest = vectors.into_remainder();
        let (x, _) = ops.load_pad(rest);
        let activated = self.activation.apply_simd(isa, x).to_array();
        rest.iter_mut().zip(activated).for_each(|(value, activated)| *value = activated);
    }
}

struct Gate<'a> {
    values: &'a mut [f32],
    gates: &'a [f32],
    activation: Activation,
}

impl SimdOp for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let mut vectors = self.values.chunks_exact_mut(ops.len());
        let mut gates = self.gates.chunks_exact(ops.len());
        for (chunk, gate) in (&mut vectors).zip(&mut gates) {
            let gate = self.activation.apply_simd(isa, ops.load(gate));
            ops.store(ops.mul(gate, ops.load(chunk)), chunk);
        }
        let (gate, _) = ops.load_pad(gates.remainder());
        let gate = self.activation.apply_simd(isa, gate).to_array();
        vectors.into_remainder().iter_mut().zip(gate).for_each(|(value, gate)| *value *= gate);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The error function in f64, by its series for small and its continued fraction for large arguments.
    fn erf(x: f64) -> f64 {
        if x.abs() < 2.5 {
            let mut term = x;
            let mut sum = x;
            for n in 1..80 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            return sum * 2.0 / std::f64::consts::PI.sqrt();
        }
        let fraction = (1..60).rev().fold(0.0, |fraction, n| f64::from(n) / 2.0 / (x.abs() + fraction));
        let tail = (-x * x).exp() / std::f64::consts::PI.sqrt() / (x.abs() + fraction);
        (1.0 - tail).copysign(x)
    }

    fn reference(activation: Activation, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match activation {
            Activation::Gelu => 0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt())),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            Activation::QuickGelu => x * sigmoid(1.702 * x),
            Activation::Relu => x.max(0.0),
            Activation::Sigmoid => sigmoid(x),
            Activation::Silu => x * sigmoid(x),
            Activation::Tanh => x.tanh(),
        }
    }

    const ALL: [Activation; 7] = [
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Silu,
        Activation::Tanh,
    ];

    proptest! {
        #[test]
        fn activations_equal_f64(values in prop::collection::vec(-12.0_f32..12.0, 0..70)) {
            for activation in ALL {
                let mut answers = values.clone();
                activation.apply(&mut answers);
                let mut gated = vec![2.0; values.len()];
                activation.apply_gate(&values, &mut gated);
                for ((answer, gated), value) in answers.iter().zip(&gated).zip(&values) {
                    let expected = reference(activation, f64::from(*value));
                    prop_assert!((f64::from(*answer) - expected).abs() < 3e-6, "{activation:?}({value}) = {answer}");
                    prop_assert_eq!(*gated, 2.0 * answer);
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for activation in ALL {
            let mut values = [f32::NAN, 1.0];
            activation.apply(&mut values);
            assert!(values[0].is_nan() && values[1].is_finite(), "{activation:?}");
        }
    }

    #[test]
    fn long_slices_are_covered_to_the_end() {
        let mut values = vec![-1.0; 3 * CHUNK + 5];
        Activation::Relu.apply(&mut values);
        assert!(values.iter().all(|&value| value == 0.0));
    }
}
