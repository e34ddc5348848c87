//! The activations that a config can name (`ACT2FN` of transformers).

use burn::module::{Module, Param};
use burn::tensor::{Tensor, activation};
use burnpipe_core::{Error, ErrorKind, Result, quoted};

use crate::Placement;

/// An activation that a config can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Exact GELU, by erf.
    Gelu,
    /// GELU clipped to -10..10.
    GeluClipped,
    /// GELU by tanh, as GPT-2 and others write it.
    GeluTanh,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
    /// `0.5 * (1 + erf((x - mu) / (sigma * sqrt 2)))`, the element-wise form of MEGA.
    Laplace,
    /// ReLU with a slope of 0.01 below zero.
    LeakyRelu,
    /// The identity.
    Linear,
    /// `x * tanh(softplus(x))`.
    Mish,
    /// ReLU with a learned slope below zero.
    PRelu,
    /// `max(x, 0)`.
    Relu,
    /// ReLU, squared.
    Relu2,
    /// ReLU, at most 6.
    Relu6,
    /// The logistic function.
    Sigmoid,
    /// `x * sigmoid(x)`, also called swish.
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

const BY_NAME: &[(&str, Activation)] = &[
    ("gelu", Activation::Gelu),
    ("gelu_10", Activation::GeluClipped),
    ("gelu_accurate", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_python", Activation::Gelu),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("laplace", Activation::Laplace),
    ("leaky_relu", Activation::LeakyRelu),
    ("linear", Activation::Linear),
    ("mish", Activation::Mish),
    ("prelu", Activation::PRelu),
    ("quick_gelu", Activation::QuickGelu),
    ("relu", Activation::Relu),
    ("relu2", Activation::Relu2),
    ("relu6", Activation::Relu6),
    ("sigmoid", Activation::Sigmoid),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("tanh", Activation::Tanh),
];

impl Activation {
    /// The activation that a config calls by this name.
    ///
    /// # Errors
    ///
    /// When transformers knows no such activation, or only for CUDA (`xielu`).
    pub fn from_name(name: &str) -> Result<Self> {
        let found = BY_NAME.iter().find(|(known, _)| *known == name);
        found.map(|&(_, activation)| activation).ok_or_else(|| {
            let known = quoted(BY_NAME.iter().map(|(known, _)| *known));
            let message = format!("activation `{name}` in `config.json` is not supported; known: {known}");
            Error::new(ErrorKind::Config, message)
        })
    }
}

/// An activation as a layer: most have no parameters.
#[derive(Module, Debug)]
pub struct ActivationLayer {
    /// The learned slope of [`Activation::PRelu`], `[1]`.
    pub weight: Option<Param<Tensor<1>>>,
    #[module(skip)]
    kind: Activation,
}

impl ActivationLayer {
    /// The layer of an activation.
    pub fn new(kind: Activation, placement: &Placement) -> Self {
        let weight = (kind == Activation::PRelu).then(|| placement.parameter([1]));
        Self { weight, kind }
    }

    /// Applies it to every element.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match (self.kind, &self.weight) {
            (Activation::PRelu, Some(slope)) => activation::prelu(x, slope.val()),
            (Activation::PRelu | Activation::Linear, _) => x,
            (Activation::Gelu, _) => activation::gelu(x),
            (Activation::GeluClipped, _) => activation::gelu(x).clamp(-10.0, 10.0),
            (Activation::GeluTanh, _) => gelu_tanh(x),
            (Activation::QuickGelu, _) => x.clone() * activation::sigmoid(x * 1.702),
            (Activation::Laplace, _) => laplace(x),
            (Activation::LeakyRelu, _) => activation::leaky_relu(x, 0.01),
            (Activation::Mish, _) => activation::mish(x),
            (Activation::Relu, _) => activation::relu(x),
            (Activation::Relu2, _) => activation::relu(x).square(),
            (Activation::Relu6, _) => x.clamp(0.0, 6.0),
            (Activation::Sigmoid, _) => activation::sigmoid(x),
            (Activation::Silu, _) => activation::silu(x),
            (Activation::Tanh, _) => x.tanh(),
        }
    }
}

/// Burn's own goes by `powf`, which takes longer than the matrix product before it.
fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
    let inner = (x.clone().square() * 0.044_715 + 1.0) * x.clone() * SQRT_2_OVER_PI;
    (inner.tanh() + 1.0) * x * 0.5
}

/// `LaplaceActivation` with its defaults: mu = sqrt(1/2), sigma = sqrt(1/(4 pi)).
fn laplace<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[expect(clippy::approx_constant, reason = "the reference's own digits")]
    const MU: f64 = 0.707_107;
    const SIGMA: f64 = 0.282_095;
    let scaled = (x - MU) / (SIGMA * std::f64::consts::SQRT_2);
    (scaled.erf() + 1.0) * 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_activations_are_refused_with_the_known_ones() {
        let error = Activation::from_name("xielu").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("`xielu`") && error.to_string().contains("`gelu_new`"));
    }
}
