//! The activations that a config can name (`ACT2FN` of transformers).

use burn::module::{Module, Param};
use burn::tensor::{FloatDType, Tensor, activation};
use burnpipe_core::{Error, ErrorKind, Result, quoted};

use crate::{Placement, ops};

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
    /// xIELU (arXiv 2411.13010): a learned parabola above zero, a learned exponential below.
    Xielu,
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
    ("xielu", Activation::Xielu),
];

impl Activation {
    /// The activation that a config calls by this name.
    ///
    /// # Errors
    ///
    /// When transformers knows no such activation.
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
#[expect(clippy::large_enum_variant, reason = "a model has tens of them, each beside megabytes of weights")]
pub enum ActivationLayer {
    /// One without parameters.
    Fixed(FixedActivation),
    /// [`Activation::PRelu`].
    PRelu(PReluActivation),
    /// [`Activation::Xielu`].
    Xielu(XieluActivation),
}

impl ActivationLayer {
    /// The layer of an activation.
    pub fn new(kind: Activation, placement: &Placement) -> Self {
        let parameter = || placement.parameter([1]);
        match kind {
            Activation::PRelu => Self::PRelu(PReluActivation { weight: parameter() }),
            Activation::Xielu => Self::Xielu(XieluActivation {
                alpha_p: parameter(),
                alpha_n: parameter(),
                beta: parameter(),
                eps: parameter(),
            }),
            kind => Self::Fixed(FixedActivation { kind }),
        }
    }

    /// The CPU's kernel for it, if there is one.
    #[cfg(feature = "flex")]
    pub(crate) fn kernel(&self) -> Option<burnpipe_kernels::Activation> {
        use burnpipe_kernels::Activation as Kernel;
        let Self::Fixed(layer) = self else { return None };
        match layer.kind {
            Activation::Gelu => Some(Kernel::Gelu),
            Activation::GeluTanh => Some(Kernel::GeluTanh),
            Activation::QuickGelu => Some(Kernel::QuickGelu),
            Activation::Relu => Some(Kernel::Relu),
            Activation::Sigmoid => Some(Kernel::Sigmoid),
            Activation::Silu => Some(Kernel::Silu),
            Activation::Tanh => Some(Kernel::Tanh),
            _ => None,
        }
    }

    /// Applies it to every element.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if let Some(kernel) = self.kernel() {
            return ops::activate(x, kernel, |x| self.forward_by_burn(x));
        }
        self.forward_by_burn(x)
    }

    fn forward_by_burn<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Fixed(layer) => layer.forward(x),
            Self::PRelu(layer) => activation::prelu(x, layer.weight.val()),
            Self::Xielu(layer) => layer.forward(x),
        }
    }
}

/// An activation without parameters.
#[derive(Module, Debug)]
pub struct FixedActivation {
    #[module(skip)]
    kind: Activation,
}

impl FixedActivation {
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self.kind {
            Activation::Gelu => activation::gelu(x),
            Activation::GeluClipped => activation::gelu(x).clamp(-10.0, 10.0),
            Activation::GeluTanh => gelu_tanh(x),
            Activation::QuickGelu => x.clone() * activation::sigmoid(x * 1.702),
            Activation::Laplace => laplace(x),
            Activation::LeakyRelu => activation::leaky_relu(x, 0.01),
            Activation::Mish => activation::mish(x),
            Activation::Relu => activation::relu(x),
            Activation::Relu2 => activation::relu(x).square(),
            Activation::Relu6 => x.clamp(0.0, 6.0),
            Activation::Sigmoid => activation::sigmoid(x),
            Activation::Silu => activation::silu(x),
            Activation::Tanh => x.tanh(),
            // Those with parameters have layers of their own.
            Activation::Linear | Activation::PRelu | Activation::Xielu => x,
        }
    }
}

/// [`Activation::PRelu`].
#[derive(Module, Debug)]
pub struct PReluActivation {
    /// The slope below zero, `[1]`.
    pub weight: Param<Tensor<1>>,
}

/// [`Activation::Xielu`]: `a x^2 + beta x` above zero, `b (e^min(x, eps) - 1 - x) + beta x` below.
///
/// `a = softplus(alpha_p)` and `b = beta + softplus(alpha_n)` are rounded to bfloat16: the
/// reference keeps its parameters in that type, whatever the type of the model is.
#[derive(Module, Debug)]
pub struct XieluActivation {
    /// What makes `a`, `[1]`.
    pub alpha_p: Param<Tensor<1>>,
    /// What makes `b`, `[1]`.
    pub alpha_n: Param<Tensor<1>>,
    /// The slope at zero, `[1]`.
    pub beta: Param<Tensor<1>>,
    /// The number just below zero that keeps the exponential from cancelling, `[1]`.
    pub eps: Param<Tensor<1>>,
}

impl XieluActivation {
    fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let softplus = |alpha: &Param<Tensor<1>>| {
            round_to_bfloat16(activation::softplus(round_to_bfloat16(alpha.val()), 1.0))
        };
        let (beta, eps) = (round_to_bfloat16(self.beta.val()), round_to_bfloat16(self.eps.val()));
        let above = softplus(&self.alpha_p).unsqueeze::<D>();
        let below = round_to_bfloat16(beta.clone() + softplus(&self.alpha_n)).unsqueeze::<D>();
        ops::in_f32(x, |x| {
            let is_above = x.clone().greater_elem(0.0);
            let line = x.clone() * beta.unsqueeze::<D>();
            let exponential = x.clone().min_pair(eps.unsqueeze::<D>().expand(x.dims())).exp() - 1.0;
            let negative = (exponential - x.clone()) * below;
            let positive = x.square() * above;
            negative.mask_where(is_above, positive) + line
        })
    }
}

/// The nearest number that bfloat16 has, as f32, by Veltkamp's splitting: not every backend has the
/// type.
fn round_to_bfloat16(x: Tensor<1>) -> Tensor<1> {
    let x = x.cast(FloatDType::F32);
    // f32 has 24 significant bits and bfloat16 has 8.
    let scaled = x.clone() * 65_537.0;
    scaled.clone() - (scaled - x)
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
        let error = Activation::from_name("gelo").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("`gelo`") && error.to_string().contains("`gelu_new`"));
    }
}
