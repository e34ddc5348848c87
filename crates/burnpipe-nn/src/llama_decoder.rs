//! The decoder of LLaMA (arXiv 2302.13971), which several families have unchanged: rotary positions, shared key
//! heads, a gated feed-forward part, RMS norms before each part.
//!
//! Reference: `modeling_llama.py` of transformers 4.56.2; `modeling_mistral.py`, `modeling_qwen2.py`,
//! `modeling_qwen3.py` and `modeling_smollm3.py` differ in biases, windows, norms of heads and in layers without
//! positions only. Others have its attention, or its feed-forward part, in layers of their own.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};

use crate::ops::{self, RotaryAngles, rotary};
use crate::{
    Activation, ActivationLayer, CachedScope, Decoder, Embedding, KvCache, Linear, Placement, RmsNorm, Rope,
    RopeConfig, TokenStep,
};

/// What a config says of the decoder.
#[derive(Clone, Debug)]
pub struct LlamaDecoderConfig {
    /// `vocab_size`
    pub vocab_size: usize,
    /// `hidden_size`
    pub hidden_size: usize,
    /// `intermediate_size`
    pub intermediate_size: usize,
    /// Its attention.
    pub attention: LlamaAttentionConfig,
    /// Whether every head of queries and keys is normed.
    pub head_norms: bool,
    /// `hidden_act`
    pub activation: Activation,
    /// `rms_norm_eps`
    pub epsilon: f64,
    /// `mlp_bias`
    pub mlp_bias: bool,
    /// Positions.
    pub rope: RopeConfig,
    /// What each layer looks at.
    pub layers: Vec<LlamaLayerConfig>,
}

/// What a config says of the attention.
#[derive(Clone, Copy, Debug)]
pub struct LlamaAttentionConfig {
    /// `hidden_size`
    pub hidden_size: usize,
    /// `num_attention_heads`
    pub heads: usize,
    /// `num_key_value_heads`
    pub key_heads: usize,
    /// `head_dim`
    pub head_dim: usize,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the output has one.
    pub output_bias: bool,
    /// What scores are multiplied by; `1 / sqrt(head_dim)` unless said.
    pub scale: Option<f64>,
}

/// What a layer looks at.
#[derive(Clone, Copy, Debug)]
pub struct LlamaLayerConfig {
    /// A token sees so many: itself and those before it.
    pub window: Option<usize>,
    /// Whether it knows positions.
    pub rotates: bool,
}

/// The model without a head.
#[derive(Module, Debug)]
pub struct LlamaDecoder {
    embed_tokens: Embedding,
    layers: Vec<LlamaLayer>,
    norm: RmsNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
}

impl LlamaDecoder {
    /// A decoder without memory until a checkpoint fills it.
    ///
    /// # Errors
    ///
    /// When sizes do not fit each other, or the positions' scaling is not known.
    pub fn new(config: &LlamaDecoderConfig, placement: &Placement) -> Result<Self> {
        let layer = |layer: &LlamaLayerConfig| LlamaLayer::new(config, *layer, placement);
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.hidden_size, placement),
            layers: config.layers.iter().map(layer).collect::<Result<_>>()?,
            norm: RmsNorm::new(config.hidden_size, config.epsilon, placement),
            rope: Rope::new(&config.rope)?,
            vocabulary: config.vocab_size,
        })
    }
}

impl Decoder for LlamaDecoder {
    fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len())
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let device = self.embed_tokens.device();
        let angles = self.rope.angles(step, &device);
        let embedded = self.embed_tokens.forward(step.input_ids(&device));
        let hidden = self.layers.iter().enumerate().fold(embedded, |hidden, (index, layer)| {
            layer.forward(hidden, &angles, step, (index, &mut *cache))
        });
        Ok(self.norm.forward(hidden))
    }
}

/// Attention, then a feed-forward part, each of a norm of its input and added to it.
#[derive(Module, Debug)]
struct LlamaLayer {
    self_attn: LlamaAttention,
    mlp: GatedMlp,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
}

impl LlamaLayer {
    fn new(config: &LlamaDecoderConfig, layer: LlamaLayerConfig, placement: &Placement) -> Result<Self> {
        let norm = || RmsNorm::new(config.hidden_size, config.epsilon, placement);
        let attention = LlamaAttention::new(&config.attention, layer, placement)?;
        let head_norm = || RmsNorm::new(config.attention.head_dim, config.epsilon, placement);
        Ok(Self {
            self_attn: if config.head_norms { attention.with_head_norms(head_norm) } else { attention },
            mlp: GatedMlp::new(
                (config.hidden_size, config.intermediate_size),
                config.mlp_bias,
                config.activation,
                placement,
            ),
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
        })
    }

    fn forward(
        &self,
        hidden: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(hidden.clone());
        let hidden = self.self_attn.forward_added(normed, hidden, angles, step, cache);
        let normed = self.post_attention_layernorm.forward(hidden.clone());
        self.mlp.forward_added(normed, hidden)
    }
}

/// Refuses heads that do not fit each other.
///
/// # Errors
///
/// When the key heads do not divide the heads, or a head has no numbers.
pub fn check_heads(heads: usize, key_heads: usize, head_dim: usize) -> Result<()> {
    if heads == 0 || head_dim == 0 {
        let message = format!("`config.json` makes {heads} heads of {head_dim} numbers each");
        return Err(Error::new(ErrorKind::Config, message));
    }
    if key_heads == 0 || !heads.is_multiple_of(key_heads) {
        let message = format!(
            "`num_attention_heads` {heads} in `config.json` is no multiple of `num_key_value_heads` {key_heads}"
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(())
}

/// Attention with rotary positions, whose key heads serve several of the queries' each.
#[derive(Module, Debug)]
pub struct LlamaAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    q_norm: Option<RmsNorm>,
    k_norm: Option<RmsNorm>,
    #[module(skip)]
    head_dim: usize,
    #[module(skip)]
    scale: Option<f64>,
    #[module(skip)]
    layer: LlamaLayerConfig,
}

impl LlamaAttention {
    /// The attention of a layer, without memory until a checkpoint fills it.
    ///
    /// # Errors
    ///
    /// When the key heads do not divide the heads, or nothing is left for a head.
    pub fn new(
        config: &LlamaAttentionConfig,
        layer: LlamaLayerConfig,
        placement: &Placement,
    ) -> Result<Self> {
        let (heads, key_heads) = (config.heads, config.key_heads);
        check_heads(heads, key_heads, config.head_dim)?;
        let size = heads * config.head_dim;
        let projection =
            |outputs: usize| Linear::with_bias(config.hidden_size, outputs, config.qkv_bias, placement);
        Ok(Self {
            q_proj: projection(size),
            k_proj: projection(key_heads * config.head_dim),
            v_proj: projection(key_heads * config.head_dim),
            o_proj: Linear::with_bias(size, config.hidden_size, config.output_bias, placement),
            q_norm: None,
            k_norm: None,
            head_dim: config.head_dim,
            scale: config.scale,
            layer,
        })
    }

    /// The same with a norm over every head of the queries, and one for the keys.
    #[must_use]
    pub fn with_head_norms(self, norm: impl Fn() -> RmsNorm) -> Self {
        Self { q_norm: Some(norm()), k_norm: Some(norm()), ..self }
    }

    /// Attention of `x`, `[1, tokens, hidden]`; the cache goes with the layer's place in it.
    pub fn forward(
        &self,
        x: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        self.o_proj.forward(self.context(x, angles, step, cache))
    }

    /// Attention of `x`, added to `residual`.
    pub fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        self.o_proj.forward_added(self.context(x, angles, step, cache), residual)
    }

    fn context(
        &self,
        x: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, _] = x.dims();
        let split = |x: Tensor<3>| {
            let heads = x.dims()[2] / self.head_dim;
            x.reshape([rows, tokens, heads, self.head_dim])
        };
        let [query, key, value] = ops::linear_each(x, [&self.q_proj, &self.k_proj, &self.v_proj]).map(split);
        let normed = |norm: &Option<RmsNorm>, x: Tensor<4>| match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let (query, key) = (normed(&self.q_norm, query), normed(&self.k_norm, key));
        let (query, key) = match self.layer.rotates {
            true => (rotary(query, angles), rotary(key, angles)),
            false => (query, key),
        };
        let width = query.dims()[2] * self.head_dim;
        let scope = CachedScope { window: self.layer.window, scale: self.scale, ..CachedScope::default() };
        let context = cache.attend(index, query, key, value, step, &scope);
        context.reshape([rows, tokens, width])
    }
}

/// `down(act(gate(x)) * up(x))`.
#[derive(Module, Debug)]
pub struct GatedMlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
    act_fn: ActivationLayer,
}

impl GatedMlp {
    /// A part from and to `hidden` numbers over `intermediate` ones.
    pub fn new(
        (hidden, intermediate): (usize, usize),
        bias: bool,
        activation: Activation,
        placement: &Placement,
    ) -> Self {
        Self {
            gate_proj: Linear::with_bias(hidden, intermediate, bias, placement),
            up_proj: Linear::with_bias(hidden, intermediate, bias, placement),
            down_proj: Linear::with_bias(intermediate, hidden, bias, placement),
            act_fn: ActivationLayer::new(activation, placement),
        }
    }

    /// # Shapes
    ///
    /// - `x` and the result: `[.., hidden]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.down_proj.forward(self.gated(x))
    }

    /// The part, added to `residual`, `[.., hidden]`.
    pub fn forward_added<const D: usize>(&self, x: Tensor<D>, residual: Tensor<D>) -> Tensor<D> {
        self.down_proj.forward_added(self.gated(x), residual)
    }

    fn gated<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let [gate, up] = ops::linear_each(x, [&self.gate_proj, &self.up_proj]);
        self.act_fn.forward(gate) * up
    }
}
