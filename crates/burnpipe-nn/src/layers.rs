//! Layers: parameters by their checkpoint names, and the operation they belong to.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{DType, Device, FloatDType, Int, Shape, Tensor};

use crate::{ActivationLayer, LinearWeight, ops};

/// Where a layer lives and what it computes in.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The device of its parameters.
    pub device: Device,
    /// The number type of its computation.
    pub dtype: DType,
}

impl Placement {
    /// A parameter of this shape, without memory until a checkpoint fills it.
    pub fn parameter<const D: usize>(&self, shape: [usize; D]) -> Param<Tensor<D>> {
        let dtype = self.dtype;
        let zeros = move |device: &Device, _| Tensor::zeros(shape, (device, dtype));
        Param::uninitialized(ParamId::new(), zeros, self.device.clone(), false, Shape::from(shape))
    }
}

/// A linear layer, `torch.nn.Linear`.
#[derive(Module, Debug)]
pub struct Linear {
    /// Of `inputs` numbers for each of `outputs`.
    pub weight: LinearWeight,
    /// `[outputs]`
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A layer with a bias.
    pub fn new(inputs: usize, outputs: usize, placement: &Placement) -> Self {
        Self::with_bias(inputs, outputs, true, placement)
    }

    /// A layer with a bias or without one, as a config says.
    pub fn with_bias(inputs: usize, outputs: usize, bias: bool, placement: &Placement) -> Self {
        let bias = bias.then(|| placement.parameter([outputs]));
        Self { weight: LinearWeight::new(outputs, inputs, placement), bias }
    }

    /// A layer whose weight checkpoints hold as `[inputs, outputs]`.
    pub fn transposed(inputs: usize, outputs: usize, bias: bool, placement: &Placement) -> Self {
        let bias = bias.then(|| placement.parameter([outputs]));
        Self { weight: LinearWeight::transposed(outputs, inputs, placement), bias }
    }

    /// # Shapes
    ///
    /// - `x`: `[.., inputs]`
    /// - result: `[.., outputs]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        ops::linear(x, &self.weight, self.bias())
    }

    /// The layer and the activation after it.
    pub fn forward_activated<const D: usize>(&self, x: Tensor<D>, activation: &ActivationLayer) -> Tensor<D> {
        ops::linear_activated(x, &self.weight, self.bias(), activation)
    }

    /// The layer, added to `residual`, `[.., outputs]`.
    pub fn forward_added<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>) -> Tensor<D> {
        ops::linear_added(x, &self.weight, self.bias(), residual)
    }

    fn bias(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Param::val)
    }
}

/// A table of vectors, `torch.nn.Embedding`.
///
/// The table may be stored in half precision; rows are cast after they are looked up, which gives
/// the same numbers and leaves the rest of the table untouched on disk. On the CPU a table that is the output layer
/// too is looked up in that layer's packed weight.
#[derive(Module, Debug)]
pub struct Embedding {
    /// `[entries, size]`
    pub weight: LinearWeight,
    #[module(skip)]
    dtype: DType,
}

impl Embedding {
    /// A table of `entries` vectors.
    pub fn new(entries: usize, size: usize, placement: &Placement) -> Self {
        Self { weight: LinearWeight::table(entries, size, placement), dtype: placement.dtype }
    }

    /// Where the table lies.
    pub fn device(&self) -> Device {
        self.weight.device()
    }

    /// # Shapes
    ///
    /// - `ids`: `[batch, tokens]`
    /// - result: `[batch, tokens, size]`
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        ops::embedding(&self.weight, ids).cast(self.dtype)
    }
}

/// Layer normalisation over the last dimension, `torch.nn.LayerNorm`.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[size]`
    pub weight: Param<Tensor<1>>,
    /// `[size]`
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    /// A norm over `size` elements, with a bias.
    pub fn new(size: usize, epsilon: f64, placement: &Placement) -> Self {
        Self::with_bias(size, epsilon, true, placement)
    }

    /// A norm with a bias or without one, as a config says.
    pub fn with_bias(size: usize, epsilon: f64, bias: bool, placement: &Placement) -> Self {
        let bias = bias.then(|| placement.parameter([size]));
        Self { weight: placement.parameter([size]), bias, epsilon }
    }

    /// # Shapes
    ///
    /// - `x`: `[.., size]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let bias = self.bias.as_ref().map(Param::val);
        ops::layer_norm(x, self.weight.val(), bias, self.epsilon)
    }
}

/// Normalisation of every channel over its length, `torch.nn.GroupNorm` with a group for each channel.
#[derive(Module, Debug)]
pub struct ChannelNorm {
    /// `[channels]`
    pub weight: Param<Tensor<1>>,
    /// `[channels]`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl ChannelNorm {
    /// A norm of this many channels.
    pub fn new(channels: usize, epsilon: f64, placement: &Placement) -> Self {
        Self { weight: placement.parameter([channels]), bias: placement.parameter([channels]), epsilon }
    }

    /// The layer and the activation after it.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels, length]`
    pub fn forward_activated(&self, x: Tensor<3>, activation: &ActivationLayer) -> Tensor<3> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        ops::channel_norm_activated(x, weight, bias, self.epsilon, activation)
    }
}

/// Normalisation by the root of the mean square, LLaMA's `RMSNorm`.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[size]`
    pub weight: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
    /// Whether one is added to the weights.
    #[module(skip)]
    around_one: bool,
}

impl RmsNorm {
    /// A norm over `size` elements.
    pub fn new(size: usize, epsilon: f64, placement: &Placement) -> Self {
        Self { weight: placement.parameter([size]), epsilon, around_one: false }
    }

    /// A norm whose weights are stored less one, Gemma's.
    pub fn around_one(size: usize, epsilon: f64, placement: &Placement) -> Self {
        Self { around_one: true, ..Self::new(size, epsilon, placement) }
    }

    /// # Shapes
    ///
    /// - `x`: `[.., size]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = match self.around_one {
            // In f32: beside one, 16 bits are few.
            true => self.weight.val().cast(FloatDType::F32) + 1.0,
            false => self.weight.val(),
        };
        ops::rms_norm(x, weight, self.epsilon)
    }
}
