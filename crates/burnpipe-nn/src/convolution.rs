//! Convolutional layers: parameters by their checkpoint names.

use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;

use crate::{Placement, ops, ops::Sliding};

/// A convolution over a sequence, `torch.nn.Conv1d`.
#[derive(Module, Debug)]
pub struct Conv1d {
    /// `[filters, channels / groups, kernel]`
    pub weight: Param<Tensor<3>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    sliding: Sliding<1>,
}

impl Conv1d {
    /// A layer from `channels` to `filters` channels, with a bias or without one.
    pub fn new(
        channels: usize,
        filters: usize,
        kernel: usize,
        bias: bool,
        sliding: Sliding<1>,
        placement: &Placement,
    ) -> Self {
        let weight = placement.parameter([filters, channels / sliding.groups, kernel]);
        let bias = bias.then(|| placement.parameter([filters]));
        Self { weight, bias, sliding }
    }

    /// A layer of numbers that are there already, for models that compute its weight, `[filters, channels / groups,
    /// kernel]`, from several of a checkpoint.
    pub fn filled(weight: Tensor<3>, bias: Option<Param<Tensor<1>>>, sliding: Sliding<1>) -> Self {
        Self { weight: Param::initialized(ParamId::new(), weight), bias, sliding }
    }

    /// # Shapes
    ///
    /// - `x`: `[batch, channels, length]`
    /// - result: `[batch, filters, new length]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        ops::conv1d(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.sliding)
    }
}

/// A convolution over images, `torch.nn.Conv2d`.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[filters, channels / groups, kernel height, kernel width]`
    pub weight: Param<Tensor<4>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    sliding: Sliding<2>,
}

impl Conv2d {
    /// A layer from `channels` to `filters` channels, with a bias or without one.
    pub fn new(
        channels: usize,
        filters: usize,
        kernel: [usize; 2],
        bias: bool,
        sliding: Sliding<2>,
        placement: &Placement,
    ) -> Self {
        let weight = placement.parameter([filters, channels / sliding.groups, kernel[0], kernel[1]]);
        let bias = bias.then(|| placement.parameter([filters]));
        Self { weight, bias, sliding }
    }

    /// # Shapes
    ///
    /// - `x`: `[batch, channels, height, width]`
    /// - result: `[batch, filters, new height, new width]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), self.sliding)
    }
}
