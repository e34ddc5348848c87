//! Operations on images and sequences on the CPU, whose kernels want and give channels last.

use burn::tensor::{DType, Device, Tensor};
use burn_flex::FlexTensor;
use burnpipe_kernels::{FilterShape, Finish, GroupNorm, Images, PackedFilters, Sliding};
use half::{bf16, f16};

use super::AfterConvolution;
use super::cpu::{contiguous, from_start, in_place, numbers, primitive, tensor};
use crate::ActivationLayer;

/// Packs filters that lie on the CPU.
pub(crate) fn pack_filters<const D: usize>(weight: &Tensor<D>, groups: usize) -> Option<PackedFilters> {
    if weight.device() != Device::flex() {
        return None;
    }
    let dims: [usize; D] = weight.dims();
    let kernel = match dims.as_slice() {
        [_, _, height, width] => [*height, *width],
        [_, _, width] => [1, *width],
        _ => return None,
    };
    let shape = FilterShape { filters: dims[0], channels: dims[1], kernel, groups };
    let weight = contiguous(primitive(weight.clone()));
    let start = weight.layout().start_offset();
    let range = start..start + weight.layout().num_elements();
    match weight.dtype() {
        DType::F32 => Some(PackedFilters::new(&weight.storage::<f32>()[range], shape)),
        DType::F16 => Some(PackedFilters::new(&weight.storage::<f16>()[range], shape)),
        DType::BF16 => Some(PackedFilters::new(&weight.storage::<bf16>()[range], shape)),
        _ => None,
    }
}

/// A convolution and what follows it.
pub(super) fn convolve<const D: usize>(
    x: Tensor<D>,
    filters: &PackedFilters,
    bias: Option<Tensor<1>>,
    sliding: &Sliding,
    after: AfterConvolution<'_, D>,
) -> Tensor<D> {
    let x = without_negative_strides(x);
    let images = images(&x);
    let windows = sliding.windows(images.size, filters.shape().kernel);
    let bias = bias.map(|bias| contiguous(primitive(bias)));
    let kernel = |layer: Option<&ActivationLayer>| layer.and_then(ActivationLayer::kernel);
    let mut finish = Finish { bias: bias.as_ref().map(numbers), ..Finish::default() };
    let mut after = after;
    let residual;
    // What has no kernel ends what can be done while the numbers are near.
    if after.activation.is_none_or(|layer| layer.kernel().is_some()) {
        finish.activation = kernel(after.activation.take());
        residual = after.residual.take().map(|residual| contiguous(primitive(channels_last(residual))));
        finish.residual = residual.as_ref().map(numbers);
        if after.activation_of_sum.is_some_and(|layer| layer.kernel().is_some()) {
            finish.activation_of_sum = kernel(after.activation_of_sum.take());
        }
    }
    let result = filters.slide(images, sliding, &finish);
    let (batch, filters) = (images.batch, filters.shape().filters);
    after.apply(channels_first(result, batch, windows, filters))
}

pub(super) fn max_pool2d(x: Tensor<4>, kernel: [usize; 2], sliding: &Sliding) -> Tensor<4> {
    let x = without_negative_strides(x);
    let images = images(&x);
    let result = burnpipe_kernels::max_pool(images, kernel, sliding);
    channels_first(result, images.batch, sliding.windows(images.size, kernel), images.channels)
}

/// `[images, channels]`
pub(super) fn mean_of_channels(x: Tensor<4>) -> Tensor<2> {
    let x = without_negative_strides(x);
    let images = images(&x);
    tensor(burnpipe_kernels::mean_of_pixels(images), [images.batch, images.channels])
}

/// Every channel over its length.
pub(super) fn channel_norm(
    x: Tensor<3>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: Option<burnpipe_kernels::Activation>,
) -> Tensor<3> {
    let [batch, channels, _] = x.dims();
    let (gamma, beta) = (contiguous(primitive(gamma)), contiguous(primitive(beta)));
    let (gamma, beta) = (numbers(&gamma), numbers(&beta));
    let norm = GroupNorm { groups: channels, gamma, beta, epsilon: epsilon as f32, activation };
    in_place(x.swap_dims(1, 2), |values| norm.apply(values, batch)).swap_dims(1, 2)
}

/// A view with the channels, dimension 1, after all others.
fn channels_last<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.permute(axes(|at| {
        if at == D - 1 {
            1
        } else if at > 0 {
            at + 1
        } else {
            0
        }
    }))
}

fn axes<const D: usize>(axis: impl Fn(usize) -> usize) -> [usize; D] {
    std::array::from_fn(axis)
}

/// `[images, filters, height, width]`, or without a height, of numbers that lie with channels last.
fn channels_first<const D: usize>(
    values: Vec<f32>,
    batch: usize,
    [height, width]: [usize; 2],
    channels: usize,
) -> Tensor<D> {
    let images: Tensor<4> = tensor(values, [batch, height, width, channels]);
    let shape = axes(|at| match at {
        0 => batch,
        _ if at == D - 1 => channels,
        _ if at == D - 2 => width,
        _ => height,
    });
    images.reshape(shape).permute(axes(|at| match at {
        0 => 0,
        1 => D - 1,
        _ => at - 1,
    }))
}

/// `[images, channels, height, width]`, or without a height, where they lie.
fn images(x: &FlexTensor) -> Images<'_> {
    let (shape, strides) = (x.layout().shape(), x.layout().strides());
    let stride = |dimension: usize| strides[dimension].unsigned_abs();
    let last = shape.num_dims() - 1;
    let (height, row_stride) = if last == 3 { (shape[2], stride(2)) } else { (1, 0) };
    Images {
        values: from_start(x),
        batch: shape[0],
        channels: shape[1],
        size: [height, shape[last]],
        strides: [stride(0), stride(1), row_stride, stride(last)],
    }
}

fn without_negative_strides<const D: usize>(x: Tensor<D>) -> FlexTensor {
    let x = primitive(x);
    if x.layout().has_positive_strides() { x } else { x.to_contiguous() }
}
