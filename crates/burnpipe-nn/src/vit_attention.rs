//! The attention of ViT, which DeiT and DINOv2 use unchanged.
//!
//! Paper: <https://arxiv.org/abs/2010.11929>. Reference: `modeling_vit.py` of transformers 4.56.2.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};

use crate::ops::{self, AttentionScope};
use crate::{Linear, Placement};

/// Attention over all patches of an image, without the norm before it.
#[derive(Module, Debug)]
pub struct ViTAttention {
    attention: ViTSelfAttention,
    output: ViTSelfOutput,
}

/// What a config says of the attention.
#[derive(Clone, Copy, Debug)]
pub struct ViTAttentionConfig {
    /// Elements of a patch's vector.
    pub hidden_size: usize,
    /// Heads; they divide `hidden_size`.
    pub num_attention_heads: usize,
    /// Heads that are left of them, where some were cut out of the layer.
    pub heads_left: usize,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
}

impl ViTAttention {
    /// A layer without weights.
    ///
    /// # Errors
    ///
    /// When the heads do not divide the hidden size.
    pub fn new(config: &ViTAttentionConfig, placement: &Placement) -> Result<Self> {
        let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            let message = format!(
                "`hidden_size` {hidden} in `config.json` is no multiple of `num_attention_heads` {heads}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let head_size = hidden / heads;
        let context = config.heads_left * head_size;
        let projection = || Linear::with_bias(hidden, context, config.qkv_bias, placement);
        Ok(Self {
            attention: ViTSelfAttention {
                query: projection(),
                key: projection(),
                value: projection(),
                heads: config.heads_left,
                head_size,
            },
            output: ViTSelfOutput { dense: Linear::new(context, hidden, placement) },
        })
    }

    /// # Shapes
    ///
    /// - `hidden`: `[images, tokens, hidden]`
    pub fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.output.dense.forward(self.attention.forward(hidden))
    }

    /// The layer, added to `residual`.
    pub fn forward_added(&self, hidden: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.output.dense.forward_added(self.attention.forward(hidden), residual)
    }
}

#[derive(Module, Debug)]
struct ViTSelfOutput {
    dense: Linear,
}

#[derive(Module, Debug)]
struct ViTSelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    head_size: usize,
}

impl ViTSelfAttention {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [images, tokens, _] = hidden.dims();
        let split = |x: Tensor<3>| x.reshape([images, tokens, self.heads, self.head_size]).swap_dims(1, 2);
        let [query, key, value] = ops::linear_each(hidden, [&self.query, &self.key, &self.value]).map(split);
        let context = ops::attention(query, key, value, &AttentionScope::default());
        context.swap_dims(1, 2).reshape([images, tokens, self.heads * self.head_size])
    }
}
