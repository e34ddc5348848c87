//! Pooling over the height and the width of images.

use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Tensor, module};

use super::in_f32;

/// The greatest number under each place of a square window.
///
/// # Shapes
///
/// - `x`: `[images, channels, height, width]`
/// - result: `[images, channels, new height, new width]`
pub fn max_pool2d(x: Tensor<4>, kernel: usize, stride: usize, padding: usize) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if super::cpu::takes(&x) {
        let sliding = super::Sliding { stride: [stride; 2], padding: [padding; 2], ..Default::default() };
        return super::cpu_images::max_pool2d(x, [kernel; 2], &sliding.into());
    }
    let options =
        MaxPoolOptions::new([kernel, kernel]).with_stride([stride, stride]).with_padding([padding, padding]);
    module::max_pool2d(x, options)
}

/// The mean of every channel, in f32 whatever the type of `x`.
///
/// # Shapes
///
/// - `x`: `[images, channels, height, width]`
/// - result: `[images, channels]`
pub fn mean_of_channels(x: Tensor<4>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if super::cpu::takes(&x) {
        return super::cpu_images::mean_of_channels(x);
    }
    let [images, channels, height, width] = x.dims();
    let x = x.reshape([images, channels, height * width]);
    in_f32(x, |x| x.mean_dim(2)).reshape([images, channels])
}
