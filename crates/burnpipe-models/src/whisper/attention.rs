//! Whisper's attention: of a sound to itself, of a text to itself, of a text to a sound.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{CachedScope, KvCache, Linear, Placement, TokenStep};

/// The projections of an attention; those of keys have no bias.
#[derive(Module, Debug)]
pub(super) struct WhisperAttention {
    k_proj: Linear,
    v_proj: Linear,
    q_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    head_size: usize,
}

impl WhisperAttention {
    pub(super) fn new(size: usize, head_size: usize, placement: &Placement) -> Self {
        let projection = |bias: bool| Linear::with_bias(size, size, bias, placement);
        Self {
            k_proj: projection(false),
            v_proj: projection(true),
            q_proj: projection(true),
            out_proj: projection(true),
            head_size,
        }
    }

    /// Attention of `x` to all of itself, added to `residual`.
    pub(super) fn full_added(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let [query, key, value] = self.projected(x).map(|x| x.swap_dims(1, 2));
        let context = ops::attention(query, key, value, &AttentionScope::default());
        self.output_added(context.swap_dims(1, 2), residual)
    }

    /// Attention of new tokens to their texts, added to `residual`.
    pub(super) fn cached_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [query, key, value] = self.projected(x);
        let context = cache.attend(index, query, key, value, step, &CachedScope::default());
        self.output_added(context, residual)
    }

    /// The keys and values of an encoder's states: `[sounds, positions, heads, size]` each.
    pub(super) fn keys_and_values(&self, states: Tensor<3>) -> (Tensor<4>, Tensor<4>) {
        let [keys, values] = ops::linear_each(states, [&self.k_proj, &self.v_proj]).map(|x| self.split(x));
        (keys, values)
    }

    /// The queries of new tokens: `[1, tokens, heads, size]`.
    pub(super) fn query(&self, x: Tensor<3>) -> Tensor<4> {
        self.split(self.q_proj.forward(x))
    }

    /// What the heads found, `[rows, tokens, heads, size]`, put together and added to `residual`.
    pub(super) fn output_added(&self, context: Tensor<4>, residual: Tensor<3>) -> Tensor<3> {
        self.out_proj.forward_added(context.reshape(residual.dims()), residual)
    }

    fn projected(&self, x: Tensor<3>) -> [Tensor<4>; 3] {
        ops::linear_each(x, [&self.q_proj, &self.k_proj, &self.v_proj]).map(|x| self.split(x))
    }

    fn split(&self, x: Tensor<3>) -> Tensor<4> {
        let [rows, tokens, size] = x.dims();
        x.reshape([rows, tokens, size / self.head_size, self.head_size])
    }
}
