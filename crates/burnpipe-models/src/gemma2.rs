//! Gemma 2: Gemma with norms before and after each part, a window in every other layer, and capped logits.
//!
//! Paper: <https://arxiv.org/abs/2408.00118>. Reference: `modeling_gemma2.py` of transformers 4.56.2, with its
//! attention by SDPA, which passes by `attn_logit_softcapping`.
//!
//! Heads: causal LM, encoder, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::RotaryAngles;
use burnpipe_nn::{
    Activation, Architecture, Decoder, DecoderFamily, DecoderHeadConfig, Embedding, GatedMlp, Heads, KvCache,
    LlamaAttention, LlamaAttentionConfig, LlamaLayerConfig, LoadContext, Placement, RmsNorm, Rope,
    RopeConfig, RopeScaling, TokenStep, layer_windows, load_causal_lm, load_encoder,
    load_sequence_classifier, load_token_classifier,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "gemma2",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Gemma2>),
        encoder: Some(load_encoder::<Gemma2>),
        sequence_classifier: Some(load_sequence_classifier::<Gemma2>),
        token_classifier: Some(load_token_classifier::<Gemma2>),
        ..Heads::NONE
    },
};

struct Gemma2;

impl DecoderFamily for Gemma2 {
    type Decoder = Gemma2Model;

    fn from_config(context: &LoadContext<'_>) -> Result<(Gemma2Model, DecoderHeadConfig)> {
        let config: Gemma2Config = context.checkpoint.config()?.parse()?;
        let heads = DecoderHeadConfig {
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            pad_token_id: config.pad_token_id,
            tie_word_embeddings: config.tie_word_embeddings,
            final_logit_softcapping: config.final_logit_softcapping,
        };
        Ok((Gemma2Model::new(&config, context.placement)?, heads))
    }
}

/// config.json, with the defaults of `Gemma2Config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Gemma2Config {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    hidden_activation: String,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    attention_bias: bool,
    query_pre_attn_scalar: f64,
    sliding_window: Option<usize>,
    layer_types: Option<Vec<String>>,
    final_logit_softcapping: Option<f64>,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for Gemma2Config {
    fn default() -> Self {
        Self {
            vocab_size: 256_000,
            hidden_size: 2304,
            intermediate_size: 9216,
            num_hidden_layers: 26,
            num_attention_heads: 8,
            num_key_value_heads: 4,
            head_dim: 256,
            hidden_activation: "gelu_pytorch_tanh".into(),
            max_position_embeddings: 8192,
            rms_norm_eps: 1e-6,
            rope_theta: 10000.0,
            rope_scaling: None,
            attention_bias: false,
            query_pre_attn_scalar: 256.0,
            sliding_window: Some(4096),
            layer_types: None,
            final_logit_softcapping: Some(30.0),
            pad_token_id: Some(0),
            tie_word_embeddings: true,
        }
    }
}

impl Gemma2Config {
    fn layer(&self, window: Option<usize>, placement: &Placement) -> Result<Gemma2DecoderLayer> {
        let attention = LlamaAttentionConfig {
            hidden_size: self.hidden_size,
            heads: self.num_attention_heads,
            key_heads: self.num_key_value_heads,
            head_dim: self.head_dim,
            qkv_bias: self.attention_bias,
            output_bias: self.attention_bias,
            scale: Some(1.0 / self.query_pre_attn_scalar.sqrt()),
        };
        let sizes = (self.hidden_size, self.intermediate_size);
        let activation = Activation::from_name(&self.hidden_activation)?;
        Ok(Gemma2DecoderLayer::new(
            LlamaAttention::new(&attention, LlamaLayerConfig { window, rotates: true }, placement)?,
            GatedMlp::new(sizes, false, activation, placement),
            || RmsNorm::around_one(self.hidden_size, self.rms_norm_eps, placement),
        ))
    }
}

#[derive(Module, Debug)]
struct Gemma2Model {
    embed_tokens: Embedding,
    layers: Vec<Gemma2DecoderLayer>,
    norm: RmsNorm,
    #[module(skip)]
    rope: Rope,
    /// What embeddings are multiplied by.
    #[module(skip)]
    embedding_scale: f64,
    #[module(skip)]
    vocabulary: usize,
}

impl Gemma2Model {
    fn new(config: &Gemma2Config, placement: &Placement) -> Result<Self> {
        let types = config.layer_types.as_deref();
        let every_other = |layer: usize| layer.is_multiple_of(2);
        let windows = layer_windows(config.num_hidden_layers, types, config.sliding_window, every_other)?;
        let layers = windows.into_iter().map(|window| config.layer(window, placement));
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.hidden_size, placement),
            layers: layers.collect::<Result<_>>()?,
            norm: RmsNorm::around_one(config.hidden_size, config.rms_norm_eps, placement),
            rope: Rope::new(&RopeConfig {
                theta: config.rope_theta,
                size: config.head_dim,
                positions: config.max_position_embeddings,
                original_positions: None,
                scaling: config.rope_scaling.clone(),
            })?,
            embedding_scale: (config.hidden_size as f64).sqrt(),
            vocabulary: config.vocab_size,
        })
    }
}

impl Decoder for Gemma2Model {
    fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len())
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let device = self.embed_tokens.device();
        let angles = self.rope.angles(step, &device);
        let embedded = self.embed_tokens.forward(step.input_ids(&device)) * self.embedding_scale;
        let hidden = self.layers.iter().enumerate().fold(embedded, |hidden, (index, layer)| {
            layer.forward(hidden, &angles, step, (index, &mut *cache))
        });
        Ok(self.norm.forward(hidden))
    }
}

/// Attention, then a feed-forward part, each between two norms and added to its input; Gemma 3 has it unchanged.
#[derive(Module, Debug)]
pub(crate) struct Gemma2DecoderLayer {
    self_attn: LlamaAttention,
    mlp: GatedMlp,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
    pre_feedforward_layernorm: RmsNorm,
    post_feedforward_layernorm: RmsNorm,
}

impl Gemma2DecoderLayer {
    pub(crate) fn new(self_attn: LlamaAttention, mlp: GatedMlp, norm: impl Fn() -> RmsNorm) -> Self {
        Self {
            self_attn,
            mlp,
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
            pre_feedforward_layernorm: norm(),
            post_feedforward_layernorm: norm(),
        }
    }

    pub(crate) fn forward(
        &self,
        hidden: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        let attended =
            self.self_attn.forward(self.input_layernorm.forward(hidden.clone()), angles, step, cache);
        let hidden = hidden + self.post_attention_layernorm.forward(attended);
        let inner = self.mlp.forward(self.pre_feedforward_layernorm.forward(hidden.clone()));
        hidden + self.post_feedforward_layernorm.forward(inner)
    }
}
