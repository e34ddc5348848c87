//! The operations on the CPU: between Burn's flex tensors and the slices of `burnpipe-kernels`.
//!
//! Tensors are taken apart by Burn's downcast to a backend's own type instead of its
//! `#[backend_extension]`, which would need every backend's feature repeated here.

use burn::tensor::{Bool, DType, Device, Int, Tensor};
use burn_flex::{Flex, FlexTensor, Layout};
use burnpipe_kernels::{
    Activation, AttentionOptions, AttentionShape, CachedAttention, CachedText, DistanceScores, Finish, Heads,
    HiddenKeys, Norm, PackedMatrix, RotaryPairs, ScoreBias,
};
use half::{bf16, f16};

use super::AttentionScope;

/// Whether a tensor is what the kernels compute on.
pub(crate) fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && x.device() == Device::flex()
}

/// Packs a weight that lies on the CPU, in the type that it is stored in.
pub(crate) fn pack(weight: &Tensor<2>) -> Option<PackedMatrix> {
    if weight.device() != Device::flex() {
        return None;
    }
    let [outputs, inputs] = weight.dims();
    let weight = contiguous(primitive(weight.clone()));
    let range = || {
        let start = weight.layout().start_offset();
        start..start + outputs * inputs
    };
    match weight.dtype() {
        DType::F32 => Some(PackedMatrix::new(&weight.storage::<f32>()[range()], outputs, inputs)),
        DType::F16 => Some(PackedMatrix::new(&weight.storage::<f16>()[range()], outputs, inputs)),
        DType::BF16 => Some(PackedMatrix::new(&weight.storage::<bf16>()[range()], outputs, inputs)),
        _ => None,
    }
}

pub(super) fn linear<const D: usize>(
    x: Tensor<D>,
    weight: &PackedMatrix,
    bias: Option<Tensor<1>>,
    activation: Option<Activation>,
    residual: Option<Tensor<D>>,
) -> Tensor<D> {
    let mut shape: [usize; D] = x.dims();
    let x = contiguous(primitive(x));
    let bias = bias.map(|bias| contiguous(primitive(bias)));
    let residual = residual.map(|residual| contiguous(primitive(residual)));
    let finish = Finish {
        bias: bias.as_ref().map(numbers),
        activation,
        residual: residual.as_ref().map(numbers),
        ..Finish::default()
    };
    shape[D - 1] = weight.outputs();
    tensor(weight.multiply(numbers(&x), &finish), shape)
}

/// Several linear layers over the same rows.
pub(super) fn linear_each<const D: usize, const N: usize>(
    x: Tensor<D>,
    layers: [(&PackedMatrix, Option<Tensor<1>>); N],
) -> [Tensor<D>; N] {
    let shape: [usize; D] = x.dims();
    let x = contiguous(primitive(x));
    let weights = layers.each_ref().map(|(weight, _)| *weight);
    let biases = layers.map(|(_, bias)| bias.map(|bias| contiguous(primitive(bias))));
    let mut biases = biases.iter();
    let jobs = weights.map(|weight| {
        let bias = biases.next().and_then(Option::as_ref).map(numbers);
        (weight, Finish { bias, ..Finish::default() })
    });
    let mut outputs = weights.iter().map(|weight| weight.outputs());
    burnpipe_kernels::multiply_each(numbers(&x), jobs).map(|values| {
        let mut shape = shape;
        shape[D - 1] = outputs.next().unwrap_or_default();
        tensor(values, shape)
    })
}

pub(super) fn embedding(table: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    let [_, size] = table.dims();
    let table = contiguous(primitive(table));
    rows_of(ids, size, |ids| burnpipe_kernels::gather(numbers(&table), size, ids))
}

pub(super) fn packed_embedding(table: &PackedMatrix, ids: Tensor<2, Int>) -> Tensor<3> {
    rows_of(ids, table.inputs(), |ids| table.gather(ids))
}

fn rows_of(ids: Tensor<2, Int>, size: usize, gather: impl FnOnce(&[i32]) -> Vec<f32>) -> Tensor<3> {
    let [batch, tokens] = ids.dims();
    let ids = contiguous(id_primitive(ids));
    let start = ids.layout().start_offset();
    tensor(gather(&ids.storage::<i32>()[start..start + batch * tokens]), [batch, tokens, size])
}

pub(super) fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    let gamma = contiguous(primitive(gamma));
    let beta = beta.map(|beta| contiguous(primitive(beta)));
    let beta = beta.as_ref().map(numbers);
    let norm = Norm::Layer { gamma: numbers(&gamma), beta, epsilon: epsilon as f32 };
    in_place(x, |values| norm.apply(values, None))
}

pub(super) fn rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let gamma = contiguous(primitive(gamma));
    let norm = Norm::Rms { gamma: numbers(&gamma), epsilon: epsilon as f32 };
    in_place(x, |values| norm.apply(values, None))
}

pub(super) fn rotary(
    x: Tensor<4>,
    cosines: Tensor<2>,
    sines: Tensor<2>,
    pairs: super::RotaryPairs,
) -> Tensor<4> {
    let pairs = match pairs {
        super::RotaryPairs::Halves => RotaryPairs::Halves,
        super::RotaryPairs::Neighbours => RotaryPairs::Neighbours,
    };
    let [_, _, heads, size] = x.dims();
    let (cosines, sines) = (contiguous(primitive(cosines)), contiguous(primitive(sines)));
    let (cosines, sines) = (numbers(&cosines), numbers(&sines));
    in_place(x, |values| burnpipe_kernels::rotate(values, heads, size, cosines, sines, pairs))
}

pub(super) fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let size = x.dims()[D - 1];
    in_place(x, |values| burnpipe_kernels::softmax(values, size))
}

pub(super) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    in_any_order(x, |values| activation.apply(values))
}

pub(super) fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    scope: &AttentionScope,
) -> Tensor<4> {
    let [batch, heads, queries, size] = query.dims();
    let [_, key_heads, keys, _] = key.dims();
    let value_size = value.dims()[3];
    let shape = AttentionShape { batch, heads, key_heads, queries, keys, size, value_size };
    let side_by_side = |x: Tensor<4>| with_last_stride_one(primitive(x));
    let (query, key, value) = (side_by_side(query), side_by_side(key), side_by_side(value));
    let bias = scope.bias.clone().map(side_by_side);
    let hidden = scope.hidden.clone().map(hidden_primitive);
    let places = |scores: &Option<Tensor<4>>| scores.as_ref().map(|scores| scores.dims()[3]);
    let of_distances = scope.distances.as_ref().and_then(|scores| {
        let places = places(&scores.of_queries).or(places(&scores.of_keys))?;
        let flat = |scores: &Option<Tensor<4>>| scores.clone().map(|scores| contiguous(primitive(scores)));
        Some((places, flat(&scores.of_queries), flat(&scores.of_keys), scores.distances.place_of()))
    });
    let options = AttentionOptions {
        scale: scope.scale.map_or_else(|| 1.0 / (size as f32).sqrt(), |scale| scale as f32),
        soft_cap: scope.soft_cap.map(|cap| cap as f32),
        bias: bias.as_ref().map(|bias| {
            let [batch_stride, head_stride, query_stride] = strides(bias);
            ScoreBias { values: from_start(bias), batch_stride, head_stride, query_stride }
        }),
        distances: of_distances.as_ref().map(|(places, of_queries, of_keys, place_of)| DistanceScores {
            of_queries: of_queries.as_ref().map(numbers),
            of_keys: of_keys.as_ref().map(numbers),
            places: *places,
            place_of,
        }),
        hidden: hidden.as_ref().map(|hidden| {
            let [batch_stride, _, query_stride] = strides(hidden);
            let values = &hidden.storage::<u8>()[hidden.layout().start_offset()..];
            HiddenKeys { values, batch_stride, query_stride }
        }),
        causal: scope.causal,
        window: scope.window,
        texts: scope.texts.as_deref(),
    };
    let answer = burnpipe_kernels::attention(view(&query), view(&key), view(&value), shape, &options);
    let answer: Tensor<4> = tensor(answer, [batch, queries, heads, value_size]);
    answer.swap_dims(1, 2)
}

/// The numbers of a tensor on the CPU, side by side.
pub(crate) struct CpuNumbers(FlexTensor);

impl CpuNumbers {
    pub(crate) fn new<const D: usize>(x: Tensor<D>) -> Self {
        Self(contiguous(primitive(x)))
    }
}

impl std::ops::Deref for CpuNumbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        numbers(&self.0)
    }
}

/// Attention of new tokens, `[1, tokens, heads, size]`, to their texts in a cache: `[1, tokens, heads, value size]`.
pub(crate) fn attend_cached(
    query: Tensor<4>,
    value_size: usize,
    attention: &CachedAttention<'_>,
    texts: &[CachedText<'_>],
) -> Tensor<4> {
    let [rows, tokens, heads, _] = query.dims();
    let answer = attention.answer(&CpuNumbers::new(query), texts);
    tensor(answer, [rows, tokens, heads, value_size])
}

#[expect(clippy::expect_used, reason = "`takes` has seen the device")]
pub(super) fn primitive<const D: usize>(x: Tensor<D>) -> FlexTensor {
    x.try_into_primitive::<Flex>().expect("a tensor on the CPU")
}

#[expect(clippy::expect_used, reason = "ids lie where their table lies")]
fn id_primitive(ids: Tensor<2, Int>) -> FlexTensor {
    ids.cast(DType::I32).try_into_primitive::<Flex>().expect("ids on the CPU")
}

#[expect(clippy::expect_used, reason = "a mask lies where the scores lie")]
fn hidden_primitive(hidden: Tensor<4, Bool>) -> FlexTensor {
    with_last_stride_one(hidden.try_into_primitive::<Flex>().expect("a mask on the CPU"))
}

pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    let bytes = burn::tensor::Bytes::from_elems(values);
    Tensor::from_primitive::<Flex>(FlexTensor::new(bytes, Layout::contiguous(shape.into()), DType::F32))
}

/// The tensor with its numbers side by side; copied only if they are not.
pub(super) fn contiguous(x: FlexTensor) -> FlexTensor {
    if x.is_contiguous() { x } else { x.to_contiguous() }
}

/// The numbers of a contiguous tensor.
pub(super) fn numbers(x: &FlexTensor) -> &[f32] {
    let start = x.layout().start_offset();
    &x.storage::<f32>()[start..start + x.layout().num_elements()]
}

/// Changes the numbers of a tensor; in its own memory if nobody else has it.
pub(super) fn in_place<const D: usize>(x: Tensor<D>, change: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let mut x = contiguous(primitive(x));
    let (start, count) = (x.layout().start_offset(), x.layout().num_elements());
    change(&mut x.storage_mut::<f32>()[start..start + count]);
    Tensor::from_primitive::<Flex>(x)
}

/// Changes every number of a tensor by itself; in its own memory, and in the order that they lie in, if nobody else
/// has it.
fn in_any_order<const D: usize>(x: Tensor<D>, change: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let mut x = primitive(x);
    if !is_dense(x.layout()) {
        x = x.to_contiguous();
    }
    let (start, count) = (x.layout().start_offset(), x.layout().num_elements());
    change(&mut x.storage_mut::<f32>()[start..start + count]);
    Tensor::from_primitive::<Flex>(x)
}

/// Whether the numbers of a tensor fill a run of memory, in whatever order of its dimensions.
fn is_dense(layout: &Layout) -> bool {
    let dimensions = layout.shape().iter().zip(layout.strides());
    let mut long: Vec<(isize, usize)> =
        dimensions.filter(|(size, _)| **size != 1).map(|(size, stride)| (*stride, *size)).collect();
    long.sort_unstable();
    let mut expected = 1;
    long.iter().all(|&(stride, size)| {
        let fits = stride == expected;
        expected *= size as isize;
        fits
    })
}

/// The tensor with the numbers of its last dimension side by side, and no dimension backwards.
fn with_last_stride_one(x: FlexTensor) -> FlexTensor {
    let strides = x.layout().strides();
    let last_is_one = strides.last() == Some(&1) || x.layout().shape().last() == Some(&1);
    if last_is_one && strides.iter().all(|&stride| stride >= 0) { x } else { x.to_contiguous() }
}

/// The strides of the first three of four dimensions, none of which is negative; a dimension of one is
/// the same for all.
fn strides(x: &FlexTensor) -> [usize; 3] {
    let stride = |dimension: usize| match x.layout().shape()[dimension] {
        1 => 0,
        _ => x.layout().strides()[dimension].unsigned_abs(),
    };
    [stride(0), stride(1), stride(2)]
}

pub(super) fn from_start(x: &FlexTensor) -> &[f32] {
    &x.storage::<f32>()[x.layout().start_offset()..]
}

fn view(x: &FlexTensor) -> Heads<'_> {
    let [batch_stride, head_stride, token_stride] = strides(x);
    Heads { values: from_start(x), batch_stride, head_stride, token_stride }
}
