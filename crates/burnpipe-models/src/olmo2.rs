//! OLMo 2: LLaMA with norms of all heads of queries or keys together, and norms after each part, none before.
//!
//! Paper: <https://arxiv.org/abs/2501.00656>. Reference: `modeling_olmo2.py` of transformers 4.56.2.
//!
//! Heads: causal LM, encoder.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::{self, RotaryAngles, rotary};
use burnpipe_nn::{
    Activation, Architecture, CachedScope, Decoder, DecoderFamily, DecoderHeadConfig, Embedding, GatedMlp,
    Heads, KvCache, Linear, LoadContext, Placement, RmsNorm, Rope, RopeConfig, RopeScaling, TokenStep,
    check_heads, load_causal_lm, load_encoder,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "olmo2",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Olmo2>),
        encoder: Some(load_encoder::<Olmo2>),
        ..Heads::NONE
    },
};

struct Olmo2;

impl DecoderFamily for Olmo2 {
    type Decoder = Olmo2Model;

    fn from_config(context: &LoadContext<'_>) -> Result<(Olmo2Model, DecoderHeadConfig)> {
        let config: Olmo2Config = context.checkpoint.config()?.parse()?;
        let heads = DecoderHeadConfig {
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            pad_token_id: config.pad_token_id,
            tie_word_embeddings: config.tie_word_embeddings,
            final_logit_softcapping: None,
        };
        Ok((Olmo2Model::new(&config, context.placement)?, heads))
    }
}

/// config.json, with the defaults of `Olmo2Config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Olmo2Config {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: String,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    attention_bias: bool,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for Olmo2Config {
    fn default() -> Self {
        Self {
            vocab_size: 50304,
            hidden_size: 4096,
            intermediate_size: 11008,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: None,
            head_dim: None,
            hidden_act: "silu".into(),
            max_position_embeddings: 2048,
            rms_norm_eps: 1e-5,
            rope_theta: 10000.0,
            rope_scaling: None,
            attention_bias: false,
            pad_token_id: Some(1),
            tie_word_embeddings: false,
        }
    }
}

impl Olmo2Config {
    fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or_else(|| self.hidden_size / self.num_attention_heads.max(1))
    }
}

#[derive(Module, Debug)]
struct Olmo2Model {
    embed_tokens: Embedding,
    layers: Vec<Olmo2DecoderLayer>,
    norm: RmsNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
}

impl Olmo2Model {
    fn new(config: &Olmo2Config, placement: &Placement) -> Result<Self> {
        let layers = (0..config.num_hidden_layers).map(|_| Olmo2DecoderLayer::new(config, placement));
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.hidden_size, placement),
            layers: layers.collect::<Result<_>>()?,
            norm: RmsNorm::new(config.hidden_size, config.rms_norm_eps, placement),
            rope: Rope::new(&RopeConfig {
                theta: config.rope_theta,
                size: config.head_dim(),
                positions: config.max_position_embeddings,
                original_positions: None,
                scaling: config.rope_scaling.clone(),
            })?,
            vocabulary: config.vocab_size,
        })
    }
}

impl Decoder for Olmo2Model {
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

/// Attention, then a feed-forward part, each normed and added to its input.
#[derive(Module, Debug)]
struct Olmo2DecoderLayer {
    self_attn: Olmo2Attention,
    mlp: GatedMlp,
    post_attention_layernorm: RmsNorm,
    post_feedforward_layernorm: RmsNorm,
}

impl Olmo2DecoderLayer {
    fn new(config: &Olmo2Config, placement: &Placement) -> Result<Self> {
        let sizes = (config.hidden_size, config.intermediate_size);
        let norm = || RmsNorm::new(config.hidden_size, config.rms_norm_eps, placement);
        Ok(Self {
            self_attn: Olmo2Attention::new(config, placement)?,
            mlp: GatedMlp::new(sizes, false, Activation::from_name(&config.hidden_act)?, placement),
            post_attention_layernorm: norm(),
            post_feedforward_layernorm: norm(),
        })
    }

    fn forward(
        &self,
        hidden: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        let attended = self.self_attn.forward(hidden.clone(), angles, step, cache);
        let hidden = hidden + self.post_attention_layernorm.forward(attended);
        let inner = self.mlp.forward(hidden.clone());
        hidden + self.post_feedforward_layernorm.forward(inner)
    }
}

#[derive(Module, Debug)]
struct Olmo2Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    #[module(skip)]
    head_dim: usize,
}

impl Olmo2Attention {
    fn new(config: &Olmo2Config, placement: &Placement) -> Result<Self> {
        let (heads, head_dim) = (config.num_attention_heads, config.head_dim());
        let key_heads = config.num_key_value_heads.unwrap_or(heads);
        check_heads(heads, key_heads, head_dim)?;
        let linear = |inputs, outputs| Linear::with_bias(inputs, outputs, config.attention_bias, placement);
        let norm = |heads: usize| RmsNorm::new(heads * head_dim, config.rms_norm_eps, placement);
        Ok(Self {
            q_proj: linear(config.hidden_size, heads * head_dim),
            k_proj: linear(config.hidden_size, key_heads * head_dim),
            v_proj: linear(config.hidden_size, key_heads * head_dim),
            o_proj: linear(heads * head_dim, config.hidden_size),
            q_norm: norm(heads),
            k_norm: norm(key_heads),
            head_dim,
        })
    }

    fn forward(
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
        let [query, key, value] = ops::linear_each(x, [&self.q_proj, &self.k_proj, &self.v_proj]);
        let query = rotary(split(self.q_norm.forward(query)), angles);
        let key = rotary(split(self.k_norm.forward(key)), angles);
        let width = query.dims()[2] * self.head_dim;
        let context = cache.attend(index, query, key, split(value), step, &CachedScope::default());
        self.o_proj.forward(context.reshape([rows, tokens, width]))
    }
}
