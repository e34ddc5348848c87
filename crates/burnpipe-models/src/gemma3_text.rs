//! Gemma 3, the part that reads text: Gemma 2 with norms of heads, and rotary frequencies of their own in layers
//! with a window.
//!
//! Paper: <https://arxiv.org/abs/2503.19786>. Reference: `modeling_gemma3.py` (`Gemma3TextModel`) of transformers
//! 4.56.2, with its attention by SDPA, which passes by `attn_logit_softcapping`.
//!
//! Heads: causal LM, encoder.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::{
    Activation, Architecture, Decoder, DecoderFamily, DecoderHeadConfig, Embedding, GatedMlp, Heads, KvCache,
    LlamaAttention, LlamaAttentionConfig, LlamaLayerConfig, LoadContext, Placement, RmsNorm, Rope,
    RopeConfig, RopeScaling, TokenStep, layer_windows, load_causal_lm, load_encoder,
};
use serde::Deserialize;

use crate::gemma2::Gemma2DecoderLayer;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "gemma3_text",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Gemma3Text>),
        encoder: Some(load_encoder::<Gemma3Text>),
        ..Heads::NONE
    },
};

struct Gemma3Text;

impl DecoderFamily for Gemma3Text {
    type Decoder = Gemma3TextModel;

    fn from_config(context: &LoadContext<'_>) -> Result<(Gemma3TextModel, DecoderHeadConfig)> {
        let config: Gemma3TextConfig = context.checkpoint.config()?.parse()?;
        let heads = DecoderHeadConfig {
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            pad_token_id: config.pad_token_id,
            tie_word_embeddings: config.tie_word_embeddings,
            final_logit_softcapping: config.final_logit_softcapping,
        };
        Ok((Gemma3TextModel::new(&config, context.placement)?, heads))
    }
}

/// config.json, with the defaults of `Gemma3TextConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Gemma3TextConfig {
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
    rope_local_base_freq: f64,
    attention_bias: bool,
    query_pre_attn_scalar: f64,
    sliding_window: Option<usize>,
    sliding_window_pattern: usize,
    layer_types: Option<Vec<String>>,
    final_logit_softcapping: Option<f64>,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for Gemma3TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 262_208,
            hidden_size: 2304,
            intermediate_size: 9216,
            num_hidden_layers: 26,
            num_attention_heads: 8,
            num_key_value_heads: 4,
            head_dim: 256,
            hidden_activation: "gelu_pytorch_tanh".into(),
            max_position_embeddings: 131_072,
            rms_norm_eps: 1e-6,
            rope_theta: 1e6,
            rope_scaling: None,
            rope_local_base_freq: 10000.0,
            attention_bias: false,
            query_pre_attn_scalar: 256.0,
            sliding_window: Some(4096),
            sliding_window_pattern: 6,
            layer_types: None,
            final_logit_softcapping: None,
            pad_token_id: Some(0),
            tie_word_embeddings: true,
        }
    }
}

impl Gemma3TextConfig {
    /// The window of every layer: without `layer_types`, the last of every `sliding_window_pattern` sees all.
    fn windows(&self) -> Result<Vec<Option<usize>>> {
        let slides = |layer: usize| (layer + 1).checked_rem(self.sliding_window_pattern) != Some(0);
        layer_windows(self.num_hidden_layers, self.layer_types.as_deref(), self.sliding_window, slides)
    }

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
        let attention =
            LlamaAttention::new(&attention, LlamaLayerConfig { window, rotates: true }, placement)?;
        let sizes = (self.hidden_size, self.intermediate_size);
        let activation = Activation::from_name(&self.hidden_activation)?;
        let norm = |size: usize| RmsNorm::around_one(size, self.rms_norm_eps, placement);
        Ok(Gemma2DecoderLayer::new(
            attention.with_head_norms(|| norm(self.head_dim)),
            GatedMlp::new(sizes, false, activation, placement),
            || norm(self.hidden_size),
        ))
    }

    fn rope(&self, theta: f64, scaling: Option<RopeScaling>) -> Result<Rope> {
        Rope::new(&RopeConfig {
            theta,
            size: self.head_dim,
            positions: self.max_position_embeddings,
            original_positions: None,
            scaling,
        })
    }
}

#[derive(Module, Debug)]
struct Gemma3TextModel {
    embed_tokens: Embedding,
    layers: Vec<Gemma2DecoderLayer>,
    norm: RmsNorm,
    /// Of layers that see all.
    #[module(skip)]
    rope: Rope,
    /// Of layers with a window.
    #[module(skip)]
    rope_local: Rope,
    #[module(skip)]
    windows: Vec<Option<usize>>,
    /// What embeddings are multiplied by.
    #[module(skip)]
    embedding_scale: f64,
    #[module(skip)]
    vocabulary: usize,
}

impl Gemma3TextModel {
    fn new(config: &Gemma3TextConfig, placement: &Placement) -> Result<Self> {
        let windows = config.windows()?;
        let layers = windows.iter().map(|&window| config.layer(window, placement));
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.hidden_size, placement),
            layers: layers.collect::<Result<_>>()?,
            norm: RmsNorm::around_one(config.hidden_size, config.rms_norm_eps, placement),
            rope: config.rope(config.rope_theta, config.rope_scaling.clone())?,
            rope_local: config.rope(config.rope_local_base_freq, None)?,
            windows,
            embedding_scale: (config.hidden_size as f64).sqrt(),
            vocabulary: config.vocab_size,
        })
    }
}

impl Decoder for Gemma3TextModel {
    fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len())
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let device = self.embed_tokens.device();
        let [global, local] = [&self.rope, &self.rope_local].map(|rope| rope.angles(step, &device));
        let embedded = self.embed_tokens.forward(step.input_ids(&device)) * self.embedding_scale;
        let layers = self.layers.iter().zip(&self.windows).enumerate();
        let hidden = layers.fold(embedded, |hidden, (index, (layer, window))| {
            let angles = if window.is_some() { &local } else { &global };
            layer.forward(hidden, angles, step, (index, &mut *cache))
        });
        Ok(self.norm.forward(hidden))
    }
}
