//! StarCoder2: LLaMA's attention and positions in the layers of GPT-2.
//!
//! Paper: <https://arxiv.org/abs/2402.19173>. Reference: `modeling_starcoder2.py` of transformers 4.56.2.
//!
//! Heads: causal LM, encoder, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::RotaryAngles;
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, Decoder, DecoderFamily, DecoderHeadConfig, Embedding, Heads,
    KvCache, LayerNorm, Linear, LlamaAttention, LlamaAttentionConfig, LlamaLayerConfig, LoadContext,
    Placement, Rope, RopeConfig, RopeScaling, TokenStep, load_causal_lm, load_encoder,
    load_sequence_classifier, load_token_classifier,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "starcoder2",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Starcoder2>),
        encoder: Some(load_encoder::<Starcoder2>),
        sequence_classifier: Some(load_sequence_classifier::<Starcoder2>),
        token_classifier: Some(load_token_classifier::<Starcoder2>),
        ..Heads::NONE
    },
};

struct Starcoder2;

impl DecoderFamily for Starcoder2 {
    type Decoder = Starcoder2Model;

    fn from_config(context: &LoadContext<'_>) -> Result<(Starcoder2Model, DecoderHeadConfig)> {
        let config: Starcoder2Config = context.checkpoint.config()?.parse()?;
        let heads = DecoderHeadConfig {
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            pad_token_id: config.pad_token_id,
            tie_word_embeddings: config.tie_word_embeddings,
            final_logit_softcapping: None,
        };
        Ok((Starcoder2Model::new(&config, context.placement)?, heads))
    }
}

/// config.json, with the defaults of `Starcoder2Config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Starcoder2Config {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: Option<usize>,
    hidden_act: String,
    max_position_embeddings: usize,
    norm_epsilon: f64,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    sliding_window: Option<usize>,
    use_bias: bool,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for Starcoder2Config {
    fn default() -> Self {
        Self {
            vocab_size: 49152,
            hidden_size: 3072,
            intermediate_size: 12288,
            num_hidden_layers: 30,
            num_attention_heads: 24,
            num_key_value_heads: 2,
            head_dim: None,
            hidden_act: "gelu_pytorch_tanh".into(),
            max_position_embeddings: 4096,
            norm_epsilon: 1e-5,
            rope_theta: 10000.0,
            rope_scaling: None,
            sliding_window: None,
            use_bias: true,
            pad_token_id: None,
            tie_word_embeddings: true,
        }
    }
}

impl Starcoder2Config {
    fn attention(&self) -> LlamaAttentionConfig {
        LlamaAttentionConfig {
            hidden_size: self.hidden_size,
            heads: self.num_attention_heads,
            key_heads: self.num_key_value_heads,
            head_dim: self.head_dim.unwrap_or_else(|| self.hidden_size / self.num_attention_heads.max(1)),
            qkv_bias: self.use_bias,
            output_bias: self.use_bias,
            scale: None,
        }
    }
}

#[derive(Module, Debug)]
struct Starcoder2Model {
    embed_tokens: Embedding,
    layers: Vec<Starcoder2DecoderLayer>,
    norm: LayerNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
}

impl Starcoder2Model {
    fn new(config: &Starcoder2Config, placement: &Placement) -> Result<Self> {
        let layers = (0..config.num_hidden_layers).map(|_| Starcoder2DecoderLayer::new(config, placement));
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.hidden_size, placement),
            layers: layers.collect::<Result<_>>()?,
            norm: LayerNorm::new(config.hidden_size, config.norm_epsilon, placement),
            rope: Rope::new(&RopeConfig {
                theta: config.rope_theta,
                size: config.attention().head_dim,
                positions: config.max_position_embeddings,
                original_positions: None,
                scaling: config.rope_scaling.clone(),
            })?,
            vocabulary: config.vocab_size,
        })
    }
}

impl Decoder for Starcoder2Model {
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
struct Starcoder2DecoderLayer {
    self_attn: LlamaAttention,
    mlp: Starcoder2MLP,
    input_layernorm: LayerNorm,
    post_attention_layernorm: LayerNorm,
}

impl Starcoder2DecoderLayer {
    fn new(config: &Starcoder2Config, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        let layer = LlamaLayerConfig { window: config.sliding_window, rotates: true };
        let norm = || LayerNorm::new(size, config.norm_epsilon, placement);
        Ok(Self {
            self_attn: LlamaAttention::new(&config.attention(), layer, placement)?,
            mlp: Starcoder2MLP {
                c_fc: Linear::with_bias(size, inner, config.use_bias, placement),
                c_proj: Linear::with_bias(inner, size, config.use_bias, placement),
                act: ActivationLayer::new(Activation::from_name(&config.hidden_act)?, placement),
            },
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
        let inner = self.mlp.c_fc.forward_activated(normed, &self.mlp.act);
        self.mlp.c_proj.forward_added(inner, hidden)
    }
}

#[derive(Module, Debug)]
struct Starcoder2MLP {
    c_fc: Linear,
    c_proj: Linear,
    act: ActivationLayer,
}
