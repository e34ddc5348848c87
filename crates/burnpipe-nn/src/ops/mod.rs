//! The operations that models are made of, one thin layer over Burn.
//!
//! Models call these and not Burn's own, so that a faster kernel for a backend has one place to go.

use std::sync::Arc;

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, DType, Device, FloatDType, Int, Tensor, TensorData, activation, module};

#[cfg(feature = "flex")]
use burn::module::Param;

use crate::linear_weight::outputs_first;
use crate::{ActivationLayer, Linear, LinearWeight, Placement};

mod convolution;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod cpu_images;
mod distances;
mod pooling;
mod rotary;

pub use convolution::{AfterConvolution, Sliding, conv1d_finished, conv2d_finished};
#[cfg(feature = "flex")]
pub(crate) use cpu::{CpuNumbers, attend_cached, pack, takes as on_cpu};
#[cfg(feature = "flex")]
pub(crate) use cpu_images::pack_filters;
pub use distances::{DistanceScores, Distances};
pub use pooling::{max_pool2d, mean_of_channels};
pub use rotary::{RotaryAngles, RotaryPairs, rotary};

/// Whether linear and convolutional layers there pack their weights, and may hold them in half precision.
pub(crate) fn packs(placement: &Placement) -> bool {
    #[cfg(feature = "flex")]
    let packs = placement.device == Device::flex() && placement.dtype == DType::F32;
    #[cfg(not(feature = "flex"))]
    let packs = {
        let _ = placement;
        false
    };
    packs
}

/// `x . weight^T + bias`.
///
/// # Shapes
///
/// - `x`: `[.., inputs]`
/// - `weight`: `[outputs, inputs]`, `bias`: `[outputs]`
/// - result: `[.., outputs]`
pub fn linear<const D: usize>(x: Tensor<D>, weight: &LinearWeight, bias: Option<Tensor<1>>) -> Tensor<D> {
    match weight {
        LinearWeight::Plain { parameter, transposed, .. } => {
            plain_linear(x, outputs_first(parameter, *transposed), bias)
        }
        #[cfg(feature = "flex")]
        LinearWeight::Packed(weight) => cpu::linear(x, weight, bias, None, None),
    }
}

/// A [`linear`] and the activation after it.
pub fn linear_activated<const D: usize>(
    x: Tensor<D>,
    weight: &LinearWeight,
    bias: Option<Tensor<1>>,
    activation: &ActivationLayer,
) -> Tensor<D> {
    match weight {
        LinearWeight::Plain { parameter, transposed, .. } => {
            activation.forward(plain_linear(x, outputs_first(parameter, *transposed), bias))
        }
        #[cfg(feature = "flex")]
        LinearWeight::Packed(weight) => match activation.kernel() {
            Some(kernel) => cpu::linear(x, weight, bias, Some(kernel), None),
            None => activation.forward(cpu::linear(x, weight, bias, None, None)),
        },
    }
}

/// A [`linear`] whose result is added to `residual`, `[.., outputs]`.
pub fn linear_added<const D: usize>(
    x: Tensor<D>,
    weight: &LinearWeight,
    bias: Option<Tensor<1>>,
    residual: Tensor<D>,
) -> Tensor<D> {
    match weight {
        LinearWeight::Plain { parameter, transposed, .. } => {
            plain_linear(x, outputs_first(parameter, *transposed), bias) + residual
        }
        #[cfg(feature = "flex")]
        LinearWeight::Packed(weight) => cpu::linear(x, weight, bias, None, Some(residual)),
    }
}

/// Several layers over the same `x`, as [`linear`] each.
pub fn linear_each<const D: usize, const N: usize>(x: Tensor<D>, layers: [&Linear; N]) -> [Tensor<D>; N] {
    #[cfg(feature = "flex")]
    {
        let packed = layers.map(|layer| match &layer.weight {
            LinearWeight::Packed(weight) => Some((&**weight, layer.bias.as_ref().map(Param::val))),
            LinearWeight::Plain { .. } => None,
        });
        if packed.iter().all(Option::is_some) {
            let mut packed = packed.into_iter().flatten();
            let packed =
                std::array::from_fn(|_| packed.next().unwrap_or_else(|| unreachable!("all are there")));
            return cpu::linear_each(x, packed);
        }
    }
    layers.map(|layer| layer.forward(x.clone()))
}

/// The weight stays as checkpoints store it; a matrix product reads it transposed at no cost.
fn plain_linear<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
    let mut shape: [usize; D] = x.dims();
    let [outputs, inputs] = weight.dims();
    let rows = shape[..D - 1].iter().product::<usize>();
    let mut y = x.reshape([rows, inputs]).matmul(weight.transpose());
    if let Some(bias) = bias {
        y = y + bias.unsqueeze::<2>();
    }
    shape[D - 1] = outputs;
    y.reshape(shape)
}

/// Normalises over the last dimension, in f32 whatever the type of `x`.
///
/// # Shapes
///
/// - `x`: `[.., size]`, `gamma` and `beta`: `[size]`
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if cpu::takes(&x) {
        return cpu::layer_norm(x, gamma, beta, epsilon);
    }
    in_f32(x, |x| {
        let beta = beta.map(|beta| beta.cast(FloatDType::F32));
        module::layer_norm(x, gamma.cast(FloatDType::F32), beta, epsilon)
    })
}

/// Normalises every channel over its length, in f32 whatever the type of `x`, and applies the activation after it.
///
/// # Shapes
///
/// - `x`: `[batch, channels, length]`, `gamma` and `beta`: `[channels]`
pub fn channel_norm_activated(
    x: Tensor<3>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: &ActivationLayer,
) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if cpu::takes(&x) {
        let kernel = activation.kernel();
        let normed = cpu_images::channel_norm(x, gamma, beta, epsilon, kernel);
        return if kernel.is_some() { normed } else { activation.forward(normed) };
    }
    let normed = in_f32(x, |x| {
        let per_channel = |numbers: Tensor<1>| {
            let [channels] = numbers.dims();
            numbers.cast(FloatDType::F32).reshape([1, channels, 1])
        };
        let x = x.clone() - x.mean_dim(2);
        let variance = x.clone().square().mean_dim(2);
        x / (variance + epsilon).sqrt() * per_channel(gamma) + per_channel(beta)
    });
    activation.forward(normed)
}

/// `x / sqrt(mean of x^2 + epsilon) * gamma` over the last dimension, in f32 whatever the type of `x`.
///
/// # Shapes
///
/// - `x`: `[.., size]`, `gamma`: `[size]`
pub fn rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if cpu::takes(&x) {
        return cpu::rms_norm(x, gamma, epsilon);
    }
    in_f32(x, |x| {
        let mean = x.clone().square().mean_dim(D - 1);
        x / (mean + epsilon).sqrt() * gamma.cast(FloatDType::F32).unsqueeze::<D>()
    })
}

/// Softmax over the last dimension, in f32 whatever the type of `x`.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if cpu::takes(&x) {
        return cpu::softmax(x);
    }
    in_f32(x, |x| activation::softmax(x, D - 1))
}

/// An activation that the CPU has a kernel for; `otherwise` elsewhere.
#[cfg(feature = "flex")]
pub(crate) fn activate<const D: usize>(
    x: Tensor<D>,
    kernel: burnpipe_kernels::Activation,
    otherwise: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    if cpu::takes(&x) { cpu::activate(x, kernel) } else { otherwise(x) }
}

/// Rows of a table.
///
/// # Shapes
///
/// - `table`: `[entries, size]`, `ids`: `[batch, tokens]`
/// - result: `[batch, tokens, size]`, in the type of the table, or in f32 if it is packed
pub fn embedding(table: &LinearWeight, ids: Tensor<2, Int>) -> Tensor<3> {
    let table = match table {
        LinearWeight::Plain { parameter, transposed, .. } => outputs_first(parameter, *transposed),
        #[cfg(feature = "flex")]
        LinearWeight::Packed(table) => return cpu::packed_embedding(table, ids),
    };
    #[cfg(feature = "flex")]
    if cpu::takes(&table) {
        return cpu::embedding(table, ids);
    }
    let [batch, tokens] = ids.dims();
    let [_, size] = table.dims();
    table.select(0, ids.reshape([batch * tokens])).reshape([batch, tokens, size])
}

/// Sums of rows, each with its weight, in f32 whatever the type of `rows`.
///
/// # Shapes
///
/// - `weights`: `[sums, rows]`, in f32
/// - `rows`: `[rows, size]`
/// - result: `[sums, size]`
pub fn weighted_sums(weights: Tensor<2>, rows: Tensor<2>) -> Tensor<2> {
    in_f32(rows, |rows| weights.matmul(rows))
}

/// What attention may look at, and how its scores are scaled.
#[derive(Clone, Debug, Default)]
pub struct AttentionScope {
    /// True where a key is hidden: `[batch, 1, queries or 1, keys]`.
    pub hidden: Option<Tensor<4, Bool>>,
    /// Added to the scaled scores: `[batch, heads, queries, keys]`.
    pub bias: Option<Tensor<4>>,
    /// Whether a query sees no later key; the last query is beside the last key.
    pub causal: bool,
    /// A query sees no key that is this many tokens away or more. Where it would see none at all, because
    /// those are hidden, it looks at everything alike, as in transformers.
    pub window: Option<usize>,
    /// What scores are multiplied by; `1 / sqrt(size)` unless said.
    pub scale: Option<f64>,
    /// Scores go through `cap * tanh(score / cap)` after the scale and before any bias.
    pub soft_cap: Option<f64>,
    /// Where each of several texts ends that lie in one row, the last at its end: a token sees its own
    /// text only.
    pub texts: Option<Arc<[usize]>>,
    /// Added to the scaled scores as well, by how far a key is from its query. Queries and keys are as many.
    pub distances: Option<DistanceScores>,
}

/// `softmax(query . key^T * scale + bias) . value`, the softmax in f32 whatever the type of `query`.
///
/// # Shapes
///
/// - `query`: `[batch, heads, queries, size]`
/// - `key`, `value`: `[batch, key heads, keys, size]`, where the key heads divide the heads and each
///   serves as many in a row
/// - result: `[batch, heads, queries, size]`
pub fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, scope: &AttentionScope) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if cpu::takes(&query) {
        return cpu::attention(query, key, value, scope);
    }
    if let Some(texts) = &scope.texts {
        return attention_by_text(&query, &key, &value, scope, texts);
    }
    if let Some(distances) = &scope.distances {
        let bias = match (distances.bias(), scope.bias.clone()) {
            (Some(of_distances), Some(bias)) => Some(bias + of_distances),
            (of_distances, bias) => of_distances.or(bias),
        };
        return attention(query, key, value, &AttentionScope { bias, distances: None, ..scope.clone() });
    }
    let [batch, heads, queries, size] = query.dims();
    let keys = key.dims()[2];
    // CubeCL knows no shared key heads and no masks that are broadcast.
    let (key, value) = (repeat_heads(key, heads), repeat_heads(value, heads));
    let shape = [batch, heads, queries, keys];
    let mut hidden = scope.hidden.clone().map(|hidden| hidden.expand(shape));
    if let Some(window) = scope.window {
        let far = far_keys(window, queries, keys, &query.device()).expand(shape);
        hidden = Some(hidden.map_or(far.clone(), |hidden| hidden.bool_or(far)));
    }
    // Where every key is hidden, Burn's own gives nothing, and transformers the mean of all values, later ones too.
    let may_see_nothing = scope.causal && scope.hidden.is_some();
    if matches!(query.dtype(), DType::F16 | DType::BF16) || scope.soft_cap.is_some() || may_see_nothing {
        return attention_by_products(query, key, value, hidden, scope);
    }
    // The scale goes into the query: given as an option it keeps CubeCL from its flash kernel.
    let query = match scope.scale {
        Some(scale) => query * (scale * (size as f64).sqrt()),
        None => query,
    };
    let options = AttentionModuleOptions { is_causal: scope.causal, ..Default::default() };
    let mut bias = scope.bias.clone();
    if scope.window.is_some()
        && scope.hidden.is_some()
        && let Some(hidden) = hidden.take()
    {
        // Burn's mask makes nothing of a query that sees no key; the least number makes all keys alike.
        let zeros = bias.unwrap_or_else(|| Tensor::zeros(shape, (&query.device(), query.dtype())));
        bias = Some(zeros.mask_fill(hidden, f32::MIN));
    }
    module::attention(query, key, value, hidden, bias, options)
}

/// True where a key is `window` tokens away or more: `[1, 1, queries, keys]`.
fn far_keys(window: usize, queries: usize, keys: usize, device: &Device) -> Tensor<4, Bool> {
    let tokens = |range: std::ops::Range<usize>| {
        Tensor::<1, Int>::arange(range.start as i64..range.end as i64, (device, DType::I32))
    };
    // The last query is beside the last key.
    let own = tokens(keys.saturating_sub(queries)..keys).reshape([1, 1, queries, 1]);
    let other = tokens(0..keys).reshape([1, 1, 1, keys]);
    (own - other).abs().greater_equal_elem(window.max(1) as i32)
}

/// Attention of texts that lie in one row, one after the other.
fn attention_by_text(
    query: &Tensor<4>,
    key: &Tensor<4>,
    value: &Tensor<4>,
    scope: &AttentionScope,
    texts: &[usize],
) -> Tensor<4> {
    let starts = std::iter::once(0).chain(texts.iter().copied());
    let answers = starts.zip(texts).map(|(start, end)| {
        let part = |x: &Tensor<4>| x.clone().narrow(2, start, end - start);
        let scope = AttentionScope {
            hidden: scope.hidden.clone().map(|hidden| hidden.narrow(3, start, end - start)),
            bias: scope.bias.as_ref().map(|bias| part(bias).narrow(3, start, end - start)),
            texts: None,
            distances: scope.distances.as_ref().map(|distances| distances.part(start, end - start)),
            ..scope.clone()
        };
        attention(part(query), part(key), part(value), &scope)
    });
    Tensor::cat(answers.collect(), 2)
}

/// Attention by single operations, with scores in f32: Burn's own leaves them in 16 bits where the products are,
/// and its kernels know no cap of scores.
fn attention_by_products(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    hidden: Option<Tensor<4, Bool>>,
    scope: &AttentionScope,
) -> Tensor<4> {
    let [_, _, queries, size] = query.dims();
    let (keys, dtype) = (key.dims()[2], query.dtype());
    // Scaled before the product, whose numbers could pass the largest of f16.
    let query = query * scope.scale.unwrap_or_else(|| 1.0 / (size as f64).sqrt());
    let mut scores = query.matmul(key.swap_dims(2, 3)).cast(FloatDType::F32);
    if let Some(cap) = scope.soft_cap {
        scores = (scores / cap).tanh() * cap;
    }
    if let Some(bias) = &scope.bias {
        scores = scores + bias.clone().cast(FloatDType::F32);
    }
    if let Some(hidden) = hidden {
        scores = scores.mask_fill(hidden, f32::MIN);
    }
    if scope.causal {
        let later =
            (0..queries * keys).map(|at| at % keys + queries > at / keys + keys).collect::<Vec<bool>>();
        let later: Tensor<4, Bool> =
            Tensor::from_data(TensorData::new(later, [1, 1, queries, keys]), &scores.device());
        let shape = scores.dims();
        scores = scores.mask_fill(later.expand(shape), f32::MIN);
    }
    softmax(scores).cast(dtype).matmul(value)
}

/// Every key head as often as it serves: `[batch, heads, keys, size]`.
fn repeat_heads(x: Tensor<4>, heads: usize) -> Tensor<4> {
    let [batch, key_heads, keys, size] = x.dims();
    if key_heads == heads {
        return x;
    }
    let shared = x.unsqueeze_dim::<5>(2).expand([batch, key_heads, heads / key_heads, keys, size]);
    shared.reshape([batch, heads, keys, size])
}

/// Runs something in f32 and gives the result back in the type that came in.
pub(crate) fn in_f32<const D: usize>(x: Tensor<D>, run: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    let dtype = x.dtype();
    run(x.cast(FloatDType::F32)).cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random and are the same on every machine, from -1 to 1.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 8) as f32 / (1 << 23) as f32 - 1.0)
        };
        std::iter::successors(Some(seed), |state| Some(state.wrapping_add(1)))
            .scan(seed, |state, _| next(state))
            .take(count)
            .collect()
    }

    fn tensor(shape: [usize; 4], seed: u32, dtype: DType) -> (Vec<f32>, Tensor<4>) {
        let values = numbers(shape.iter().product(), seed);
        let tensor = Tensor::from_data(TensorData::new(values.clone(), shape), (&Device::flex(), dtype));
        (values, tensor)
    }

    const BATCH: usize = 2;
    const HEADS: usize = 4;
    const KEY_HEADS: usize = 2;
    const QUERIES: usize = 3;
    const KEYS: usize = 5;
    const SIZE: usize = 6;

    /// Attention in f64 by loops: `[batch, heads, queries, size]`.
    fn by_loops(
        query: &[f32],
        key: &[f32],
        value: &[f32],
        bias: &[f32],
        hides: impl Fn(usize, usize, usize) -> bool,
        scale: f64,
    ) -> Vec<f64> {
        let mut result = Vec::new();
        for at in 0..BATCH * HEADS * QUERIES {
            let (batch, head, row) = (at / (HEADS * QUERIES), at / QUERIES % HEADS, at % QUERIES);
            let start =
                |column: usize| ((batch * KEY_HEADS + head / (HEADS / KEY_HEADS)) * KEYS + column) * SIZE;
            let score = |column: usize| {
                let product: f64 = (0..SIZE)
                    .map(|i| f64::from(query[at * SIZE + i]) * f64::from(key[start(column) + i]))
                    .sum();
                product * scale + f64::from(bias[at * KEYS + column])
            };
            let weights: Vec<f64> = (0..KEYS)
                .map(|column| if hides(batch, row, column) { 0.0 } else { score(column).exp() })
                .collect();
            let sum: f64 = weights.iter().sum();
            result.extend((0..SIZE).map(|i| {
                (0..KEYS)
                    .map(|column| weights[column] / sum * f64::from(value[start(column) + i]))
                    .sum::<f64>()
            }));
        }
        result
    }

    #[test]
    fn attention_equals_loops_in_every_type() {
        let hidden: Vec<bool> = (0..BATCH * KEYS).map(|at| at == 1 || at == BATCH * KEYS - 1).collect();
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F16, 5e-3), (DType::BF16, 4e-2)] {
            for (causal, window, scale) in [
                (false, None, None),
                (true, None, None),
                (false, None, Some(0.7)),
                (true, Some(2), Some(0.7)),
                (false, Some(2), None),
            ] {
                let (query, query_tensor) = tensor([BATCH, HEADS, QUERIES, SIZE], 1, dtype);
                let (key, key_tensor) = tensor([BATCH, KEY_HEADS, KEYS, SIZE], 2, dtype);
                let (value, value_tensor) = tensor([BATCH, KEY_HEADS, KEYS, SIZE], 3, dtype);
                let (bias, bias_tensor) = tensor([BATCH, HEADS, QUERIES, KEYS], 4, dtype);
                let hidden_data = TensorData::new(hidden.clone(), [BATCH, 1, 1, KEYS]);
                let scope = AttentionScope {
                    hidden: Some(Tensor::from_data(hidden_data, &Device::flex())),
                    bias: Some(bias_tensor),
                    causal,
                    window,
                    scale,
                    ..AttentionScope::default()
                };
                let hides = |batch: usize, row: usize, column: usize| {
                    let own = row + KEYS - QUERIES;
                    hidden[batch * KEYS + column]
                        || (causal && column > own)
                        || window.is_some_and(|window| column.abs_diff(own) >= window)
                };
                let expected =
                    by_loops(&query, &key, &value, &bias, hides, scale.unwrap_or(1.0 / (SIZE as f64).sqrt()));
                let answer = attention(query_tensor, key_tensor, value_tensor, &scope);
                assert_eq!(answer.dims(), [BATCH, HEADS, QUERIES, SIZE]);
                let answer = answer.into_data().convert::<f32>().try_to_vec::<f32>().unwrap();
                for (answer, expected) in answer.iter().zip(expected) {
                    let error = (f64::from(*answer) - expected).abs();
                    assert!(error < tolerance, "{dtype:?} {causal} {window:?} {scale:?}: off by {error}");
                }
            }
        }
    }

    /// In 16 bits attention does not go by the CPU's kernels, and takes the way of other backends.
    #[test]
    fn texts_in_one_row_do_not_see_each_other_by_kernels_nor_without() {
        let shape = [1, HEADS, 7, SIZE];
        let ends: Arc<[usize]> = Arc::new([3, 4, 7]);
        for (causal, window) in [(false, None), (true, None), (false, Some(2))] {
            let scope =
                AttentionScope { causal, window, texts: Some(ends.clone()), ..AttentionScope::default() };
            let run = |dtype| {
                let part = |seed| tensor(shape, seed, dtype).1;
                attention(part(1), part(2), part(3), &scope)
            };
            let alone = |start: usize, end: usize| {
                let part = |seed| tensor(shape, seed, DType::F32).1.narrow(2, start, end - start);
                attention(part(1), part(2), part(3), &AttentionScope { texts: None, ..scope.clone() })
            };
            let expected = numbers_of(Tensor::cat(vec![alone(0, 3), alone(3, 4), alone(4, 7)], 2));
            for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F16, 5e-3)] {
                let answers = numbers_of(run(dtype));
                let close = answers.iter().zip(&expected).all(|(a, b)| (a - b).abs() < tolerance);
                assert!(close, "{dtype:?}, causal {causal}, window {window:?}");
            }
        }
    }

    /// As transformers has it, on every way that attention takes.
    #[test]
    fn a_query_whose_window_is_hidden_looks_at_everything_alike() {
        let devices = [(Device::flex(), DType::F32), (Device::flex(), DType::F16)];
        for (device, dtype) in devices {
            let column = |values: [f32; 3]| {
                Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 1, 3, 1]), (&device, dtype))
            };
            let hidden = TensorData::new(vec![false, true, true], [1, 1, 1, 3]);
            let scope = AttentionScope {
                hidden: Some(Tensor::from_data(hidden, &device)),
                window: Some(2),
                ..AttentionScope::default()
            };
            let query = column([1.0, -1.0, 2.0]);
            let answers = attention(query, column([1.0, 5.0, 7.0]), column([3.0, 1.0, 2.0]), &scope);
            assert_eq!(numbers_of(answers), [3.0, 3.0, 2.0], "{dtype:?}");
        }
    }

    #[test]
    fn a_norm_may_have_no_bias() {
        for dtype in [DType::F32, DType::F16] {
            let row = |values: [f32; 2]| TensorData::new(values.to_vec(), [2]);
            let gamma = Tensor::<1>::from_data(row([1.0, 2.0]), (&Device::flex(), dtype));
            let x = Tensor::<1>::from_data(row([3.0, 1.0]), (&Device::flex(), dtype)).reshape([1, 1, 1, 2]);
            assert_eq!(numbers_of(layer_norm(x, gamma, None, 0.0)), [1.0, -2.0], "{dtype:?}");
        }
    }

    fn numbers_of(x: Tensor<4>) -> Vec<f32> {
        x.into_data().convert::<f32>().try_to_vec::<f32>().unwrap()
    }
}
