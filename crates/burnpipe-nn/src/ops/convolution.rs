//! Convolutions.

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, module};

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

/// # Shapes
///
/// - `x`: `[batch, channels, length]`
/// - `weight`: `[filters, channels / groups, kernel]`, `bias`: `[filters]`
/// - result: `[batch, filters, new length]`
pub fn conv1d(x: Tensor<3>, weight: Tensor<3>, bias: Option<Tensor<1>>, sliding: Sliding<1>) -> Tensor<3> {
    module::conv1d(x, weight, bias, ConvOptions::from(sliding))
}

/// # Shapes
///
/// - `x`: `[batch, channels, height, width]`
/// - `weight`: `[filters, channels / groups, kernel height, kernel width]`, `bias`: `[filters]`
/// - result: `[batch, filters, new height, new width]`
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, sliding: Sliding<2>) -> Tensor<4> {
    module::conv2d(x, weight, bias, ConvOptions::from(sliding))
}
