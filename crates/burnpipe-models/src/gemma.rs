//! Gemma: LLaMA with wider heads, GELU, norms whose weights are stored less one, and scaled embeddings.
//!
//! Paper: <https://arxiv.org/abs/2403.08295>. Reference: `modeling_gemma.py` of transformers 4.56.2, which takes the
//! activation from `hidden_act` and leaves `hidden_activation` alone.
//!
//! Heads: causal LM, encoder, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::RotaryAngles;
use burnpipe_nn::{
    Activation, Architecture, Decoder, DecoderFamily, DecoderHeadConfig, Embedding, GatedMlp, Heads, KvCache,
    LlamaAttention, LlamaAttentionConfig, LlamaLayerConfig, LoadContext, Placement, RmsNorm, Rope,
    RopeConfig, RopeScaling, TokenStep, load_causal_lm, load_encoder, load_sequence_classifier,
    load_token_classifier,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "gemma",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Gemma>),
        encoder: Some(load_encoder::<Gemma>),
        sequence_classifier: Some(load_sequence_classifier::<Gemma>),
        token_classifier: Some(load_token_classifier::<Gemma>),
        ..Heads::NONE
    },
};

struct Gemma;

impl DecoderFamily for Gemma {
    type Decoder = GemmaModel;

    fn from_config(context: &LoadContext<'_>) -> Result<(GemmaModel, DecoderHeadConfig)> {
        let config: GemmaConfig = context.checkpoint.config()?.parse()?;
        let heads = DecoderHeadConfig {
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            pad_token_id: config.pad_token_id,
            tie_word_embeddings: config.tie_word_embeddings,
            final_logit_softcapping: None,
        };
        Ok((GemmaModel::new(&config, context.placement)?, heads))
    }
}

/// config.json, with the defaults of `GemmaConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct GemmaConfig {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    attention_bias: bool,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for GemmaConfig {
    fn default() -> Self {
        Self {
            vocab_size: 256_000,
            hidden_size: 3072,
            intermediate_size: 24576,
            num_hidden_layers: 28,
            num_attention_heads: 16,
            num_key_value_heads: 16,
            head_dim: 256,
            hidden_act: "gelu_pytorch_tanh".into(),
            max_position_embeddings: 8192,
            rms_norm_eps: 1e-6,
            rope_theta: 10000.0,
            rope_scaling: None,
            attention_bias: false,
            pad_token_id: Some(0),
            tie_word_embeddings: true,
        }
    }
}

#[derive(Module, Debug)]
struct GemmaModel {
    embed_tokens: Embedding,
    layers: Vec<GemmaDecoderLayer>,
    norm: RmsNorm,
    #[module(skip)]
    rope: Rope,
    /// What embeddings are multiplied by.
    #[module(skip)]
    embedding_scale: f64,
    #[module(skip)]
    vocabulary: usize,
}

impl GemmaModel {
    fn new(config: &GemmaConfig, placement: &Placement) -> Result<Self> {
        let layers = (0..config.num_hidden_layers).map(|_| GemmaDecoderLayer::new(config, placement));
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

impl Decoder for GemmaModel {
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

/// Attention, then a feed-forward part, each of a norm of its input and added to it.
#[derive(Module, Debug)]
struct GemmaDecoderLayer {
    self_attn: LlamaAttention,
    mlp: GatedMlp,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
}

impl GemmaDecoderLayer {
    fn new(config: &GemmaConfig, placement: &Placement) -> Result<Self> {
        let sizes = (config.hidden_size, config.intermediate_size);
        let attention = LlamaAttentionConfig {
            hidden_size: config.hidden_size,
            heads: config.num_attention_heads,
            key_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            qkv_bias: config.attention_bias,
            output_bias: config.attention_bias,
            scale: None,
        };
        let norm = || RmsNorm::around_one(config.hidden_size, config.rms_norm_eps, placement);
        Ok(Self {
            self_attn: LlamaAttention::new(
                &attention,
                LlamaLayerConfig { window: None, rotates: true },
                placement,
            )?,
            mlp: GatedMlp::new(sizes, false, Activation::from_name(&config.hidden_act)?, placement),
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
