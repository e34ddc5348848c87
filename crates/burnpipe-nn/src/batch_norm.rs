//! Batch normalisation as inference has it: a scale and a shift for every channel, put into the convolution
//! before it where there is one.

use burn::module::{Module, Param};
use burn::tensor::{FloatDType, Tensor};

use crate::{Conv2d, Placement, ops};

/// What `torch.nn.BatchNorm1d` or `BatchNorm2d` was trained to.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// `[channels]`
    pub weight: Param<Tensor<1>>,
    /// `[channels]`
    pub bias: Param<Tensor<1>>,
    /// `[channels]`
    pub running_mean: Param<Tensor<1>>,
    /// `[channels]`
    pub running_var: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl BatchNorm {
    /// The key of a count that training keeps, which `WeightNames::ignored` should have.
    pub const COUNT: &'static str = "num_batches_tracked";

    /// A norm of this many channels.
    pub fn new(channels: usize, epsilon: f64, placement: &Placement) -> Self {
        let parameter = || placement.parameter([channels]);
        Self {
            weight: parameter(),
            bias: parameter(),
            running_mean: parameter(),
            running_var: parameter(),
            epsilon,
        }
    }

    /// The convolution and this norm after it as one convolution. In f32, whatever the layers are in: variances may be
    /// too small for 16 bits.
    #[must_use]
    pub fn after(&self, convolution: Conv2d) -> Conv2d {
        let (scale, shift) = self.scale_and_shift();
        convolution.scaled(scale, shift)
    }

    /// The norm alone, where no convolution is before it.
    ///
    /// # Shapes
    ///
    /// - `x`: `[batch, channels, length]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let (scale, shift) = self.scale_and_shift();
        let channels = x.dims()[1];
        ops::in_f32(x, |x| x * scale.reshape([1, channels, 1]) + shift.reshape([1, channels, 1]))
    }

    fn scale_and_shift(&self) -> (Tensor<1>, Tensor<1>) {
        let in_f32 = |parameter: &Param<Tensor<1>>| parameter.val().cast(FloatDType::F32);
        let scale = in_f32(&self.weight) / (in_f32(&self.running_var) + self.epsilon).sqrt();
        let shift = in_f32(&self.bias) - in_f32(&self.running_mean) * scale.clone();
        (scale, shift)
    }
}
