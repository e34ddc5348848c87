//! Convolutional layers: parameters by their checkpoint names.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{FloatDType, Tensor};

use crate::ops::{self, AfterConvolution, Sliding};
use crate::{ActivationLayer, ConvolutionWeight, Placement};

/// A convolution over a sequence, `torch.nn.Conv1d`.
#[derive(Module, Debug)]
pub struct Conv1d {
    /// `[filters, channels / groups, kernel]`
    pub weight: ConvolutionWeight<3>,
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
        let shape = [filters, channels / sliding.groups, kernel];
        let weight = ConvolutionWeight::new(shape, sliding.groups, placement);
        let bias = bias.then(|| placement.parameter([filters]));
        Self { weight, bias, sliding }
    }

    /// A layer of numbers that are there already, for models that compute its weight, `[filters, channels / groups,
    /// kernel]`, from several of a checkpoint.
    pub fn filled(weight: Tensor<3>, bias: Option<Param<Tensor<1>>>, sliding: Sliding<1>) -> Self {
        Self { weight: ConvolutionWeight::filled(weight, sliding.groups), bias, sliding }
    }

    /// # Shapes
    ///
    /// - `x`: `[batch, channels, length]`
    /// - result: `[batch, filters, new length]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.forward_finished(x, AfterConvolution::default())
    }

    /// The layer and the activation after it.
    pub fn forward_activated(&self, x: Tensor<3>, activation: &ActivationLayer) -> Tensor<3> {
        self.forward_finished(x, AfterConvolution { activation: Some(activation), ..Default::default() })
    }

    /// The layer and what follows it.
    pub fn forward_finished(&self, x: Tensor<3>, after: AfterConvolution<'_, 3>) -> Tensor<3> {
        let bias = self.bias.as_ref().map(Param::val);
        ops::conv1d_finished(x, &self.weight, bias, self.sliding, after)
    }
}

/// A convolution over images, `torch.nn.Conv2d`.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[filters, channels / groups, kernel height, kernel width]`
    pub weight: ConvolutionWeight<4>,
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
        let shape = [filters, channels / sliding.groups, kernel[0], kernel[1]];
        let weight = ConvolutionWeight::new(shape, sliding.groups, placement);
        let bias = bias.then(|| placement.parameter([filters]));
        Self { weight, bias, sliding }
    }

    /// # Shapes
    ///
    /// - `x`: `[batch, channels, height, width]`
    /// - result: `[batch, filters, new height, new width]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward_finished(x, AfterConvolution::default())
    }

    /// The layer and the activation after it.
    pub fn forward_activated(&self, x: Tensor<4>, activation: &ActivationLayer) -> Tensor<4> {
        self.forward_finished(x, AfterConvolution { activation: Some(activation), ..Default::default() })
    }

    /// The layer and what follows it.
    pub fn forward_finished(&self, x: Tensor<4>, after: AfterConvolution<'_, 4>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        ops::conv2d_finished(x, &self.weight, bias, self.sliding, after)
    }

    /// The layer with its results scaled and shifted per filter, as one layer. `scale` and `shift` are `[filters]`, in
    /// f32.
    #[must_use]
    pub fn scaled(self, scale: Tensor<1>, shift: Tensor<1>) -> Self {
        let bias = match &self.bias {
            Some(bias) => bias.val().cast(FloatDType::F32) * scale.clone() + shift,
            None => shift,
        };
        let weight = self.weight.scaled(scale);
        let bias = match &weight {
            ConvolutionWeight::Plain { parameter, .. } => bias.cast(parameter.val().dtype()),
            #[cfg(feature = "flex")]
            ConvolutionWeight::Packed(_) => bias,
        };
        Self { weight, bias: Some(Param::initialized(ParamId::new(), bias)), sliding: self.sliding }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;
    use crate::Activation;

    const PLACEMENT: fn() -> Placement = || Placement { device: Device::flex(), dtype: DType::F32 };

    /// Numbers that are all over -1 to 1.
    fn tensor<const D: usize>(shape: [usize; D], seed: usize) -> Tensor<D> {
        let values =
            (0..shape.iter().product()).map(|at: usize| (((at + seed) * 7919 % 211) as f32 - 105.0) / 105.0);
        Tensor::from_data(TensorData::new(values.collect::<Vec<f32>>(), shape), (&Device::flex(), DType::F32))
    }

    fn assert_close<const D: usize>(answer: Tensor<D>, expected: Tensor<D>) {
        assert_eq!(answer.dims(), expected.dims());
        #[expect(clippy::unwrap_used, reason = "of a test")]
        let numbers = |x: Tensor<D>| x.into_data().try_to_vec::<f32>().unwrap();
        for (answer, expected) in numbers(answer).into_iter().zip(numbers(expected)) {
            assert!((answer - expected).abs() < 1e-4, "{answer} is not {expected}");
        }
    }

    /// Burn's own convolution, which is nothing that the kernels share code with.
    fn by_burn(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, sliding: Sliding<2>) -> Tensor<4> {
        burn::tensor::module::conv2d(x, weight, Some(bias), burn::tensor::ops::ConvOptions::from(sliding))
    }

    #[test]
    fn packed_filters_give_what_burn_gives() {
        let sliding = Sliding { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 };
        let (weight, bias) = (tensor([6, 2, 3, 2], 1), tensor([6], 2));
        let layer = Conv2d {
            weight: ConvolutionWeight::filled(weight.clone(), 2),
            bias: Some(Param::initialized(ParamId::new(), bias.clone())),
            sliding,
        };
        assert!(matches!(layer.weight, ConvolutionWeight::Packed(_)));
        // As it comes, a part of a larger tensor, and with another order of dimensions in memory.
        for x in [
            tensor([2, 4, 7, 6], 3),
            tensor([2, 5, 9, 6], 3).narrow(1, 1, 4).narrow(2, 2, 7),
            tensor([2, 6, 7, 4], 3).permute([0, 3, 2, 1]),
        ] {
            let expected = by_burn(x.clone(), weight.clone(), bias.clone(), sliding);
            assert_close(layer.forward(x.clone()), expected.clone());
            let (scale, shift) = (tensor([6], 4), tensor([6], 5));
            let line =
                |x: Tensor<4>| x * scale.clone().reshape([1, 6, 1, 1]) + shift.clone().reshape([1, 6, 1, 1]);
            let scaled = layer.clone().scaled(scale.clone(), shift.clone());
            assert_close(scaled.forward(x), line(expected));
        }
    }

    #[test]
    fn what_follows_is_done_in_order_with_kernels_and_without() {
        let layer = |kind| ActivationLayer::new(kind, &PLACEMENT());
        let (with, without) = (layer(Activation::Tanh), layer(Activation::Mish));
        let weight = tensor([5, 3, 3, 3], 1);
        let conv = Conv2d {
            weight: ConvolutionWeight::filled(weight.clone(), 1),
            bias: Some(Param::initialized(ParamId::new(), tensor([5], 2))),
            sliding: Sliding::default(),
        };
        let x = tensor([1, 3, 8, 8], 3);
        let plain = by_burn(x.clone(), weight, tensor([5], 2), Sliding::default());
        let residual = tensor([1, 5, 6, 6], 4);
        let choices = [None, Some(&with), Some(&without)];
        for (activation, activation_of_sum) in
            choices.iter().flat_map(|a| choices.iter().map(move |b| (*a, *b)))
        {
            let act = |layer: Option<&ActivationLayer>, x: Tensor<4>| match layer {
                Some(layer) => layer.forward(x),
                None => x,
            };
            let expected = act(activation_of_sum, act(activation, plain.clone()) + residual.clone());
            let after = AfterConvolution { activation, residual: Some(residual.clone()), activation_of_sum };
            assert_close(conv.forward_finished(x.clone(), after), expected);
        }
    }

    #[test]
    fn sequences_are_images_of_height_one() {
        let sliding = Sliding { stride: [2], padding: [2], dilation: [1], groups: 1 };
        let (weight, bias) = (tensor([6, 4, 3], 1), tensor([6], 2));
        let layer =
            Conv1d::filled(weight.clone(), Some(Param::initialized(ParamId::new(), bias.clone())), sliding);
        for x in [tensor([2, 4, 9], 3), tensor([2, 9, 4], 3).swap_dims(1, 2)] {
            let options = burn::tensor::ops::ConvOptions::from(sliding);
            let expected =
                burn::tensor::module::conv1d(x.clone(), weight.clone(), Some(bias.clone()), options);
            assert_close(layer.forward(x), expected);
        }
    }

    #[test]
    fn pools_and_norms_give_what_burn_gives() {
        let images = tensor([2, 6, 7, 5], 1);
        // Other types take the way of other backends.
        let elsewhere = |x: Tensor<4>| x.cast(FloatDType::F64);
        for x in [images.clone(), tensor([2, 7, 5, 6], 2).permute([0, 3, 1, 2])] {
            let back = |x: Tensor<4>| x.cast(FloatDType::F32);
            assert_close(
                ops::max_pool2d(x.clone(), 3, 2, 1),
                back(ops::max_pool2d(elsewhere(x.clone()), 3, 2, 1)),
            );
            let means = ops::mean_of_channels(x.clone());
            assert_close(means, ops::mean_of_channels(elsewhere(x.clone())).cast(FloatDType::F32));
            let relu = ActivationLayer::new(Activation::Relu, &PLACEMENT());
            let norm = |x: Tensor<4>| {
                let rows = x.reshape([2, 6, 35]);
                ops::channel_norm_activated(rows, tensor([6], 4), tensor([6], 5), 1e-3, &relu)
            };
            assert_close(norm(x.clone()), norm(elsewhere(x)).cast(FloatDType::F32));
        }
    }
}
