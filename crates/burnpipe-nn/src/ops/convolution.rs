//! Convolutions.
//!
//! On the CPU their results lie in memory with channels last, `[batch, height, width, channels]`, whatever their shape
//! says, and the next one reads them so: a layer that wants channels last (`permute`, `swap_dims`) gets them
//! without a copy.

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, module};

use crate::{ActivationLayer, ConvolutionWeight};

/// How filters slide over `N` dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding<const N: usize> {
    /// Steps between windows.
    pub stride: [usize; N],
    /// Zeros before and after.
    pub padding: [usize; N],
    /// Steps between the numbers of a window.
    pub dilation: [usize; N],
    /// Groups of channels, each with filters of its own.
    pub groups: usize,
}

impl<const N: usize> Default for Sliding<N> {
    fn default() -> Self {
        Self { stride: [1; N], padding: [0; N], dilation: [1; N], groups: 1 }
    }
}

impl<const N: usize> From<Sliding<N>> for ConvOptions<N> {
    fn from(sliding: Sliding<N>) -> Self {
        Self::new(sliding.stride, sliding.padding, sliding.dilation, sliding.groups)
    }
}

#[cfg(feature = "flex")]
impl<const N: usize> From<Sliding<N>> for burnpipe_kernels::Sliding {
    /// One dimension becomes the width of images whose height is 1.
    fn from(sliding: Sliding<N>) -> Self {
        let both = |of: [usize; N], other: usize| match of.as_slice() {
            [height, width] => [*height, *width],
            [width] => [other, *width],
            _ => [other; 2],
        };
        let [vertical, horizontal] = both(sliding.padding, 0);
        Self {
            stride: both(sliding.stride, 1),
            dilation: both(sliding.dilation, 1),
            padding: [vertical, horizontal, vertical, horizontal],
        }
    }
}

/// What follows a convolution, in this order.
#[derive(Clone, Debug)]
pub struct AfterConvolution<'a, const D: usize> {
    /// Applied to the result.
    pub activation: Option<&'a ActivationLayer>,
    /// Added to it then, of its shape.
    pub residual: Option<Tensor<D>>,
    /// Applied to the sum.
    pub activation_of_sum: Option<&'a ActivationLayer>,
}

impl<const D: usize> Default for AfterConvolution<'_, D> {
    fn default() -> Self {
        Self { activation: None, residual: None, activation_of_sum: None }
    }
}

impl<const D: usize> AfterConvolution<'_, D> {
    pub(super) fn apply(self, mut x: Tensor<D>) -> Tensor<D> {
        if let Some(activation) = self.activation {
            x = activation.forward(x);
        }
        if let Some(residual) = self.residual {
            x = x + residual;
        }
        self.activation_of_sum.into_iter().fold(x, |x, activation| activation.forward(x))
    }
}

/// A convolution over a sequence and what follows it.
///
/// # Shapes
///
/// - `x`: `[batch, channels, length]`
/// - `weight`: `[filters, channels / groups, kernel]`, `bias`: `[filters]`
/// - result: `[batch, filters, new length]`
pub fn conv1d_finished(
    x: Tensor<3>,
    weight: &ConvolutionWeight<3>,
    bias: Option<Tensor<1>>,
    sliding: Sliding<1>,
    after: AfterConvolution<'_, 3>,
) -> Tensor<3> {
    match weight {
        ConvolutionWeight::Plain { parameter, .. } => {
            after.apply(module::conv1d(x, parameter.val(), bias, ConvOptions::from(sliding)))
        }
        #[cfg(feature = "flex")]
        ConvolutionWeight::Packed(filters) => {
            super::cpu_images::convolve(x, filters, bias, &sliding.into(), after)
        }
    }
}

/// A convolution over images and what follows it.
///
/// # Shapes
///
/// - `x`: `[batch, channels, height, width]`
/// - `weight`: `[filters, channels / groups, kernel height, kernel width]`, `bias`: `[filters]`
/// - result: `[batch, filters, new height, new width]`
pub fn conv2d_finished(
    x: Tensor<4>,
    weight: &ConvolutionWeight<4>,
    bias: Option<Tensor<1>>,
    sliding: Sliding<2>,
    after: AfterConvolution<'_, 4>,
) -> Tensor<4> {
    match weight {
        ConvolutionWeight::Plain { parameter, .. } => {
            after.apply(module::conv2d(x, parameter.val(), bias, ConvOptions::from(sliding)))
        }
        #[cfg(feature = "flex")]
        ConvolutionWeight::Packed(filters) => {
            super::cpu_images::convolve(x, filters, bias, &sliding.into(), after)
        }
    }
}
