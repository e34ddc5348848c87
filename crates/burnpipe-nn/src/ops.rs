//! The operations that models are made of, one thin layer over Burn.
//!
//! Models call these and not Burn's own, so that a faster kernel for a backend has one place to go.

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, FloatDType, Int, Tensor, activation, module};

/// `x . weight^T + bias`.
///
/// The weight stays as checkpoints store it; a matrix product reads it transposed at no cost.
///
/// # Shapes
///
/// - `x`: `[.., inputs]`
/// - `weight`: `[outputs, inputs]`, `bias`: `[outputs]`
/// - result: `[.., outputs]`
pub fn linear<const D: usize>(x: Tensor<D>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<D> {
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
    beta: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    in_f32(x, |x| {
        let (gamma, beta) = (gamma.cast(FloatDType::F32), beta.cast(FloatDType::F32));
        module::layer_norm(x, gamma, Some(beta), epsilon)
    })
}

/// Softmax over the last dimension, in f32 whatever the type of `x`.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    in_f32(x, |x| activation::softmax(x, D - 1))
}

/// Rows of a table.
///
/// # Shapes
///
/// - `table`: `[entries, size]`, `ids`: `[batch, tokens]`
/// - result: `[batch, tokens, size]`
pub fn embedding(table: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    let [batch, tokens] = ids.dims();
    let [_, size] = table.dims();
    table.select(0, ids.reshape([batch * tokens])).reshape([batch, tokens, size])
}

/// What attention may look at.
#[derive(Clone, Debug, Default)]
pub struct AttentionScope {
    /// True where a key is hidden: `[batch, 1, queries or 1, keys]`.
    pub hidden: Option<Tensor<4, Bool>>,
    /// Added to the scaled scores: `[batch, heads, queries, keys]`.
    pub bias: Option<Tensor<4>>,
    /// Whether a query sees no later key.
    pub causal: bool,
}

/// `softmax(query . key^T / sqrt(size) + bias) . value`.
///
/// # Shapes
///
/// - `query`: `[batch, heads, queries, size]`
/// - `key`, `value`: `[batch, heads, keys, size]`
/// - result: `[batch, heads, queries, size]`
pub fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, scope: &AttentionScope) -> Tensor<4> {
    let [batch, heads, queries, _] = query.dims();
    let keys = key.dims()[2];
    let hidden = scope.hidden.clone().map(|hidden| hidden.expand([batch, heads, queries, keys]));
    let options = AttentionModuleOptions { is_causal: scope.causal, ..Default::default() };
    module::attention(query, key, value, hidden, scope.bias.clone(), options)
}

/// Runs something in f32 and gives the result back in the type that came in.
fn in_f32<const D: usize>(x: Tensor<D>, run: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    let dtype = x.dtype();
    run(x.cast(FloatDType::F32)).cast(dtype)
}
