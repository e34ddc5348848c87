//! Phi-3, Phi-3.5 and Phi-4: LLaMA with joined projections, and two sets of rotary frequencies, one for short and
//! one for long texts.
//!
//! Paper: <https://arxiv.org/abs/2404.14219>. Reference: `modeling_phi3.py` of transformers 4.56.2. A text that
//! outgrows the short frequencies is read again from its start, as the reference's
//! `prepare_inputs_for_generation` has it done.
//!
//! Heads: causal LM, encoder, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::{RotaryAngles, rotary};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, CachedScope, Decoder, DecoderFamily, DecoderHeadConfig,
    Embedding, Heads, KvCache, Linear, LoadContext, Placement, RmsNorm, Rope, RopeConfig, RopeScaling,
    TokenStep, check_heads, load_causal_lm, load_encoder, load_sequence_classifier, load_token_classifier,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "phi3",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Phi3>),
        encoder: Some(load_encoder::<Phi3>),
        sequence_classifier: Some(load_sequence_classifier::<Phi3>),
        token_classifier: Some(load_token_classifier::<Phi3>),
        ..Heads::NONE
    },
};

struct Phi3;

impl DecoderFamily for Phi3 {
    type Decoder = Phi3Model;

    fn from_config(context: &LoadContext<'_>) -> Result<(Phi3Model, DecoderHeadConfig)> {
        let config: Phi3Config = context.checkpoint.config()?.parse()?;
        let heads = DecoderHeadConfig {
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            pad_token_id: config.pad_token_id,
            tie_word_embeddings: config.tie_word_embeddings,
            final_logit_softcapping: None,
        };
        Ok((Phi3Model::new(&config, context.placement)?, heads))
    }
}

/// config.json, with the defaults of `Phi3Config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Phi3Config {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: String,
    max_position_embeddings: usize,
    original_max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    partial_rotary_factor: f64,
    sliding_window: Option<usize>,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for Phi3Config {
    fn default() -> Self {
        Self {
            vocab_size: 32064,
            hidden_size: 3072,
            intermediate_size: 8192,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: None,
            head_dim: None,
            hidden_act: "silu".into(),
            max_position_embeddings: 4096,
            original_max_position_embeddings: 4096,
            rms_norm_eps: 1e-5,
            rope_theta: 10000.0,
            rope_scaling: None,
            partial_rotary_factor: 1.0,
            sliding_window: None,
            pad_token_id: Some(32000),
            tie_word_embeddings: false,
        }
    }
}

impl Phi3Config {
    fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or_else(|| self.hidden_size / self.num_attention_heads.max(1))
    }
}

#[derive(Module, Debug)]
struct Phi3Model {
    embed_tokens: Embedding,
    layers: Vec<Phi3DecoderLayer>,
    norm: RmsNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
}

impl Phi3Model {
    fn new(config: &Phi3Config, placement: &Placement) -> Result<Self> {
        let key_heads = config.num_key_value_heads.unwrap_or(config.num_attention_heads);
        check_heads(config.num_attention_heads, key_heads, config.head_dim())?;
        let activation = Activation::from_name(&config.hidden_act)?;
        let layer = |_| Phi3DecoderLayer::new(config, key_heads, activation, placement);
        // The first files called the way of stretching otherwise.
        let renamed = |scaling: &RopeScaling| scaling.clone().renamed("yarn", "longrope");
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.hidden_size, placement),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            norm: RmsNorm::new(config.hidden_size, config.rms_norm_eps, placement),
            rope: Rope::new(&RopeConfig {
                theta: config.rope_theta,
                size: (config.head_dim() as f64 * config.partial_rotary_factor) as usize,
                positions: config.max_position_embeddings,
                original_positions: Some(config.original_max_position_embeddings),
                scaling: config.rope_scaling.as_ref().map(renamed),
            })?,
            vocabulary: config.vocab_size,
        })
    }

    fn run(&self, step: &TokenStep, cache: &mut KvCache) -> Tensor<3> {
        let device = self.embed_tokens.device();
        let angles = self.rope.angles(step, &device);
        let embedded = self.embed_tokens.forward(step.input_ids(&device));
        let hidden = self.layers.iter().enumerate().fold(embedded, |hidden, (index, layer)| {
            layer.forward(hidden, &angles, step, (index, &mut *cache))
        });
        self.norm.forward(hidden)
    }
}

impl Decoder for Phi3Model {
    fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len())
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let anew = self
            .rope
            .short_until()
            .and_then(|until| step.anew(cache, |text| text.past <= until && text.tokens() > until));
        let Some((whole, places)) = anew else { return Ok(self.run(step, cache)) };
        let hidden = whole.select(self.run(&whole, cache), &places);
        Ok(hidden.unsqueeze_dim(0))
    }
}

/// Attention, then a feed-forward part, each of a norm of its input and added to it.
#[derive(Module, Debug)]
struct Phi3DecoderLayer {
    self_attn: Phi3Attention,
    mlp: Phi3MLP,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
}

impl Phi3DecoderLayer {
    fn new(config: &Phi3Config, key_heads: usize, activation: Activation, placement: &Placement) -> Self {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        let (heads, head_dim) = (config.num_attention_heads, config.head_dim());
        let linear = |inputs, outputs| Linear::with_bias(inputs, outputs, false, placement);
        let norm = || RmsNorm::new(size, config.rms_norm_eps, placement);
        Self {
            self_attn: Phi3Attention {
                qkv_proj: linear(size, (heads + 2 * key_heads) * head_dim),
                o_proj: linear(heads * head_dim, size),
                heads,
                key_heads,
                head_dim,
                window: config.sliding_window,
            },
            mlp: Phi3MLP {
                gate_up_proj: linear(size, 2 * inner),
                down_proj: linear(inner, size),
                activation_fn: ActivationLayer::new(activation, placement),
            },
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
        }
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

#[derive(Module, Debug)]
struct Phi3Attention {
    /// Queries, keys and values.
    qkv_proj: Linear,
    o_proj: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    key_heads: usize,
    #[module(skip)]
    head_dim: usize,
    #[module(skip)]
    window: Option<usize>,
}

impl Phi3Attention {
    /// Attention of `x`, added to `residual`.
    fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, _] = x.dims();
        let heads =
            self.qkv_proj.forward(x).reshape([rows, tokens, self.heads + 2 * self.key_heads, self.head_dim]);
        let part = |start: usize, count: usize| heads.clone().narrow(2, start, count);
        let query = rotary(part(0, self.heads), angles);
        let key = rotary(part(self.heads, self.key_heads), angles);
        let value = part(self.heads + self.key_heads, self.key_heads);
        let scope = CachedScope { window: self.window, ..CachedScope::default() };
        let context = cache.attend(index, query, key, value, step, &scope);
        self.o_proj.forward_added(context.reshape([rows, tokens, self.heads * self.head_dim]), residual)
    }
}

#[derive(Module, Debug)]
struct Phi3MLP {
    gate_up_proj: Linear,
    down_proj: Linear,
    activation_fn: ActivationLayer,
}

impl Phi3MLP {
    /// The part, added to `residual`.
    fn forward_added(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let joined = self.gate_up_proj.forward(x);
        let inner = joined.dims()[2] / 2;
        let [gate, up] = [0, inner].map(|start| joined.clone().narrow(2, start, inner));
        self.down_proj.forward_added(self.activation_fn.forward(gate) * up, residual)
    }
}
